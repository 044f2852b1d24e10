#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/provider/chat_stream.h"
#include "lib/text/doc.h"

void
csa_chat_stream_init(struct csa_chat_stream *s, csa_chat_reader *read,
    enum csa_source source, const char *key, struct csa_answer *a)
{
	memset(s, 0, sizeof(*s));
	s->read = read;
	s->source = source;
	s->key = key;
	s->a = a;
	csa_sse_init(&s->sse, CSA_STREAM_EVENT_MAX);
	csa_buf_init(&s->plain, CSA_STREAM_PLAIN_MAX);
	s->arena = csa_arena_new();
}

void
csa_chat_stream_fini(struct csa_chat_stream *s)
{
	csa_sse_fini(&s->sse);
	csa_buf_fini(&s->plain);
	csa_arena_free(s->arena);
}

bool
csa_chat_stream_whole(const struct csa_chat_stream *s)
{
	return s->a->ending != CSA_END_NONE;
}

static int
nonsense(const struct csa_chat_stream *s, struct csa_err *err, const char *why)
{
	csa_fail(err, CSA_ERR_PROVIDER_ERROR, s->source, NULL);
	return csa_fail_detail(err, "%s: %s", csa_source_name(s->source), why);
}

static int
truncated(const struct csa_chat_stream *s, struct csa_err *err)
{
	csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE, s->source,
	    "the provider's answer broke off");
	return csa_fail_detail(err, "%s: truncated: the stream ended without "
	    "a finish reason", csa_source_name(s->source));
}

/*
 * An event that fails leaves no half of its text, and its failure no longer
 * matters when the answer is whole.
 */
static int
read_event(struct csa_chat_stream *s, const struct csa_sse_event *ev,
    const struct csa_node *o, struct csa_err *err)
{
	struct csa_answer	*a = s->a;
	size_t			 before = a->text.len;
	bool			 whole = csa_chat_stream_whole(s);
	const char		*why = NULL;

	if (strcmp(ev->name, "error") == 0)
		a->is_error = true;
	else if (s->read(a, o, false, &why) == 0)
		return 0;
	if (a->text.failed)
		return nonsense(s, err, "the answer is too long");
	if (a->text.len > before) {
		a->text.len = before;
		a->text.data[before] = '\0';
	}
	if (whole) {
		s->done = true;
		return 0;
	}
	return a->is_error ? csa_provider_error_fail(s->source, ev->data,
	    ev->n, s->key, err) : nonsense(s, err, why);
}

/* cut: the stream ended before the event did, so it may be half of one. */
static int
event(struct csa_chat_stream *s, const struct csa_sse_event *ev, bool cut,
    struct csa_err *err)
{
	const struct csa_node	*o;

	if (ev->n == 0)
		return 0;
	if (strcmp(ev->data, "[DONE]") == 0) {
		s->done = true;
		return 0;
	}
	csa_arena_reset(s->arena);
	o = csa_doc(s->arena, ev->data, ev->n);
	if (o != NULL || (strcmp(ev->name, "error") == 0 && !cut))
		return read_event(s, ev, o, err);
	if (csa_chat_stream_whole(s))
		s->done = true;
	return cut || s->done ? 0 :
	    nonsense(s, err, "an event of the stream is no JSON");
}

/* By its first byte.  Fields have names of small letters, and colons begin
 * comments. */
static int
know_form(struct csa_chat_stream *s, const char **p, size_t *n,
    struct csa_err *err)
{
	while (*n > 0 && strchr(" \t\r\n", **p) != NULL && **p != '\0') {
		++*p;
		--*n;
	}
	if (*n == 0)
		return 0;
	if (**p == '{' || **p == '[')
		s->form = CSA_STREAM_PLAIN;
	else if ((**p >= 'a' && **p <= 'z') || **p == ':' || **p == '\xef')
		s->form = CSA_STREAM_EVENTS;
	else
		return nonsense(s, err, "the reply is no stream of events");
	return 0;
}

int
csa_chat_stream_feed(struct csa_chat_stream *s, const char *p, size_t n,
    struct csa_err *err)
{
	struct csa_sse_event	 ev;
	int			 rc;

	if (s->form == CSA_STREAM_UNKNOWN && know_form(s, &p, &n, err) == -1)
		return -1;
	if (s->form == CSA_STREAM_PLAIN) {
		csa_buf_add(&s->plain, p, n);
		return s->plain.failed ?
		    nonsense(s, err, "the reply is too large") : 0;
	}
	while (!s->done && (rc = csa_sse_next(&s->sse, &p, &n, &ev)) != 0) {
		if (rc == 1 && event(s, &ev, false, err) == -1)
			return -1;
		if (rc == 1)
			continue;
		if (!csa_chat_stream_whole(s))
			return nonsense(s, err, "an event is too large");
		s->done = true;
	}
	return 0;
}

/* A reply that is no stream, or Gemini's events as one list. */
static int
plain(struct csa_chat_stream *s, struct csa_err *err)
{
	const struct csa_node	*o, *e;
	const char		*why = "the reply is no JSON";
	int			 rc = 0;

	csa_arena_reset(s->arena);
	o = csa_doc(s->arena, s->plain.data, s->plain.len);
	if (csa_node_is(o, CSA_NODE_ARRAY))
		for (e = o->first; rc == 0 && e != NULL; e = e->next)
			rc = s->read(s->a, e, false, &why);
	else
		rc = o != NULL ? s->read(s->a, o, true, &why) : -1;
	if (s->a->is_error)
		return csa_provider_error_fail(s->source, s->plain.data,
		    s->plain.len, s->key, err);
	if (rc == -1)
		return nonsense(s, err, why);
	return csa_node_is(o, CSA_NODE_ARRAY) && !csa_chat_stream_whole(s) ?
	    truncated(s, err) : 0;
}

int
csa_chat_stream_end(struct csa_chat_stream *s, struct csa_err *err)
{
	struct csa_sse_event	 ev;

	if (s->form == CSA_STREAM_PLAIN)
		return plain(s, err);
	if (s->form == CSA_STREAM_EVENTS && !s->done &&
	    csa_sse_end(&s->sse, &ev) == 1 && event(s, &ev, true, err) == -1)
		return -1;
	return csa_chat_stream_whole(s) ? 0 : truncated(s, err);
}
