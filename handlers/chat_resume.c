#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handlers/chat_resume.h"
#include "handlers/fail.h"
#include "handlers/keys.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/kv/kv_pool.h"
#include "lib/text/digest.h"
#include "lib/text/num.h"
#include "lib/web/events.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

#define SAVE_MS		1000	/* between two savings of one stream */
#define LOOK_MS		200	/* between two looks at a stream that runs */
#define LOST_BEATS	3	/* not saved for so long: its process died */
#define ID_MAX		64

/* Hosts must agree about it, so it is the wall clock. */
static int64_t
wall_ms(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
add_field(struct csa_buf *b, const char *s)
{
	csa_buf_addf(b, "%zu:%s", strlen(s), s);
}

static void
make_key(char out[CSA_KV_KEYMAX + 1], const struct csa_call *call,
    const char *id, const struct csa_digest *body)
{
	struct csa_buf		 b;
	struct csa_digest	 d;
	const struct csa_key	*key = call->key;

	csa_buf_init(&b, 1024);
	add_field(&b, "1");
	add_field(&b, key->tenant != NULL ? key->tenant : "");
	add_field(&b, key->name);
	add_field(&b, id);
	csa_buf_add(&b, body->b, sizeof(body->b));
	CSA_MUST(!b.failed);
	csa_sha256(b.data, b.len, &d);
	csa_buf_fini(&b);
	strcpy(out, "csa:stream:");
	csa_hex(d.b, sizeof(d.b), out + strlen(out));
}

void
csa_transcript_init(struct csa_transcript *t, struct csa_app *app,
    const struct csa_call *call, const char *id, const struct csa_digest *body)
{
	memset(t, 0, sizeof(*t));
	csa_buf_init(&t->text, CSA_KV_VALMAX - 64);
	if (app->kv == NULL || app->config->resume_ttl_s == 0)
		return;
	t->pool = app->kv;
	t->ttl = (uint32_t)app->config->resume_ttl_s;
	/* saved is 0: the first event is kept at once. */
	make_key(t->key, call, id, body);
}

void
csa_transcript_fini(struct csa_transcript *t)
{
	csa_buf_fini(&t->text);
}

static void
save(struct csa_transcript *t, char state)
{
	struct csa_kv	*kv;
	struct csa_buf	 b;

	csa_buf_init(&b, CSA_KV_VALMAX);
	(void)csa_buf_reserve(&b, t->text.len + 32);
	csa_buf_addf(&b, "%c %" PRId64 "\n", state, wall_ms());
	csa_buf_add(&b, t->text.data, t->text.len);
	/* One that outgrew an item cannot be resumed; it goes on all the same. */
	if (!b.failed && !t->text.failed) {
		kv = csa_kv_take(t->pool);
		(void)kv->ops->set(kv, t->key, b.data, b.len, t->ttl);
		csa_kv_give(t->pool, kv);
	}
	csa_buf_fini(&b);
	t->saved = csa_now_ms();
	t->changed = false;
}

void
csa_transcript_add(struct csa_transcript *t, const void *data, size_t n)
{
	if (t->pool == NULL)
		return;
	csa_buf_add(&t->text, data, n);
	t->changed = true;
	csa_transcript_beat(t);
}

void
csa_transcript_beat(struct csa_transcript *t)
{
	if (t->pool != NULL && csa_now_ms() - t->saved >= SAVE_MS)
		save(t, 'R');
}

void
csa_transcript_end(struct csa_transcript *t)
{
	if (t->pool != NULL)
		save(t, 'C');
}

/* ---- continuing ---- */

struct follower {
	struct csa_resp	*resp;
	char		 id[ID_MAX + 1];
	int64_t		 seq;		/* the last event the client has */
};

struct state {
	char		*value;		/* from the kv; NULL: not there */
	bool		 complete;
	int64_t		 saved;		/* wall clock, ms */
	const char	*events, *end;
};

static int
parse_last(struct follower *f, const char *last, struct csa_err *err)
{
	const char	*dot = strrchr(last, '.');

	if (dot == NULL || dot == last || dot - last > ID_MAX ||
	    csa_parse_int(dot + 1, 0, UINT32_MAX, &f->seq) == -1)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "Last-Event-ID is not the id of an event of ours");
	memcpy(f->id, last, (size_t)(dot - last));
	f->id[dot - last] = '\0';
	return 0;
}

/* What is no transcript of ours is none at all. */
static void
look(struct csa_kv_pool *pool, const char *key, struct state *s)
{
	struct csa_kv	*kv = csa_kv_take(pool);
	void		*value;
	size_t		 n;
	char		*line;

	memset(s, 0, sizeof(*s));
	if (kv->ops->get(kv, key, &value, &n) == 1) {
		line = memchr(value, '\n', n);
		if (line != NULL && line - (char *)value < 32) {
			*line = '\0';
			s->value = value;
			s->complete = s->value[0] == 'C';
			s->events = line + 1;
			s->end = s->value + n;
			if (s->value[1] != ' ' || csa_parse_int(s->value + 2, 0,
			    INT64_MAX, &s->saved) == -1)
				s->value = NULL;
		}
		if (s->value == NULL)
			free(value);
	}
	csa_kv_give(pool, kv);
}

/* Number of the event that begins at s; -1 where there is none. */
static int64_t
event_seq(const struct follower *f, const char *s, size_t n)
{
	size_t	 nid = strlen(f->id);
	char	 digits[16];
	size_t	 k = 0;
	int64_t	 seq;

	if (n < nid + 6 || memcmp(s, "id: ", 4) != 0 ||
	    memcmp(s + 4, f->id, nid) != 0 || s[4 + nid] != '.')
		return -1;
	for (s += nid + 5, n -= nid + 5; k < n && k < sizeof(digits) - 1 &&
	    s[k] != '\n'; k++)
		digits[k] = s[k];
	digits[k] = '\0';
	return csa_parse_int(digits, 0, UINT32_MAX, &seq) == -1 ? -1 : seq;
}

/* Send what the client does not have.  -1: it is gone. */
static int
send_new(struct follower *f, const struct state *s)
{
	const char	*at = s->events, *end;
	struct csa_buf	 b;
	int64_t		 seq;
	int		 rc = 0;

	csa_buf_init(&b, CSA_KV_VALMAX);
	while (at < s->end && (end = memmem(at, (size_t)(s->end - at), "\n\n",
	    2)) != NULL) {
		end += 2;
		seq = event_seq(f, at, (size_t)(end - at));
		if (seq > f->seq) {
			csa_buf_add(&b, at, (size_t)(end - at));
			f->seq = seq;
		}
		at = end;
	}
	if (b.len > 0)
		rc = csa_events_put(f->resp, &b);
	csa_buf_fini(&b);
	return rc;
}

static int
beat(void *arg)
{
	return csa_events_beat(((struct follower *)arg)->resp);
}

/* Follow until it is complete.  -1 with err where it will never be. */
static int
follow(struct csa_app *app, struct csa_call *call, struct follower *f,
    const char *key, struct csa_err *err)
{
	struct csa_ctx	*ctx = &call->req->ctx;
	struct state	 s;
	bool		 complete, lost;

	for (;;) {
		look(app->kv, key, &s);
		complete = s.value != NULL && s.complete;
		lost = s.value == NULL || wall_ms() - s.saved >
		    SAVE_MS + LOST_BEATS * app->config->heartbeat_ms;
		if (s.value != NULL && send_new(f, &s) == -1) {
			free(s.value);
			return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT,
			    NULL);
		}
		free(s.value);
		if (complete)
			return 0;
		if (lost)
			return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_AGENT,
			    "the stream was cut off; ask again");
		if (csa_now_ms() >= ctx->deadline)
			return csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_AGENT,
			    NULL);
		if (csa_waiter_pause(ctx->waiter, csa_now_ms() + LOOK_MS,
		    err) == -1)
			return -1;
	}
}

static void
tell(struct follower *f, const struct csa_err *err)
{
	struct csa_buf	 data, event;
	char		 id[ID_MAX + 24];

	csa_buf_init(&data, 8192);
	csa_buf_init(&event, 16384);
	csa_error_json(&data, err, f->id);
	snprintf(id, sizeof(id), "%s.%" PRId64, f->id, f->seq + 1);
	csa_events_format(&event, id, "error", data.data, data.len);
	(void)csa_resp_end(f->resp, event.data, event.len);
	csa_buf_fini(&data);
	csa_buf_fini(&event);
}

int
csa_chat_resume(struct csa_app *app, struct csa_call *call, const char *last,
    const struct csa_digest *body, struct csa_err *err)
{
	struct follower	 f = { .resp = call->resp };
	struct state	 s = { 0 };
	char		 key[CSA_KV_KEYMAX + 1];
	int		 rc;

	if (parse_last(&f, last, err) == -1)
		return -1;
	make_key(key, call, f.id, body);
	if (app->kv != NULL)
		look(app->kv, key, &s);
	if (s.value == NULL)
		return csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT,
		    "this stream is not, or no longer, kept; ask again without "
		    "Last-Event-ID");
	free(s.value);
	call->phase = "stream";
	(void)csa_events_begin(call->resp);
	csa_waiter_beat(call->req->ctx.waiter,
	    csa_now_ms() + app->config->heartbeat_ms,
	    app->config->heartbeat_ms, beat, &f);
	rc = follow(app, call, &f, key, err);
	csa_waiter_beat(call->req->ctx.waiter, 0, 0, NULL, NULL);
	if (rc == 0)
		(void)csa_resp_end(call->resp, NULL, 0);
	else
		tell(&f, err);
	return rc;
}
