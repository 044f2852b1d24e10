/*
 * load: an HTTP/1.1 load generator that does not wait for the service.
 *
 *	load -p PORT -u PATH [-b BODYFILE] [-H 'Name: value']... MODE ...
 *
 *	-r RATE -d S	open loop: RATE requests a second, whatever comes back
 *	-c N -d S	closed loop: N clients, each with the next request as
 *			soon as its answer is there (saturation)
 *	-n N		burst: N requests at once, each on its own connection
 *
 *	-w S	first let S seconds pass that do not count
 *	-t S	give up on a request after S seconds (60)
 *	-K	a new connection for every request
 *	-x MARK	put the request's number where MARK stands in path or body,
 *		with zeros to MARK's length, so that no two are the same
 *	-m N	at most N connections in an open loop (4096)
 *	-o FILE	write the body of the first answer there
 *	-j	print only the JSON line
 *
 * In the open loop a request's time runs from the moment it was due, not from
 * when it could be sent: a service that stalls is charged for everybody who
 * came meanwhile.  Closed loops hide that.
 *
 * Only 127.0.0.1 is ever the target.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/hist.h"
#include "bench/httpresp.h"
#include "bench/io.h"

#define EVENTS		256
#define MAX_CONNS	20000
#define READ_MIN	8192
#define SWEEP_NS	(50 * CSA_NS_MS)	/* how often timeouts are looked for */

enum mode { MODE_NONE, MODE_OPEN, MODE_CLOSED, MODE_BURST };

static const char *const mode_names[] = {
	[MODE_NONE] = "none",
	[MODE_OPEN] = "open",
	[MODE_CLOSED] = "closed",
	[MODE_BURST] = "burst",
};

enum trouble {
	TROUBLE_CONNECT,	/* refused, or no descriptor left */
	TROUBLE_RESET,		/* the peer left before its answer was whole */
	TROUBLE_GARBAGE,	/* not HTTP */
	TROUBLE_TIMEOUT,
	TROUBLE_UNSENT,		/* due, but no connection became free */
	TROUBLE__MAX
};

static const char *const trouble_names[TROUBLE__MAX] = {
	[TROUBLE_CONNECT] = "connect",
	[TROUBLE_RESET] = "reset",
	[TROUBLE_GARBAGE] = "garbage",
	[TROUBLE_TIMEOUT] = "timeout",
	[TROUBLE_UNSENT] = "unsent",
};

struct conn {
	int			 fd;	/* -1: not open */
	bool			 busy;	/* a request is on its way */
	bool			 used;	/* has carried an answer before */
	uint64_t		 due;	/* when the request should have gone */
	uint64_t		 gone;	/* when it was handed to the kernel */
	size_t			 sent;
	struct csa_bytes	 own;	/* its request, where each differs */
	struct csa_httpresp	 resp;
};

static struct {
	enum mode	 mode;
	uint16_t	 port;
	size_t		 clients;	/* connections at most */
	double		 rate;
	double		 seconds;
	double		 warm;
	uint64_t	 timeout;	/* ns */
	bool		 anew;		/* no keep-alive */
	bool		 json;
	const char	*save;
	const char	*mark;
} opt = { .port = 0, .clients = 4096, .timeout = 60 * CSA_NS_S };

static struct csa_bytes	 request;
static struct conn	*conns;
static size_t		*idle, nidle;	/* indexes of conns without request */
static int		 epfd;

static uint64_t		 start, counted_from, end;	/* ns */
static uint64_t		 issued;	/* requests handed to a connection */
static size_t		 busy;

/* What happened to the requests that count. */
static struct csa_hist	 from_due, from_sent, lag;
static uint64_t		 status[600], trouble[TROUBLE__MAX];
static uint64_t		 opened, again, finished, last_done;

static uint64_t
due_of(uint64_t n)
{
	return opt.mode != MODE_OPEN ? start :
	    start + (uint64_t)((double)n * (double)CSA_NS_S / opt.rate);
}

static bool
counts(const struct conn *c)
{
	return c->due >= counted_from;
}

static void
drop(struct conn *c)
{
	if (c->fd != -1)
		close(c->fd);
	c->fd = -1;
	c->used = false;
	csa_httpresp_reset(&c->resp);
}

/* The request on c is over: make the connection free for another. */
static void
retire(struct conn *c)
{
	c->busy = false;
	busy--;
	idle[nidle++] = (size_t)(c - conns);
}

static void
fail(struct conn *c, enum trouble what)
{
	if (counts(c))
		trouble[what]++;
	drop(c);
	/* A closed loop against a dead server must not spin. */
	if (what == TROUBLE_CONNECT)
		usleep(1000);
	retire(c);
}

static void
save_body(const struct conn *c)
{
	struct csa_bytes	 body = { NULL, 0, 0 };

	if (opt.save == NULL)
		return;
	csa_httpresp_body(&c->resp, &body);
	csa_add(&body, "", 0);
	csa_spill(opt.save, body.data, body.len);
	free(body.data);
	opt.save = NULL;
}

static void
finish(struct conn *c)
{
	uint64_t	 now = csa_now();

	save_body(c);
	if (counts(c)) {
		csa_hist_add(&from_due, now - c->due);
		csa_hist_add(&from_sent, now - c->gone);
		status[c->resp.status]++;
	}
	/* Throughput is what ended in the window, begun before it or not. */
	if (opt.mode == MODE_BURST || (now >= counted_from && now < end))
		finished++;
	last_done = now;
	if (opt.anew || !c->resp.keeps)
		drop(c);
	else
		c->used = true;
	csa_httpresp_reset(&c->resp);
	retire(c);
}

static int
open_conn(struct conn *c)
{
	struct epoll_event	 ev = { 0 };

	if ((c->fd = csa_connect(opt.port)) == -1)
		return -1;
	opened++;
	ev.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	ev.data.ptr = c;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		csa_die("epoll_ctl: %s", strerror(errno));
	return 0;
}

/* A copy of the request with n in the place of every mark. */
static void
number(struct csa_bytes *own, uint64_t n)
{
	const size_t	 len = strlen(opt.mark);
	char		 digits[32];
	char		*p;

	snprintf(digits, sizeof(digits), "%0*llu", (int)len,
	    (unsigned long long)n);
	own->len = 0;
	csa_add(own, request.data, request.len);
	for (p = own->data; (p = memmem(p, own->len - (size_t)(p - own->data),
	    opt.mark, len)) != NULL; p += len)
		memcpy(p, digits + strlen(digits) - len, len);
}

/* Send what the socket takes; epoll tells when it takes more. */
static int
push(struct conn *c)
{
	const struct csa_bytes	*what = opt.mark != NULL ? &c->own : &request;
	ssize_t			 n;

	while (c->sent < what->len) {
		n = send(c->fd, what->data + c->sent, what->len - c->sent,
		    MSG_NOSIGNAL);
		if (n == -1)
			return errno == EAGAIN || errno == ENOTCONN ? 0 : -1;
		c->sent += (size_t)n;
	}
	return 0;
}

static void
begin(struct conn *c)
{
	c->sent = 0;
	if (c->fd == -1 && open_conn(c) == -1) {
		fail(c, TROUBLE_CONNECT);
		return;
	}
	c->gone = csa_now();
	if (c->used && push(c) == -1)
		fail(c, TROUBLE_RESET);
}

static void
send_on(struct conn *c, uint64_t due)
{
	c->due = due;
	c->busy = true;
	busy++;
	issued++;
	if (opt.mark != NULL)
		number(&c->own, issued);
	if (opt.mode == MODE_OPEN && counts(c)) {
		uint64_t now = csa_now();

		csa_hist_add(&lag, now > due ? now - due : 0);
	}
	begin(c);
}

/*
 * The peer closed.  Before the first byte of an answer on a connection that
 * had served before, that is the race every keep-alive client knows: send the
 * request again, once, on a new connection, its clock running on.
 */
static void
hung_up(struct conn *c)
{
	if (!c->busy) {
		drop(c);
		return;
	}
	if (csa_httpresp_closed(&c->resp)) {
		c->resp.keeps = false;
		finish(c);
	} else if (c->used && c->resp.in.len == 0) {
		again++;
		drop(c);
		begin(c);
	} else
		fail(c, c->sent == 0 ? TROUBLE_CONNECT : TROUBLE_RESET);
}

static void
pull(struct conn *c)
{
	struct csa_bytes	*in = &c->resp.in;
	size_t			 room;
	ssize_t			 n;
	int			 rc;

	do {
		if (in->cap - in->len < READ_MIN) {
			in->cap = 2 * in->cap + READ_MIN;
			in->data = csa_grow(in->data, in->cap);
		}
		room = in->cap - in->len - 1;
		n = recv(c->fd, in->data + in->len, room, 0);
		if (n == -1 && errno == EAGAIN)
			return;
		if (n <= 0) {
			hung_up(c);
			return;
		}
		in->len += (size_t)n;
		in->data[in->len] = '\0';
		if (!c->busy) {		/* nobody asked */
			drop(c);
			return;
		}
		if ((rc = csa_httpresp_check(&c->resp)) == -1) {
			fail(c, TROUBLE_GARBAGE);
			return;
		}
		if (rc == 1) {
			finish(c);
			return;
		}
	} while ((size_t)n == room);
}

static void
on_event(struct conn *c, uint32_t events)
{
	uint64_t	 before = opened;

	if (c->busy && (events & EPOLLOUT) && !(events & EPOLLERR) &&
	    push(c) == -1) {
		hung_up(c);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		pull(c);
	/* An answer and the end of the connection can come as one event. */
	if (c->fd != -1 && opened == before && (events & EPOLLRDHUP))
		hung_up(c);
}

/* Give every request that is due to a free connection. */
static void
dispatch(uint64_t now)
{
	/* One that failed at once is idle again: not in this round. */
	for (size_t n = nidle; n > 0; n--) {
		uint64_t due = due_of(issued);

		if (opt.mode == MODE_OPEN && (due > now || due >= end))
			return;
		if (opt.mode == MODE_BURST && issued >= opt.clients)
			return;
		if (opt.mode == MODE_CLOSED && now >= end)
			return;
		send_on(&conns[idle[--nidle]],
		    opt.mode == MODE_CLOSED ? now : due);
	}
}

static void
sweep(uint64_t now)
{
	static uint64_t	 last;

	if (now - last < SWEEP_NS)
		return;
	last = now;
	for (size_t i = 0; i < opt.clients; i++)
		if (conns[i].busy && now - conns[i].gone > opt.timeout)
			fail(&conns[i], TROUBLE_TIMEOUT);
}

/* Due before the end and never sent: the service's fault, not the clock's. */
static void
count_unsent(void)
{
	for (; opt.mode == MODE_OPEN && due_of(issued) < end; issued++)
		if (due_of(issued) >= counted_from)
			trouble[TROUBLE_UNSENT]++;
}

static bool
all_done(uint64_t now)
{
	if (opt.mode == MODE_BURST)
		return issued == opt.clients && busy == 0;
	if (now < end)
		return false;
	return now > end + opt.timeout || (busy == 0 &&
	    (opt.mode == MODE_CLOSED || due_of(issued) >= end));
}

static struct timespec
pause_until_next(uint64_t now)
{
	uint64_t	 ns = SWEEP_NS, due = due_of(issued);

	if (opt.mode == MODE_OPEN && nidle > 0 && due < end)
		ns = due <= now ? 0 : due - now < ns ? due - now : ns;
	return (struct timespec){ .tv_nsec = (long)ns };
}

static void
run(void)
{
	struct epoll_event	 evs[EVENTS];
	struct timespec		 ts;
	uint64_t		 now;
	int			 n;

	start = csa_now();
	counted_from = start + (uint64_t)(opt.warm * (double)CSA_NS_S);
	end = counted_from + (uint64_t)(opt.seconds * (double)CSA_NS_S);
	while (!all_done(now = csa_now())) {
		dispatch(now);
		ts = pause_until_next(csa_now());
		n = epoll_pwait2(epfd, evs, EVENTS, &ts, NULL);
		if (n == -1 && errno != EINTR)
			csa_die("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++)
			on_event(evs[i].data.ptr, evs[i].events);
		sweep(csa_now());
	}
	count_unsent();
}

static double
cpu_seconds(void)
{
	struct rusage	 ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

/* Requests a second; the burst's are those until its last answer. */
static double
achieved(void)
{
	double	 s = opt.seconds;

	if (opt.mode == MODE_BURST)
		s = last_done == 0 ? 0 :
		    (double)(last_done - start) / (double)CSA_NS_S;
	return s > 0 ? (double)finished / s : 0;
}

static void
add_counts(struct csa_bytes *out)
{
	const char	*comma = "";

	csa_addf(out, "\"status\":{");
	for (int i = 0; i < 600; i++)
		if (status[i] > 0) {
			csa_addf(out, "%s\"%d\":%llu", comma, i,
			    (unsigned long long)status[i]);
			comma = ",";
		}
	csa_addf(out, "},\"errors\":{");
	for (int i = 0; i < TROUBLE__MAX; i++)
		csa_addf(out, "%s\"%s\":%llu", i == 0 ? "" : ",",
		    trouble_names[i], (unsigned long long)trouble[i]);
	csa_addf(out, "}");
}

static void
print_json(void)
{
	struct csa_bytes	 out = { NULL, 0, 0 };

	csa_addf(&out, "{\"mode\":\"%s\",\"clients\":%zu,\"rate_wanted\":%.1f,"
	    "\"rate\":%.2f,\"seconds\":%.2f,\"requests\":%llu,",
	    mode_names[opt.mode], opt.clients, opt.rate, achieved(),
	    opt.seconds, (unsigned long long)from_due.total);
	add_counts(&out);
	csa_addf(&out, ",\"ms\":");
	csa_hist_json(&from_due, &out);
	csa_addf(&out, ",\"sent_ms\":");
	csa_hist_json(&from_sent, &out);
	csa_addf(&out, ",\"lag_ms\":");
	csa_hist_json(&lag, &out);
	csa_addf(&out, ",\"connections\":%llu,\"sent_again\":%llu,"
	    "\"cpu_s\":%.3f}\n", (unsigned long long)opened,
	    (unsigned long long)again, cpu_seconds());
	fputs(out.data, stdout);
	free(out.data);
}

static void
print_text(void)
{
	printf("%llu requests, %.1f/s\n",
	    (unsigned long long)from_due.total, achieved());
	printf("ms    p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n",
	    csa_hist_ms(&from_due, 0.5), csa_hist_ms(&from_due, 0.99),
	    csa_hist_ms(&from_due, 0.999),
	    (double)from_due.max / (double)CSA_NS_MS);
	for (int i = 0; i < 600; i++)
		if (status[i] > 0)
			printf("      %d: %llu\n", i,
			    (unsigned long long)status[i]);
	for (int i = 0; i < TROUBLE__MAX; i++)
		if (trouble[i] > 0)
			printf("      %s: %llu\n", trouble_names[i],
			    (unsigned long long)trouble[i]);
}

static void
make_request(const char *path, const char *headers, const char *bodyfile)
{
	struct csa_bytes	 body = { NULL, 0, 0 };

	if (bodyfile != NULL)
		body = csa_slurp(bodyfile);
	csa_addf(&request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s",
	    bodyfile != NULL ? "POST" : "GET", path, opt.port,
	    headers, opt.anew ? "Connection: close\r\n" : "");
	if (bodyfile != NULL)
		csa_addf(&request, "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\n", body.len);
	csa_addf(&request, "\r\n");
	csa_add(&request, body.data, body.len);
	free(body.data);
}

static void
set_mode(enum mode mode)
{
	if (opt.mode != MODE_NONE)
		csa_die("only one of -r, -c and -n");
	opt.mode = mode;
}

static void
one_option(int c, struct csa_bytes *headers)
{
	switch (c) {
	case 'p':
		opt.port = (uint16_t)csa_number("-p", optarg, 1, 65535);
		break;
	case 'r':
		set_mode(MODE_OPEN);
		opt.rate = csa_number("-r", optarg, 0.01, 1e6);
		break;
	case 'c':
	case 'n':
		set_mode(c == 'c' ? MODE_CLOSED : MODE_BURST);
		/* FALLTHROUGH */
	case 'm':
		opt.clients = (size_t)csa_number("clients", optarg, 1,
		    MAX_CONNS);
		break;
	case 'd':
		opt.seconds = csa_number("-d", optarg, 0.01, 3600);
		break;
	case 'w':
		opt.warm = csa_number("-w", optarg, 0, 3600);
		break;
	case 't':
		opt.timeout = (uint64_t)(csa_number("-t", optarg, 0.01, 3600) *
		    (double)CSA_NS_S);
		break;
	case 'H':
		csa_addf(headers, "%s\r\n", optarg);
		break;
	case 'x':
		opt.mark = optarg;
		if (strlen(optarg) < 4 || strlen(optarg) > 20)
			csa_die("-x: four to twenty characters");
		break;
	default:
		csa_die("usage: -p PORT -u PATH (-r RATE | -c N | -n N) "
		    "[-d S] [-w S] [-t S] [-m N] [-b BODY] "
		    "[-H 'Name: value'] [-K] [-x MARK] [-o FILE] [-j]");
	}
}

static void
options(int argc, char **argv)
{
	struct csa_bytes	 headers = { NULL, 0, 0 };
	const char		*path = "/", *body = NULL;
	int			 c;

	csa_add(&headers, "", 0);
	while ((c = getopt(argc, argv, "b:c:d:jm:n:o:p:r:t:u:w:x:H:K")) != -1) {
		if (c == 'u')
			path = optarg;
		else if (c == 'b')
			body = optarg;
		else if (c == 'o')
			opt.save = optarg;
		else if (c == 'j')
			opt.json = true;
		else if (c == 'K')
			opt.anew = true;
		else
			one_option(c, &headers);
	}
	if (opt.mode == MODE_NONE || opt.port == 0 ||
	    (opt.mode != MODE_BURST && opt.seconds == 0))
		csa_die("wanted: -p, one of -r -c -n, and -d with -r or -c");
	make_request(path, headers.data, body);
	free(headers.data);
}

int
main(int argc, char **argv)
{
	options(argc, argv);
	csa_more_files();
	/* The kernel's usual 50 us of slack would be the service's latency. */
	prctl(PR_SET_TIMERSLACK, 1);
	if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		csa_die("epoll: %s", strerror(errno));
	conns = csa_zalloc(opt.clients * sizeof(*conns));
	idle = csa_zalloc(opt.clients * sizeof(*idle));
	for (size_t i = 0; i < opt.clients; i++) {
		conns[i].fd = -1;
		idle[nidle++] = opt.clients - 1 - i;
	}
	run();
	if (!opt.json)
		print_text();
	print_json();
	for (size_t i = 0; i < opt.clients; i++) {
		drop(&conns[i]);
		free(conns[i].own.data);
		free(conns[i].resp.in.data);
	}
	free(conns);
	free(idle);
	free(request.data);
	return from_due.total > 0 ? 0 : 1;
}
