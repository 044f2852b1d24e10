#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/vector/index.h"
#include "lib/vector/vector.h"

/*
 * What one process keeps of vectors, of all bots together: about 340,000 of 768
 * numbers.  The bots not asked for longest go first.  A bot that needs more than
 * all of it is read from the store for each question.
 */
#define BYTES_MAX	((size_t)256 << 20)
#define BOTS_MAX	1024

/*
 * So many does the scan in eight bits hand on, to be looked at with the stored
 * floats.  Measured with 768 numbers: the k nearest of 100,000 are all among them,
 * for k = 10 and 100; 4 * k found no more and took twice the time.
 */
#define WANT(k)		((k) + (k) / 4 + 32)

/* One bot's vectors of one dimension. */
struct cached {
	struct cached	*next;		/* last used first */
	char		*tenant, *bot;
	struct csa_index index;
	uint64_t	 generation;	/* of the store, when it was read */
	int64_t		 last_row;	/* what is behind it is new */
	size_t		 others;	/* a dimension that isn't ours, or 0 */
	bool		 too_large;
	size_t		 bytes;		/* as counted in the total */
	/* Under the lock: */
	unsigned	 readers;
	bool		 changing;	/* one thread brings it up to date */
};

struct local {
	struct csa_vectors vectors;
	struct csa_store *store;	/* borrowed */
	char		*model;
	pthread_mutex_t	 lock;		/* of the list, not of what is in it */
	pthread_cond_t	 free;		/* somebody is done with one */
	struct cached	*first;
	size_t		 bytes, n;	/* of all in the list */
};

struct csa_vec_query {
	struct local	*local;
	struct csa_ctx	*ctx;
	struct csa_scope scope;
	struct csa_vec	 vec;
	size_t		 k;
};

/* What is known of one question. */
struct search {
	struct local	*local;
	struct csa_ctx	*ctx;
	const struct csa_scope *scope;
	const float	*unit;
	size_t		 dim, k;
	struct csa_near	*near;
	size_t		 nnear;
	struct csa_err	*err;
};

/* ---- the cache ---- */

static void
cached_free(struct cached *c)
{
	csa_index_fini(&c->index);
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
find(struct local *l, const struct csa_scope *scope, size_t dim)
{
	struct cached	**at, *c;

	for (at = &l->first; (c = *at) != NULL; at = &c->next)
		if (c->index.dim == dim && strcmp(c->bot, scope->bot) == 0 &&
		    strcmp(c->tenant, tenant_of(scope)) == 0) {
			*at = c->next;
			break;
		}
	if (c == NULL) {
		c = csa_new(struct cached);
		c->tenant = csa_strdup(tenant_of(scope));
		c->bot = csa_strdup(scope->bot);
		csa_index_init(&c->index, dim);
		l->n++;
	}
	c->next = l->first;
	return l->first = c;
}

/* Let go of those not used for longest until all fit. */
static void
shrink(struct local *l)
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
wait_free(struct search *s)
{
	struct timespec	 ts;
	int64_t		 deadline = s->ctx->deadline;

	if (csa_left_ms(deadline) == 0)
		return csa_fail(s->err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
	ts.tv_sec = deadline / 1000;
	ts.tv_nsec = deadline % 1000 * 1000000;
	(void)pthread_cond_timedwait(&s->local->free, &s->local->lock, &ts);
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
	if (v->dim != c->index.dim) {
		c->others = v->dim;
		return true;
	}
	csa_index_add(&c->index, v->row, v->vec);
	c->too_large = csa_index_bytes(&c->index) > a->limit;
	return !c->too_large;
}

/*
 * A file that was deleted and made anew counts its rows from 1 again.  If the last
 * one known is another vector now, nothing known is worth anything.
 */
static int
check_last(struct search *s, struct cached *c)
{
	struct csa_store	*store = s->local->store;
	const float		*v;
	size_t			 i = c->index.n - 1;

	if (c->index.n == 0)
		return 0;
	if (store->ops->vectors_by_row(store, s->ctx, s->scope,
	    &c->index.row[i], 1, &v, s->dim, s->err) == -1)
		return -1;
	if (v != NULL && csa_index_equals(&c->index, i, v))
		return 0;
	csa_index_clear(&c->index);
	return 0;
}

/* Drop what is gone, and see to it that last_row is a row of this file. */
static int
drop_gone(struct search *s, struct cached *c)
{
	struct csa_store	*store = s->local->store;
	int64_t			*rows;
	size_t			 n;

	if (store->ops->vector_rows(store, s->ctx, s->scope, s->local->model,
	    &rows, &n, s->err) == -1)
		return -1;
	csa_index_keep(&c->index, rows, n);
	free(rows);
	if (check_last(s, c) == -1)
		return -1;
	c->last_row = c->index.n > 0 ? c->index.row[c->index.n - 1] : 0;
	return 0;
}

static int
refresh(struct search *s, struct cached *c, uint64_t generation)
{
	struct csa_store	*store = s->local->store;
	struct adding		 a = { c, BYTES_MAX };

	/* Until all of it is there, it is of no generation. */
	c->generation = 0;
	c->others = 0;
	c->too_large = false;
	if (c->index.n == 0)
		c->last_row = 0;
	else if (drop_gone(s, c) == -1)
		return -1;
	if (store->ops->scan_vectors(store, s->ctx, s->scope, s->local->model,
	    c->last_row, add, &a, s->err) == -1)
		return -1;
	if (c->too_large)
		csa_index_clear(&c->index);
	c->generation = generation;
	return 0;
}

/* ---- searching ---- */

static int
scan_index(struct search *s, const struct cached *c)
{
	size_t	 want = WANT(s->k);
	long	 n;

	if (want > c->index.n)
		want = c->index.n;
	s->near = csa_arena_array(s->ctx->arena, want, struct csa_near);
	n = csa_index_search(&c->index, s->unit, want, s->near,
	    s->ctx->deadline);
	if (n == -1)
		return csa_fail(s->err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
	s->nnear = (size_t)n;
	if (c->index.n > 0 || c->others == 0)
		return 0;
	return csa_fail(s->err, CSA_ERR_CONFLICT, CSA_SRC_STORE,
	    "the bot's documents were embedded with %zu dimensions, the "
	    "question with %zu: store the documents again", c->others, s->dim);
}

/* The cosine; unit has the length 1. */
static float
cosine(const struct search *s, const float *v)
{
	double	 length = sqrt(csa_dot(v, v, s->dim));

	return length > 0 ? (float)(csa_dot(s->unit, v, s->dim) / length) : 0;
}

static bool
compare_stored(void *arg, const struct csa_stored_vec *v)
{
	struct search	*s = arg;

	if (v->dim == s->dim)
		csa_near_keep(s->near, &s->nnear, s->k,
		    (struct csa_near){ v->row, cosine(s, v->vec) });
	return true;
}

/* For a bot that is too large to be kept. */
static int
scan_store(struct search *s)
{
	struct csa_store	*store = s->local->store;

	s->near = csa_arena_array(s->ctx->arena, s->k, struct csa_near);
	return store->ops->scan_vectors(store, s->ctx, s->scope,
	    s->local->model, 0, compare_stored, s, s->err);
}

static void
leave(struct local *l, struct cached *c)
{
	if (c->changing) {
		l->bytes -= c->bytes;
		c->bytes = csa_index_bytes(&c->index);
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
enter(struct search *s, uint64_t generation, struct cached **out)
{
	struct local	*l = s->local;
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

static int
find_near(struct search *s)
{
	struct csa_store	*store = s->local->store;
	struct local		*l = s->local;
	struct cached		*c;
	uint64_t		 generation;
	bool			 too_large = false;
	int			 rc;

	if (store->ops->generation(store, s->ctx, s->scope, &generation,
	    s->err) == -1)
		return -1;
	if (generation == 0)
		return 0;
	pthread_mutex_lock(&l->lock);
	if ((rc = enter(s, generation, &c)) == 0) {
		pthread_mutex_unlock(&l->lock);
		if (!(too_large = c->too_large))
			rc = scan_index(s, c);
		pthread_mutex_lock(&l->lock);
		leave(l, c);
	}
	pthread_mutex_unlock(&l->lock);
	return too_large ? scan_store(s) : rc;
}

/* With the stored floats: the exact order of what the scan has found. */
static int
look_again(struct search *s)
{
	struct csa_store	*store = s->local->store;
	int64_t			*row;
	const float		**v;
	size_t			 n = 0;

	row = csa_arena_array(s->ctx->arena, s->nnear, int64_t);
	v = csa_arena_array(s->ctx->arena, s->nnear, const float *);
	for (size_t i = 0; i < s->nnear; i++)
		row[i] = s->near[i].row;
	if (store->ops->vectors_by_row(store, s->ctx, s->scope, row, s->nnear,
	    v, s->dim, s->err) == -1)
		return -1;
	for (size_t i = 0; i < s->nnear; i++)
		if (v[i] != NULL)
			s->near[n++] = (struct csa_near){ row[i],
			    cosine(s, v[i]) };
	if (n > 1)
		qsort(s->near, n, sizeof(*s->near), csa_near_order);
	s->nnear = n < s->k ? n : s->k;
	return 0;
}

static int
read_texts(struct search *s, struct csa_vec_hit **hits, size_t *n)
{
	struct csa_store	*store = s->local->store;
	struct csa_chunk	*chunks;
	int64_t			*row;

	chunks = csa_arena_array(s->ctx->arena, s->nnear, struct csa_chunk);
	row = csa_arena_array(s->ctx->arena, s->nnear, int64_t);
	*hits = csa_arena_array(s->ctx->arena, s->nnear, struct csa_vec_hit);
	for (size_t i = 0; i < s->nnear; i++)
		row[i] = s->near[i].row;
	if (store->ops->chunks_by_row(store, s->ctx, s->scope, row, s->nnear,
	    chunks, s->err) == -1)
		return -1;
	for (size_t i = 0; i < s->nnear; i++) {
		/* Replaced since the scan. */
		if (chunks[i].id == NULL)
			continue;
		(*hits)[*n].chunk = chunks[i];
		(*hits)[(*n)++].score = s->near[i].score;
	}
	return 0;
}

/* ---- the driver ---- */

static struct csa_vec_query *
query(struct csa_vectors *v, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_vec *vec, size_t k)
{
	struct csa_vec_query	*q;

	q = csa_arena_array(ctx->arena, 1, struct csa_vec_query);
	q->local = (struct local *)v;
	q->ctx = ctx;
	q->scope = *scope;
	q->vec = *vec;
	q->k = k;
	return q;
}

static int
finish(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	struct search	 s = { q->local, q->ctx, &q->scope, NULL, q->vec.dim,
			    q->k, NULL, 0, err };

	*hits = NULL;
	*n = 0;
	if (q->k == 0 || s.dim == 0)
		return 0;
	if (s.dim > CSA_INDEX_DIM_MAX)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_AGENT,
		    "an embedding of %zu dimensions is too large", s.dim);
	s.unit = csa_vec_floats(q->ctx->arena, &q->vec, 1);
	/* No direction, so nothing lies in it. */
	if (s.unit == NULL)
		return 0;
	if (find_near(&s) == -1 || look_again(&s) == -1)
		return -1;
	return read_texts(&s, hits, n);
}

static void
cancel(struct csa_vec_query *q)
{
	/* Nothing was begun, and q is the arena's. */
	(void)q;
}

/* The store's transaction has the vectors already. */
static int
put(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const char *document_id, const struct csa_chunk *chunks,
    const struct csa_vec *vecs, size_t n, const struct csa_ids *old,
    struct csa_err *err)
{
	(void)v, (void)ctx, (void)scope, (void)document_id, (void)chunks;
	(void)vecs, (void)n, (void)old, (void)err;
	return 0;
}

static int
del(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const struct csa_ids *ids, struct csa_err *err)
{
	(void)v, (void)ctx, (void)scope, (void)ids, (void)err;
	return 0;
}

static int
probe(struct csa_vectors *v, long ms)
{
	/* It is the store's ping that tells. */
	(void)v;
	(void)ms;
	return 0;
}

static void
close_local(struct csa_vectors *v)
{
	struct local	*l = (struct local *)v;
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

static const struct csa_vectors_ops ops = {
	.query = query,
	.finish = finish,
	.cancel = cancel,
	.put = put,
	.del = del,
	.probe = probe,
	.close = close_local,
};

struct csa_vectors *
csa_vectors_local_open(struct csa_store *store, const char *model)
{
	struct local		*l = csa_new(struct local);
	pthread_condattr_t	 attr;

	l->vectors.ops = &ops;
	l->vectors.name = "local";
	l->store = store;
	l->model = csa_strdup(model);
	pthread_mutex_init(&l->lock, NULL);
	/* Deadlines are of the monotonic clock. */
	CSA_MUST(pthread_condattr_init(&attr) == 0);
	CSA_MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CSA_MUST(pthread_cond_init(&l->free, &attr) == 0);
	pthread_condattr_destroy(&attr);
	return &l->vectors;
}
