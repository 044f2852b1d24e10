#include "config.h"

#include <sys/socket.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <microhttpd.h>

#include "tests/emu/emu.h"
#include "tests/emu/send.h"
#include "tests/emu/timer.h"

static const char tail[] = "\"}";

static int
socket_of(struct emu_req *rq)
{
	const union MHD_ConnectionInfo *ci;

	ci = MHD_get_connection_info(rq->conn,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	return ci != NULL ? ci->connect_fd : -1;
}

/* On Linux, dissolving a TCP association that is in use sends RST at once. */
void
emu_send_reset(struct emu_req *rq)
{
	struct sockaddr sa = { .sa_family = AF_UNSPEC };

	rq->intended = true;
	(void)connect(socket_of(rq), &sa, sizeof(sa));
}

void
emu_send_raw(struct emu_req *rq, const char *text)
{
	rq->intended = true;
	(void)!send(socket_of(rq), text, strlen(text), MSG_NOSIGNAL);
}

static size_t
total(const struct emu_reply *rep)
{
	return rep->body.len +
	    (rep->filler != 0 ? rep->filler + sizeof(tail) - 1 : 0);
}

/* The answer has reached its stop: end it as planned. */
static ssize_t
ending(struct emu_req *rq)
{
	switch (rq->rep.ending) {
	case EMU_END_CLEAN:
		return MHD_CONTENT_READER_END_OF_STREAM;
	case EMU_END_HANG:
		rq->phase = "hang";
		emu_wait(rq, EMU_FOREVER);
		return 0;
	case EMU_END_RESET:
		emu_send_reset(rq);
		break;
	case EMU_END_CUT:
		/* MHD closes a chunked answer only when it next wakes up. */
		(void)shutdown(socket_of(rq), SHUT_RDWR);
		break;
	}
	rq->intended = true;
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/*
 * A mark "TS=" and twenty digits becomes the time of sending in nanoseconds
 * of the monotonic clock, so that a client can tell how late an event is.
 */
static void
stamp(struct emu_req *rq, size_t from, size_t end)
{
	char text[24];
	char *s = rq->rep.body.p + from, *last = rq->rep.body.p + end;

	(void)snprintf(text, sizeof(text), "%020" PRId64, emu_now_ns());
	while ((s = memmem(s, (size_t)(last - s), "TS=", 3)) != NULL) {
		if (last - s < 23)
			return;
		memcpy(s + 3, text, 20);
		s += 23;
	}
}

static size_t
min(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Copy what belongs at pos: the body, then filler, then its tail. */
static size_t
copy(const struct emu_reply *rep, size_t pos, char *out, size_t max)
{
	size_t n;

	if (pos < rep->body.len) {
		n = min(max, rep->body.len - pos);
		memcpy(out, rep->body.p + pos, n);
		return n;
	}
	pos -= rep->body.len;
	if (pos < rep->filler) {
		n = min(max, rep->filler - pos);
		memset(out, 'a', n);
		return n;
	}
	pos -= rep->filler;
	n = min(max, sizeof(tail) - 1 - pos);
	memcpy(out, tail + pos, n);
	return n;
}

/* The end of the piece at pos; waits first if the piece asks for it. */
static bool
piece_ready(struct emu_req *rq, size_t pos, size_t *end)
{
	struct emu_reply *rep = &rq->rep;
	const struct emu_piece *pc;

	*end = total(rep);
	while (rq->at_piece < rep->npieces &&
	    rep->piece[rq->at_piece].end <= pos) {
		rq->at_piece++;
		rq->waited = false;
	}
	if (rq->at_piece == rep->npieces)
		return true;
	pc = &rep->piece[rq->at_piece];
	*end = pc->end;
	if (pc->delay_ms > 0 && !rq->waited) {
		rq->waited = true;
		rq->phase = "body";
		emu_wait(rq, pc->delay_ms);
		return false;
	}
	if (rep->stamp)
		stamp(rq, pos, pc->end);
	return true;
}

static ssize_t
reader(void *arg, uint64_t upos, char *out, size_t max)
{
	struct emu_req *rq = arg;
	struct emu_reply *rep = &rq->rep;
	size_t pos = (size_t)upos, end, n;

	if (atomic_load(&rq->gone))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (pos >= min(total(rep), rep->stop))
		return ending(rq);
	if (!piece_ready(rq, pos, &end))
		return 0;
	n = copy(rep, pos, out, min(max, min(end, rep->stop) - pos));
	rq->sent = pos + n;
	return (ssize_t)n;
}

static struct MHD_Response *
response(struct emu_req *rq)
{
	struct emu_reply *rep = &rq->rep;
	struct MHD_Response *r;

	if (rep->stream || rep->npieces != 0 || rep->filler != 0 ||
	    rep->stop != SIZE_MAX)
		return MHD_create_response_from_callback(
		    rep->stream ? MHD_SIZE_UNKNOWN : total(rep), 16384,
		    reader, rq, NULL);
	rq->sent = rep->body.len;
	r = MHD_create_response_from_buffer(rep->body.len,
	    rep->body.p != NULL ? rep->body.p : emu_strdup(""),
	    MHD_RESPMEM_MUST_FREE);
	memset(&rep->body, 0, sizeof(rep->body));
	return r;
}

enum MHD_Result
emu_send(struct emu_req *rq)
{
	struct emu_reply *rep = &rq->rep;
	struct MHD_Response *r;
	enum MHD_Result ok;
	size_t i;

	rq->phase = "sending";
	if ((r = response(rq)) == NULL)
		return MHD_NO;
	if (rep->ctype != NULL)
		(void)MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE,
		    rep->ctype);
	for (i = 0; i < rep->nheaders; i++)
		(void)MHD_add_response_header(r, rep->header[i].name,
		    rep->header[i].value);
	ok = MHD_queue_response(rq->conn, rep->status, r);
	MHD_destroy_response(r);
	return ok;
}
