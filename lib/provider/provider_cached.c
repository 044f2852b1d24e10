#include "config.h"

#include <stdlib.h>

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

#define ROUNDS	2	/* see settle */

struct csa_embed_job {
	struct cached_embedder	*e;
	struct csa_embed_batch	 b;
	bool			 plain;		/* all is the inner one's */
	struct csa_flight	*flight;	/* NULL: none */
	/* Asked of the inner embedder: the items[asked[i]], for each round. */
	struct csa_embed_job	*inner[ROUNDS];
	size_t			*asked;
	size_t			 nasked, rounds;
};

/* ---- what is missing ---- */

/* A round: start what is still missing.  Never waits. */
static void
ask(struct csa_embed_job *job)
{
	struct csa_embedder	*inner = job->e->inner;
	struct csa_arena	*a = job->b.ctx->arena;
	struct csa_text		*texts;

	texts = csa_arena_array(a, job->b.nitems, struct csa_text);
	job->asked = csa_arena_array(a, job->b.nitems, size_t);
	job->nasked = 0;
	for (size_t i = 0; i < job->b.nitems; i++)
		if (job->b.items[i].vec.dim == 0) {
			texts[job->nasked] = *job->b.items[i].text;
			job->asked[job->nasked++] = i;
		}
	if (job->nasked == 0)
		return;
	CSA_MUST(job->rounds < ROUNDS);
	job->inner[job->rounds++] = inner->ops->start(inner, job->b.ctx,
	    job->b.kind, texts, job->nasked);
}

static int
collect(struct csa_embed_job *job, struct csa_err *err)
{
	struct csa_embed_item	*item;
	struct csa_vec		*vecs;

	if (job->nasked == 0)
		return 0;
	vecs = csa_arena_array(job->b.ctx->arena, job->nasked, struct csa_vec);
	if (job->e->inner->ops->finish(job->inner[job->rounds - 1], vecs,
	    err) == -1)
		return -1;
	for (size_t i = 0; i < job->nasked; i++) {
		item = &job->b.items[job->asked[i]];
		item->vec = vecs[i];
		item->fresh = true;
	}
	job->nasked = 0;
	return 0;
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
	/* Numbers out of text are a fifth of a chat: not for nobody. */
	if (csa_flight_leads(job->flight) &&
	    csa_flight_leave_alone(job->flight)) {
		job->flight = NULL;
		return;
	}
	csa_buf_init(&b, MAX_VALUE);
	if (err == NULL)
		csa_embed_item_pack(&job->b, job->b.items, &b);
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

	if (job->b.ttl == 0 || !csa_cache_is_on(job->e->cache) ||
	    csa_cache_get(job->e->cache, job->b.ctx, job->b.keys, &c) == 0 ||
	    csa_embed_use(&job->b, job->b.items, &c) == 0)
		return;
	csa_embed_saved(&job->b);
	land(job, NULL);
}

/* False: somebody else does it. */
static bool
board(struct csa_embed_job *job)
{
	if (job->b.nitems != 1 || job->b.items[0].vec.dim != 0 ||
	    !job->e->share)
		return true;
	job->flight = csa_flight_board(job->e->cache, job->b.ctx, job->b.keys);
	if (!csa_flight_leads(job->flight))
		return false;
	look_again(job);
	return true;
}

/* 0: the item has a vector, or was asked for; -1 with err. */
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
		if (csa_embed_use(&job->b, job->b.items, &c) == 1)
			csa_embed_saved(&job->b);
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
	struct cached_embedder	*e = (struct cached_embedder *)embedder;
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));

	job->e = e;
	job->b = (struct csa_embed_batch){ .ctx = ctx, .embedder = e->inner,
	    .kind = kind, .n = n, .ttl = e->ttl, .dim = e->dim };
	if (e->ttl == 0 && n != 1) {
		job->plain = true;
		job->inner[job->rounds++] = e->inner->ops->start(e->inner, ctx,
		    kind, texts, n);
		return job;
	}
	csa_embed_sort_out(&job->b, &e->space[kind], texts);
	csa_embed_look_up(&job->b, e->cache);
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
	if (csa_embed_agree(&job->b))
		return 0;
	csa_embed_forget(&job->b);
	ask(job);
	if (collect(job, err) == -1)
		return -1;
	if (csa_embed_agree(&job->b))
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
	csa_embed_keep(&job->b, job->e->cache);
	land(job, NULL);
	for (size_t i = 0; i < job->b.n; i++)
		vecs[i] = job->b.items[job->b.of[i]].vec;
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

static double
price(const struct csa_embedder *embedder, enum csa_embed_kind kind,
    long tokens)
{
	return csa_embed_price(((const struct cached_embedder *)embedder)->inner,
	    kind, tokens);
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
	.price = price,
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
