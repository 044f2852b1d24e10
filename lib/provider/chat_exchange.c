/*
 * chat_exchange: one call of a chat model, whole or as a stream.
 */

#include "config.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/provider/answer.h"
#include "lib/provider/chat_stream.h"
#include "lib/provider/provider_internal.h"

#define MAX_REQUEST	(64u << 20)
#define MAX_REPLY	(8u << 20)
/*
 * Of a stream, which is not kept: the vendor's longest answer, at hundreds of
 * bytes around each token.
 */
#define MAX_STREAM	(64u << 20)
#define MAX_ERROR	65536
#define PIECE		4096

/*
 * How long a stream may take to end when its answer is whole: the usage may be
 * still to come, and a connection is only good for the next call if it ended.
 */
#define REST_MS		5000
#define DONE_MS		250

size_t
csa_chat_text(struct csa_buf *b, const struct csa_message *m)
{
	size_t	 n = 0;

	csa_buf_putc(b, '"');
	do
		csa_buf_escaped(b, m[n].text, m[n].len);
	while (m[n++].more);
	csa_buf_putc(b, '"');
	return n;
}

static int
nonsense(const struct csa_remote_model *m, struct csa_err *err,
    const char *why)
{
	csa_fail(err, CSA_ERR_PROVIDER_ERROR, m->remote.source, NULL);
	return csa_fail_detail(err, "%s: %s",
	    csa_source_name(m->remote.source), why);
}

static bool
good(const struct csa_up_call *call)
{
	int	 status = csa_up_status(call);

	return status >= 200 && status <= 299;
}

/*
 * A model that the caller named and the provider does not know is the caller's
 * mistake, not the provider's.
 */
static int
refused(const struct csa_remote_model *m, const struct csa_up_call *call,
    const struct csa_chat_try *try, const char *body, size_t len,
    struct csa_err *err)
{
	int	 rc = csa_remote_body_error(&m->remote, call, body, len, err);
	char	 detail[sizeof(err->detail)];

	if (csa_up_status(call) != 404 || try->model == m->model_id)
		return rc;
	memcpy(detail, err->detail, sizeof(detail));
	csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "config_params.llm_model: the provider knows no such model");
	return csa_fail_detail(err, "%s", detail);
}

static int
whole(const struct csa_remote_model *m, struct csa_up_call *call,
    struct csa_chat_try *try, struct csa_answer *a, struct csa_err *err)
{
	const char	*s, *why;
	size_t		 len;

	if (csa_up_wait(call, err) == -1)
		return -1;
	s = csa_up_body(call, &len);
	if (!good(call))
		return refused(m, call, try, s, len, err);
	try->begun = true;
	if (csa_chat_reply(m->driver->read, a, s, len, &why) == 0)
		return 0;
	return a->is_error ? csa_provider_error_fail(m->remote.source, s, len,
	    csa_up_key(call), err) : nonsense(m, err, why);
}

/* ---- streams ---- */

/* The body of an error, as far as it is of use; whose first bytes came. */
static int
stream_refused(const struct csa_remote_model *m, struct csa_up_call *call,
    const struct csa_chat_try *try, const char *piece, long n,
    int64_t deadline, struct csa_err *err)
{
	struct csa_buf	 body;
	struct csa_err	 ignored;
	char		 more[PIECE];

	csa_buf_init(&body, MAX_ERROR);
	csa_buf_add(&body, piece, (size_t)n);
	while (n > 0 && !body.failed) {
		n = csa_up_read(call, more, sizeof(more), deadline,
		    &ignored);
		if (n > 0)
			csa_buf_add(&body, more, (size_t)n);
	}
	if (n == -1 && ignored.code == CSA_ERR_CANCELLED)
		*err = ignored;
	else
		/* The status says enough where its body broke off. */
		(void)refused(m, call, try, body.data != NULL ? body.data : "",
		    body.len, err);
	csa_buf_fini(&body);
	return -1;
}

/*
 * Give out what has come, but no blanks before the first of the text: an answer
 * that stays blank is asked for once more.
 */
static int
give(struct csa_hearer *h, const struct csa_answer *a, struct csa_err *err)
{
	const char	*s = a->text.data + h->given;
	size_t		 n = a->text.len - h->given;

	if (n == 0 || (h->given == 0 && !csa_answer_has_text(a)))
		return 0;
	h->given = a->text.len;
	return h->delta(h->arg, s, n) == 0 ? 0 :
	    csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
}

/* How far a stream has come, and until when it is waited for. */
struct watch {
	enum { UNDER_WAY, WHOLE, DONE } stage;
	size_t	 text;
	int64_t	 until, deadline;
};

/*
 * What is whole need not be waited for long, but for a server that gives each
 * event a finish reason: with more text, it had not been whole.
 */
static void
look(struct watch *w, const struct csa_chat_stream *s)
{
	if (w->text != s->a->text.len) {
		w->text = s->a->text.len;
		w->stage = UNDER_WAY;
		w->until = w->deadline;
	}
	if (w->stage < WHOLE && csa_chat_stream_whole(s)) {
		w->stage = WHOLE;
		w->until = csa_sooner(w->until, REST_MS);
	}
	if (w->stage < DONE && s->done) {
		w->stage = DONE;
		w->until = csa_sooner(w->until, DONE_MS);
	}
}

/* The stream has ended well (0), or not: n is what csa_up_read said. */
static int
end(struct csa_chat_stream *s, long n, const struct csa_err *why,
    struct csa_err *err)
{
	if (n == 0)
		return csa_chat_stream_end(s, err);
	/* All that mattered had come. */
	if (csa_chat_stream_whole(s) && (n == -2 ||
	    why->code != CSA_ERR_CANCELLED))
		return 0;
	CSA_MUST(n == -1);
	*err = *why;
	return -1;
}

static int
follow(const struct csa_remote_model *m, struct csa_up_call *call,
    int64_t deadline, struct csa_chat_try *try, struct csa_chat_stream *s,
    struct csa_err *err)
{
	struct watch	 w = { UNDER_WAY, 0, deadline, deadline };
	struct csa_err	 why;
	char		 piece[PIECE];
	long		 n;

	for (;;) {
		n = csa_up_read(call, piece, sizeof(piece), w.until, &why);
		/* The deadline may come between two looks at the clock. */
		if (n == -2 && !csa_chat_stream_whole(s))
			continue;
		if (n >= 0 && !good(call))
			return stream_refused(m, call, try, piece, n, deadline,
			    err);
		if (n <= 0)
			return end(s, n, &why, err);
		try->begun = true;
		/* Before the first byte it might have become another one. */
		s->key = csa_up_key(call);
		if (csa_chat_stream_feed(s, piece, (size_t)n, err) == -1 ||
		    give(try->hearer, s->a, err) == -1)
			return -1;
		look(&w, s);
		if (w.stage != UNDER_WAY && csa_now_ms() >= w.until)
			return end(s, -2, &why, err);
	}
}

static int
stream(const struct csa_remote_model *m, struct csa_up_call *call,
    int64_t deadline, struct csa_chat_try *try, struct csa_answer *a,
    struct csa_err *err)
{
	struct csa_chat_stream	 s;
	int			 rc;

	csa_chat_stream_init(&s, m->driver->read, m->remote.source,
	    csa_up_key(call), a);
	rc = follow(m, call, deadline, try, &s, err);
	csa_chat_stream_fini(&s);
	/* A reply that came whole has given nothing out yet. */
	return rc == 0 ? give(try->hearer, a, err) : -1;
}

int
csa_chat_exchange(const struct csa_remote_model *m, struct csa_ctx *ctx,
    struct csa_chat_try *try, struct csa_answer *a, struct csa_err *err)
{
	struct csa_up_call	*call = NULL;
	struct csa_buf		 body;
	struct csa_up_req	 req = { .operation = "generate",
				    .part = try->model };
	size_t			 room = 1024;
	int			 rc;

	csa_buf_init(&body, MAX_REQUEST);
	/* An eighth more for what is to be escaped. */
	for (size_t i = 0; i < try->req->nmessages; i++)
		room += try->req->messages[i].len +
		    (try->req->messages[i].more ? 0 : 64);
	(void)csa_buf_reserve(&body, room + room / 8);
	m->driver->body(m, &body, try);
	csa_buf_fit(&body);
	req.url = m->driver->url(m, ctx->arena, try);
	req.body = body.data;
	req.len = body.len;
	if (body.failed)
		rc = csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
		    "the prompt is too large");
	else if (try->hearer == NULL) {
		req.max_reply = MAX_REPLY;
		req.slow = true;
		call = csa_remote_start(&m->remote, ctx, req);
		rc = whole(m, call, try, a, err);
	} else {
		req.max_reply = MAX_STREAM;
		req.stream = true;
		call = csa_remote_start(&m->remote, ctx, req);
		rc = stream(m, call, ctx->deadline, try, a, err);
	}
	csa_up_end(call);
	csa_buf_fini(&body);
	return rc;
}
