#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "lib/provider/provider_script.h"
#include "lib/text/utf8.h"

/* ---- embedder ---- */

struct script_embedder {
	struct csa_embedder	 embedder;	/* must be first */
	size_t			 dim;
	unsigned		 calls, fail_at;
};

struct csa_embed_job {
	struct script_embedder	*e;
	struct csa_ctx		*ctx;
	const struct csa_text	*texts;
	size_t			 n;
};

static struct csa_embed_job *
start(struct csa_embedder *embedder, struct csa_ctx *ctx,
    enum csa_embed_kind kind, const struct csa_text *texts, size_t n)
{
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));

	(void)kind;
	job->e = (struct script_embedder *)embedder;
	job->ctx = ctx;
	job->texts = texts;
	job->n = n;
	return job;
}

/* Words, by any byte that is no ASCII letter or digit and below 0x80. */
static bool
is_word(unsigned char c)
{
	return c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	    (c >= 'A' && c <= 'Z');
}

/* FNV-1a over each word in lower case adds one to a place of the vector. */
static void
hash_words(const struct csa_text *t, float *f, size_t dim)
{
	uint32_t	 h = 2166136261u;
	bool		 in = false;

	for (size_t i = 0; i <= t->n; i++) {
		unsigned char	 c = i < t->n ? (unsigned char)t->s[i] : ' ';

		if (is_word(c)) {
			h = (h ^ (c >= 'A' && c <= 'Z' ? c + 32u : c)) *
			    16777619u;
			in = true;
		} else if (in) {
			f[h % dim] += 1;
			h = 2166136261u;
			in = false;
		}
	}
}

static int
finish(struct csa_embed_job *job, struct csa_vec *vecs, struct csa_err *err)
{
	struct script_embedder	*e = job->e;
	float			*f;

	if (++e->calls == e->fail_at)
		return csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE,
		    CSA_SRC_AGENT, NULL);
	for (size_t i = 0; i < job->n; i++) {
		f = csa_arena_array(job->ctx->arena, e->dim, float);
		/* Never a vector without length. */
		f[0] = 0.01f;
		hash_words(&job->texts[i], f, e->dim);
		memset(&vecs[i], 0, sizeof(vecs[i]));
		vecs[i].f = f;
		vecs[i].dim = e->dim;
	}
	return 0;
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
	return 0;
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
csa_embedder_script_open(size_t dim, unsigned fail_at)
{
	struct script_embedder	*e = csa_new(struct script_embedder);

	CSA_MUST(dim > 0);
	e->embedder.ops = &embedder_ops;
	e->embedder.name = e->embedder.model = "script";
	e->dim = dim;
	e->fail_at = fail_at;
	return &e->embedder;
}

/* ---- model ---- */

struct script_model {
	struct csa_model	 model;		/* must be first */
	const struct csa_script_answer *answers;
	size_t			 n, next;
};

static int
rest(struct csa_ctx *ctx, long ms, struct csa_err *err)
{
	if (ms > 0 && csa_waiter_pause(ctx->waiter, csa_sooner(ctx->deadline,
	    ms), err) == -1)
		return -1;
	if (ms > 0 && csa_left_ms(ctx->deadline) == 0)
		return csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_AGENT, NULL);
	return 0;
}

/* How much of n bytes the next piece is: whole characters, but one at least. */
static size_t
piece(const struct csa_script_answer *a, const char *s, size_t n)
{
	uint32_t	 cp;
	size_t		 k;

	if (n == 0 || a->piece == 0 || a->piece >= n)
		return n;
	k = csa_utf8_cut(s, n, a->piece);
	return k > 0 ? k : csa_utf8_decode(s, n, &cp);
}

/* Give it out piece by piece; *given is how far that has come. */
static int
play(struct csa_ctx *ctx, const struct csa_script_answer *a,
    int (*delta)(void *, const char *, size_t), void *arg, size_t *given,
    struct csa_err *err)
{
	size_t	 len = strlen(a->text), n;

	for (unsigned i = 0; *given < len &&
	    (a->error == CSA_OK || i < a->fail_after); i++) {
		if (rest(ctx, a->delay_ms, err) == -1)
			return -1;
		n = piece(a, a->text + *given, len - *given);
		*given += n;
		if (delta(arg, a->text + *given - n, n) == -1)
			return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT,
			    NULL);
	}
	return 0;
}

static int
generate(struct csa_model *model, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	struct script_model		*m = (struct script_model *)model;
	const struct csa_script_answer	*a = &m->answers[m->next];
	size_t				 given = 0;
	int				 rc;

	if (m->next + 1 < m->n)
		m->next++;
	memset(res, 0, sizeof(*res));
	res->model = req->model != NULL && req->model[0] != '\0' ?
	    req->model : "script";
	rc = delta == NULL || a->text == NULL ? rest(ctx, a->delay_ms, err) :
	    play(ctx, a, delta, arg, &given, err);
	if (rc == 0 && a->error != CSA_OK)
		rc = csa_fail(err, a->error, CSA_SRC_AGENT, NULL);
	if (rc == 0) {
		given = strlen(a->text);
		res->text = csa_arena_strdup(ctx->arena, a->text);
		res->len = given;
		res->finish = a->finish;
	} else if (given == 0)
		return -1;
	/* Counts that follow from what was asked, so that tests can tell. */
	for (size_t i = 0; i < req->nmessages; i++)
		res->prompt_tokens += (long)req->messages[i].len;
	res->completion_tokens = (long)given;
	res->total_tokens = res->prompt_tokens + res->completion_tokens;
	return rc;
}

static int
probe_model(struct csa_model *m, long ms)
{
	(void)m;
	(void)ms;
	return 0;
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
csa_model_script_open(const struct csa_script_answer *answers, size_t n)
{
	struct script_model	*m = csa_new(struct script_model);

	CSA_MUST(n > 0);
	m->model.ops = &model_ops;
	m->model.name = m->model.model = "script";
	m->answers = answers;
	m->n = n;
	return &m->model;
}
