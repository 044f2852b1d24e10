#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/config/config.h"
#include "lib/provider/answer.h"
#include "lib/provider/provider_internal.h"

#define MAX_TEXT	(4u << 20)
#define MAX_TOKENS	65536
#define TOKEN_BYTES	4	/* where nobody counted */

static const char	 declined[] =
    "The model declined to answer this question.";

/* What has been used up by all exchanges of a request is what is paid. */
static void
settle(struct csa_chat_res *res, const struct csa_answer *a)
{
	res->prompt_tokens += a->prompt_tokens;
	res->completion_tokens += a->completion_tokens;
	res->total_tokens += a->total_tokens;
	res->cached_tokens += a->cached_tokens;
	res->thought_tokens += a->thought_tokens;
}

static long
tokens(size_t bytes)
{
	return (long)((bytes + TOKEN_BYTES - 1) / TOKEN_BYTES);
}

/*
 * A stream that ended before the upstream said what it cost is paid for all the
 * same: for the prompt, and for the text that came.
 */
static void
estimate(struct csa_answer *a, const struct csa_chat_req *req)
{
	size_t	 bytes = req->system != NULL ? strlen(req->system) : 0;

	for (size_t i = 0; i < req->nmessages; i++)
		bytes += req->messages[i].len;
	if (a->prompt_tokens == 0)
		a->prompt_tokens = tokens(bytes);
	if (a->completion_tokens == 0)
		a->completion_tokens = tokens(a->text.len);
	if (a->total_tokens < a->prompt_tokens + a->completion_tokens)
		a->total_tokens = a->prompt_tokens + a->completion_tokens;
}

/*
 * Has a failed exchange cost anything?  An upstream that we left may count it.
 */
static bool
costs(const struct csa_chat_try *try, const struct csa_err *err)
{
	return try->begun || err->code == CSA_ERR_CANCELLED ||
	    err->code == CSA_ERR_DEADLINE;
}

static void
fill(struct csa_arena *arena, const struct csa_answer *a,
    struct csa_chat_res *res)
{
	res->finish = a->ending == CSA_END_LENGTH ? CSA_FINISH_LENGTH :
	    a->ending == CSA_END_FILTER ? CSA_FINISH_FILTER : CSA_FINISH_STOP;
	if (csa_answer_has_text(a)) {
		res->text = csa_arena_strndup(arena, a->text.data, a->text.len);
		res->len = a->text.len;
	} else {
		res->text = declined;
		res->len = sizeof(declined) - 1;
	}
}

static const char *
who(struct csa_arena *arena, const struct csa_chat_try *try,
    const struct csa_answer *a)
{
	return a->model[0] != '\0' ? csa_arena_strdup(arena, a->model) :
	    try->model;
}

/*
 * Thinking may have eaten the whole budget, so the second try gets more of it,
 * and is to think less.
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

/* Servers of old know no stream_options, and say so. */
static bool
knows_no_options(const struct csa_chat_try *try, const struct csa_err *err)
{
	return try->hearer != NULL && !try->no_usage &&
	    err->code == CSA_ERR_PROVIDER_ERROR &&
	    strstr(err->detail, "stream_options") != NULL;
}

static int
twice_blank(const struct csa_remote_model *m, struct csa_err *err)
{
	csa_fail(err, CSA_ERR_PROVIDER_ERROR, m->remote.source, NULL);
	return csa_fail_detail(err, "%s: twice an answer without text",
	    csa_source_name(m->remote.source));
}

/*
 * One exchange, whose cost goes into res.  1: there is an answer in it; 0: ask
 * once more; -1 with err.
 */
static int
attempt(const struct csa_remote_model *m, struct csa_ctx *ctx,
    struct csa_chat_try *try, struct csa_chat_res *res, struct csa_err *err)
{
	struct csa_answer	 a;
	int			 rc;

	csa_answer_init(&a, MAX_TEXT);
	try->begun = false;
	rc = csa_chat_exchange(m, ctx, try, &a, err);
	if (rc == -1 ? costs(try, err) : try->hearer != NULL)
		estimate(&a, try->req);
	settle(res, &a);
	res->model = who(ctx->arena, try, &a);
	if (rc == -1 && knows_no_options(try, err)) {
		try->no_usage = true;
		rc = 0;
	} else if (rc == 0 && (csa_answer_has_text(&a) ||
	    a.ending == CSA_END_FILTER)) {
		fill(ctx->arena, &a, res);
		rc = 1;
	} else if (rc == 0 && try->again)
		rc = twice_blank(m, err);
	else if (rc == 0)
		widen(try);
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
	struct csa_hearer		 hearer = { delta, arg, 0 };
	struct csa_chat_try		 try = { .req = req };
	int				 rc;

	memset(res, 0, sizeof(*res));
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
	if (delta != NULL)
		try.hearer = &hearer;
	while ((rc = attempt(m, ctx, &try, res, err)) == 0)
		;
	if (rc == -1)
		return -1;
	/* Declined, which is for us to say. */
	if (delta != NULL && hearer.given == 0 &&
	    delta(arg, res->text, res->len) == -1)
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
