#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/cache/flight.h"
#include "lib/config/config.h"
#include "lib/provider/cached.h"

#define MAX_VALUE	(1024 * 1024)

struct cached_embedder {
	struct csa_embedder	 embedder;	/* must be first */
	struct csa_embedder	*inner;
	struct csa_cache	*cache;
	uint32_t		 ttl;		/* seconds; 0: none is kept */
	bool			 share;		/* calls at the same time */
	size_t			 dim;		/* 0: as they come */
	struct csa_digest	 space[2];	/* by kind */
};

/* A text of the batch, once. */
struct item {
	const struct csa_text	*text;
	struct csa_vec		 vec;		/* dim 0: not yet */
	bool			 fresh;		/* the inner embedder's */
};

#define ROUNDS	2	/* see settle */

struct csa_embed_job {
	struct cached_embedder	*e;
	struct csa_ctx		*ctx;
	enum csa_embed_kind	 kind;
	size_t			 n;
	size_t			*of;		/* text i is items[of[i]], or: */
	bool			 plain;		/* all is the inner one's */
	struct item		*items;
	struct csa_cache_key	*keys;		/* of the items */
	size_t			 nitems;
	struct csa_flight	*flight;	/* NULL: none */
	/* Asked of the inner embedder: the items[asked[i]], for each round. */
	struct csa_embed_job	*inner[ROUNDS];
	size_t			*asked;
	size_t			 nasked, rounds;
};

/* ---- one of each ---- */

static size_t
place(const struct csa_cache_key *key, size_t size)
{
	size_t	 h;

	memcpy(&h, key->digest.b, sizeof(h));
	return h & (size - 1);
}

/*
 * Number the different texts in the order in which they come.  Two with one key
 * are one text, as two with one value in memcached would be.
 */
static void
sort_out(struct csa_embed_job *job, const struct csa_text *texts)
{
	struct csa_arena	*a = job->ctx->arena;
	size_t			 size = 2, at, *table;
	struct csa_cache_key	*key;

	while (size < 2 * job->n)
		size *= 2;
	table = csa_arena_array(a, size, size_t);	/* item + 1 */
	job->of = csa_arena_array(a, job->n, size_t);
	job->items = csa_arena_array(a, job->n, struct item);
	job->keys = csa_arena_array(a, job->n, struct csa_cache_key);
	for (size_t i = 0; i < job->n; i++) {
		key = &job->keys[job->nitems];
		csa_embed_key(&job->e->space[job->kind], &texts[i], key);
		at = place(key, size);
		while (table[at] != 0 && !csa_digest_eq(&key->digest,
		    &job->keys[table[at] - 1].digest))
			at = (at + 1) & (size - 1);
		if (table[at] == 0) {
			job->items[job->nitems].text = &texts[i];
			table[at] = ++job->nitems;
		}
		job->of[i] = table[at] - 1;
	}
}

/* ---- what is known already ---- */

static bool
agree(const struct csa_embed_job *job)
{
	size_t	 dim = 0;

	for (size_t i = 0; i < job->nitems; i++) {
		if (job->items[i].vec.dim == 0)
			continue;
		if (dim != 0 && job->items[i].vec.dim != dim)
			return false;
		dim = job->items[i].vec.dim;
	}
	return true;
}

/* What was kept does not fit: take it for missing. */
static void
forget(struct csa_embed_job *job)
{
	for (size_t i = 0; i < job->nitems; i++)
		if (!job->items[i].fresh)
			memset(&job->items[i].vec, 0, sizeof(struct csa_vec));
}

/* 1: that is item's vector; 0: it is none. */
static int
use(struct csa_embed_job *job, struct item *item, const struct csa_cached *c)
{
	struct csa_vec	 v;

	if (csa_embed_unpack(job->ctx->arena, c->data, c->len, &v) == -1 ||
	    (job->e->dim != 0 && v.dim != job->e->dim))
		return 0;
	item->vec = v;
	return 1;
}

static void
saved(const struct item *item)
{
	csa_cache_saved(CSA_CACHE_EMBEDDING, 0,
	    (long)((item->text->n + 3) / 4));
}

static void
look_up(struct csa_embed_job *job)
{
	struct csa_cached	*got;

	if (job->e->ttl == 0)
		return;
	got = csa_arena_array(job->ctx->arena, job->nitems,
	    struct csa_cached);
	if (csa_cache_get_many(job->e->cache, job->ctx, job->keys,
	    job->nitems, got) == 0)
		return;
	for (size_t i = 0; i < job->nitems; i++)
		if (got[i].data != NULL)
			(void)use(job, &job->items[i], &got[i]);
	if (!agree(job))
		forget(job);
	for (size_t i = 0; i < job->nitems; i++)
		if (job->items[i].vec.dim != 0)
			saved(&job->items[i]);
}

/* ---- what is not ---- */

/* A round: start what is still missing.  Never waits. */
static void
ask(struct csa_embed_job *job)
{
	struct csa_embedder	*inner = job->e->inner;
	struct csa_arena	*a = job->ctx->arena;
	struct csa_text		*texts;

	texts = csa_arena_array(a, job->nitems, struct csa_text);
	job->asked = csa_arena_array(a, job->nitems, size_t);
	job->nasked = 0;
	for (size_t i = 0; i < job->nitems; i++)
		if (job->items[i].vec.dim == 0) {
			texts[job->nasked] = *job->items[i].text;
			job->asked[job->nasked++] = i;
		}
	if (job->nasked == 0)
		return;
	CSA_MUST(job->rounds < ROUNDS);
	job->inner[job->rounds++] = inner->ops->start(inner, job->ctx,
	    job->kind, texts, job->nasked);
}

static int
collect(struct csa_embed_job *job, struct csa_err *err)
{
	struct csa_vec	*vecs;
	struct item	*item;

	if (job->nasked == 0)
		return 0;
	vecs = csa_arena_array(job->ctx->arena, job->nasked, struct csa_vec);
	if (job->e->inner->ops->finish(job->inner[job->rounds - 1], vecs,
	    err) == -1)
		return -1;
	for (size_t i = 0; i < job->nasked; i++) {
		item = &job->items[job->asked[i]];
		item->vec = vecs[i];
		item->fresh = true;
	}
	job->nasked = 0;
	return 0;
}

/* A vector that came as text stays that too, for who passes it on. */
static void
pack(struct csa_embed_job *job, struct item *item, struct csa_buf *b)
{
	csa_embed_pack(b, csa_vec_floats(job->ctx->arena, &item->vec, 0),
	    item->vec.dim);
}

static void
keep(struct csa_embed_job *job)
{
	struct csa_arena	*a = job->ctx->arena;
	struct csa_cache_key	*keys;
	struct csa_cached	*values;
	struct csa_buf		 b;
	size_t			 n = 0, *at;

	if (job->e->ttl == 0 || !csa_cache_is_on(job->e->cache))
		return;
	keys = csa_arena_array(a, job->nitems, struct csa_cache_key);
	values = csa_arena_array(a, job->nitems, struct csa_cached);
	at = csa_arena_array(a, job->nitems, size_t);
	csa_buf_init(&b, SIZE_MAX / 2);
	for (size_t i = 0; i < job->nitems; i++) {
		if (!job->items[i].fresh)
			continue;
		at[n] = b.len;
		pack(job, &job->items[i], &b);
		values[n].len = b.len - at[n];
		keys[n++] = job->keys[i];
	}
	for (size_t i = 0; i < n; i++)
		values[i].data = b.data + at[i];
	if (n > 0 && !b.failed)
		csa_cache_put_many(job->e->cache, job->ctx, keys, values, n,
		    job->e->ttl);
	csa_buf_fini(&b);
}

/* ---- together with others ---- */

static void
leave(struct csa_embed_job *job)
{
	if (job->flight != NULL)
		csa_flight_leave(job->flight);
	job->flight = NULL;
}

/* The one item's vector, or why there is none, for who waits for it. */
static void
land(struct csa_embed_job *job, const struct csa_err *err)
{
	struct csa_buf	 b;

	if (job->flight == NULL)
		return;
	csa_buf_init(&b, MAX_VALUE);
	if (err == NULL)
		pack(job, &job->items[0], &b);
	else if (csa_provider_failed(err) && err->code != CSA_ERR_DEADLINE)
		/* Not our own end, which is not theirs. */
		csa_embed_pack_failure(&b, err);
	if (b.len > 0 && csa_flight_leads(job->flight))
		csa_flight_land(job->flight, b.data, b.len);
	csa_buf_fini(&b);
	leave(job);
}

/*
 * We lead.  Who led before us may have landed between our look and our boarding:
 * what it found stands in the cache before that.
 */
static void
look_again(struct csa_embed_job *job)
{
	struct csa_cached	 c;

	if (job->e->ttl == 0 || !csa_cache_is_on(job->e->cache) ||
	    csa_cache_get(job->e->cache, job->ctx, job->keys, &c) == 0 ||
	    use(job, job->items, &c) == 0)
		return;
	saved(job->items);
	land(job, NULL);
}

/* False: somebody else does it. */
static bool
board(struct csa_embed_job *job)
{
	if (job->nitems != 1 || job->items[0].vec.dim != 0 || !job->e->share)
		return true;
	job->flight = csa_flight_board(job->e->cache, job->ctx, job->keys);
	if (!csa_flight_leads(job->flight))
		return false;
	look_again(job);
	return true;
}

/* Whatever comes of it, -1 but with err, the item has a vector or was asked for. */
static int
follow(struct csa_embed_job *job, struct csa_err *err)
{
	struct csa_cached	 c;
	int			 rc;

	rc = csa_flight_follow(job->flight, NULL, &c, err);
	if (rc == 1) {
		leave(job);
		if (csa_embed_unpack_failure(c.data, c.len, err) == 1)
			return -1;
		if (use(job, job->items, &c) == 1)
			saved(job->items);
	} else if (rc == 0)
		look_again(job);
	else
		return -1;
	ask(job);
	return 0;
}

/* ---- the job ---- */

static struct csa_embed_job *
start(struct csa_embedder *embedder, struct csa_ctx *ctx,
    enum csa_embed_kind kind, const struct csa_text *texts, size_t n)
{
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));

	job->e = (struct cached_embedder *)embedder;
	job->ctx = ctx;
	job->kind = kind;
	job->n = n;
	if (job->e->ttl == 0 && n != 1) {
		job->plain = true;
		job->inner[job->rounds++] = job->e->inner->ops->start(
		    job->e->inner, ctx, kind, texts, n);
		return job;
	}
	sort_out(job, texts);
	look_up(job);
	if (board(job))
		ask(job);
	return job;
}

/*
 * Where what was kept has other dimensions than what comes fresh, the server's
 * model is another one by now: a second round embeds all.
 */
static int
settle(struct csa_embed_job *job, struct csa_err *err)
{
	if (job->flight != NULL && !csa_flight_leads(job->flight) &&
	    follow(job, err) == -1)
		return -1;
	if (collect(job, err) == -1)
		return -1;
	if (agree(job))
		return 0;
	forget(job);
	ask(job);
	if (collect(job, err) == -1)
		return -1;
	if (agree(job))
		return 0;
	csa_fail(err, CSA_ERR_PROVIDER_ERROR, CSA_SRC_AGENT, NULL);
	return csa_fail_detail(err, "embeddings: two calls differ in their "
	    "dimensions");
}

static int
finish(struct csa_embed_job *job, struct csa_vec *vecs, struct csa_err *err)
{
	if (job->plain)
		return job->e->inner->ops->finish(job->inner[0], vecs, err);
	if (settle(job, err) == -1) {
		land(job, err);
		return -1;
	}
	/* In this order: see look_again. */
	keep(job);
	land(job, NULL);
	for (size_t i = 0; i < job->n; i++)
		vecs[i] = job->items[job->of[i]].vec;
	return 0;
}

static void
end(struct csa_embed_job *job)
{
	if (job == NULL)
		return;
	leave(job);
	for (size_t i = 0; i < job->rounds; i++)
		job->e->inner->ops->end(job->inner[i]);
	job->rounds = 0;
}

static int
probe(struct csa_embedder *embedder, long ms)
{
	struct csa_embedder	*inner;

	inner = ((struct cached_embedder *)embedder)->inner;
	return inner->ops->probe(inner, ms);
}

static void
close_embedder(struct csa_embedder *embedder)
{
	struct cached_embedder	*e = (struct cached_embedder *)embedder;

	e->inner->ops->close(e->inner);
	free(e);
}

static const struct csa_embedder_ops	 cached_ops = {
	.start = start,
	.finish = finish,
	.end = end,
	.probe = probe,
	.close = close_embedder,
};

struct csa_embedder *
csa_embedder_cached_open(struct csa_embedder *inner, struct csa_cache *cache,
    const struct csa_config *config)
{
	struct cached_embedder	*e;
	bool			 keeps = csa_cache_is_on(cache) &&
	    config->embedding_ttl_s > 0;

	if (!keeps && !config->single_flight)
		return inner;
	e = csa_new(struct cached_embedder);
	e->embedder.ops = &cached_ops;
	e->embedder.name = inner->name;
	e->embedder.model = inner->model;
	e->inner = inner;
	e->cache = cache;
	e->ttl = keeps ? (uint32_t)config->embedding_ttl_s : 0;
	e->share = config->single_flight;
	e->dim = (size_t)config->embedding_dimensions;
	csa_embed_space(inner, config, CSA_EMBED_QUERY,
	    &e->space[CSA_EMBED_QUERY]);
	csa_embed_space(inner, config, CSA_EMBED_PASSAGE,
	    &e->space[CSA_EMBED_PASSAGE]);
	return &e->embedder;
}
