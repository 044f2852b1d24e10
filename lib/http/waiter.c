/*
 * waiter: where a request thread waits, and who drives meanwhile.
 */

#include "config.h"

#include <sys/epoll.h>
#include <sys/mman.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

#define EVENTS		16
#define CROWD		64	/* followers: what each holds counts */
#define RED		1024	/* of the stack, for what is called meanwhile */

static struct csa_waiter *
waiter_new(struct csa_http *h)
{
	struct csa_waiter	*w = csa_new(struct csa_waiter);
	pthread_condattr_t	 attr;

	CSA_MUST(pthread_condattr_init(&attr) == 0);
	CSA_MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CSA_MUST(pthread_cond_init(&w->cond, &attr) == 0);
	pthread_condattr_destroy(&attr);
	w->http = h;
	w->fd = -1;
	LIST_INIT(&w->ticks);
	h->waiters = csa_realloc(h->waiters, h->nwaiters + 1,
	    sizeof(struct csa_waiter *));
	w->slot = h->nwaiters;
	h->waiters[h->nwaiters++] = w;
	return w;
}

static uintptr_t
stack_of_thread(void)
{
	pthread_attr_t	 attr;
	void		*low = NULL;
	size_t		 size;

	if (pthread_getattr_np(pthread_self(), &attr) != 0)
		return 0;
	(void)pthread_attr_getstack(&attr, &low, &size);
	pthread_attr_destroy(&attr);
	return (uintptr_t)low;
}

struct csa_waiter *
csa_waiter_new(struct csa_http *h)
{
	struct csa_waiter	*w;
	uintptr_t		 stack = stack_of_thread();

	pthread_mutex_lock(&h->state);
	if ((w = LIST_FIRST(&h->spare_waiters)) != NULL)
		LIST_REMOVE(w, entry);
	else
		w = waiter_new(h);
	w->stack = stack;
	pthread_mutex_unlock(&h->state);
	return w;
}

/*
 * Below this frame lies what searching, or driving, has touched: 4 to 8 kB of a
 * thread's 20.  To give it back is a system call, and a page or two to be had
 * anew.
 */
void
csa_waiter_slim(struct csa_waiter *w)
{
	uintptr_t	 page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t	 end = (uintptr_t)__builtin_frame_address(0) - RED;

	end -= end % page;
	if (w->stack == 0 || end <= w->stack ||
	    atomic_load(&w->http->nfollowers) < CROWD)
		return;
	(void)madvise((void *)w->stack, end - w->stack, MADV_DONTNEED);
}

void
csa_waiter_free(struct csa_waiter *w)
{
	struct csa_http	*h;

	if (w == NULL)
		return;
	h = w->http;
	csa_waiter_watch(w, -1);
	pthread_mutex_lock(&h->state);
	CSA_MUST(h->driver != w && LIST_EMPTY(&w->ticks));
	LIST_INSERT_HEAD(&h->spare_waiters, w, entry);
	pthread_mutex_unlock(&h->state);
}

static void
disarm(struct csa_waiter *w)
{
	if (w->armed)
		epoll_ctl(w->http->watchfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->armed = false;
}

static void
arm(struct csa_waiter *w)
{
	struct epoll_event	 ev = { .events = EPOLLRDHUP };

	ev.data.u64 = (uint64_t)w->turn << 32 | w->slot;
	if (epoll_ctl(w->http->watchfd, EPOLL_CTL_ADD, w->fd, &ev) == 0)
		w->armed = true;
	else
		/* A file, say: it will never hang up. */
		csa_debug("client descriptor not watched: %s", strerror(errno));
}

void
csa_waiter_watch(struct csa_waiter *w, int fd)
{
	struct csa_http	*h = w->http;

	pthread_mutex_lock(&h->state);
	disarm(w);
	w->turn++;
	w->gone = false;
	w->fd = fd;
	if (fd != -1)
		arm(w);
	pthread_mutex_unlock(&h->state);
}

bool
csa_waiter_gone(struct csa_waiter *w)
{
	struct csa_http	*h = w->http;
	struct pollfd	 p = { .events = POLLRDHUP };
	bool		 gone;

	pthread_mutex_lock(&h->state);
	p.fd = w->fd;
	gone = w->gone;
	pthread_mutex_unlock(&h->state);
	/* Perhaps nobody drives, so nobody has looked. */
	return gone || (p.fd != -1 && poll(&p, 1, 0) == 1);
}

static void
hung_up(struct csa_http *h, uint32_t slot, uint32_t turn)
{
	struct csa_waiter	*w;
	bool			 news, driving;

	pthread_mutex_lock(&h->state);
	CSA_MUST(slot < h->nwaiters);
	w = h->waiters[slot];
	news = w->armed && w->turn == turn;
	if (news) {
		/* Out of the set, or it would be reported forever. */
		disarm(w);
		w->gone = true;
	}
	driving = h->driver == w;
	pthread_mutex_unlock(&h->state);
	if (news)
		csa_engine_notify(w, driving);
}

void
csa_waiter_events(struct csa_http *h)
{
	struct epoll_event	 ev[EVENTS];
	int			 n = epoll_wait(h->watchfd, ev, EVENTS, 0);

	for (int i = 0; i < n; i++)
		hung_up(h, (uint32_t)ev[i].data.u64,
		    (uint32_t)(ev[i].data.u64 >> 32));
}

void
csa_waiter_tick(struct csa_waiter *w, struct csa_tick *t)
{
	LIST_INSERT_HEAD(&w->ticks, t, entry);
}

void
csa_waiter_untick(struct csa_waiter *w, struct csa_tick *t)
{
	(void)w;
	LIST_REMOVE(t, entry);
}

void
csa_waiter_beat(struct csa_waiter *w, int64_t first, long every_ms,
    int (*beat)(void *), void *arg)
{
	if (w->beat.call != NULL)
		csa_waiter_untick(w, &w->beat);
	w->beat.at = first;
	w->beat.every_ms = every_ms;
	w->beat.call = beat;
	w->beat.arg = arg;
	if (beat != NULL)
		csa_waiter_tick(w, &w->beat);
}

static struct csa_tick *
next_tick(const struct csa_waiter *w)
{
	struct csa_tick	*t, *next = NULL;

	LIST_FOREACH(t, &w->ticks, entry)
		if (next == NULL || t->at < next->at)
			next = t;
	return next;
}

/* The state lock is let go: a slow client must hold up nobody else. */
static void
tick_now(struct csa_waiter *w, struct csa_tick *t)
{
	struct csa_http	*h = w->http;
	int64_t		 begin = csa_now_ms(), end;
	int		 rc;

	csa_waiter_leave(w);
	pthread_mutex_unlock(&h->state);
	rc = t->call(t->arg);
	end = csa_now_ms();
	t->at = end + t->every_ms;
	w->lost += end - begin;
	pthread_mutex_lock(&h->state);
	if (rc == -1)
		w->gone = true;
}

static void
follow(struct csa_waiter *w, int64_t until)
{
	struct csa_http	*h = w->http;
	struct timespec	 ts;

	ts.tv_sec = until / 1000;
	ts.tv_nsec = until % 1000 * 1000000;
	LIST_INSERT_HEAD(&h->followers, w, entry);
	h->nfollowers++;
	pthread_cond_timedwait(&w->cond, &h->state, &ts);
	h->nfollowers--;
	LIST_REMOVE(w, entry);
}

void
csa_waiter_sleep(struct csa_waiter *w, int64_t until)
{
	struct csa_http	*h = w->http;
	struct csa_tick	*t = next_tick(w);

	if (t != NULL && csa_now_ms() >= t->at) {
		tick_now(w, t);
		return;
	}
	if (t != NULL && t->at < until)
		until = t->at;
	if (h->drain < until)
		until = h->drain;
	if (h->driver == NULL)
		h->driver = w;
	if (h->driver != w) {
		follow(w, until);
		return;
	}
	w->notified = false;
	pthread_mutex_unlock(&h->state);
	csa_engine_turn(h, until);
	pthread_mutex_lock(&h->state);
}

void
csa_waiter_leave(struct csa_waiter *w)
{
	struct csa_http		*h = w->http;
	struct csa_waiter	*next;

	if (h->driver != w)
		return;
	/* The newest: its call is likely to last, and its memory is warm. */
	h->driver = next = LIST_FIRST(&h->followers);
	if (next != NULL)
		pthread_cond_signal(&next->cond);
}

static int
rest(struct csa_waiter *w, int64_t until, bool wakeable, struct csa_err *e)
{
	struct csa_http	*h = w->http;
	int64_t		 now;
	int		 rc = 0;

	pthread_mutex_lock(&h->state);
	while (rc == 0 && (now = csa_now_ms()) < until &&
	    !(wakeable && w->woken)) {
		if (w->gone)
			rc = csa_fail(e, CSA_ERR_CANCELLED, CSA_SRC_CLIENT,
			    NULL);
		else if (now >= h->drain)
			rc = csa_fail(e, CSA_ERR_OVERLOADED, CSA_SRC_AGENT,
			    NULL);
		else
			csa_waiter_sleep(w, until);
	}
	if (wakeable)
		w->woken = false;
	csa_waiter_leave(w);
	pthread_mutex_unlock(&h->state);
	return rc;
}

int
csa_waiter_pause(struct csa_waiter *w, int64_t until, struct csa_err *e)
{
	return rest(w, until, false, e);
}

int
csa_waiter_nap(struct csa_waiter *w, int64_t until, struct csa_err *e)
{
	return rest(w, until, true, e);
}

void
csa_waiter_wake(struct csa_waiter *w)
{
	struct csa_http	*h = w->http;
	uint64_t	 one = 1;

	pthread_mutex_lock(&h->state);
	w->notified = true;
	w->woken = true;
	/* What a driver sleeps on is behind the other lock, or it is not yet
	 * asleep: that costs it one look more. */
	if (h->driver == w)
		(void)!write(h->evfd, &one, sizeof(one));
	else
		pthread_cond_signal(&w->cond);
	pthread_mutex_unlock(&h->state);
}
