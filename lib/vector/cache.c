#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/vector/cache.h"

/*
 * What one process keeps of vectors, of all bots together: about 340,000 of 768
 * numbers.  The bots not asked for longest go first.  A bot that needs more
 * than all of it is read from the store for each question.
 */
#define BYTES_MAX	((size_t)256 << 20)
#define BOTS_MAX	1024

struct cached {
	struct csa_vcached pub;		/* first: both are one address */
	struct cached	*next;		/* last used first */
	char		*tenant, *bot;
	uint64_t	 generation;	/* of the store, when it was read */
	int64_t		 last_row;	/* what is behind it is new */
	size_t		 bytes;		/* as counted in the total */
	/* Under the lock: */
	unsigned	 readers;
	bool		 changing;	/* one thread brings it up to date */
};

struct csa_vcache {
	struct csa_store *store;	/* borrowed */
	char		*model;
	pthread_mutex_t	 lock;		/* of the list, not of what is in it */
	pthread_cond_t	 free;		/* somebody is done with one */
	struct cached	*first;
	size_t		 bytes, n;	/* of all in the list */
};

/* Who wants what. */
struct wish {
	struct csa_vcache *cache;
	struct csa_ctx	*ctx;
	const struct csa_scope *scope;
	size_t		 dim;
	struct csa_err	*err;
};

/* ---- the list ---- */

static void
cached_free(struct cached *c)
{
	csa_index_fini(&c->pub.index);
	free(c->tenant);
	free(c->bot);
	free(c);
}

static const char *
tenant_of(const struct csa_scope *scope)
{
	return scope->tenant != NULL ? scope->tenant : "";
}

/* The scope's entry, moved to the front, made where there is none. */
static struct cached *
find(struct csa_vcache *l, const struct csa_scope *scope, size_t dim)
{
	struct cached	**at, *c;

	for (at = &l->first; (c = *at) != NULL; at = &c->next)
		if (c->pub.index.dim == dim &&
		    strcmp(c->bot, scope->bot) == 0 &&
		    strcmp(c->tenant, tenant_of(scope)) == 0) {
			*at = c->next;
			break;
		}
	if (c == NULL) {
		c = csa_new(struct cached);
		c->tenant = csa_strdup(tenant_of(scope));
		c->bot = csa_strdup(scope->bot);
		csa_index_init(&c->pub.index, dim);
		l->n++;
	}
	c->next = l->first;
	return l->first = c;
}

/* Let go of those not used for longest until all fit. */
static void
shrink(struct csa_vcache *l)
{
	struct cached	**at, **last, *c;

	while (l->bytes > BYTES_MAX || l->n > BOTS_MAX) {
		last = NULL;
		for (at = &l->first; *at != NULL; at = &(*at)->next)
			if ((*at)->readers == 0 && !(*at)->changing)
				last = at;
		if (last == NULL)
			return;
		c = *last;
		*last = c->next;
		l->bytes -= c->bytes;
		l->n--;
		cached_free(c);
	}
}

/* With the lock held: until somebody is done, or the deadline. */
static int
wait_free(struct wish *s)
{
	struct timespec	 ts;
	int64_t		 deadline = s->ctx->deadline;

	if (csa_left_ms(deadline) == 0)
		return csa_fail(s->err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
	ts.tv_sec = deadline / 1000;
	ts.tv_nsec = deadline % 1000 * 1000000;
	(void)pthread_cond_timedwait(&s->cache->free, &s->cache->lock, &ts);
	return 0;
}

/* ---- bringing an entry up to date ---- */

struct adding {
	struct cached	*c;
	size_t		 limit;
};

static bool
add(void *arg, const struct csa_stored_vec *v)
{
	struct adding	*a = arg;
	struct cached	*c = a->c;

	c->last_row = v->row;
	if (v->dim != c->pub.index.dim) {
		c->pub.others = v->dim;
		return true;
	}
	csa_index_add(&c->pub.index, v->row, v->vec);
	c->pub.too_large = csa_index_bytes(&c->pub.index) > a->limit;
	return !c->pub.too_large;
}

/*
 * A file that was deleted and made anew counts its rows from 1 again.  If the
 * last one known is another vector now, nothing known is worth anything.
 */
static int
check_last(struct wish *s, struct cached *c)
{
	struct csa_store	*store = s->cache->store;
	const float		*v;
	size_t			 i = c->pub.index.n - 1;

	if (c->pub.index.n == 0)
		return 0;
	if (store->ops->vectors_by_row(store, s->ctx, s->scope,
	    &c->pub.index.row[i], 1, &v, s->dim, s->err) == -1)
		return -1;
	if (v != NULL && csa_index_equals(&c->pub.index, i, v))
		return 0;
	csa_index_clear(&c->pub.index);
	return 0;
}

/* Drop what is gone, and see to it that last_row is a row of this file. */
static int
drop_gone(struct wish *s, struct cached *c)
{
	const struct csa_index	*x = &c->pub.index;
	struct csa_store	*store = s->cache->store;
	int64_t			*rows;
	size_t			 n;

	if (store->ops->vector_rows(store, s->ctx, s->scope, s->cache->model,
	    &rows, &n, s->err) == -1)
		return -1;
	csa_index_keep(&c->pub.index, rows, n);
	free(rows);
	if (check_last(s, c) == -1)
		return -1;
	c->last_row = x->n > 0 ? x->row[x->n - 1] : 0;
	return 0;
}

static int
refresh(struct wish *s, struct cached *c, uint64_t generation)
{
	struct csa_store	*store = s->cache->store;
	struct adding		 a = { c, BYTES_MAX };

	/* Until all of it is there, it is of no generation. */
	c->generation = 0;
	c->pub.others = 0;
	c->pub.too_large = false;
	if (c->pub.index.n == 0)
		c->last_row = 0;
	else if (drop_gone(s, c) == -1)
		return -1;
	if (store->ops->scan_vectors(store, s->ctx, s->scope, s->cache->model,
	    c->last_row, add, &a, s->err) == -1)
		return -1;
	if (c->pub.too_large)
		csa_index_clear(&c->pub.index);
	c->generation = generation;
	return 0;
}

/* ---- in and out ---- */

static void
leave(struct csa_vcache *l, struct cached *c)
{
	if (c->changing) {
		l->bytes -= c->bytes;
		c->bytes = csa_index_bytes(&c->pub.index);
		l->bytes += c->bytes;
	} else
		c->readers--;
	c->changing = false;
	shrink(l);
	pthread_cond_broadcast(&l->free);
}

/*
 * Get an entry of this generation, or a newer one, to read from: whoever comes
 * first brings it up to date, alone; the others wait for that.
 */
static int
enter(struct wish *s, uint64_t generation, struct cached **out)
{
	struct csa_vcache	*l = s->cache;
	struct cached	*c;
	int		 rc;

	for (;;) {
		c = find(l, s->scope, s->dim);
		if (!c->changing && c->generation >= generation) {
			c->readers++;
			*out = c;
			return 0;
		}
		if (!c->changing && c->readers == 0) {
			c->changing = true;
			pthread_mutex_unlock(&l->lock);
			rc = refresh(s, c, generation);
			pthread_mutex_lock(&l->lock);
			/* Not let go of before it is read from. */
			c->readers++;
			leave(l, c);
			*out = c;
			if (rc == 0)
				return 0;
			c->readers--;
			return -1;
		}
		if (wait_free(s) == -1)
			return -1;
	}
}

int
csa_vcache_enter(struct csa_vcache *l, struct csa_ctx *ctx,
    const struct csa_scope *scope, size_t dim, const struct csa_vcached **out,
    struct csa_err *err)
{
	struct wish	 s = { l, ctx, scope, dim, err };
	struct cached	*c;
	uint64_t	 generation;
	int		 rc;

	if (l->store->ops->generation(l->store, ctx, scope, &generation,
	    err) == -1)
		return -1;
	if (generation == 0)
		return 0;
	pthread_mutex_lock(&l->lock);
	if ((rc = enter(&s, generation, &c)) == 0)
		*out = &c->pub;
	pthread_mutex_unlock(&l->lock);
	return rc == 0 ? 1 : -1;
}

void
csa_vcache_leave(struct csa_vcache *l, const struct csa_vcached *entry)
{
	struct cached	*c;

	pthread_mutex_lock(&l->lock);
	for (c = l->first; &c->pub != entry; c = c->next)
		CSA_MUST(c->next != NULL);
	leave(l, c);
	pthread_mutex_unlock(&l->lock);
}

struct csa_vcache *
csa_vcache_new(struct csa_store *store, const char *model)
{
	struct csa_vcache	*l = csa_new(struct csa_vcache);
	pthread_condattr_t	 attr;

	l->store = store;
	l->model = csa_strdup(model);
	pthread_mutex_init(&l->lock, NULL);
	/* Deadlines are of the monotonic clock. */
	CSA_MUST(pthread_condattr_init(&attr) == 0);
	CSA_MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CSA_MUST(pthread_cond_init(&l->free, &attr) == 0);
	pthread_condattr_destroy(&attr);
	return l;
}

void
csa_vcache_free(struct csa_vcache *l)
{
	struct cached	*c;

	while ((c = l->first) != NULL) {
		l->first = c->next;
		cached_free(c);
	}
	pthread_cond_destroy(&l->free);
	pthread_mutex_destroy(&l->lock);
	free(l->model);
	free(l);
}
