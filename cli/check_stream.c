#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/arrivals.h"
#include "cli/doctor.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/text/num.h"

/* The stream that is measured: a little over a second. */
#define EVENTS		8
#define GAP_MS		150
#define LIMIT_MS	15000

/*
 * The stream that is left after its first event.  A server that tells of it
 * does so long before the next event; one that does not learns of it by the
 * second write after, one gap later.
 */
#define LEFT_EVENTS	10
#define LEFT_GAP_MS	500
#define AT_ONCE_MS	400
#define NOTICE_MS	2500

struct stream {
	struct csa_arrivals	 arrivals;
	unsigned		 leave_after;	/* events; 0: stay */
};

static bool
arrived(void *arg, const char *data, size_t n)
{
	struct stream	*s = arg;

	csa_arrivals_feed(&s->arrivals, data, n, csa_now_ns());
	return s->leave_after == 0 || s->arrivals.n < s->leave_after;
}

/* events every gap_ms through the web server, on the path of real streams. */
static void
stream(const struct csa_doctor *d, unsigned events, long gap_ms, bool zipped,
    struct stream *s, struct csa_look *l)
{
	char			 url[2048], key[4200];
	const char		*headers[] = { key,
				    "Content-Type: application/json",
				    "Accept: text/event-stream",
				    "Accept-Encoding: gzip, deflate, br" };
	struct csa_look_req	 req = {
		.method = "POST", .url = url, .headers = headers,
		.nheaders = zipped ? 4 : 3, .body = "{}", .len = 2,
		.ca_file = d->ca_file != NULL ? d->ca_file :
		    d->config != NULL ? d->config->ca_file : NULL,
		.timeout_ms = csa_doctor_ms(d, LIMIT_MS),
		.each = arrived, .arg = s,
	};

	snprintf(url, sizeof(url), "%s/chat?probe=%u,%ld", d->url, events,
	    gap_ms);
	snprintf(key, sizeof(key), "X-Internal-API-Key: %s", d->key);
	csa_look(&req, l);
	explicit_bzero(key, sizeof(key));
}

/* Has the probe been answered at all?  Reports where not. */
static bool
is_stream(struct csa_doctor *d, const struct csa_look *l)
{
	char	 type[80];

	csa_look_header(l, "Content-Type", type, sizeof(type));
	if (l->status == 200 && strncmp(type, "text/event-stream", 17) == 0)
		return true;
	if (l->status == 400 || l->status == 422) {
		csa_report(&d->report, CSA_VERDICT_WARN, "stream", "the "
		    "service knows no probe of streams, or lets no request "
		    "take that long (status %d)", l->status);
		csa_report_do(&d->report, "look with the chatsphere of the "
		    "same version; request_timeout_ms should be 60000");
	} else
		csa_front_fail(d, "stream", l);
	return false;
}

static void
say_encoding(struct csa_doctor *d, const char *encoding)
{
	if (*encoding == '\0' || strcmp(encoding, "identity") == 0) {
		csa_report(&d->report, CSA_VERDICT_OK, "stream.compression",
		    "streams are not compressed");
		return;
	}
	csa_report(&d->report, CSA_VERDICT_FAIL, "stream.compression",
	    "streams are compressed on the way (%s): events may wait in the "
	    "compressor", encoding);
	csa_advise(&d->report, CSA_PROBLEM_COMPRESSED, d->front);
}

/* One run; with encoding, compression is allowed, and what came is told. */
static bool
once(struct csa_doctor *d, struct stream *s, char *encoding, size_t size)
{
	struct csa_look	 l;
	bool		 ok;

	memset(s, 0, sizeof(*s));
	stream(d, EVENTS, GAP_MS, encoding != NULL, s, &l);
	ok = is_stream(d, &l);
	if (encoding != NULL)
		csa_look_header(&l, "Content-Encoding", encoding, size);
	csa_look_fini(&l);
	return ok;
}

static void
say_flow(struct csa_doctor *d, enum csa_flow flow, const struct csa_arrivals *a,
    double spread, double longest)
{
	struct csa_report	*r = &d->report;
	const char		*check = "stream.gaps";

	switch (flow) {
	case CSA_FLOW_EVEN:
		csa_report(r, CSA_VERDICT_OK, check, "%u events sent every "
		    "%d ms arrive one by one, %.0f ms apart at most", a->n,
		    GAP_MS, longest);
		return;
	case CSA_FLOW_ONE_PIECE:
		csa_report(r, CSA_VERDICT_FAIL, check, "streams are held back: "
		    "%u events sent over %d ms came within %.0f ms", a->n,
		    GAP_MS * (EVENTS - 1), spread);
		break;
	case CSA_FLOW_LUMPS:
		csa_report(r, CSA_VERDICT_FAIL, check, "streams are held back: "
		    "%u events sent every %d ms came in lumps, up to %.0f ms "
		    "apart", a->n, GAP_MS, longest);
		break;
	case CSA_FLOW_CUT:
		csa_report(r, CSA_VERDICT_FAIL, check, "a stream broke off: %u "
		    "of %d events came%s", a->n, EVENTS, a->done ? "" :
		    ", and no end");
		csa_report_do(r, "see the web server's error log and the "
		    "chat pool's log; time limits must be longer than a "
		    "stream (130 s as shipped)");
		return;
	}
	csa_advise(r, CSA_PROBLEM_BUFFERED, d->front);
}

/* false: nobody could leave such a stream, nothing more to look at. */
static bool
check_gaps(struct csa_doctor *d)
{
	char		 encoding[40];
	struct stream	 s;
	enum csa_flow	 flow;
	double		 spread, longest;

	if (!once(d, &s, encoding, sizeof(encoding)))
		return false;
	say_encoding(d, encoding);
	/* Compressed, events cannot be told apart. */
	if (encoding[0] != '\0' && !once(d, &s, NULL, 0))
		return false;
	flow = csa_arrivals_judge(&s.arrivals, EVENTS, GAP_MS, &spread,
	    &longest);
	/* What looks bad may have been this host: once more then. */
	if (flow != CSA_FLOW_EVEN) {
		if (!once(d, &s, NULL, 0))
			return false;
		flow = csa_arrivals_judge(&s.arrivals, EVENTS, GAP_MS,
		    &spread, &longest);
	}
	say_flow(d, flow, &s.arrivals, spread, longest);
	return flow != CSA_FLOW_ONE_PIECE;
}

/* Clients of the probe that were noticed to leave, -1 where nobody says. */
static int64_t
count_gone(struct csa_doctor *d)
{
	static const char	 line[] = "chatsphere_client_gone_total{"
				    "endpoint=\"chat\",phase=\"probe\"} ";
	const char		*p;
	char			 digits[24];
	struct csa_look		 l;
	int64_t			 v = -1;

	csa_front_ask(d, "/metrics", CSA_KEY_HEADER, d->key, NULL, 0, 3000,
	    &l);
	if (csa_front_ours(&l) && l.status == 200) {
		p = l.body.len > 0 ? strstr(l.body.data, line) : NULL;
		v = 0;
		if (p != NULL) {
			p += sizeof(line) - 1;
			snprintf(digits, sizeof(digits), "%.*s",
			    (int)strcspn(p, "\r\n"), p);
			if (csa_parse_int(digits, 0, INT64_MAX, &v) == -1)
				v = -1;
		}
	}
	csa_look_fini(&l);
	return v;
}

/* Milliseconds until the count has risen, -1 where it does not. */
static double
wait_noticed(struct csa_doctor *d, int64_t before)
{
	static const struct timespec	 pause = { 0, 20 * 1000 * 1000 };
	int64_t				 start = csa_now_ns();

	while (csa_now_ns() - start < NOTICE_MS * 1000000LL) {
		if (count_gone(d) > before)
			return (double)(csa_now_ns() - start) / 1e6;
		nanosleep(&pause, NULL);
	}
	return -1;
}

static void
say_noticed(struct csa_doctor *d, double ms)
{
	struct csa_report	*r = &d->report;
	const char		*check = "stream.abort";

	if (ms >= 0 && ms < AT_ONCE_MS)
		csa_report(r, CSA_VERDICT_OK, check, "a client that leaves is "
		    "noticed within %.0f ms", ms);
	else if (ms >= 0 && d->front == CSA_FRONT_APACHE)
		csa_report(r, CSA_VERDICT_OK, check, "a client that leaves is "
		    "noticed after %.0f ms, by writing to it: Apache tells no "
		    "sooner, so in silence within two heartbeats (%ld ms "
		    "each)", ms, d->config != NULL ? d->config->heartbeat_ms :
		    5000L);
	else if (ms >= 0) {
		csa_report(r, CSA_VERDICT_WARN, check, "a client that leaves "
		    "is noticed only by writing to it, after %.0f ms: a model "
		    "that thinks in silence is paid for nobody", ms);
		csa_advise(r, CSA_PROBLEM_ABORT, d->front);
	} else {
		csa_report(r, CSA_VERDICT_WARN, check, "a client that leaves "
		    "was not noticed within %d ms (behind a balancer ask one "
		    "host alone)", NOTICE_MS);
		csa_advise(r, CSA_PROBLEM_ABORT, d->front);
	}
}

enum leaving { LEFT, STAYED, UNCOUNTED };

/* One client that leaves: milliseconds until that is noticed, -1: it is not. */
static enum leaving
leave(struct csa_doctor *d, double *ms)
{
	struct stream	 s = { .leave_after = 1 };
	int64_t		 before = count_gone(d);
	struct csa_look	 l;
	bool		 left;

	*ms = -1;
	if (before == -1)
		return UNCOUNTED;
	stream(d, LEFT_EVENTS, LEFT_GAP_MS, false, &s, &l);
	left = l.end == CSA_LOOK_LEFT;
	csa_look_fini(&l);
	if (left)
		*ms = wait_noticed(d, before);
	return left ? LEFT : STAYED;
}

static void
check_abort(struct csa_doctor *d)
{
	double		 ms;
	enum leaving	 how = leave(d, &ms);

	/*
	 * What was late may have been this host's doing: once more then.  Not
	 * where nothing was noticed: it might be, and be taken for the second.
	 */
	if (how == LEFT && ms >= AT_ONCE_MS && d->front != CSA_FRONT_APACHE)
		how = leave(d, &ms);
	if (how == LEFT)
		say_noticed(d, ms);
	else if (how == UNCOUNTED) {
		csa_report(&d->report, CSA_VERDICT_WARN, "stream.abort",
		    "/metrics does not show whether a client's leaving is "
		    "noticed");
		csa_report_do(&d->report, "look with a key that has the right "
		    "to it: --key-file FILE");
	} else
		csa_report(&d->report, CSA_VERDICT_SKIP, "stream.abort",
		    "the stream came in one piece: nobody could leave it");
}

void
csa_check_streams(struct csa_doctor *d)
{
	if (!d->front_answers)
		return;
	if (!d->key_good) {
		csa_report(&d->report, CSA_VERDICT_SKIP, "stream", "streams "
		    "need a key that may chat");
		return;
	}
	if (check_gaps(d))
		check_abort(d);
}
