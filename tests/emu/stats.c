#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/stats.h"

#define NRECENT	64

struct opstat {
	_Atomic uint64_t requests, errors, faults, items, bytes_in, bytes_out;
	_Atomic uint64_t disconnects, streams;
	_Atomic int64_t	 in_flight, max_in_flight;
};

struct departure {
	int64_t		 t_ms;
	uint64_t	 id;
	enum emu_op	 op;
	const char	*phase;
	size_t		 sent;
	long		 after_ms;
};

static struct opstat ops[EMU_OP__MAX];
static _Atomic uint64_t opened, departures;
static _Atomic int64_t open_now, max_open, in_flight, max_in_flight;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct departure recent[NRECENT];
static uint64_t nrecent;

static void
raise_to(_Atomic int64_t *max, int64_t v)
{
	int64_t old = atomic_load(max);

	while (v > old && !atomic_compare_exchange_weak(max, &old, v))
		continue;
}

void
emu_stat_connection(int change)
{
	if (change > 0)
		atomic_fetch_add(&opened, 1);
	raise_to(&max_open, atomic_fetch_add(&open_now, change) + change);
}

void
emu_stat_begin(struct emu_req *rq)
{
	struct opstat *s = &ops[rq->op];

	if (rq->op == EMU_OP_CONTROL)
		return;
	rq->counted = true;
	atomic_fetch_add(&s->requests, 1);
	atomic_fetch_add(&s->bytes_in, rq->body.len);
	raise_to(&s->max_in_flight, atomic_fetch_add(&s->in_flight, 1) + 1);
	raise_to(&max_in_flight, atomic_fetch_add(&in_flight, 1) + 1);
}

void
emu_stat_answer(struct emu_req *rq)
{
	struct opstat *s = &ops[rq->op];

	if (!rq->counted)
		return;
	atomic_fetch_add(&s->items, rq->items);
	if (rq->rep.status >= 400)
		atomic_fetch_add(&s->errors, 1);
	if (rq->plan.fault != EMU_FAULT_NONE)
		atomic_fetch_add(&s->faults, 1);
	if (rq->rep.stream)
		atomic_fetch_add(&s->streams, 1);
}

void
emu_stat_end(struct emu_req *rq)
{
	struct opstat *s = &ops[rq->op];

	if (!rq->counted)
		return;
	rq->counted = false;
	atomic_fetch_add(&s->bytes_out, rq->sent);
	atomic_fetch_sub(&s->in_flight, 1);
	atomic_fetch_sub(&in_flight, 1);
}

void
emu_stat_disconnect(struct emu_req *rq)
{
	struct departure *d;

	if (rq->op == EMU_OP_CONTROL)
		return;
	atomic_fetch_add(&departures, 1);
	atomic_fetch_add(&ops[rq->op].disconnects, 1);
	pthread_mutex_lock(&lock);
	d = &recent[nrecent++ % NRECENT];
	d->t_ms = emu_now_ms();
	d->id = rq->id;
	d->op = rq->op;
	d->phase = rq->phase;
	d->sent = rq->sent;
	d->after_ms = (long)(d->t_ms - rq->start_ms);
	pthread_mutex_unlock(&lock);
}

static void
op_json(struct emu_buf *b, const struct opstat *s, const char *name)
{
	emu_buf_addf(b, "\"%s\":{\"requests\":%" PRIu64 ",\"errors\":%" PRIu64
	    ",\"faults\":%" PRIu64 ",\"streams\":%" PRIu64 ",\"items\":%" PRIu64
	    ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
	    ",\"disconnects\":%" PRIu64 ",\"in_flight\":%" PRId64
	    ",\"max_in_flight\":%" PRId64 "}", name, s->requests, s->errors,
	    s->faults, s->streams, s->items, s->bytes_in, s->bytes_out,
	    s->disconnects, s->in_flight, s->max_in_flight);
}

static void
departures_json(struct emu_buf *b)
{
	uint64_t i, from;

	pthread_mutex_lock(&lock);
	from = nrecent > NRECENT ? nrecent - NRECENT : 0;
	emu_buf_addf(b, "\"disconnects\":{\"count\":%" PRIu64 ",\"last_ms\":",
	    departures);
	if (nrecent == 0)
		emu_buf_adds(b, "null");
	else
		emu_buf_addf(b, "%" PRId64,
		    recent[(nrecent - 1) % NRECENT].t_ms);
	emu_buf_adds(b, ",\"recent\":[");
	for (i = from; i < nrecent; i++) {
		const struct departure *d = &recent[i % NRECENT];

		emu_buf_addf(b, "%s{\"t_ms\":%" PRId64 ",\"id\":%" PRIu64
		    ",\"op\":\"%s\",\"phase\":\"%s\",\"bytes_sent\":%zu,"
		    "\"after_ms\":%ld}", i == from ? "" : ",", d->t_ms, d->id,
		    emu_op_name(d->op), d->phase, d->sent, d->after_ms);
	}
	emu_buf_adds(b, "]}");
	pthread_mutex_unlock(&lock);
}

void
emu_stat_json(struct emu_buf *b)
{
	uint64_t total = 0, in = 0, out = 0;
	int i;

	for (i = 0; i < EMU_OP__MAX; i++) {
		total += ops[i].requests;
		in += ops[i].bytes_in;
		out += ops[i].bytes_out;
	}
	emu_buf_addf(b, "{\"now_ms\":%" PRId64 ",\"requests\":%" PRIu64
	    ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64
	    ",\"in_flight\":%" PRId64 ",\"max_concurrent\":%" PRId64
	    ",\"connections\":{\"opened\":%" PRIu64 ",\"open\":%" PRId64
	    ",\"max_open\":%" PRId64 "},", emu_now_ms(), total, in, out,
	    in_flight, max_in_flight, opened, open_now, max_open);
	departures_json(b);
	emu_buf_adds(b, ",\"ops\":{");
	for (i = 0; i < EMU_OP_CONTROL; i++) {
		if (i != 0)
			emu_buf_adds(b, ",");
		op_json(b, &ops[i], emu_op_name((enum emu_op)i));
	}
	emu_buf_adds(b, "}}");
}

/* What is in flight stays counted, or its end would make it negative. */
void
emu_stat_reset(void)
{
	int i;

	for (i = 0; i < EMU_OP__MAX; i++) {
		struct opstat *s = &ops[i];

		s->requests = s->errors = s->faults = s->items = 0;
		s->bytes_in = s->bytes_out = s->disconnects = s->streams = 0;
		s->max_in_flight = s->in_flight;
	}
	max_in_flight = in_flight;
	max_open = open_now;
	opened = 0;
	departures = 0;
	pthread_mutex_lock(&lock);
	nrecent = 0;
	pthread_mutex_unlock(&lock);
}
