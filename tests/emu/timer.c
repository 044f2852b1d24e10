/*
 * Delays without threads that sleep: a waiting request costs one heap entry.
 * MHD does not look at a suspended connection, so this thread does, with an
 * epoll of its own that asks for hang-ups only.
 */
#include "config.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>

#include <err.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

#include "tests/emu/emu.h"
#include "tests/emu/stats.h"
#include "tests/emu/timer.h"

struct emu_wait {
	struct emu_req	*rq;
	int64_t		 due;		/* ns; INT64_MAX: never */
	size_t		 pos;		/* in the heap */
	int		 fd;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t thread;
static int epfd = -1, tfd = -1;
static bool stopping;

static struct emu_wait **heap;
static size_t nheap, capheap;

static void
heap_put(size_t i, struct emu_wait *w)
{
	heap[i] = w;
	w->pos = i;
}

static void
heap_up(size_t i)
{
	struct emu_wait *w = heap[i];

	while (i > 0 && heap[(i - 1) / 2]->due > w->due) {
		heap_put(i, heap[(i - 1) / 2]);
		i = (i - 1) / 2;
	}
	heap_put(i, w);
}

static void
heap_down(size_t i)
{
	struct emu_wait *w = heap[i];
	size_t c;

	while ((c = 2 * i + 1) < nheap) {
		if (c + 1 < nheap && heap[c + 1]->due < heap[c]->due)
			c++;
		if (heap[c]->due >= w->due)
			break;
		heap_put(i, heap[c]);
		i = c;
	}
	heap_put(i, w);
}

static void
heap_add(struct emu_wait *w)
{
	if (nheap == capheap) {
		capheap = capheap != 0 ? capheap * 2 : 64;
		heap = emu_realloc(heap, capheap * sizeof(*heap));
	}
	heap[nheap++] = w;
	heap_up(nheap - 1);
}

static void
heap_remove(struct emu_wait *w)
{
	size_t i = w->pos;
	struct emu_wait *last = heap[--nheap];

	if (last == w)
		return;
	heap_put(i, last);
	heap_up(i);
	heap_down(last->pos);
}

/* Have the timer ring when the first wait is over.  Under the lock. */
static void
arm(void)
{
	struct itimerspec its = { .it_value = { 0, 0 } };

	if (nheap != 0 && heap[0]->due != INT64_MAX) {
		its.it_value.tv_sec = heap[0]->due / 1000000000;
		its.it_value.tv_nsec = heap[0]->due % 1000000000;
	}
	if (timerfd_settime(tfd, TFD_TIMER_ABSTIME, &its, NULL) == -1)
		err(1, "timerfd_settime");
}

/* Under the lock.  The request is another thread's once it is resumed. */
static void
finish(struct emu_wait *w, bool gone)
{
	struct emu_req *rq = w->rq;

	heap_remove(w);
	(void)epoll_ctl(epfd, EPOLL_CTL_DEL, w->fd, NULL);
	free(w);
	rq->wait = NULL;
	if (gone)
		atomic_store(&rq->gone, true);
	MHD_resume_connection(rq->conn);
}

static void
expire(void)
{
	int64_t now = emu_now_ns();

	while (nheap != 0 && heap[0]->due <= now)
		finish(heap[0], false);
	arm();
}

void
emu_timer_release(void)
{
	pthread_mutex_lock(&lock);
	/* It stays a heap: below a time there may be any, below never none. */
	for (size_t i = 0; i < nheap; i++)
		if (heap[i]->due != INT64_MAX)
			heap[i]->due = 0;
	expire();
	pthread_mutex_unlock(&lock);
}

static void
handle(struct epoll_event *ev, int n)
{
	uint64_t rings;
	int i;

	for (i = 0; i < n; i++) {
		struct emu_wait *w = ev[i].data.ptr;

		if (w == NULL) {
			(void)!read(tfd, &rings, sizeof(rings));
			continue;
		}
		emu_stat_disconnect(w->rq);
		finish(w, true);
	}
	expire();
}

static void *
loop(void *arg)
{
	struct epoll_event ev[64];
	bool done = false;
	int n;

	(void)arg;
	while (!done) {
		n = epoll_wait(epfd, ev, 64, -1);
		pthread_mutex_lock(&lock);
		handle(ev, n > 0 ? n : 0);
		if (stopping) {
			while (nheap != 0)
				finish(heap[0], true);
			done = true;
		}
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

void
emu_wait(struct emu_req *rq, long delay_ms)
{
	struct epoll_event ev = { .events = EPOLLRDHUP };
	const union MHD_ConnectionInfo *ci;
	struct emu_wait *w;

	ci = MHD_get_connection_info(rq->conn,
	    MHD_CONNECTION_INFO_CONNECTION_FD);
	w = emu_calloc(1, sizeof(*w));
	w->rq = rq;
	w->fd = ci != NULL ? ci->connect_fd : -1;
	w->due = delay_ms == EMU_FOREVER ? INT64_MAX :
	    emu_now_ns() + (int64_t)delay_ms * 1000000;

	pthread_mutex_lock(&lock);
	MHD_suspend_connection(rq->conn);
	rq->wait = w;
	heap_add(w);
	ev.data.ptr = w;
	(void)epoll_ctl(epfd, EPOLL_CTL_ADD, w->fd, &ev);
	if (stopping)
		finish(w, true);
	else if (heap[0] == w)
		arm();
	pthread_mutex_unlock(&lock);
}

void
emu_timer_start(void)
{
	struct epoll_event ev = { .events = EPOLLIN };

	epfd = epoll_create1(EPOLL_CLOEXEC);
	tfd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (epfd == -1 || tfd == -1 ||
	    epoll_ctl(epfd, EPOLL_CTL_ADD, tfd, &ev) == -1)
		err(1, "epoll and timerfd");
	if (pthread_create(&thread, NULL, loop, NULL) != 0)
		errx(1, "no thread");
}

void
emu_timer_stop(void)
{
	struct itimerspec now = { .it_value = { 0, 1 } };

	pthread_mutex_lock(&lock);
	stopping = true;
	(void)timerfd_settime(tfd, TFD_TIMER_ABSTIME, &now, NULL);
	pthread_mutex_unlock(&lock);
	pthread_join(thread, NULL);
}
