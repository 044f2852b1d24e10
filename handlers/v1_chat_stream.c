/*
 * The answer of POST /v1/chat/completions in pieces:
 *
 *	role and sources -> content* -> finish_reason -> usage? -> [DONE]
 *
 * or, at any point, {"error":...} and the end without [DONE].
 */
#include "config.h"

#include <string.h>

#include "handlers/chat_reply.h"
#include "handlers/turn.h"
#include "handlers/v1_cite.h"
#include "handlers/v1_error.h"
#include "handlers/v1_reply.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/text/utf8.h"
#include "lib/web/events.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

struct stream {
	struct csa_call	*call;
	struct csa_resp	*resp;
	const struct csa_v1_request *r;
	const struct csa_v1_head *head;
	struct csa_v1_uncite uncite;
	bool		 said;		/* a text that is not blank */
	struct csa_buf	 text;		/* of the next chunk */
	struct csa_buf	 data;		/* the chunk */
	struct csa_buf	 events;	/* those not sent yet */
};

/* ---- chunks: open, choices, close, send ---- */

static void
open_chunk(struct stream *s)
{
	csa_buf_reset(&s->data);
	csa_v1_add_head(&s->data, s->head, "chat.completion.chunk");
}

static void
close_chunk(struct stream *s)
{
	/* Those who asked for it look for it in every chunk. */
	if (s->r->include_usage)
		csa_buf_puts(&s->data, ",\"usage\":null");
	csa_buf_putc(&s->data, '}');
	csa_events_format(&s->events, NULL, NULL, s->data.data, s->data.len);
}

static int
send(struct stream *s)
{
	int	 rc = csa_events_put(s->resp, &s->events);

	csa_buf_reset(&s->events);
	return rc;
}

/* What is in s->text. */
static void
put_text(struct stream *s)
{
	if (s->text.len == 0)
		return;
	s->said = s->said || !csa_utf8_blank(s->text.data, s->text.len);
	open_chunk(s);
	csa_buf_puts(&s->data, "[{\"index\":0,\"delta\":{\"content\":");
	csa_buf_json(&s->data, s->text.data, s->text.len);
	csa_buf_puts(&s->data, "},\"logprobs\":null,\"finish_reason\":null}]");
	close_chunk(s);
	csa_buf_reset(&s->text);
}

/* ---- how the answer comes along ---- */

static int
beat(void *arg)
{
	return csa_events_beat(((struct stream *)arg)->resp);
}

static int
found(void *arg, const struct csa_turn *t)
{
	struct stream	*s = arg;

	if (csa_events_begin(s->resp) == -1)
		return -1;
	csa_v1_uncite_init(&s->uncite, t->found.n);
	open_chunk(s);
	csa_buf_puts(&s->data, "[{\"index\":0,\"delta\":{\"role\":"
	    "\"assistant\",\"content\":\"\",\"refusal\":null},"
	    "\"logprobs\":null,\"finish_reason\":null}],"
	    "\"chatsphere\":{\"request_id\":");
	csa_buf_jsonz(&s->data, s->head->request_id);
	csa_buf_puts(&s->data, ",\"model\":");
	csa_buf_jsonz(&s->data, t->model);
	csa_buf_putc(&s->data, ',');
	csa_reply_sources(&s->data, t, false);
	csa_buf_putc(&s->data, '}');
	close_chunk(s);
	return send(s);
}

static int
delta(void *arg, const char *text, size_t n)
{
	struct stream	*s = arg;

	s->call->phase = "stream";
	if (s->r->citations == CSA_V1_NONE)
		csa_v1_uncite_add(&s->uncite, text, n, &s->text);
	else
		csa_buf_add(&s->text, text, n);
	put_text(s);
	return s->events.len > 0 ? send(s) : 0;
}

/* What the text still lacks once all of it has come. */
static void
put_rest(struct stream *s, const struct csa_turn *t)
{
	if (s->r->citations == CSA_V1_NONE) {
		csa_v1_uncite_end(&s->uncite, &s->text);
		if (!s->said && (s->text.len == 0 ||
		    csa_utf8_blank(s->text.data, s->text.len))) {
			csa_buf_reset(&s->text);
			csa_buf_add(&s->text, t->res.text, t->res.len);
		}
	}
	if (s->r->citations == CSA_V1_LIST)
		csa_v1_list_sources(t, &s->text);
	put_text(s);
}

static void
put_finish(struct stream *s, const struct csa_turn *t)
{
	open_chunk(s);
	csa_buf_addf(&s->data, "[{\"index\":0,\"delta\":{},\"logprobs\":null,"
	    "\"finish_reason\":\"%s\"}],\"chatsphere\":{",
	    csa_finish_name(t->res.finish));
	csa_reply_outcome(&s->data, t);
	csa_buf_putc(&s->data, ',');
	csa_reply_cited(&s->data, t);
	csa_buf_puts(&s->data, ",\"request_id\":");
	csa_buf_jsonz(&s->data, s->head->request_id);
	csa_buf_putc(&s->data, '}');
	close_chunk(s);
}

static void
put_usage(struct stream *s, const struct csa_turn *t)
{
	open_chunk(s);
	csa_buf_puts(&s->data, "[],");
	csa_v1_add_usage(&s->data, t);
	csa_buf_putc(&s->data, '}');
	csa_events_format(&s->events, NULL, NULL, s->data.data, s->data.len);
}

static void
done(struct stream *s, const struct csa_turn *t)
{
	static const char	 end[] = "[DONE]";

	put_rest(s, t);
	put_finish(s, t);
	if (s->r->include_usage)
		put_usage(s, t);
	csa_events_format(&s->events, NULL, NULL, end, sizeof(end) - 1);
	(void)csa_resp_end(s->resp, s->events.data, s->events.len);
}

static void
failed(struct stream *s, const struct csa_err *err)
{
	csa_buf_reset(&s->data);
	csa_v1_error_json(&s->data, err, s->head->request_id);
	csa_buf_reset(&s->events);
	csa_events_format(&s->events, NULL, NULL, s->data.data, s->data.len);
	(void)csa_resp_end(s->resp, s->events.data, s->events.len);
}

int
csa_v1_chat_stream(struct csa_app *app, struct csa_call *call,
    const struct csa_v1_request *r, const struct csa_v1_head *head,
    struct csa_err *err)
{
	struct stream		 s = {
		.call = call, .resp = call->resp, .r = r, .head = head,
	};
	struct csa_listener	 l = { found, delta, &s };
	struct csa_waiter	*w = call->req->ctx.waiter;
	struct csa_turn		 t;
	int			 rc;

	csa_buf_init(&s.text, CSA_REPLY_MAX);
	csa_buf_init(&s.data, CSA_REPLY_MAX);
	csa_buf_init(&s.events, CSA_REPLY_MAX);
	csa_waiter_beat(w, csa_now_ms() + CSA_EVENTS_PATIENCE_MS,
	    app->config->heartbeat_ms, beat, &s);
	rc = csa_turn_run(app, call, &r->chat, &l, &t, err);
	csa_waiter_beat(w, 0, 0, NULL, NULL);
	if (rc == 0)
		done(&s, &t);
	else if (s.resp->status != 0)
		failed(&s, err);
	csa_buf_fini(&s.text);
	csa_buf_fini(&s.data);
	csa_buf_fini(&s.events);
	return rc;
}
