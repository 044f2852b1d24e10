#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/config/config.h"
#include "lib/provider/provider_internal.h"
#include "lib/text/utf8.h"

#define MAX_REQUEST	(64u << 20)
#define MAX_REPLY	(8u << 20)
#define MAX_TEXT	(4u << 20)
#define MAX_TOKENS	65536

static const char	 declined[] =
    "The model declined to answer this question.";

/* What the far end said was unusable: for the client in general terms. */
static int
nonsense(const struct csa_remote_model *m, struct csa_err *err,
    const char *why)
{
	csa_fail(err, CSA_ERR_PROVIDER_ERROR, m->remote.source, NULL);
	return csa_fail_detail(err, "%s: %s",
	    csa_source_name(m->remote.source), why);
}

/*
 * A model that the caller named and the provider does not know is the caller's
 * mistake, not the provider's.
 */
static int
refused(const struct csa_remote_model *m, const struct csa_http_call *call,
    const struct csa_chat_try *try, struct csa_err *err)
{
	int	 rc = csa_remote_status_error(&m->remote, call, err);
	char	 detail[sizeof(err->detail)];

	if (csa_http_status(call) != 404 || try->model == m->model_id)
		return rc;
	memcpy(detail, err->detail, sizeof(detail));
	csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "config_params.llm_model: the provider knows no such model");
	return csa_fail_detail(err, "%s", detail);
}

/* One exchange, read into a. */
static int
exchange(const struct csa_remote_model *m, struct csa_ctx *ctx,
    const struct csa_chat_try *try, struct csa_answer *a,
    struct csa_err *err)
{
	struct csa_http_call	*call = NULL;
	struct csa_buf		 body;
	const char		*s, *why;
	size_t			 len, room = 1024;
	int			 status, rc = -1;

	csa_buf_init(&body, MAX_REQUEST);
	/* An eighth more for what is to be escaped. */
	for (size_t i = 0; i < try->req->nmessages; i++)
		room += try->req->messages[i].len + 64;
	(void)csa_buf_reserve(&body, room + room / 8);
	m->driver->body(m, &body, try);
	if (body.failed) {
		csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
		    "the prompt is too large");
		goto out;
	}
	call = csa_remote_post(&m->remote, ctx, "generate",
	    m->driver->url(m, ctx->arena, try), &body, MAX_REPLY);
	if (csa_http_wait(call, err) == -1)
		goto out;
	status = csa_http_status(call);
	if (status < 200 || status > 299) {
		rc = refused(m, call, try, err);
		goto out;
	}
	s = csa_http_body(call, &len);
	rc = m->driver->reply(a, s, len, &why);
	if (rc == -1)
		nonsense(m, err, why);
out:
	csa_http_end(call);
	csa_buf_fini(&body);
	return rc;
}

static bool
has_text(const struct csa_answer *a)
{
	return a->text.len > 0 && !csa_utf8_blank(a->text.data, a->text.len);
}

static void
fill(struct csa_arena *arena,
    const struct csa_chat_try *try, const struct csa_answer *a,
    struct csa_chat_res *res)
{
	memset(res, 0, sizeof(*res));
	if (has_text(a)) {
		res->text = csa_arena_strndup(arena, a->text.data, a->text.len);
		res->len = a->text.len;
	} else {
		res->text = declined;
		res->len = sizeof(declined) - 1;
	}
	res->finish = a->ending == CSA_END_LENGTH ? CSA_FINISH_LENGTH :
	    a->ending == CSA_END_FILTER ? CSA_FINISH_FILTER : CSA_FINISH_STOP;
	res->model = a->model[0] != '\0' ?
	    csa_arena_strdup(arena, a->model) : try->model;
	res->prompt_tokens = a->prompt_tokens;
	res->completion_tokens = a->completion_tokens;
	res->total_tokens = a->total_tokens;
}

/*
 * Thinking may have eaten the whole budget, so the second
 * try gets more of it.
 */
static void
widen(struct csa_chat_try *try)
{
	try->again = true;
	try->max_output_tokens = try->max_output_tokens > MAX_TOKENS / 4 ?
	    MAX_TOKENS : try->max_output_tokens * 4;
	if (try->max_output_tokens < 8192)
		try->max_output_tokens = 8192;
}

/* Ask, and once more where there was no text and no reason for it. */
static int
ask(const struct csa_remote_model *m, struct csa_ctx *ctx,
    struct csa_chat_try *try, struct csa_chat_res *res, struct csa_err *err)
{
	struct csa_answer	 a;
	long			 prompt = 0, completion = 0, total = 0;
	int			 rc;

	for (;;) {
		csa_answer_init(&a, MAX_TEXT);
		rc = exchange(m, ctx, try, &a, err);
		if (rc == -1 || has_text(&a) || a.ending == CSA_END_FILTER)
			break;
		if (try->again) {
			rc = nonsense(m, err, "twice an answer without text");
			break;
		}
		prompt = a.prompt_tokens;
		completion = a.completion_tokens;
		total = a.total_tokens;
		csa_answer_fini(&a);
		widen(try);
	}
	if (rc == 0) {
		/* What both calls used up is what is paid. */
		fill(ctx->arena, try, &a, res);
		res->prompt_tokens += prompt;
		res->completion_tokens += completion;
		res->total_tokens += total;
	}
	csa_answer_fini(&a);
	return rc;
}

static int
generate(struct csa_model *model, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	const struct csa_remote_model	*m;
	struct csa_chat_try		 try = { .req = req };

	m = (const struct csa_remote_model *)model;
	try.model = m->model_id;
	if (req->model != NULL && req->model[0] != '\0') {
		if (!m->driver->model_ok(req->model))
			return csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT,
			    "config_params.llm_model is no name of a model");
		try.model = req->model;
	}
	try.max_output_tokens = req->max_output_tokens > 0 ?
	    req->max_output_tokens : m->config->max_output_tokens;
	if (ask(m, ctx, &try, res, err) == -1)
		return -1;
	if (delta != NULL && delta(arg, res->text, res->len) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	return 0;
}

static int
probe(struct csa_model *model, long ms)
{
	const struct csa_remote_model	*m;

	m = (const struct csa_remote_model *)model;
	return csa_http_probe(m->remote.base, ms);
}

void
csa_remote_model_free(struct csa_remote_model *m)
{
	if (m == NULL)
		return;
	csa_remote_fini(&m->remote);
	free(m->model_id);
	free(m);
}

static void
close_model(struct csa_model *model)
{
	csa_remote_model_free((struct csa_remote_model *)model);
}

const struct csa_model_ops csa_remote_model_ops = {
	.generate = generate,
	.probe = probe,
	.close = close_model,
};
