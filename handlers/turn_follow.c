/*
 * The part of turn_cache that tells clients: of an answer that is there, of one
 * that somebody else is writing, of one's own.
 */
#include "config.h"

#include <string.h>

#include "handlers/turn_cache_internal.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/rag/answer_value.h"
#include "lib/text/utf8.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

/* A piece of an answer that is there at once. */
#define PIECE		400

/* ---- telling the client ---- */

void
csa_turn_header(struct csa_call *call, const struct csa_turn *t)
{
	if (call->resp->status == 0)
		csa_resp_header(call->resp, "X-Cache", t->cache);
}

/* Are these the passages that the client was told of? */
static bool
same_passages(const struct csa_found *a, const struct csa_passage *p, size_t n)
{
	if (a->n != n)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct csa_chunk	*x = &a->passages[i].chunk;
		const struct csa_chunk	*y = &p[i].chunk;

		if (strcmp(x->id, y->id) != 0 || x->len != y->len ||
		    memcmp(x->text, y->text, x->len) != 0)
			return false;
	}
	return true;
}

static int
show_found(struct csa_turn_cache *c)
{
	c->shown = true;
	csa_turn_header(c->call, c->t);
	return c->l->found(c->l->arg, c->t);
}

/* How much of a long text goes out at once: up to the end of a word. */
static size_t
piece(const char *s, size_t n)
{
	size_t	 m;

	if (n <= PIECE + PIECE / 2)
		return n;
	for (m = PIECE; m > PIECE / 2; m--)
		if (s[m - 1] == ' ' || s[m - 1] == '\n')
			return m;
	m = csa_utf8_cut(s, n, PIECE);
	return m > 0 ? m : n;
}

/*
 * The text goes on by n bytes; c->came of it came before.  The client gets what
 * it has not got yet.
 */
static int
say(struct csa_turn_cache *c, const char *s, size_t n)
{
	size_t	 known = 0, m;

	if (c->said.len > c->came) {
		known = c->said.len - c->came < n ? c->said.len - c->came : n;
		if (memcmp(c->said.data + c->came, s, known) != 0)
			c->broken = true;
	}
	c->came += n;
	if (c->broken)
		return 0;
	for (s += known, n -= known; n > 0; s += m, n -= m) {
		m = piece(s, n);
		if (c->following)
			csa_buf_add(&c->said, s, m);
		if (c->l->delta(c->l->arg, s, m) == -1)
			return -1;
	}
	return 0;
}

int
csa_turn_break_off(struct csa_err *err)
{
	return csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE, CSA_SRC_AGENT,
	    "the answer was lost half-way; ask again");
}

int
csa_turn_present(struct csa_turn_cache *c, const struct csa_answer *a,
    enum csa_cache_kind saved, struct csa_err *err)
{
	struct csa_turn	*t = c->t;
	struct csa_found was = t->found;

	memset(&t->found, 0, sizeof(t->found));
	t->found.passages = a->passages;
	t->found.n = a->n;
	t->cited = a->cited;
	t->degraded = a->degraded;
	t->res = a->res;
	t->bytes = 0;
	for (size_t i = 0; i < a->n; i++)
		t->bytes += a->passages[i].chunk.len;
	csa_cache_saved(saved, a->res.cost_usd, a->res.total_tokens);
	/* That was paid, by somebody else. */
	t->res.prompt_tokens = t->res.completion_tokens = 0;
	t->res.total_tokens = t->res.cached_tokens = 0;
	t->res.thought_tokens = 0;
	t->res.cost_usd = 0;
	t->t.retrieve = csa_now_ns() - c->began - t->t.generate;
	t->cache = "answer";
	t->match = saved == CSA_CACHE_SIMILAR ? "semantic" : "exact";
	if (c->l == NULL)
		return 1;
	c->came = 0;
	if (c->shown && !same_passages(&was, a->passages, a->n))
		c->broken = true;
	if ((!c->shown && show_found(c) == -1) ||
	    say(c, t->res.text, t->res.len) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	return c->broken || c->came < c->said.len ? csa_turn_break_off(err) : 1;
}

/* ---- following ---- */

/* What a leader has told: its passages once, and then text. */
static int
told(void *arg, const void *data, size_t len)
{
	struct csa_turn_cache	*c = arg;
	struct csa_arena	*arena = c->call->req->ctx.arena;
	struct csa_passage	*p;
	const char		*text;
	char			*copy;
	size_t			 n, ntext;

	if (c->head != NULL && len >= c->nhead &&
	    memcmp(data, c->head, c->nhead) == 0) {
		c->came = 0;
		if (!csa_utf8_valid((const char *)data + c->nhead,
		    len - c->nhead, NULL))
			return 0;
		if (say(c, (const char *)data + c->nhead,
		    len - c->nhead) == -1)
			return -1;
		return c->broken || c->came < c->said.len ? -1 : 0;
	}
	if (c->shown) {
		/* Another leader, who found something else. */
		c->broken = true;
		return -1;
	}
	copy = csa_arena_alloc(arena, len + 1);
	memcpy(copy, data, len);
	if (csa_progress_read(arena, copy, len, &p, &n, &text, &ntext) == -1)
		return 0;
	c->head = copy;
	c->nhead = (size_t)(text - copy);
	c->t->found.passages = p;
	c->t->found.n = n;
	c->t->cache = "answer";
	if (show_found(c) == -1)
		return -1;
	c->came = 0;
	return say(c, text, ntext);
}

/* Work it out alone; returns 0. */
static int
leave(struct csa_turn_cache *c)
{
	csa_flight_leave(c->flight);
	c->flight = NULL;
	c->following = false;
	c->came = 0;
	return 0;
}

static bool
may_go_alone(const struct csa_turn_cache *c, const struct csa_err *err)
{
	return err->code == CSA_ERR_DEADLINE && c->t->r->may_degrade &&
	    c->said.len == 0 && csa_left_ms(c->call->req->ctx.deadline) > 0;
}

/* 1, 0: it is nothing that we know, -1. */
static int
landed(struct csa_turn_cache *c, const struct csa_cached *v,
    struct csa_err *err)
{
	struct csa_turn		*t = c->t;
	struct csa_answer	 a;

	switch (csa_answer_kind(v->data, v->len)) {
	case 'A':
		if (csa_answer_read(c->call->req->ctx.arena, v->data, v->len,
		    &a) == -1)
			break;
		/* Waiting for the leader is what it took. */
		t->t.generate = csa_now_ns() - c->waiting;
		return csa_turn_present(c, &a, CSA_CACHE_FLIGHT, err);
	case 'E':
		if (csa_trouble_read(v->data, v->len, err) == -1)
			break;
		return -1;
	}
	/* Of another version, say: then everybody for himself. */
	return leave(c);
}

int
csa_turn_follow(struct csa_turn_cache *c, struct csa_err *err)
{
	struct csa_flight_ear	 ear = { told, c };
	struct csa_cached	 v;
	struct csa_err		 e;

	c->call->phase = "follow";
	c->following = true;
	c->waiting = csa_now_ns();
	switch (csa_flight_follow(c->flight, c->l != NULL ? &ear : NULL, &v,
	    &e)) {
	case 1:
		return landed(c, &v, err);
	case 0:
		c->following = false;
		c->came = 0;
		return 0;
	}
	if (c->broken)
		return csa_turn_break_off(err);
	if (may_go_alone(c, &e))
		return leave(c);
	*err = e;
	return -1;
}

/* ---- leading ---- */

static int
tap_found(void *arg, const struct csa_turn *t)
{
	struct csa_turn_cache	*c = arg;

	csa_buf_reset(&c->progress);
	csa_progress_write(&c->progress, t->found.passages, t->found.n);
	if (c->flight != NULL && !c->progress.failed)
		csa_flight_tell(c->flight, c->progress.data, c->progress.len);
	if (!c->shown)
		return show_found(c);
	/* A follower's client, which has heard of those of the lost leader. */
	if (c->head == NULL || c->progress.failed ||
	    c->progress.len != c->nhead ||
	    memcmp(c->progress.data, c->head, c->nhead) != 0)
		c->broken = true;
	return 0;
}

static int
tap_delta(void *arg, const char *s, size_t n)
{
	struct csa_turn_cache	*c = arg;

	if (c->flight != NULL) {
		csa_buf_add(&c->progress, s, n);
		if (!c->progress.failed)
			csa_flight_tell(c->flight, c->progress.data,
			    c->progress.len);
	}
	/*
	 * Even where it is of no use to this client any more, it is to those who
	 * follow: one after the other they would ask, and break off as well.
	 */
	return say(c, s, n);
}

const struct csa_listener *
csa_turn_listener(struct csa_turn_cache *c)
{
	c->tap = (struct csa_listener){ tap_found, tap_delta, c };
	return c->l != NULL ? &c->tap : NULL;
}
