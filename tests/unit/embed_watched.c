#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/http/http.h"
#include "lib/provider/provider_script.h"
#include "tests/unit/test_embed_cache.h"

struct csa_embed_job {
	struct watched		*e;
	struct csa_ctx		*ctx;
	struct csa_embed_job	*inner;
	enum csa_errcode	 error;
	size_t			 n;
};

static struct csa_embed_job *
start(struct csa_embedder *embedder, struct csa_ctx *ctx,
    enum csa_embed_kind kind, const struct csa_text *texts, size_t n)
{
	struct watched		*w = (struct watched *)embedder;
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));

	atomic_fetch_add(&w->calls, 1);
	job->e = w;
	job->ctx = ctx;
	job->error = w->error;
	job->n = n;
	job->inner = w->script->ops->start(w->script, ctx, kind, texts, n);
	if (!w->records)
		return job;
	ck_assert_uint_le(w->nasked + n, MAX_ASKED);
	for (size_t i = 0; i < n; i++)
		w->asked[w->nasked++] = texts[i];
	return job;
}

static int
rest(struct csa_embed_job *job, struct csa_err *err)
{
	struct csa_ctx	*ctx = job->ctx;

	while (atomic_load(&job->e->awaited) > 0 &&
	    csa_left_ms(ctx->deadline) > 0)
		if (csa_waiter_pause(ctx->waiter, csa_now_ms() + 5, err) == -1)
			return -1;
	if (job->e->delay_ms == 0)
		return 0;
	if (csa_waiter_pause(ctx->waiter, csa_sooner(ctx->deadline,
	    job->e->delay_ms), err) == -1)
		return -1;
	if (csa_left_ms(ctx->deadline) == 0)
		return csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_AGENT, NULL);
	return 0;
}

static void
make_text(struct csa_embed_job *job, struct csa_vec *v)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 1024 * 1024);
	csa_numarr_write(&b, v->f, v->dim);
	v->json.s = csa_arena_strndup(job->ctx->arena, b.data, b.len);
	v->json.n = b.len;
	v->json.count = v->dim;
	v->f = NULL;
	csa_buf_fini(&b);
}

static int
finish(struct csa_embed_job *job, struct csa_vec *vecs, struct csa_err *err)
{
	struct watched	*w = job->e;
	int		 rc;

	if (rest(job, err) == -1)
		return -1;
	if (job->error != CSA_OK)
		return csa_fail(err, job->error, CSA_SRC_OPENAI, NULL);
	/* The script is for one thread. */
	pthread_mutex_lock(&w->lock);
	rc = w->script->ops->finish(job->inner, vecs, err);
	pthread_mutex_unlock(&w->lock);
	if (rc == -1)
		return -1;
	for (size_t i = 0; w->as_text && i < job->n; i++)
		make_text(job, &vecs[i]);
	return 0;
}

static void
end(struct csa_embed_job *job)
{
	if (job != NULL)
		job->e->script->ops->end(job->inner);
}

static int
probe(struct csa_embedder *e, long ms)
{
	(void)e;
	return ms == 77 ? -1 : 0;
}

static double
price(const struct csa_embedder *e, enum csa_embed_kind kind, long tokens)
{
	(void)e;
	return kind == CSA_EMBED_QUERY ?
	    (double)tokens * WATCHED_NANOS * 1e-9 : 0;
}

/* It is the test's, and is used again. */
static void
close_embedder(struct csa_embedder *e)
{
	(void)e;
}

static const struct csa_embedder_ops	 ops = {
	.start = start,
	.finish = finish,
	.end = end,
	.probe = probe,
	.price = price,
	.close = close_embedder,
};

void
watched_init(struct watched *w, size_t dim)
{
	memset(w, 0, sizeof(*w));
	w->embedder.ops = &ops;
	w->embedder.name = "openai";
	w->embedder.model = "script";
	w->dim = dim;
	w->script = csa_embedder_script_open(dim, 0);
	w->records = true;
	pthread_mutex_init(&w->lock, NULL);
}

void
watched_fini(struct watched *w)
{
	w->script->ops->close(w->script);
	pthread_mutex_destroy(&w->lock);
}

const float *
direct(struct watched *w, struct csa_arena *a, const struct csa_text *t)
{
	struct csa_ctx		 ctx = { .arena = a };
	struct csa_embed_job	*job;
	struct csa_vec		 v;
	struct csa_err		 err;

	job = w->script->ops->start(w->script, &ctx, CSA_EMBED_QUERY, t, 1);
	ck_assert_int_eq(w->script->ops->finish(job, &v, &err), 0);
	w->script->ops->end(job);
	return v.f;
}
