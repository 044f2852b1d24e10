/*
 * POST /chat: find passages, ask the model, cite.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "handlers/auth.h"
#include "handlers/chat_request.h"
#include "handlers/rag_of.h"
#include "handlers/routes.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "lib/rag/rag.h"
#include "lib/text/json.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

/* An answer and everything that is told about it. */
struct answer {
	struct csa_found	 found;
	struct csa_chat_res	 res;
	bool			*cited;		/* found.n of them */
	size_t			 bytes;		/* of all passages */
	struct csa_timings	 t;
	int64_t			 total;		/* ns */
};

/* A reply's ceiling: 100 passages of the longest chunk, escaped, and more. */
#define REPLYMAX	(64u << 20)

static void
add_sources(struct csa_buf *b, const struct answer *a)
{
	csa_buf_puts(b, ",\"source_chunk_ids\":[");
	for (size_t i = 0; i < a->found.n; i++) {
		if (i > 0)
			csa_buf_putc(b, ',');
		csa_buf_jsonz(b, a->found.passages[i].chunk.id);
	}
	csa_buf_puts(b, "],\"sources\":[");
	for (size_t i = 0; i < a->found.n; i++) {
		const struct csa_passage *p = &a->found.passages[i];

		csa_buf_puts(b, i > 0 ? ",{\"chunk_id\":" : "{\"chunk_id\":");
		csa_buf_jsonz(b, p->chunk.id);
		csa_buf_puts(b, ",\"document_id\":");
		csa_buf_jsonz(b, p->chunk.document_id);
		csa_buf_puts(b, ",\"score\":");
		csa_buf_fixed(b, p->score, 6);
		csa_buf_puts(b, a->cited[i] ? ",\"cited\":true" :
		    ",\"cited\":false");
		csa_buf_puts(b, ",\"text\":");
		csa_buf_json(b, p->chunk.text, p->chunk.len);
		if (p->chunk.metadata != NULL)
			csa_buf_addf(b, ",\"metadata\":%s", p->chunk.metadata);
		csa_buf_putc(b, '}');
	}
	csa_buf_putc(b, ']');
}

static void
add_metadata(struct csa_buf *b, const struct answer *a, const char *request_id)
{
	const struct csa_chat_res	*res = &a->res;

	csa_buf_puts(b, "{\"model\":");
	csa_buf_jsonz(b, res->model);
	csa_buf_addf(b, ",\"finish_reason\":\"%s\",\"tokens_used\":"
	    "{\"prompt\":%ld,\"completion\":%ld,\"total\":%ld}",
	    csa_finish_name(res->finish), res->prompt_tokens,
	    res->completion_tokens, res->total_tokens);
	add_sources(b, a);
	csa_buf_puts(b, ",\"cache\":\"miss\",\"degraded\":false,"
	    "\"cost_usd\":0.0,\"timings_ms\":{\"embed\":");
	csa_buf_fixed(b, (double)a->t.embed / 1e6, 3);
	csa_buf_puts(b, ",\"retrieve\":");
	csa_buf_fixed(b, (double)a->t.retrieve / 1e6, 3);
	csa_buf_puts(b, ",\"generate\":");
	csa_buf_fixed(b, (double)a->t.generate / 1e6, 3);
	csa_buf_puts(b, ",\"total\":");
	csa_buf_fixed(b, (double)a->total / 1e6, 3);
	csa_buf_puts(b, "},\"request_id\":");
	csa_buf_jsonz(b, request_id);
	csa_buf_putc(b, '}');
}

static int
reply(struct csa_call *call, const struct answer *a, struct csa_err *err)
{
	struct csa_buf	 b;

	csa_buf_init(&b, REPLYMAX);
	/* What there is to say is mostly text; make room for it once. */
	(void)csa_buf_reserve(&b, a->res.len * 2 + a->bytes + 4096);
	csa_buf_puts(&b, "{\"response\":");
	csa_buf_json(&b, a->res.text, a->res.len);
	csa_buf_puts(&b, ",\"response_text\":");
	csa_buf_json(&b, a->res.text, a->res.len);
	csa_buf_puts(&b, ",\"error_message\":null,\"metadata\":");
	add_metadata(&b, a, call->req->ctx.request_id);
	csa_buf_putc(&b, '}');
	if (b.failed)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the answer and its sources are too large");
	(void)csa_resp_send(call->resp, 200, "application/json; charset=utf-8",
	    b.data, b.len);
	csa_buf_fini(&b);
	return 0;
}

static void
count_answer(const struct csa_model *model, const struct answer *a)
{
	const char	*result = "uncited";
	char		 labels[256];

	for (size_t i = 0; i < a->found.n; i++)
		if (a->cited[i])
			result = "cited";
	if (a->res.unknown)
		result = "unknown";
	if (a->res.finish == CSA_FINISH_FILTER)
		result = "blocked";
	snprintf(labels, sizeof(labels), "%s|%s", model->name, result);
	csa_count(CSA_M_answers, labels, 1);
	if (a->res.total_tokens == 0)
		return;
	snprintf(labels, sizeof(labels), "%.200s|prompt", a->res.model);
	csa_count(CSA_M_tokens, labels, (uint64_t)a->res.prompt_tokens);
	snprintf(labels, sizeof(labels), "%.200s|completion", a->res.model);
	csa_count(CSA_M_tokens, labels, (uint64_t)a->res.completion_tokens);
}

static int
generate(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_config *config, const struct csa_chat_request *r,
    struct answer *a, struct csa_err *err)
{
	struct csa_chat_req	 req = { .model = r->model };
	struct csa_prompt	 prompt;
	int64_t			 start = csa_now_ns();

	csa_prompt_build(ctx->arena, r->system_prompt, r->history, r->nhistory,
	    r->keep, a->found.passages, a->found.n, rag->context_tokens,
	    r->message, &prompt);
	req.system = prompt.system;
	req.messages = prompt.messages;
	req.nmessages = prompt.nmessages;
	req.temperature = r->temperature;
	req.max_output_tokens = config->max_output_tokens;
	req.question = r->message;
	req.passages = a->found.passages;
	req.npassages = prompt.npassages;
	req.text = &a->found.text;
	if (rag->model->ops->generate(rag->model, ctx, &req, NULL, NULL,
	    &a->res, err) == -1)
		return -1;
	a->t.generate = csa_now_ns() - start;
	a->cited = csa_arena_array(ctx->arena, a->found.n, bool);
	csa_citations(a->res.text, a->res.len, a->cited, prompt.npassages);
	return 0;
}

/* Providers know their own models; quoting is the one model of its kind. */
static int
check_model(const struct csa_model *model, const char *name,
    struct csa_err *err)
{
	if (name == NULL || strcmp(model->name, "extractive") != 0 ||
	    strcmp(name, model->name) == 0)
		return 0;
	return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "config_params.llm_model: there is no model %.100s here; no "
	    "provider is configured, so extractive is the only one", name);
}

static int
answer(struct csa_app *app, struct csa_call *call,
    const struct csa_chat_request *r, struct csa_err *err)
{
	struct csa_ctx	*ctx = &call->req->ctx;
	struct csa_rag	 rag = csa_rag_of(app);
	struct csa_scope scope;
	struct answer	 a;

	memset(&a, 0, sizeof(a));
	if (csa_authorize_bot(call, r->bot, &scope, err) == -1 ||
	    check_model(rag.model, r->model, err) == -1)
		return -1;
	if (csa_retrieve(&rag, ctx, &scope, r->message, r->k, &a.found, &a.t,
	    err) == -1 ||
	    generate(&rag, ctx, app->config, r, &a, err) == -1)
		return -1;
	for (size_t i = 0; i < a.found.n; i++)
		a.bytes += a.found.passages[i].chunk.len;
	a.total = csa_now_ns() - call->req->started;
	count_answer(rag.model, &a);
	return reply(call, &a, err);
}

static int
read_request(struct csa_app *app, struct csa_call *call,
    struct csa_chat_request *r, struct csa_err *err)
{
	struct json_object	*body = NULL;
	struct csa_buf		 b;
	int			 rc = -1;

	if (csa_call_body(app, call, &b, err) == 0 &&
	    (body = csa_json_parse(b.data, b.len, &csa_json_request_limits,
	    err)) != NULL)
		rc = csa_chat_request_parse(body, app->config,
		    call->req->ctx.arena, r, err);
	csa_json_free(body);
	csa_buf_fini(&b);
	return rc;
}

int
csa_handle_chat(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_chat_request	 r;

	if (read_request(app, call, &r, err) == -1)
		return -1;
	return answer(app, call, &r, err);
}
