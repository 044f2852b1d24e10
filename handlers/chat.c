/*
 * POST /chat: a message, answered from a bot's documents.
 */
#include "config.h"

#include <stddef.h>

#include "handlers/chat_probe.h"
#include "handlers/chat_reply.h"
#include "handlers/chat_request.h"
#include "handlers/chat_resume.h"
#include "handlers/chat_stream.h"
#include "handlers/routes.h"
#include "handlers/turn.h"
#include "lib/base/arena.h"
#include "lib/config/config.h"
#include "lib/text/digest.h"
#include "lib/text/fields.h"
#include "lib/web/accept.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

static void
add_ids(struct csa_buf *b, const struct csa_turn *t)
{
	csa_buf_puts(b, "\"source_chunk_ids\":[");
	for (size_t i = 0; i < t->found.n; i++) {
		if (i > 0)
			csa_buf_putc(b, ',');
		csa_buf_jsonz(b, t->found.passages[i].chunk.id);
	}
	csa_buf_putc(b, ']');
}

static int
reply(struct csa_call *call, const struct csa_turn *t, struct csa_err *err)
{
	struct csa_buf	 b;

	csa_buf_init(&b, CSA_REPLY_MAX);
	/* What there is to say is mostly text; make room for it once. */
	(void)csa_buf_reserve(&b, t->res.len * 2 + t->bytes + 4096);
	csa_buf_puts(&b, "{\"response\":");
	csa_buf_json(&b, t->res.text, t->res.len);
	csa_buf_puts(&b, ",\"response_text\":");
	csa_buf_json(&b, t->res.text, t->res.len);
	csa_buf_puts(&b, ",\"error_message\":null,\"metadata\":{");
	csa_reply_outcome(&b, t);
	csa_buf_putc(&b, ',');
	add_ids(&b, t);
	csa_buf_putc(&b, ',');
	csa_reply_sources(&b, t, true);
	csa_buf_puts(&b, ",\"request_id\":");
	csa_buf_jsonz(&b, call->req->ctx.request_id);
	csa_buf_puts(&b, "}}");
	return csa_reply_send(call->resp, &b, err);
}

static int
read_request(struct csa_app *app, struct csa_call *call,
    struct csa_chat_request *r, struct csa_digest *digest, struct csa_err *err)
{
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*body;
	struct csa_buf		 b;
	int			 rc = -1;

	if ((body = csa_call_fields(app, call, arena, &b, err)) != NULL)
		rc = csa_chat_request_parse(body, app->config,
		    call->req->ctx.arena, r, err);
	if (rc == 0 && csa_accepts_events(call->req->io->header(
	    call->req->io_arg, "HTTP_ACCEPT", NULL)))
		r->stream = true;
	if (rc == 0 && r->stream)
		csa_sha256(b.data, b.len, digest);
	csa_arena_free(arena);
	csa_buf_fini(&b);
	return rc;
}

int
csa_handle_chat(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_chat_request	 r;
	struct csa_digest	 body;
	struct csa_turn		 t;
	const char		*last;

	if (csa_chat_probe_wanted(call->req->query))
		return csa_chat_probe(app, call, err);
	if (read_request(app, call, &r, &body, err) == -1)
		return -1;
	if (r.stream) {
		last = call->req->io->header(call->req->io_arg,
		    "HTTP_LAST_EVENT_ID", NULL);
		return last != NULL ?
		    csa_chat_resume(app, call, last, &body, err) :
		    csa_chat_stream(app, call, &r, &body, err);
	}
	if (csa_turn_run(app, call, &r, NULL, &t, err) == -1)
		return -1;
	call->phase = "write";
	return reply(call, &t, err);
}
