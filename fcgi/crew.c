#include "config.h"

#include <sys/eventfd.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/conn.h"
#include "fcgi/crew.h"
#include "handlers/app.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "lib/metrics/metrics.h"

/*
 * Enough for a JSON of 32 levels and SQLite; what is not touched costs nothing,
 * and a thousand threads are a quarter of a gigabyte of address space.
 */
#ifdef __SANITIZE_ADDRESS__
#define STACK	(1024 * 1024)
#else
#define STACK	(256 * 1024)
#endif

#define LARGE	128	/* threads, from which on more are worth a thought */

struct member {
	struct csa_crew	*crew;
	pthread_t	 thread;
	sem_t		 given;		/* fd was set, or it is time to leave */
	int		 fd;		/* -1: idle.  Changed under the lock */
	int64_t		 accepted;	/* csa_now_ns() */
	bool		 waited;	/* in the queue */
	struct csa_conn	 conn;
	SLIST_ENTRY(member) idle;
};

struct waiting {
	int		 fd;
	int64_t		 accepted;	/* csa_now_ns() */
};

struct csa_crew {
	struct csa_crew_opts opts;
	pthread_mutex_t	 lock;		/* over all that follows */
	struct member	**members;
	size_t		 nmembers;
	SLIST_HEAD(, member) idle;	/* last in, first out */
	size_t		 nidle;
	struct waiting	*queue;		/* a ring */
	size_t		 first, nqueued;
	int		*answered;	/* for the acceptor to close */
	size_t		 nanswered;
	uint64_t	 served;
	bool		 draining;
};

static void
wake(struct csa_crew *crew)
{
	(void)eventfd_write(crew->opts.wake, 1);
}

struct csa_crew *
csa_crew_new(const struct csa_crew_opts *opts)
{
	struct csa_crew	*crew = csa_new(struct csa_crew);

	crew->opts = *opts;
	CSA_MUST(pthread_mutex_init(&crew->lock, NULL) == 0);
	SLIST_INIT(&crew->idle);
	crew->members = csa_new_array(opts->threads, struct member *);
	/* Never of no size: calloc may give NULL for that. */
	crew->queue = csa_new_array(opts->queue + 1, struct waiting);
	crew->answered = csa_new_array(opts->threads, int);
	return crew;
}

void
csa_crew_free(struct csa_crew *crew)
{
	if (crew == NULL)
		return;
	/* A token without a descriptor sends a thread home. */
	for (size_t i = 0; i < crew->nmembers; i++)
		sem_post(&crew->members[i]->given);
	for (size_t i = 0; i < crew->nmembers; i++) {
		pthread_join(crew->members[i]->thread, NULL);
		sem_destroy(&crew->members[i]->given);
		free(crew->members[i]);
	}
	while (crew->nanswered > 0)
		close(crew->answered[--crew->nanswered]);
	pthread_mutex_destroy(&crew->lock);
	free(crew->members);
	free(crew->queue);
	free(crew->answered);
	free(crew);
}

/* Did the client leave while its request waited?  Only some servers tell. */
static bool
left(int fd)
{
	struct pollfd	 p = { .fd = fd, .events = POLLRDHUP };

	return poll(&p, 1, 0) == 1;
}

/* Serve what is on m->fd, which stays open.  Returns whether it must linger. */
static bool
serve(struct member *m, struct csa_arena *arena, struct csa_waiter *waiter)
{
	const struct csa_crew_opts	*o = &m->crew->opts;
	struct csa_conn			*c = &m->conn;
	struct csa_resp			 resp;
	bool				 linger;

	c->req.ctx.arena = arena;
	c->req.ctx.waiter = waiter;
	csa_gauge_add(CSA_M_requests_in_flight, o->name, 1);
	csa_waiter_watch(waiter, m->fd);
	csa_resp_init(&resp, &c->sink.base);
	csa_app_serve(o->app, o->pools, &c->req, &resp);
	csa_resp_fini(&resp);
	csa_waiter_watch(waiter, -1);
	linger = csa_conn_close(c);
	csa_gauge_add(CSA_M_requests_in_flight, o->name, -1);
	csa_arena_reset(arena);
	return linger;
}

/*
 * The end of one connection and the beginning of the next.  fd leaves the table
 * before it is closed: the acceptor must never shut down another's descriptor.
 */
static bool
next(struct member *m, int done, bool linger)
{
	struct csa_crew	*crew = m->crew;
	bool		 tell, have = true;

	pthread_mutex_lock(&crew->lock);
	m->fd = -1;
	if (done != -1)
		crew->served++;
	/* The acceptor may be behind; then this one is cut off. */
	linger = linger && crew->nanswered < crew->opts.threads;
	if (linger)
		crew->answered[crew->nanswered++] = done;
	if (crew->nqueued > 0) {
		m->fd = crew->queue[crew->first].fd;
		m->accepted = crew->queue[crew->first].accepted;
		m->waited = true;
		crew->first = (crew->first + 1) % (crew->opts.queue + 1);
		crew->nqueued--;
	} else {
		have = false;
		m->waited = false;
		SLIST_INSERT_HEAD(&crew->idle, m, idle);
		crew->nidle++;
	}
	tell = linger || (crew->draining && crew->nidle == crew->nmembers);
	pthread_mutex_unlock(&crew->lock);
	if (tell)
		wake(crew);
	if (done != -1 && !linger)
		close(done);
	while (!have && sem_wait(&m->given) == -1)
		CSA_MUST(errno == EINTR);
	/* Woken without a descriptor: it is time to leave. */
	return m->fd != -1;
}

static void *
work(void *arg)
{
	struct member		*m = arg;
	struct csa_arena	*arena = csa_arena_new();
	struct csa_waiter	*waiter;
	bool			 linger;
	int			 fd;

	waiter = csa_waiter_new(m->crew->opts.app->http);
	do {
		fd = m->fd;
		linger = false;
		if (m->waited && left(fd))
			continue;
		if (csa_conn_open(&m->conn, fd, m->accepted) == -1)
			fd = -1;
		else
			linger = serve(m, arena, waiter);
	} while (next(m, fd, linger));
	csa_waiter_free(waiter);
	csa_arena_free(arena);
	return NULL;
}

static int
start(struct member *m)
{
	pthread_attr_t	 attr;
	int		 error;

	CSA_MUST(pthread_attr_init(&attr) == 0);
	CSA_MUST(pthread_attr_setstacksize(&attr, STACK) == 0);
	error = pthread_create(&m->thread, &attr, work, m);
	pthread_attr_destroy(&attr);
	return error;
}

/* Only the acceptor adds members.  false: the system has no more threads. */
static bool
hire(struct csa_crew *crew, int fd)
{
	struct member	*m = csa_new(struct member);
	int		 error;

	m->crew = crew;
	m->fd = fd;
	m->accepted = csa_now_ns();
	CSA_MUST(sem_init(&m->given, 0, 0) == 0);
	csa_conn_init(&m->conn, crew->opts.body_ms);
	pthread_mutex_lock(&crew->lock);
	if ((error = start(m)) == 0)
		crew->members[crew->nmembers++] = m;
	pthread_mutex_unlock(&crew->lock);
	if (error == 0)
		return true;
	csa_error("thread %zu: %s", crew->nmembers + 1, strerror(error));
	sem_destroy(&m->given);
	free(m);
	return false;
}

enum csa_crew_place
csa_crew_place(struct csa_crew *crew)
{
	enum csa_crew_place	 place = CSA_PLACE_THREAD;

	pthread_mutex_lock(&crew->lock);
	if (crew->nidle == 0 && crew->nmembers == crew->opts.threads)
		place = CSA_PLACE_QUEUE;
	else if (crew->nidle == 0 && crew->nmembers >= LARGE)
		place = CSA_PLACE_HIRE;
	pthread_mutex_unlock(&crew->lock);
	return place;
}

static bool
enqueue(struct csa_crew *crew, int fd)
{
	size_t	 last;

	if (crew->nqueued == crew->opts.queue || crew->nmembers == 0)
		return false;
	last = (crew->first + crew->nqueued++) % (crew->opts.queue + 1);
	crew->queue[last] = (struct waiting){ fd, csa_now_ns() };
	return true;
}

bool
csa_crew_give(struct csa_crew *crew, int fd)
{
	struct member	*m;
	bool		 taken = true, full;

	pthread_mutex_lock(&crew->lock);
	full = crew->nmembers == crew->opts.threads;
	if ((m = SLIST_FIRST(&crew->idle)) != NULL) {
		SLIST_REMOVE_HEAD(&crew->idle, idle);
		crew->nidle--;
		m->fd = fd;
		m->accepted = csa_now_ns();
	} else if (full)
		taken = enqueue(crew, fd);
	pthread_mutex_unlock(&crew->lock);
	if (m != NULL)
		sem_post(&m->given);
	else if (!full && !hire(crew, fd)) {
		pthread_mutex_lock(&crew->lock);
		taken = enqueue(crew, fd);
		pthread_mutex_unlock(&crew->lock);
	}
	return taken;
}

int
csa_crew_stale(struct csa_crew *crew, int64_t since)
{
	int	 fd = -1;

	pthread_mutex_lock(&crew->lock);
	if (crew->nqueued > 0 &&
	    crew->queue[crew->first].accepted / 1000000 <= since) {
		fd = crew->queue[crew->first].fd;
		crew->first = (crew->first + 1) % (crew->opts.queue + 1);
		crew->nqueued--;
	}
	pthread_mutex_unlock(&crew->lock);
	return fd;
}

int64_t
csa_crew_oldest(struct csa_crew *crew)
{
	int64_t	 ms = INT64_MAX;

	pthread_mutex_lock(&crew->lock);
	if (crew->nqueued > 0)
		ms = crew->queue[crew->first].accepted / 1000000;
	pthread_mutex_unlock(&crew->lock);
	return ms;
}

int
csa_crew_answered(struct csa_crew *crew)
{
	int	 fd = -1;

	pthread_mutex_lock(&crew->lock);
	if (crew->nanswered > 0)
		fd = crew->answered[--crew->nanswered];
	pthread_mutex_unlock(&crew->lock);
	return fd;
}

bool
csa_crew_watch(struct csa_crew *crew, int64_t now_ms)
{
	struct member	*m;
	bool		 reading = false;
	int64_t		 by;

	pthread_mutex_lock(&crew->lock);
	for (size_t i = 0; i < crew->nmembers; i++) {
		m = crew->members[i];
		by = atomic_load(&m->conn.read_by);
		if (m->fd == -1 || by == 0)
			continue;
		reading = true;
		/* The answer to a late body still goes out. */
		if (now_ms > by)
			(void)shutdown(m->fd, SHUT_RD);
	}
	pthread_mutex_unlock(&crew->lock);
	return reading;
}

void
csa_crew_drain(struct csa_crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	crew->draining = true;
	pthread_mutex_unlock(&crew->lock);
}

void
csa_crew_cancel(struct csa_crew *crew)
{
	pthread_mutex_lock(&crew->lock);
	/* Reading ends: a waiter sees that as a client's leaving. */
	for (size_t i = 0; i < crew->nmembers; i++)
		if (crew->members[i]->fd != -1)
			(void)shutdown(crew->members[i]->fd, SHUT_RD);
	pthread_mutex_unlock(&crew->lock);
}

size_t
csa_crew_busy(struct csa_crew *crew)
{
	size_t	 n;

	pthread_mutex_lock(&crew->lock);
	n = crew->nmembers - crew->nidle + crew->nqueued;
	pthread_mutex_unlock(&crew->lock);
	return n;
}

uint64_t
csa_crew_served(struct csa_crew *crew)
{
	uint64_t	 n;

	pthread_mutex_lock(&crew->lock);
	n = crew->served;
	pthread_mutex_unlock(&crew->lock);
	return n;
}
