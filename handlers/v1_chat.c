/*
 * POST /v1/chat/completions: the OpenAI API's chat, where a model is a bot.
 */
#include "config.h"

#include <inttypes.h>

#include "handlers/chat_reply.h"
#include "handlers/turn.h"
#include "handlers/v1_cite.h"
#include "handlers/v1_reply.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/text/fields.h"
#include "lib/text/utf8.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

void
csa_v1_add_head(struct csa_buf *b, const struct csa_v1_head *h,
    const char *object)
{
	csa_buf_puts(b, "{\"id\":\"chatcmpl-");
	csa_buf_puts(b, h->request_id);
	csa_buf_addf(b, "\",\"object\":\"%s\",\"created\":%" PRId64
	    ",\"model\":", object, h->created);
	csa_buf_jsonz(b, h->model);
	csa_buf_puts(b, ",\"system_fingerprint\":null,\"choices\":");
}

void
csa_v1_add_usage(struct csa_buf *b, const struct csa_turn *t)
{
	const struct csa_chat_res	*r = &t->res;

	csa_buf_addf(b, "\"usage\":{\"prompt_tokens\":%ld,"
	    "\"completion_tokens\":%ld,\"total_tokens\":%ld,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":%ld},"
	    "\"completion_tokens_details\":{\"reasoning_tokens\":%ld}}",
	    r->prompt_tokens, r->completion_tokens, r->total_tokens,
	    r->cached_tokens, r->thought_tokens);
}

/* The text in the form that was asked for. */
static void
add_text(struct csa_buf *b, const struct csa_v1_request *r,
    const struct csa_turn *t)
{
	struct csa_v1_uncite	 u;
	struct csa_buf		 text;

	csa_buf_init(&text, CSA_REPLY_MAX);
	if (r->citations == CSA_V1_NONE) {
		csa_v1_uncite_init(&u, t->found.n);
		csa_v1_uncite_add(&u, t->res.text, t->res.len, &text);
		csa_v1_uncite_end(&u, &text);
	}
	/* An answer that was nothing but a citation. */
	if (text.len == 0 || csa_utf8_blank(text.data, text.len)) {
		csa_buf_reset(&text);
		csa_buf_add(&text, t->res.text, t->res.len);
	}
	if (r->citations == CSA_V1_LIST)
		csa_v1_list_sources(t, &text);
	if (text.failed)
		b->failed = true;
	else
		csa_buf_json(b, text.data, text.len);
	csa_buf_fini(&text);
}

static void
add_ours(struct csa_buf *b, const struct csa_turn *t, const char *request_id)
{
	csa_buf_puts(b, "\"chatsphere\":{");
	csa_reply_outcome(b, t);
	csa_buf_putc(b, ',');
	csa_reply_sources(b, t, true);
	csa_buf_puts(b, ",\"request_id\":");
	csa_buf_jsonz(b, request_id);
	csa_buf_putc(b, '}');
}

static int
reply(struct csa_call *call, const struct csa_v1_request *r,
    const struct csa_v1_head *h, const struct csa_turn *t, struct csa_err *err)
{
	struct csa_buf	 b;

	csa_buf_init(&b, CSA_REPLY_MAX);
	(void)csa_buf_reserve(&b, t->res.len + t->bytes + 4096);
	csa_v1_add_head(&b, h, "chat.completion");
	csa_buf_puts(&b, "[{\"index\":0,\"message\":{\"role\":\"assistant\","
	    "\"content\":");
	add_text(&b, r, t);
	csa_buf_addf(&b, ",\"refusal\":null,\"annotations\":[]},"
	    "\"logprobs\":null,\"finish_reason\":\"%s\"}],",
	    csa_finish_name(t->res.finish));
	csa_v1_add_usage(&b, t);
	csa_buf_putc(&b, ',');
	add_ours(&b, t, h->request_id);
	csa_buf_putc(&b, '}');
	return csa_reply_send(call->resp, &b, err);
}

static int
read_request(struct csa_app *app, struct csa_call *call,
    struct csa_v1_request *r, struct csa_err *err)
{
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*body;
	struct csa_buf		 b;
	int			 rc = -1;

	if ((body = csa_call_fields(app, call, arena, &b, err)) != NULL)
		rc = csa_v1_chat_request_parse(body, app->config,
		    call->req->ctx.arena, r, err);
	csa_arena_free(arena);
	csa_buf_fini(&b);
	return rc;
}

int
csa_handle_v1_chat(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_v1_head	 h = {
		.request_id = call->req->ctx.request_id,
		.created = csa_wall_ms() / 1000,
	};
	struct csa_v1_request	 r;
	struct csa_turn		 t;

	if (read_request(app, call, &r, err) == -1)
		return -1;
	h.model = r.chat.bot;
	/* Not by Accept: the clients say JSON there, stream or not. */
	if (r.chat.stream)
		return csa_v1_chat_stream(app, call, &r, &h, err);
	if (csa_turn_run(app, call, &r.chat, NULL, &t, err) == -1)
		return -1;
	call->phase = "write";
	return reply(call, &r, &h, &t, err);
}
