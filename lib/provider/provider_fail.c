#include "config.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/provider.h"

/*
 * An embedder and a model whose every call fails as an unreachable provider's
 * does: for tests, and for an operator who wants to see what then happens.
 */

struct csa_embed_job { size_t n; };

static int
fail(struct csa_err *err)
{
	return csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE, CSA_SRC_AGENT, NULL);
}

static struct csa_embed_job *
start(struct csa_embedder *e, struct csa_ctx *ctx, enum csa_embed_kind kind,
    const struct csa_text *texts, size_t n)
{
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));

	(void)e;
	(void)kind;
	(void)texts;
	job->n = n;
	return job;
}

static int
finish(struct csa_embed_job *job, struct csa_vec *vecs, struct csa_err *err)
{
	(void)job;
	(void)vecs;
	return fail(err);
}

static void
end(struct csa_embed_job *job)
{
	(void)job;		/* the arena's */
}

static int
probe_embedder(struct csa_embedder *e, long ms)
{
	(void)e;
	(void)ms;
	return -1;
}

static void
close_embedder(struct csa_embedder *e)
{
	free(e);
}

static const struct csa_embedder_ops embedder_ops = {
	.start = start,
	.finish = finish,
	.end = end,
	.probe = probe_embedder,
	.close = close_embedder,
};

struct csa_embedder *
csa_embedder_fail_open(void)
{
	struct csa_embedder	*e = csa_new(struct csa_embedder);

	e->ops = &embedder_ops;
	e->name = e->model = "fail";
	return e;
}

static int
generate(struct csa_model *m, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	(void)m;
	(void)ctx;
	(void)req;
	(void)delta;
	(void)arg;
	(void)res;
	return fail(err);
}

static int
probe_model(struct csa_model *m, long ms)
{
	(void)m;
	(void)ms;
	return -1;
}

static void
close_model(struct csa_model *m)
{
	free(m);
}

static const struct csa_model_ops model_ops = {
	.generate = generate,
	.probe = probe_model,
	.close = close_model,
};

struct csa_model *
csa_model_fail_open(void)
{
	struct csa_model	*m = csa_new(struct csa_model);

	m->ops = &model_ops;
	m->name = m->model = "fail";
	return m;
}
