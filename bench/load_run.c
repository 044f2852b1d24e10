#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/epoll.h>
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
#include "bench/load.h"

#define EVENTS		256
#define READ_MIN	8192
#define SWEEP_NS	(50 * CSA_NS_MS)	/* between looks for timeouts */

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

static const struct csa_load	*load;
static struct csa_load_result	*res;
static const char		*save;
static struct conn		*conns;
static size_t			*idle, nidle;	/* conns without a request */
static int			 epfd;

static uint64_t	 start, counted_from, end;	/* ns */
static uint64_t	 issued;	/* requests handed to a connection */
static uint64_t	 finished;	/* answered within the window */
static uint64_t	 last_done;	/* ns */
static size_t	 busy;

static uint64_t
due_of(uint64_t n)
{
	return load->mode != CSA_LOAD_OPEN ? start :
	    start + (uint64_t)((double)n * (double)CSA_NS_S / load->rate);
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
fail(struct conn *c, enum csa_load_trouble what)
{
	if (counts(c))
		res->trouble[what]++;
	drop(c);
	/* A closed loop against a dead server must not spin. */
	if (what == CSA_TROUBLE_CONNECT)
		usleep(1000);
	retire(c);
}

static void
save_body(const struct conn *c)
{
	struct csa_bytes	 body = { NULL, 0, 0 };

	if (save == NULL)
		return;
	csa_httpresp_body(&c->resp, &body);
	csa_add(&body, "", 0);
	csa_spill(save, body.data, body.len);
	free(body.data);
	save = NULL;
}

static void
finish(struct conn *c)
{
	uint64_t	 now = csa_now();

	save_body(c);
	if (counts(c)) {
		csa_hist_add(&res->from_due, now - c->due);
		csa_hist_add(&res->from_sent, now - c->gone);
		res->status[c->resp.status]++;
	}
	/* Throughput is what ended in the window, begun before it or not. */
	if (load->mode == CSA_LOAD_BURST || (now >= counted_from && now < end))
		finished++;
	last_done = now;
	if (load->anew || !c->resp.keeps)
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

	if ((c->fd = csa_connect(load->port)) == -1)
		return -1;
	res->opened++;
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
	const size_t	 len = strlen(load->mark);
	char		 digits[32];
	char		*p;

	snprintf(digits, sizeof(digits), "%0*llu", (int)len,
	    (unsigned long long)n);
	own->len = 0;
	csa_add(own, load->request.data, load->request.len);
	for (p = own->data; (p = memmem(p, own->len - (size_t)(p - own->data),
	    load->mark, len)) != NULL; p += len)
		memcpy(p, digits + strlen(digits) - len, len);
}

/* Send what the socket takes; epoll tells when it takes more. */
static int
push(struct conn *c)
{
	const struct csa_bytes	*what = &load->request;
	ssize_t			 n;

	if (load->mark != NULL)
		what = &c->own;

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
		fail(c, CSA_TROUBLE_CONNECT);
		return;
	}
	c->gone = csa_now();
	if (c->used && push(c) == -1)
		fail(c, CSA_TROUBLE_RESET);
}

static void
send_on(struct conn *c, uint64_t due)
{
	c->due = due;
	c->busy = true;
	busy++;
	issued++;
	if (load->mark != NULL)
		number(&c->own, issued);
	if (load->mode == CSA_LOAD_OPEN && counts(c)) {
		uint64_t now = csa_now();

		csa_hist_add(&res->lag, now > due ? now - due : 0);
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
		res->again++;
		drop(c);
		begin(c);
	} else
		fail(c, c->sent == 0 ? CSA_TROUBLE_CONNECT : CSA_TROUBLE_RESET);
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
			fail(c, CSA_TROUBLE_GARBAGE);
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
	uint64_t	 before = res->opened;

	if (c->busy && (events & EPOLLOUT) && !(events & EPOLLERR) &&
	    push(c) == -1) {
		hung_up(c);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLRDHUP))
		pull(c);
	/* An answer and the end of the connection can come as one event. */
	if (c->fd != -1 && res->opened == before && (events & EPOLLRDHUP))
		hung_up(c);
}

/* Give every request that is due to a free connection. */
static void
dispatch(uint64_t now)
{
	/* One that failed at once is idle again: not in this round. */
	for (size_t n = nidle; n > 0; n--) {
		uint64_t due = due_of(issued);

		if (load->mode == CSA_LOAD_OPEN && (due > now || due >= end))
			return;
		if (load->mode == CSA_LOAD_BURST && issued >= load->clients)
			return;
		if (load->mode == CSA_LOAD_CLOSED && now >= end)
			return;
		send_on(&conns[idle[--nidle]],
		    load->mode == CSA_LOAD_CLOSED ? now : due);
	}
}

static void
sweep(uint64_t now)
{
	static uint64_t	 last;

	if (now - last < SWEEP_NS)
		return;
	last = now;
	for (size_t i = 0; i < load->clients; i++)
		if (conns[i].busy && now - conns[i].gone > load->timeout)
			fail(&conns[i], CSA_TROUBLE_TIMEOUT);
}

/* Due before the end and never sent: the service's fault, not the clock's. */
static void
count_unsent(void)
{
	for (; load->mode == CSA_LOAD_OPEN && due_of(issued) < end; issued++)
		if (due_of(issued) >= counted_from)
			res->trouble[CSA_TROUBLE_UNSENT]++;
}

static bool
all_done(uint64_t now)
{
	if (load->mode == CSA_LOAD_BURST)
		return issued == load->clients && busy == 0;
	if (now < end)
		return false;
	return now > end + load->timeout || (busy == 0 &&
	    (load->mode == CSA_LOAD_CLOSED || due_of(issued) >= end));
}

static struct timespec
pause_until_next(uint64_t now)
{
	uint64_t	 ns = SWEEP_NS, due = due_of(issued);

	if (load->mode == CSA_LOAD_OPEN && nidle > 0 && due < end)
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
	counted_from = start + (uint64_t)(load->warm * (double)CSA_NS_S);
	end = counted_from + (uint64_t)(load->seconds * (double)CSA_NS_S);
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

/* Requests a second; the burst's are those until its last answer. */
static double
achieved(void)
{
	double	 s = load->seconds;

	if (load->mode == CSA_LOAD_BURST)
		s = last_done == 0 ? 0 :
		    (double)(last_done - start) / (double)CSA_NS_S;
	return s > 0 ? (double)finished / s : 0;
}

static void
set_up(void)
{
	if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		csa_die("epoll: %s", strerror(errno));
	conns = csa_zalloc(load->clients * sizeof(*conns));
	idle = csa_zalloc(load->clients * sizeof(*idle));
	for (size_t i = 0; i < load->clients; i++) {
		conns[i].fd = -1;
		idle[nidle++] = load->clients - 1 - i;
	}
}

void
csa_load_run(const struct csa_load *what, struct csa_load_result *result)
{
	load = what;
	res = result;
	save = what->save;
	set_up();
	run();
	res->rate = achieved();
	for (size_t i = 0; i < load->clients; i++) {
		drop(&conns[i]);
		free(conns[i].own.data);
		free(conns[i].resp.in.data);
	}
	free(conns);
	free(idle);
	close(epfd);
}
