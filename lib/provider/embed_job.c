#include "config.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/prices.h"
#include "lib/provider/provider_internal.h"
#include "lib/text/utf8.h"

/* Calls of one job in flight at the same time; more would only queue. */
#define WINDOW		16

/*
 * What a call may send and get.  A number is at most some 25 bytes on a line of
 * its own, 20 as usual; 8,192 of them are more than any model of today gives.
 */
#define MAX_BODY	(512u << 20)
#define MAX_FRAME	(1u << 20)
#define MAX_VECTOR	(8192u * 25)

struct batch {
	struct csa_buf		 body;
	struct csa_up_call	*call;		/* NULL: not started */
	size_t			 first, n;	/* of the job's texts */
};

struct csa_embed_job {
	struct csa_remote_embedder *e;
	struct csa_ctx		*ctx;
	enum csa_embed_kind	 kind;
	const struct csa_text	*texts;
	size_t			 n;
	struct batch		*batch;
	size_t			 nbatches, started;
};

static void
start_next(struct csa_embed_job *job)
{
	struct csa_remote_embedder	*e = job->e;
	struct batch			*b = &job->batch[job->started++];
	bool				 query = job->kind == CSA_EMBED_QUERY;
	struct csa_up_req		 req = {
		.operation = "embed", .part = e->model_id, .url = e->url_many,
		/* A batch is a minute's work for some. */
		.slow = !query, .hedge = query,
	};
	size_t				 dim;

	if (b->n == 1 && query && e->url_one != NULL)
		req.url = e->url_one;
	dim = e->dimensions > 0 ? (size_t)e->dimensions * 25 : MAX_VECTOR;
	csa_buf_init(&b->body, MAX_BODY);
	e->driver->body(e, &b->body, job->kind, &job->texts[b->first], b->n);
	/* A body that did not fit is found out by finish; nothing is sent. */
	if (b->body.failed)
		return;
	req.body = b->body.data;
	req.len = b->body.len;
	req.max_reply = MAX_FRAME + b->n * dim;
	b->call = csa_remote_start(&e->remote, job->ctx, req);
}

static struct csa_embed_job *
start(struct csa_embedder *embedder, struct csa_ctx *ctx,
    enum csa_embed_kind kind, const struct csa_text *texts, size_t n)
{
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));
	size_t			 size;

	job->e = (struct csa_remote_embedder *)embedder;
	job->ctx = ctx;
	job->kind = kind;
	job->texts = texts;
	job->n = n;
	size = job->e->batch;
	job->nbatches = (n + size - 1) / size;
	job->batch = csa_arena_array(ctx->arena, job->nbatches, struct batch);
	for (size_t i = 0; i < job->nbatches; i++) {
		job->batch[i].first = i * size;
		job->batch[i].n = n - i * size < size ? n - i * size : size;
	}
	while (job->started < job->nbatches && job->started < WINDOW)
		start_next(job);
	return job;
}

/* The upstream has worked, whatever its vectors are worth. */
static void
settle(const struct csa_embed_job *job, const struct batch *b, long said)
{
	struct csa_chat_res	 res = { .model = job->e->billed[job->kind] };
	long			 tokens = said;

	for (size_t i = b->first; said == 0 && i < b->first + b->n; i++)
		tokens += (long)csa_tokens_estimate(job->texts[i].s,
		    job->texts[i].n);
	res.prompt_tokens = res.total_tokens = tokens;
	csa_prices_settle(job->e->prices, &res);
}

static int
finish_batch(struct csa_embed_job *job, struct batch *b,
    struct csa_vec *vecs, struct csa_err *err)
{
	const struct csa_remote	*r = &job->e->remote;
	long			 tokens;
	struct csa_embed_want	 want = {
		.arena = job->ctx->arena, .n = b->n,
		.dim = (size_t)job->e->dimensions, .tokens = &tokens,
	};
	const char		*why;
	char			*s;
	size_t			 len;
	int			 status, rc;

	if (b->call == NULL)
		return csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
		    "the texts are too large to be embedded");
	if (csa_up_wait(b->call, err) == -1)
		return -1;
	status = csa_up_status(b->call);
	if (status < 200 || status > 299)
		return csa_remote_status_error(r, b->call, err);
	s = csa_up_body(b->call, &len);
	rc = job->e->driver->reply(&want, s, len, vecs, &why);
	settle(job, b, tokens);
	if (rc == -1) {
		csa_fail(err, CSA_ERR_PROVIDER_ERROR, r->source, NULL);
		return csa_fail_detail(err, "%s: embeddings: %s",
		    csa_source_name(r->source), why);
	}
	return 0;
}

static void
end(struct csa_embed_job *job)
{
	if (job == NULL)
		return;
	for (size_t i = 0; i < job->started; i++) {
		csa_up_end(job->batch[i].call);
		csa_buf_fini(&job->batch[i].body);
	}
	job->started = 0;
}

static int
finish_all(struct csa_embed_job *job, struct csa_vec *vecs,
    struct csa_err *err)
{
	for (size_t i = 0; i < job->nbatches; i++) {
		struct batch	*b = &job->batch[i];

		if (finish_batch(job, b, &vecs[b->first], err) == -1)
			return -1;
		if (job->started < job->nbatches)
			start_next(job);
	}
	for (size_t i = 1; i < job->n; i++)
		if (vecs[i].dim != vecs[0].dim) {
			csa_fail(err, CSA_ERR_PROVIDER_ERROR,
			    job->e->remote.source, NULL);
			return csa_fail_detail(err, "two batches of embeddings "
			    "differ in their dimensions");
		}
	return 0;
}

static int
finish(struct csa_embed_job *job, struct csa_vec *vecs, struct csa_err *err)
{
	if (finish_all(job, vecs, err) == 0)
		return 0;
	/* Nobody will pay for the rest: its answer is of no use any more. */
	end(job);
	return -1;
}

static int
probe(struct csa_embedder *embedder, long ms)
{
	const struct csa_remote_embedder	*e;

	e = (const struct csa_remote_embedder *)embedder;
	return csa_http_probe(e->remote.base, ms);
}

static double
price(const struct csa_embedder *embedder, enum csa_embed_kind kind,
    long tokens)
{
	const struct csa_remote_embedder	*e;
	struct csa_chat_res			 res = { .model = NULL };
	double					 usd;

	e = (const struct csa_remote_embedder *)embedder;
	res.model = e->billed[kind];
	res.prompt_tokens = tokens;
	(void)csa_price(e->prices, csa_wall_ms(), &res, &usd);
	return usd;
}

int
csa_remote_embedder_init(struct csa_remote_embedder *e, const char *provider,
    const char *name, struct csa_err *err)
{
	if ((e->prices = csa_prices_new(e->config->prices, err)) == NULL)
		return -1;
	e->billed[CSA_EMBED_QUERY] = e->billed[CSA_EMBED_PASSAGE] = name;
	e->space = csa_space_name(name, e->dimensions);
	e->embedder.ops = &csa_remote_embedder_ops;
	e->embedder.name = provider;
	e->embedder.model = e->space;
	return 0;
}

void
csa_remote_embedder_free(struct csa_remote_embedder *e)
{
	if (e == NULL)
		return;
	csa_remote_fini(&e->remote);
	csa_prices_free(e->prices);
	free(e->model_id);
	free(e->space);
	free(e->url_one);
	free(e->url_many);
	free(e->extra[0]);
	free(e->extra[1]);
	free(e);
}

static void
close_embedder(struct csa_embedder *embedder)
{
	csa_remote_embedder_free((struct csa_remote_embedder *)embedder);
}

const struct csa_embedder_ops csa_remote_embedder_ops = {
	.start = start,
	.finish = finish,
	.end = end,
	.probe = probe,
	.price = price,
	.close = close_embedder,
};
