/*
 * The library's limit is for each wait: a server that sends its reply in drops
 * holds an operation up for as long as it likes, and nobody can get at the
 * socket.  So a thread looks after the operations, and takes the limit away
 * from one that is late: its next wait is its last.
 *
 * It costs an operation no system call.  The thread sleeps until the earliest
 * one in progress is due, or as long as one may take, since what begins
 * meanwhile is not due before; when nothing has happened for a while, until it
 * is called.
 */

#include "config.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_internal.h"

#define QUIET	20		/* looks at nothing, and it goes to sleep */

struct csa_kv_warden {
	pthread_t		 thread;
	pthread_mutex_t		 lock;		/* over what follows */
	pthread_cond_t		 called;
	_Atomic bool		 asleep;	/* changed under the lock */
	bool			 ending;
	int64_t			 most;		/* ms an operation may take */
	struct csa_kv_watch	**watch;
	size_t			 n, room;
};

/* ---- a handle's side ---- */

void
csa_kv_watch_init(struct csa_kv_watch *w)
{
	CSA_MUST(pthread_mutex_init(&w->lock, NULL) == 0);
	w->due = 0;
	w->cut = false;
	w->limit = NULL;
	w->warden = NULL;
}

void
csa_kv_watch_fini(struct csa_kv_watch *w)
{
	pthread_mutex_destroy(&w->lock);
}

void
csa_kv_watch_begin(struct csa_kv_watch *w, int64_t due)
{
	struct csa_kv_warden	*warden = w->warden;

	pthread_mutex_lock(&w->lock);
	w->due = due;
	w->cut = false;
	w->limit = NULL;
	pthread_mutex_unlock(&w->lock);
	/* After due was set: see go_to_sleep. */
	if (warden == NULL || !atomic_load(&warden->asleep))
		return;
	pthread_mutex_lock(&warden->lock);
	warden->asleep = false;
	pthread_cond_signal(&warden->called);
	pthread_mutex_unlock(&warden->lock);
}

void
csa_kv_watch_end(struct csa_kv_watch *w)
{
	pthread_mutex_lock(&w->lock);
	w->due = 0;
	w->limit = NULL;
	pthread_mutex_unlock(&w->lock);
}

bool
csa_kv_watch_on(struct csa_kv_watch *w, int32_t *limit, int32_t ms)
{
	bool	 in_time;

	pthread_mutex_lock(&w->lock);
	in_time = !w->cut && (w->due == 0 || csa_now_ms() < w->due);
	if (in_time) {
		*limit = ms;
		w->limit = limit;
	}
	pthread_mutex_unlock(&w->lock);
	return in_time;
}

void
csa_kv_watch_off(struct csa_kv_watch *w, int32_t *limit)
{
	pthread_mutex_lock(&w->lock);
	*limit = 0;
	w->limit = NULL;
	pthread_mutex_unlock(&w->lock);
}

/* ---- the thread ---- */

/* When the earliest is due that is not cut short yet; 0: all are idle. */
static int64_t
look(struct csa_kv_warden *warden, int64_t now)
{
	int64_t	 earliest = 0;

	for (size_t i = 0; i < warden->n; i++) {
		struct csa_kv_watch	*w = warden->watch[i];

		pthread_mutex_lock(&w->lock);
		if (w->due != 0 && !w->cut) {
			if (w->due <= now) {
				w->cut = true;
				/*
				 * The library reads it before each wait, and
				 * knows nothing of the lock: a word is whole.
				 */
				if (w->limit != NULL)
					*(volatile int32_t *)w->limit = 0;
			} else if (earliest == 0 || w->due < earliest)
				earliest = w->due;
		}
		pthread_mutex_unlock(&w->lock);
	}
	return earliest;
}

static void
sleep_until(struct csa_kv_warden *warden, int64_t then)
{
	struct timespec	 t = { then / 1000, then % 1000 * 1000000 };

	pthread_cond_timedwait(&warden->called, &warden->lock, &t);
}

/* Unless something has begun: from here on whoever begins sees asleep. */
static void
go_to_sleep(struct csa_kv_warden *warden)
{
	atomic_store(&warden->asleep, true);
	if (look(warden, csa_now_ms()) != 0)
		warden->asleep = false;
	while (warden->asleep && !warden->ending)
		pthread_cond_wait(&warden->called, &warden->lock);
}

static void *
run(void *arg)
{
	struct csa_kv_warden	*warden = arg;
	unsigned		 quiet = 0;
	int64_t			 now, next;

	pthread_mutex_lock(&warden->lock);
	while (!warden->ending) {
		now = csa_now_ms();
		next = look(warden, now);
		if (next != 0)
			quiet = 0;
		else if (++quiet > QUIET) {
			go_to_sleep(warden);
			quiet = 0;
			continue;
		}
		if (next == 0 || next > now + warden->most)
			next = now + warden->most;
		sleep_until(warden, next);
	}
	pthread_mutex_unlock(&warden->lock);
	return NULL;
}

struct csa_kv_warden *
csa_kv_warden_new(long timeout_ms)
{
	struct csa_kv_warden	*warden = csa_new(struct csa_kv_warden);
	pthread_condattr_t	 attr;
	sigset_t		 all, before;
	int			 rc;

	warden->most = timeout_ms;
	CSA_MUST(pthread_mutex_init(&warden->lock, NULL) == 0);
	CSA_MUST(pthread_condattr_init(&attr) == 0);
	CSA_MUST(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	CSA_MUST(pthread_cond_init(&warden->called, &attr) == 0);
	pthread_condattr_destroy(&attr);
	/* Signals are for those who expect them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	rc = pthread_create(&warden->thread, NULL, run, warden);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc == 0)
		return warden;
	csa_warn("memcached: no thread to watch over it: a server that sends "
	    "in drops can hold requests up");
	pthread_cond_destroy(&warden->called);
	pthread_mutex_destroy(&warden->lock);
	free(warden);
	return NULL;
}

void
csa_kv_warden_free(struct csa_kv_warden *warden)
{
	if (warden == NULL)
		return;
	pthread_mutex_lock(&warden->lock);
	warden->ending = true;
	pthread_cond_signal(&warden->called);
	pthread_mutex_unlock(&warden->lock);
	pthread_join(warden->thread, NULL);
	pthread_cond_destroy(&warden->called);
	pthread_mutex_destroy(&warden->lock);
	free(warden->watch);
	free(warden);
}

void
csa_kv_warden_add(struct csa_kv_warden *warden, struct csa_kv_watch *w)
{
	w->warden = warden;
	pthread_mutex_lock(&warden->lock);
	if (warden->n == warden->room) {
		warden->room = warden->room * 2 + 8;
		warden->watch = csa_realloc(warden->watch, warden->room,
		    sizeof(*warden->watch));
	}
	warden->watch[warden->n++] = w;
	pthread_mutex_unlock(&warden->lock);
}
