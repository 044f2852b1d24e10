/*
 * upstream: a fake Gemini and Pinecone that is never the bottleneck.
 *
 * One epoll loop, fixed replies (bench/routes.h), a delay per route.  It
 * checks nothing and remembers nothing: the emulators in tests/ do that.
 * With -w several processes listen on one port; delays and counters are
 * shared, so that /set and /stats hold for all of them.
 *
 *	upstream [-p PORT] [-w PROCESSES] [-b BOT] [-d ROUTE=MS]...
 *
 * prints "listening PORT".  GET /set?embed=200&chat=1000 changes delays, GET
 * /stats tells what happened, GET /stats?reset=1 tells it and starts anew.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/httpreq.h"
#include "bench/io.h"
#include "bench/replies.h"
#include "bench/routes.h"

#define EVENTS		256
#define MAX_WORKERS	16
#define MAX_DELAYS	32
#define READ_MIN	16384	/* room for the next read, at least */
#define NO_PLACE	SIZE_MAX	/* not among those that wait */

enum state { CONN_READING, CONN_WAITING, CONN_WRITING };

struct conn {
	int			 fd;
	enum state		 state;
	bool			 counted;	/* in shared->connections */
	bool			 continued;	/* was told 100 Continue */
	bool			 closes;	/* after this reply */
	struct csa_bytes	 in;
	struct csa_bytes	 own;		/* a reply made for it */
	const struct csa_bytes	*out;		/* own, or a fixed one */
	size_t			 sent;
	uint64_t		 due;		/* when out may go */
	size_t			 place;		/* in the heap, or NO_PLACE */
};

static int		 epfd;
static struct conn	**heap;		/* by due, the soonest first */
static size_t		 nheap, capheap;

static void	 serve(struct conn *c);

static void
heap_put(size_t at, struct conn *c)
{
	heap[at] = c;
	c->place = at;
}

static void
heap_up(size_t at, struct conn *c)
{
	while (at > 0 && heap[(at - 1) / 2]->due > c->due) {
		heap_put(at, heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	heap_put(at, c);
}

static void
heap_down(size_t at, struct conn *c)
{
	size_t	 kid;

	while ((kid = 2 * at + 1) < nheap) {
		if (kid + 1 < nheap && heap[kid + 1]->due < heap[kid]->due)
			kid++;
		if (heap[kid]->due >= c->due)
			break;
		heap_put(at, heap[kid]);
		at = kid;
	}
	heap_put(at, c);
}

static void
heap_add(struct conn *c)
{
	if (nheap == capheap) {
		capheap = 2 * capheap + 64;
		heap = csa_grow(heap, capheap * sizeof(*heap));
	}
	heap_up(nheap++, c);
}

static void
heap_remove(struct conn *c)
{
	struct conn	*last = heap[--nheap];
	size_t		 at = c->place;

	c->place = NO_PLACE;
	if (last == c)
		return;
	if (at > 0 && heap[(at - 1) / 2]->due > last->due)
		heap_up(at, last);
	else
		heap_down(at, last);
}

static void
hang_up(struct conn *c)
{
	if (c->place != NO_PLACE) {
		heap_remove(c);
		csa_tally_waiting(-1);
		csa_tally(CSA_TALLY_GONE);
	}
	close(c->fd);
	free(c->in.data);
	free(c->own.data);
	free(c);
}

static void
take_request(struct conn *c, const struct csa_httpreq *req)
{
	uint64_t	 delay;
	bool		 counted;

	c->closes = req->closes;
	c->sent = 0;
	c->state = CONN_WRITING;
	c->out = csa_routes_answer(req, c->in.data + req->head_len, &c->own,
	    &delay, &counted);
	if (counted && !c->counted) {
		c->counted = true;
		csa_tally(CSA_TALLY_CONNECTIONS);
	}
	if (delay == 0)
		return;
	c->state = CONN_WAITING;
	c->due = csa_now() + delay;
	heap_add(c);
	csa_tally_waiting(1);
}

/* 1: more of the reply is to go; 0: all is sent; -1: the client is gone. */
static int
flush(struct conn *c)
{
	ssize_t	 n;

	while (c->sent < c->out->len) {
		n = send(c->fd, c->out->data + c->sent, c->out->len - c->sent,
		    MSG_NOSIGNAL);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return errno == EAGAIN ? 1 : -1;
		c->sent += (size_t)n;
	}
	return 0;
}

/* Refuse what we do not speak, and close: the framing is lost. */
static void
refuse(struct conn *c, int status)
{
	csa_tally(CSA_TALLY_BAD);
	csa_reply_json(&c->own, status, "{}");
	c->out = &c->own;
	c->sent = 0;
	c->closes = true;
	c->state = CONN_WRITING;
}

/*
 * A client that asks first gets its 100 Continue: libcurl does so for bodies
 * above a megabyte and would wait a second for it.
 */
static int
ask_for_more(struct conn *c, const struct csa_httpreq *req)
{
	static const char	 go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!req->expects || c->continued)
		return 0;
	c->continued = true;
	return send(c->fd, go_on, sizeof(go_on) - 1, MSG_NOSIGNAL) ==
	    (ssize_t)sizeof(go_on) - 1 ? 0 : -1;
}

/* 1: a request was taken; 0: more must arrive; -1: hang up. */
static int
next_request(struct conn *c)
{
	struct csa_httpreq	 req;
	size_t			 whole;
	int			 rc;

	if (c->in.len == 0)
		return 0;
	if ((rc = csa_httpreq_parse(&req, c->in.data, c->in.len)) == 0)
		return 0;
	if (rc == -1 || req.chunked) {
		refuse(c, rc == -1 ? 400 : 411);
		return 1;
	}
	whole = req.head_len + req.body_len;
	if (c->in.len < whole)
		return ask_for_more(c, &req);
	take_request(c, &req);
	c->continued = false;
	c->in.len -= whole;
	memmove(c->in.data, c->in.data + whole, c->in.len);
	return 1;
}

/* Go on with c until it must wait for its client or for its time. */
static void
serve(struct conn *c)
{
	int	 rc;

	for (;;) {
		if (c->state == CONN_WAITING)
			return;
		if (c->state == CONN_READING) {
			if ((rc = next_request(c)) == -1)
				break;
			if (rc == 0)
				return;
			continue;
		}
		if ((rc = flush(c)) == 1)
			return;
		if (rc == -1 || c->closes)
			break;
		c->state = CONN_READING;
	}
	hang_up(c);
}

/*
 * Read what is there.  Edge-triggered: a read that fills less than its room
 * has emptied the socket.  0, or -1 when the client left.
 */
static int
fill(struct conn *c)
{
	size_t	 room;
	ssize_t	 n;

	do {
		if (c->in.cap - c->in.len < READ_MIN) {
			c->in.cap = 2 * c->in.cap + READ_MIN;
			c->in.data = csa_grow(c->in.data, c->in.cap);
		}
		room = c->in.cap - c->in.len;
		n = recv(c->fd, c->in.data + c->in.len, room, 0);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return -1;
		if (n > 0)
			c->in.len += (size_t)n;
	} while (n > 0 && (size_t)n == room);
	return 0;
}

static void
on_event(struct conn *c, uint32_t events)
{
	if (events & (EPOLLERR | EPOLLHUP | EPOLLRDHUP) ||
	    ((events & EPOLLIN) && fill(c) == -1)) {
		hang_up(c);
		return;
	}
	serve(c);
}

static void
on_accept(int lfd)
{
	struct epoll_event	 ev = { 0 };
	struct conn		*c;
	int			 fd, on = 1;

	while ((fd = accept4(lfd, NULL, NULL,
	    SOCK_NONBLOCK | SOCK_CLOEXEC)) != -1) {
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
		    sizeof(on));
		c = csa_zalloc(sizeof(*c));
		c->fd = fd;
		c->place = NO_PLACE;
		ev.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
		ev.data.ptr = c;
		if (epoll_ctl(epfd, EPOLL_CTL_ADD, fd, &ev) == -1)
			csa_die("epoll_ctl: %s", strerror(errno));
	}
	if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		csa_die("accept: %s", strerror(errno));
}

/* Send what is due; the time until the next one, NULL for ever. */
static struct timespec *
run_timers(struct timespec *ts)
{
	uint64_t	 now = csa_now();
	struct conn	*c;

	while (nheap > 0 && heap[0]->due <= now) {
		c = heap[0];
		heap_remove(c);
		csa_tally_waiting(-1);
		c->state = CONN_WRITING;
		serve(c);
	}
	if (nheap == 0)
		return NULL;
	now = heap[0]->due - now;
	ts->tv_sec = (time_t)(now / CSA_NS_S);
	ts->tv_nsec = (long)(now % CSA_NS_S);
	return ts;
}

static _Noreturn void
loop(uint16_t port)
{
	struct epoll_event	 evs[EVENTS], ev = { .events = EPOLLIN };
	struct timespec		 ts;
	int			 lfd = csa_listen(&port, 1), n;

	if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, lfd, &ev) == -1)
		csa_die("epoll: %s", strerror(errno));
	for (;;) {
		n = epoll_pwait2(epfd, evs, EVENTS, run_timers(&ts), NULL);
		if (n == -1 && errno != EINTR)
			csa_die("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			if (evs[i].data.ptr == NULL)
				on_accept(lfd);
			else
				on_event(evs[i].data.ptr, evs[i].events);
		}
	}
}

/* Children die with their parent, however it ends. */
static _Noreturn void
loops(uint16_t port, int workers)
{
	for (int i = 1; i < workers; i++) {
		switch (fork()) {
		case -1:
			csa_die("fork: %s", strerror(errno));
		case 0:
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			loop(port);
		default:
			break;
		}
	}
	loop(port);
}

int
main(int argc, char **argv)
{
	const char	*bot = "bench";
	const char	*delays[MAX_DELAYS];
	size_t		 ndelays = 0;
	uint16_t	 port = 0;
	int		 c, workers = 1;

	while ((c = getopt(argc, argv, "b:d:p:w:")) != -1) {
		switch (c) {
		case 'b':
			bot = optarg;
			break;
		case 'd':
			if (ndelays == MAX_DELAYS)
				csa_die("too many -d");
			delays[ndelays++] = optarg;
			break;
		case 'p':
			port = (uint16_t)csa_number("-p", optarg, 0, 65535);
			break;
		case 'w':
			workers = (int)csa_number("-w", optarg, 1,
			    MAX_WORKERS);
			break;
		default:
			csa_die("usage: [-p PORT] [-w PROCESSES] [-b BOT] "
			    "[-d ROUTE=MS]...");
		}
	}
	csa_more_files();
	prctl(PR_SET_TIMERSLACK, 1);	/* a delay is not 50 us longer */
	csa_routes_init(bot);
	for (size_t i = 0; i < ndelays; i++)
		if (csa_routes_delay(delays[i]) == -1)
			csa_die("-d %s: ROUTE=MS", delays[i]);
	(void)csa_listen(&port, 0);	/* holds the port for the loops */
	printf("listening %u\n", port);
	fflush(stdout);
	loops(port, workers);
}
