#include "config.h"

#include <stdio.h>
#include <string.h>

#include "handlers/chat_reply.h"
#include "handlers/chat_resume.h"
#include "handlers/chat_stream.h"
#include "handlers/fail.h"
#include "handlers/turn.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/web/events.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

struct stream {
	struct csa_call	*call;
	struct csa_resp	*resp;
	const char	*request_id;
	unsigned	 seq;		/* of the next event */
	struct csa_buf	 data, event;	/* of the event being made */
	struct csa_transcript kept;
	long		 grace_ms;	/* to go on for a client that left */
	int64_t		 left;		/* since when it has; 0: it has not */
};

/* Make an event of s->data in s->event. */
static void
make(struct stream *s, const char *name)
{
	char	 id[96];

	snprintf(id, sizeof(id), "%s.%u", s->request_id, s->seq++);
	csa_buf_reset(&s->event);
	csa_events_format(&s->event, id, name, s->data.data, s->data.len);
}

/* A client that left may come back to what went on without it. */
static int
went(struct stream *s, int rc)
{
	int64_t	 now;

	if (rc == 0 || s->grace_ms == 0)
		return rc;
	now = csa_now_ms();
	if (s->left == 0)
		s->left = now;
	return now - s->left < s->grace_ms ? 0 : -1;
}

static int
send(struct stream *s)
{
	csa_transcript_add(&s->kept, s->event.data, s->event.len);
	return went(s, csa_events_put(s->resp, &s->event));
}

static void
end(struct stream *s)
{
	csa_transcript_add(&s->kept, s->event.data, s->event.len);
	csa_transcript_end(&s->kept);
	(void)csa_resp_end(s->resp, s->event.data, s->event.len);
}

static int
beat(void *arg)
{
	struct stream	*s = arg;

	csa_transcript_beat(&s->kept);
	return went(s, csa_events_beat(s->resp));
}

static int
found(void *arg, const struct csa_turn *t)
{
	struct stream	*s = arg;

	if (went(s, csa_events_begin(s->resp)) == -1)
		return -1;
	csa_buf_reset(&s->data);
	csa_buf_puts(&s->data, "{\"request_id\":");
	csa_buf_jsonz(&s->data, s->request_id);
	csa_buf_puts(&s->data, ",\"model\":");
	csa_buf_jsonz(&s->data, t->model);
	csa_buf_putc(&s->data, ',');
	csa_reply_sources(&s->data, t, false);
	csa_buf_putc(&s->data, '}');
	make(s, "meta");
	return send(s);
}

static int
delta(void *arg, const char *text, size_t n)
{
	struct stream	*s = arg;

	s->call->phase = "stream";
	csa_buf_reset(&s->data);
	csa_buf_puts(&s->data, "{\"text\":");
	csa_buf_json(&s->data, text, n);
	csa_buf_putc(&s->data, '}');
	make(s, "delta");
	return send(s);
}

static void
done(struct stream *s, const struct csa_turn *t)
{
	csa_buf_reset(&s->data);
	csa_buf_putc(&s->data, '{');
	csa_reply_outcome(&s->data, t);
	csa_buf_putc(&s->data, ',');
	csa_reply_cited(&s->data, t);
	csa_buf_puts(&s->data, ",\"request_id\":");
	csa_buf_jsonz(&s->data, s->request_id);
	csa_buf_putc(&s->data, '}');
	make(s, "done");
	end(s);
}

static void
failed(struct stream *s, const struct csa_err *err)
{
	csa_buf_reset(&s->data);
	csa_error_json(&s->data, err, s->request_id);
	make(s, "error");
	end(s);
}

int
csa_chat_stream(struct csa_app *app, struct csa_call *call,
    const struct csa_chat_request *r, const struct csa_digest *body,
    struct csa_err *err)
{
	struct stream		 s = {
		.call = call,
		.resp = call->resp,
		.request_id = call->req->ctx.request_id,
		.grace_ms = app->config->resume_grace_ms,
	};
	struct csa_listener	 l = { found, delta, &s };
	struct csa_waiter	*w = call->req->ctx.waiter;
	struct csa_turn		 t;
	int			 rc;

	csa_buf_init(&s.data, CSA_REPLY_MAX);
	csa_buf_init(&s.event, CSA_REPLY_MAX);
	csa_transcript_init(&s.kept, app, call, s.request_id, body);
	/* With a time of grace, a hang-up is no end: what is sent will tell. */
	if (s.kept.pool == NULL)
		s.grace_ms = 0;
	if (s.grace_ms > 0)
		csa_waiter_watch(w, -1);
	csa_waiter_beat(w, csa_now_ms() + CSA_EVENTS_PATIENCE_MS,
	    app->config->heartbeat_ms, beat, &s);
	rc = csa_turn_run(app, call, r, &l, &t, err);
	csa_waiter_beat(w, 0, 0, NULL, NULL);
	if (rc == 0)
		done(&s, &t);
	else if (s.resp->status != 0)
		failed(&s, err);
	csa_transcript_fini(&s.kept);
	csa_buf_fini(&s.data);
	csa_buf_fini(&s.event);
	return rc;
}
