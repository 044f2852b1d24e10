#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

#include "tests/emu/emu.h"
#include "tests/emu/fault.h"
#include "tests/emu/reqlog.h"

#define NENTRIES	512
#define MAXBODY		((size_t)256 * 1024)
#define MAXALL		((size_t)64 * 1024 * 1024)

struct entry {
	uint64_t	id;
	int64_t		t_ms;
	enum emu_op	op;
	struct emu_buf	line;		/* method, NUL, target, NUL */
	struct emu_buf	headers;	/* name, NUL, value, NUL, ... */
	struct emu_buf	body;
	size_t		body_bytes;	/* of the whole body */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry ring[NENTRIES];
static uint64_t next, oldest;
static size_t held;			/* bytes of all bodies */

static void
drop_oldest(void)
{
	struct entry *e = &ring[oldest++ % NENTRIES];

	held -= e->body.len;
	if (e->body.cap > 16384)
		emu_buf_fini(&e->body);
	emu_buf_clear(&e->body);
}

static enum MHD_Result
add_header(void *arg, enum MHD_ValueKind kind, const char *key,
    const char *value)
{
	struct emu_buf *b = arg;

	(void)kind;
	emu_buf_add(b, key, strlen(key) + 1);
	emu_buf_add(b, value != NULL ? value : "",
	    (value != NULL ? strlen(value) : 0) + 1);
	return MHD_YES;
}

void
emu_reqlog_add(struct emu_req *rq)
{
	size_t n = rq->body.len < MAXBODY ? rq->body.len : MAXBODY;
	struct entry *e;

	if (rq->op == EMU_OP_CONTROL)
		return;
	pthread_mutex_lock(&lock);
	while (next - oldest == NENTRIES || (held + n > MAXALL &&
	    oldest != next))
		drop_oldest();
	e = &ring[next++ % NENTRIES];
	e->id = rq->id;
	e->t_ms = rq->start_ms;
	e->op = rq->op;
	e->body_bytes = rq->body.len;
	held += n;
	emu_buf_clear(&e->line);
	emu_buf_clear(&e->headers);
	emu_buf_clear(&e->body);
	emu_buf_add(&e->line, rq->method, strlen(rq->method) + 1);
	emu_buf_add(&e->line, rq->target, strlen(rq->target) + 1);
	emu_buf_add(&e->body, rq->body.p, n);
	(void)MHD_get_connection_values(rq->conn, MHD_HEADER_KIND, add_header,
	    &e->headers);
	pthread_mutex_unlock(&lock);
}

static void
headers_json(struct emu_buf *b, const struct emu_buf *h)
{
	const char *s = h->p, *value;

	emu_buf_adds(b, "[");
	while (h->len != 0 && s < h->p + h->len) {
		value = s + strlen(s) + 1;
		emu_buf_adds(b, s == h->p ? "[" : ",[");
		emu_buf_jsons(b, s);
		emu_buf_adds(b, ",");
		if (emu_utf8_valid(value, strlen(value)))
			emu_buf_jsons(b, value);
		else
			emu_buf_adds(b, "null");
		emu_buf_adds(b, "]");
		s = value + strlen(value) + 1;
	}
	emu_buf_adds(b, "]");
}

static void
entry_json(struct emu_buf *b, const struct entry *e)
{
	emu_buf_addf(b, "{\"id\":%" PRIu64 ",\"t_ms\":%" PRId64
	    ",\"op\":\"%s\",\"method\":", e->id, e->t_ms, emu_op_name(e->op));
	emu_buf_jsons(b, e->line.p);
	emu_buf_adds(b, ",\"target\":");
	if (emu_utf8_valid(e->line.p, e->line.len))
		emu_buf_jsons(b, e->line.p + strlen(e->line.p) + 1);
	else
		emu_buf_adds(b, "null");
	emu_buf_adds(b, ",\"headers\":");
	headers_json(b, &e->headers);
	emu_buf_addf(b, ",\"body_bytes\":%zu,\"body_truncated\":%s,",
	    e->body_bytes, e->body_bytes > e->body.len ? "true" : "false");
	if (emu_utf8_valid(e->body.p, e->body.len)) {
		emu_buf_adds(b, "\"body\":");
		emu_buf_json(b, e->body.p, e->body.len);
	} else {
		emu_buf_adds(b, "\"body_base64\":\"");
		emu_buf_base64(b, e->body.p, e->body.len);
		emu_buf_adds(b, "\"");
	}
	emu_buf_adds(b, "}");
}

/* Where to start so that limit matching entries follow. */
static uint64_t
start_at(const char *op, size_t limit)
{
	uint64_t i = next;

	if (limit == 0)
		return oldest;
	while (i > oldest && limit != 0) {
		i--;
		if (op == NULL || emu_op_matches(ring[i % NENTRIES].op, op))
			limit--;
	}
	return i;
}

void
emu_reqlog_json(struct emu_buf *b, const char *op, size_t limit)
{
	const char *sep = "";
	uint64_t i;

	pthread_mutex_lock(&lock);
	emu_buf_adds(b, "[");
	for (i = start_at(op, limit); i < next; i++) {
		if (op != NULL && !emu_op_matches(ring[i % NENTRIES].op, op))
			continue;
		emu_buf_adds(b, sep);
		entry_json(b, &ring[i % NENTRIES]);
		sep = ",\n";
	}
	emu_buf_adds(b, "]");
	pthread_mutex_unlock(&lock);
}

void
emu_reqlog_reset(void)
{
	size_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < NENTRIES; i++) {
		emu_buf_fini(&ring[i].body);
		emu_buf_fini(&ring[i].line);
		emu_buf_fini(&ring[i].headers);
	}
	next = oldest = 0;
	held = 0;
	pthread_mutex_unlock(&lock);
}
