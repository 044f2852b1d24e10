/*
 * crew: the request threads of a worker and the short queue before them.
 *
 * One thread, the acceptor, gives connections; the thread that became idle last
 * gets the next one, because its stack and its memory are still warm.  Threads
 * are made when they are first needed and stay.  A connection that finds none
 * waits in a queue for a limited time.
 */

#ifndef CSA_FCGI_CREW_H
#define CSA_FCGI_CREW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct csa_app;
struct csa_crew;

struct csa_crew_opts {
	struct csa_app	*app;		/* borrowed */
	const char	*name;		/* a metric's pool label; borrowed */
	unsigned	 pools;		/* CSA_POOL_* */
	size_t		 threads, queue;
	long		 body_ms;	/* longest silence within a body */
	int		 wake;		/* the eventfd of the acceptor */
};

struct csa_crew	*csa_crew_new(const struct csa_crew_opts *);
/* Wait for the last request and end all threads.  NULL: nothing to do. */
void	csa_crew_free(struct csa_crew *);

/* Where a connection would go. */
enum csa_crew_place {
	CSA_PLACE_THREAD,	/* to a thread, there or to be had */
	CSA_PLACE_HIRE,		/* to a new one of a crew that is large */
	CSA_PLACE_QUEUE
};
enum csa_crew_place csa_crew_place(struct csa_crew *);

/*
 * Give a connection to a thread or, where all are busy, a place in the queue.
 * Takes fd, unless it returns false: the queue is full.
 */
bool	csa_crew_give(struct csa_crew *, int fd);

/*
 * Take back a connection that has been queued since before `since` (a
 * csa_now_ms() time): yours to refuse.  -1: there is none.
 */
int	csa_crew_stale(struct csa_crew *, int64_t since);
/* When the oldest queued connection came; INT64_MAX where none waits. */
int64_t	csa_crew_oldest(struct csa_crew *);

/* A connection that has its answer but must not be closed yet; -1: none. */
int	csa_crew_answered(struct csa_crew *);

/*
 * Shut down connections whose sending takes too long (struct csa_conn,
 * read_by). Returns whether any connection is still being read.
 */
bool	csa_crew_watch(struct csa_crew *, int64_t now_ms);

/* From now on the acceptor is woken when the last request has ended. */
void	csa_crew_drain(struct csa_crew *);
/* Make every request's client look gone, so that the requests end soon. */
void	csa_crew_cancel(struct csa_crew *);

size_t	 csa_crew_busy(struct csa_crew *);	/* queued ones included */
uint64_t csa_crew_served(struct csa_crew *);

#endif
