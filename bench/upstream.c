/*
 * upstream: a fake Gemini and Pinecone that is never the bottleneck.
 *
 * One epoll loop, fixed replies (bench/replies.h), a delay per route.  It
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/httpreq.h"
#include "bench/io.h"
#include "bench/replies.h"

#define EVENTS		256
#define MAX_WORKERS	16
#define READ_MIN	16384	/* room for the next read, at least */
#define NO_PLACE	SIZE_MAX	/* not in the heap of waiting requests */

enum route {
	ROUTE_EMBED,
	ROUTE_BATCH,
	ROUTE_CHAT,
	ROUTE_QUERY,
	ROUTE_UPSERT,
	ROUTE_DELETE,
	ROUTE_LIST,
	ROUTE_DESCRIBE,
	ROUTE_UNKNOWN,
	ROUTE__MAX
};

static const char *const route_names[ROUTE__MAX] = {
	[ROUTE_EMBED] = "embed",
	[ROUTE_BATCH] = "batch",
	[ROUTE_CHAT] = "chat",
	[ROUTE_QUERY] = "query",
	[ROUTE_UPSERT] = "upsert",
	[ROUTE_DELETE] = "delete",
	[ROUTE_LIST] = "list",
	[ROUTE_DESCRIBE] = "describe",
	[ROUTE_UNKNOWN] = "unknown",
};

/* In memory that all processes share. */
struct shared {
	_Atomic uint64_t	 delay[ROUTE__MAX];	/* ns */
	_Atomic uint64_t	 requests[ROUTE__MAX];
	_Atomic uint64_t	 connections;	/* that carried a request */
	_Atomic uint64_t	 waiting;	/* replies held back now */
	_Atomic uint64_t	 waiting_peak;
	_Atomic uint64_t	 gone;		/* left before their reply */
	_Atomic uint64_t	 bad;		/* not HTTP as we know it */
};

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

static struct shared	*shared;
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
		atomic_fetch_sub(&shared->waiting, 1);
		atomic_fetch_add(&shared->gone, 1);
	}
	close(c->fd);
	free(c->in.data);
	free(c->own.data);
	free(c);
}

/*
 * Count the key in a JSON text: "key" and then a colon.  Inside a string its
 * quotes would be escaped, so text that talks about keys is not counted.
 */
static size_t
count_key(const char *json, size_t len, const char *key)
{
	const char	*end = json + len, *p = json;
	size_t		 n = 0, klen = strlen(key);

	while ((p = memmem(p, (size_t)(end - p), key, klen)) != NULL) {
		p += klen;
		while (p < end && (*p == ' ' || *p == '\n'))
			p++;
		if (p < end && *p == ':')
			n++;
	}
	return n;
}

static enum route
route_of(const struct csa_httpreq *req)
{
	static const struct {
		const char	*method;
		const char	*end;
		enum route	 route;
	} table[] = {
		{ "POST", ":embedContent", ROUTE_EMBED },
		{ "POST", ":batchEmbedContents", ROUTE_BATCH },
		{ "POST", ":generateContent", ROUTE_CHAT },
		{ "POST", "/query", ROUTE_QUERY },
		{ "POST", "/vectors/upsert", ROUTE_UPSERT },
		{ "POST", "/vectors/delete", ROUTE_DELETE },
		{ "GET", "/vectors/list", ROUTE_LIST },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (csa_slice_is(req->method, table[i].method) &&
		    csa_slice_ends(req->path, table[i].end))
			return table[i].route;
	if (csa_slice_is(req->method, "GET") &&
	    csa_slice_starts(req->path, "/indexes/"))
		return ROUTE_DESCRIBE;
	return ROUTE_UNKNOWN;
}

static void
describe(struct conn *c, const struct csa_httpreq *req)
{
	const size_t	 skip = strlen("/indexes/");
	char		 host[256], scheme[8];
	bool		 newer = req->api_version.len == 7 &&
	    memcmp(req->api_version.p, "2026-07", 7) >= 0;

	snprintf(host, sizeof(host), "%.*s", (int)req->host.len, req->host.p);
	snprintf(scheme, sizeof(scheme), "%s",
	    csa_slice_is(req->proto, "https") ? "https" : "http");
	csa_reply_index(&c->own, req->path.p + skip, req->path.len - skip,
	    scheme, host, newer ? CSA_INDEX_2026_07 : CSA_INDEX_CLASSIC);
	c->out = &c->own;
}

static void
batch(struct conn *c, const char *body, size_t len)
{
	size_t	 n = count_key(body, len, "\"content\"");

	if (n >= 1 && n <= CSA_REPLIES_BATCH) {
		c->out = csa_reply_batch(n);
		return;
	}
	csa_reply_json(&c->own, 400, "{\"error\":{\"code\":400,\"message\":\"* "
	    "BatchEmbedContentsRequest.requests: at most 100 requests can be "
	    "in one batch\\n\",\"status\":\"INVALID_ARGUMENT\"}}");
	c->out = &c->own;
}

static void
answer(struct conn *c, enum route route, const struct csa_httpreq *req,
    const char *body)
{
	c->out = &c->own;
	switch (route) {
	case ROUTE_EMBED:
		c->out = csa_reply_embed();
		break;
	case ROUTE_CHAT:
		c->out = csa_reply_answer();
		break;
	case ROUTE_QUERY:
		c->out = csa_reply_query();
		break;
	case ROUTE_BATCH:
		batch(c, body, req->body_len);
		break;
	case ROUTE_UPSERT:
		csa_reply_upserted(&c->own,
		    count_key(body, req->body_len, "\"values\""));
		break;
	case ROUTE_DELETE:
		csa_reply_json(&c->own, 200, "{}");
		break;
	case ROUTE_LIST:
		csa_reply_json(&c->own, 200,
		    "{\"vectors\":[],\"namespace\":\"\"}");
		break;
	case ROUTE_DESCRIBE:
		describe(c, req);
		break;
	default:
		csa_reply_json(&c->own, 404, "{\"error\":{\"code\":404,"
		    "\"message\":\"no route\",\"status\":\"NOT_FOUND\"}}");
		break;
	}
}

/* "embed=200" or "chat=0.5", in ms. */
static int
set_delay(const char *text)
{
	const char	*eq = strchr(text, '=');
	char		*end;
	double		 ms;

	if (eq == NULL)
		return -1;
	ms = strtod(eq + 1, &end);
	if (end == eq + 1 || *end != '\0' || !(ms >= 0 && ms <= 3600000))
		return -1;
	for (int r = 0; r < ROUTE__MAX; r++)
		if (strncmp(route_names[r], text, (size_t)(eq - text)) == 0 &&
		    route_names[r][eq - text] == '\0') {
			shared->delay[r] = (uint64_t)(ms * CSA_NS_MS);
			return 0;
		}
	return -1;
}

static int
set_delays(struct csa_slice query)
{
	char	 text[1024], *save = NULL;

	snprintf(text, sizeof(text), "%.*s", (int)query.len, query.p);
	for (char *t = strtok_r(text, "&", &save); t != NULL;
	    t = strtok_r(NULL, "&", &save))
		if (set_delay(t) == -1)
			return -1;
	return 0;
}

static void
stats(struct csa_bytes *out, bool reset)
{
	struct csa_bytes	 b = { NULL, 0, 0 };
	uint64_t		 all = 0;

	csa_addf(&b, "{\"routes\":{");
	for (int r = 0; r < ROUTE__MAX; r++) {
		csa_addf(&b, "%s\"%s\":%llu", r == 0 ? "" : ",",
		    route_names[r], (unsigned long long)shared->requests[r]);
		all += shared->requests[r];
	}
	csa_addf(&b, "},\"requests\":%llu,\"connections\":%llu,"
	    "\"waiting\":%llu,\"waiting_peak\":%llu,\"gone\":%llu,"
	    "\"bad\":%llu}\n", (unsigned long long)all,
	    (unsigned long long)shared->connections,
	    (unsigned long long)shared->waiting,
	    (unsigned long long)shared->waiting_peak,
	    (unsigned long long)shared->gone,
	    (unsigned long long)shared->bad);
	csa_reply_json(out, 200, b.data);
	free(b.data);
	if (!reset)
		return;
	for (int r = 0; r < ROUTE__MAX; r++)
		shared->requests[r] = 0;
	shared->connections = 0;
	shared->waiting_peak = shared->waiting;
	shared->gone = 0;
	shared->bad = 0;
}

/* /set and /stats are answered at once and never counted. */
static bool
control(struct conn *c, const struct csa_httpreq *req)
{
	if (csa_slice_is(req->path, "/stats"))
		stats(&c->own, csa_slice_is(req->query, "reset=1"));
	else if (csa_slice_is(req->path, "/set"))
		csa_reply_json(&c->own, set_delays(req->query) == 0 ? 200 : 400,
		    "{}");
	else
		return false;
	c->out = &c->own;
	c->due = 0;
	return true;
}

static void
raise_peak(uint64_t now)
{
	uint64_t	 peak = shared->waiting_peak;

	while (now > peak && !atomic_compare_exchange_weak(
	    &shared->waiting_peak, &peak, now))
		;
}

static void
take_request(struct conn *c, const struct csa_httpreq *req)
{
	enum route	 route;
	uint64_t	 delay;

	c->closes = req->closes;
	c->sent = 0;
	c->state = CONN_WRITING;
	if (control(c, req))
		return;
	route = route_of(req);
	atomic_fetch_add(&shared->requests[route], 1);
	if (!c->counted) {
		c->counted = true;
		atomic_fetch_add(&shared->connections, 1);
	}
	answer(c, route, req, c->in.data + req->head_len);
	if ((delay = shared->delay[route]) == 0)
		return;
	c->state = CONN_WAITING;
	c->due = csa_now() + delay;
	heap_add(c);
	raise_peak(atomic_fetch_add(&shared->waiting, 1) + 1);
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
	atomic_fetch_add(&shared->bad, 1);
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
		atomic_fetch_sub(&shared->waiting, 1);
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
	uint16_t	 port = 0;
	int		 c, workers = 1;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		csa_die("mmap: %s", strerror(errno));
	while ((c = getopt(argc, argv, "b:d:p:w:")) != -1) {
		switch (c) {
		case 'b':
			bot = optarg;
			break;
		case 'd':
			if (set_delay(optarg) == -1)
				csa_die("-d %s: ROUTE=MS", optarg);
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
	csa_replies_init(bot);
	(void)csa_listen(&port, 0);	/* holds the port for the loops */
	printf("listening %u\n", port);
	fflush(stdout);
	loops(port, workers);
}
