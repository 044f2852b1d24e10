/* What each fault does to an answer. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/fault.h"
#include "tests/emu/gemini.h"

enum when { BEFORE, AFTER, INSIDE };

static const enum when when[] = {
#define FAULT(sym, name, when, text) [EMU_FAULT_##sym] = when,
#include "tests/emu/faults.def"
#undef FAULT
};

static const char html[] = "<html>\r\n<head><title>502 Bad Gateway</title>"
    "</head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n"
    "<hr><center>emulator</center>\r\n</body>\r\n</html>\r\n";

/* Every member a client of any of the three may look at, of another type. */
static const char wrong_type[] = "{\"candidates\":7,\"usageMetadata\":[],"
    "\"embeddings\":\"none\",\"embedding\":[],\"matches\":{\"id\":1},"
    "\"upsertedCount\":\"many\",\"vectors\":[1],\"namespaces\":3,"
    "\"host\":42,\"choices\":\"x\",\"data\":3,\"usage\":[]}";

static void
fixed(struct emu_req *rq, unsigned status, const char *ctype,
    const char *body)
{
	emu_reply_clear(rq);
	emu_reply(rq, status, ctype);
	emu_buf_adds(&rq->rep.body, body);
}

static void
quota(struct emu_req *rq)
{
	const struct emu_plan *p = &rq->plan;

	emu_reply_clear(rq);
	if (emu_op_family(rq->op) == EMU_GEMINI)
		emu_gemini_quota(rq, p->fault, p->retry_delay);
	else
		emu_error(rq, 429, "Too many requests (emulated)");
	if (p->fault == EMU_FAULT_RETRY_AFTER && p->retry_after < 0)
		emu_reply_header(rq, "Retry-After", "1");
}

static void
big(struct emu_req *rq)
{
	fixed(rq, 200, "application/json", "{\"filler\":\"");
	rq->rep.filler = rq->plan.size > 0 ? (size_t)rq->plan.size :
	    (size_t)64 << 20;
}

static void
deep(struct emu_req *rq)
{
	size_t n = rq->plan.size > 0 ? (size_t)rq->plan.size : 100000, i;

	fixed(rq, 200, "application/json", "");
	emu_buf_room(&rq->rep.body, 2 * n);
	for (i = 0; i < 2 * n; i++)
		emu_buf_add(&rq->rep.body, i < n ? "[" : "]", 1);
}

/* The answers that replace the right one. */
static void
replace(struct emu_req *rq)
{
	switch (rq->plan.fault) {
	case EMU_FAULT_STATUS:
		emu_error(rq, rq->plan.status != 0 ? rq->plan.status : 503,
		    "emulated fault");
		break;
	case EMU_FAULT_RETRYINFO429:
	case EMU_FAULT_PLAIN429:
	case EMU_FAULT_PERDAY429:
	case EMU_FAULT_RETRY_AFTER:
		quota(rq);
		break;
	case EMU_FAULT_HTML:
		fixed(rq, rq->plan.status != 0 ? (unsigned)rq->plan.status :
		    502, "text/html", html);
		break;
	case EMU_FAULT_GARBAGE:
		fixed(rq, 200, "application/json", "\x1f\x8b{]not json\x00");
		break;
	case EMU_FAULT_WRONG_TYPE:
		fixed(rq, 200, "application/json", wrong_type);
		break;
	case EMU_FAULT_EMPTY:
		fixed(rq, 200, "application/json", "");
		break;
	case EMU_FAULT_EMPTY_OBJECT:
		fixed(rq, 200, "application/json", "{}");
		break;
	case EMU_FAULT_BIG:
		big(rq);
		break;
	case EMU_FAULT_DEEP:
		deep(rq);
		break;
	case EMU_FAULT_REDIRECT:
		fixed(rq, 307, "text/plain", "elsewhere\n");
		emu_reply_header(rq, "Location", "http://127.0.0.1:1%s",
		    rq->path);
		break;
	default:
		fixed(rq, 200, NULL, "");
		break;
	}
	if (rq->plan.retry_after >= 0)
		emu_reply_header(rq, "Retry-After", "%g",
		    rq->plan.retry_after);
}

bool
emu_fault_before(struct emu_req *rq)
{
	if (when[rq->plan.fault] != BEFORE || rq->plan.after)
		return true;
	replace(rq);
	return false;
}

/* Where the middle is: a piece's end in a stream, else half the bytes. */
static size_t
middle(const struct emu_req *rq)
{
	const struct emu_reply *rep = &rq->rep;

	if (rq->plan.at >= 0)
		return (size_t)rq->plan.at < rep->body.len ?
		    (size_t)rq->plan.at : rep->body.len;
	if (rep->npieces > 1)
		return rep->piece[(rep->npieces - 1) / 2].end;
	return rep->body.len / 2;
}

static void
stop_at_middle(struct emu_req *rq, enum emu_ending how)
{
	rq->rep.stop = middle(rq);
	rq->rep.ending = how;
}

static void
cut_body(struct emu_req *rq, size_t len)
{
	struct emu_reply *rep = &rq->rep;

	rep->body.len = len;
	while (rep->npieces != 0 && rep->piece[rep->npieces - 1].end > len)
		rep->npieces--;
	if (rep->npieces == 0 || rep->piece[rep->npieces - 1].end != len)
		emu_reply_piece(rq);
}

static void
error_in_stream(struct emu_req *rq, bool bare)
{
	const char *nl = emu_op_family(rq->op) == EMU_GEMINI ? "\r\n" : "\n";

	if (!rq->rep.stream)
		return;
	cut_body(rq, middle(rq));
	if (!bare)
		emu_buf_adds(&rq->rep.body, "data: ");
	if (emu_op_family(rq->op) == EMU_GEMINI)
		emu_buf_adds(&rq->rep.body, "{\"error\":{\"code\":503,"
		    "\"message\":\"The model is overloaded. Please try again "
		    "later.\",\"status\":\"UNAVAILABLE\"}}");
	else
		emu_buf_adds(&rq->rep.body, "{\"error\":{\"message\":"
		    "\"The server had an error\",\"type\":\"server_error\","
		    "\"param\":null,\"code\":null}}");
	emu_buf_adds(&rq->rep.body, nl);
	emu_buf_adds(&rq->rep.body, nl);
	emu_reply_piece(rq);
	/* Clients look for a bare error at the start of what they read. */
	rq->rep.piece[rq->rep.npieces - 1].delay_ms = 30;
}

static void
cut_pieces(struct emu_req *rq, size_t step)
{
	struct emu_reply *rep = &rq->rep;
	size_t len = rep->body.len, end;

	free(rep->piece);
	rep->piece = NULL;
	rep->npieces = 0;
	for (end = step; end < len; end += step) {
		rep->body.len = end;
		emu_reply_piece(rq);
	}
	rep->body.len = len;
	emu_reply_piece(rq);
}

static void
delay_pieces(struct emu_req *rq, long ms)
{
	size_t i;

	for (i = 1; i < rq->rep.npieces; i++)
		rq->rep.piece[i].delay_ms += ms;
}

static void
bad_utf8(struct emu_req *rq)
{
	static const char *const before[] = { "\"text\":\"", "\"content\":\"",
	    "\"id\":\"", "\"name\":\"" };
	struct emu_buf *b = &rq->rep.body;
	size_t i;
	char *s;

	for (i = 0; b->p != NULL && i < 4; i++) {
		s = strstr(b->p, before[i]);
		if (s == NULL || s[strlen(before[i])] == '"')
			continue;
		s[strlen(before[i])] = '\xff';
		return;
	}
}

/* A clean end that lacks the last event, or only its blank line. */
static void
no_end(struct emu_req *rq)
{
	struct emu_reply *rep = &rq->rep;

	if (rep->stream && rep->npieces > 1)
		cut_body(rq, rep->piece[rep->npieces - 2].end);
}

static void
no_blank(struct emu_req *rq)
{
	size_t n = rq->rep.body.len;

	while (n != 0 && strchr("\r\n", rq->rep.body.p[n - 1]) != NULL)
		n--;
	if (rq->rep.stream)
		cut_body(rq, n);
}

static void
spoil(struct emu_req *rq)
{
	const struct emu_plan *p = &rq->plan;

	switch (p->fault) {
	case EMU_FAULT_TRUNCATE:
	case EMU_FAULT_CUT_MIDSTREAM:
		stop_at_middle(rq, EMU_END_CUT);
		break;
	case EMU_FAULT_HANG_MIDBODY:
	case EMU_FAULT_HANG_MIDSTREAM:
		stop_at_middle(rq, EMU_END_HANG);
		break;
	case EMU_FAULT_RESET_MIDBODY:
		stop_at_middle(rq, EMU_END_RESET);
		break;
	case EMU_FAULT_DRIP:
		cut_pieces(rq, (size_t)p->step);
		break;
	case EMU_FAULT_WRONG_CTYPE:
		rq->rep.ctype = "text/plain";
		break;
	case EMU_FAULT_BAD_UTF8:
		bad_utf8(rq);
		break;
	case EMU_FAULT_CLOSE_AFTER:
		emu_reply_header(rq, "Connection", "close");
		break;
	case EMU_FAULT_SLOW_CHUNKS:
		if (!rq->rep.stream)
			cut_pieces(rq, rq->rep.body.len / 4 + 1);
		break;
	case EMU_FAULT_ERROR_MIDSTREAM:
		error_in_stream(rq, false);
		break;
	case EMU_FAULT_ERROR_BARE:
		error_in_stream(rq, true);
		break;
	case EMU_FAULT_NO_END:
		no_end(rq);
		break;
	case EMU_FAULT_NO_BLANK:
		no_blank(rq);
		break;
	default:
		break;
	}
}

void
emu_fault_after(struct emu_req *rq)
{
	long delay = rq->plan.chunk_delay_ms;

	if (when[rq->plan.fault] == BEFORE)
		replace(rq);
	else if (when[rq->plan.fault] == AFTER)
		spoil(rq);
	if (rq->rep.npieces == 0)
		return;
	if (delay < 0 && rq->plan.fault == EMU_FAULT_DRIP)
		delay = 10;
	else if (delay < 0 && rq->plan.fault == EMU_FAULT_SLOW_CHUNKS)
		delay = 100;
	else if (delay < 0)
		delay = emu_opt.chunk_delay_ms;
	if (delay > 0)
		delay_pieces(rq, delay);
}
