/*
 * prefork: the master of a pool, between its parts.
 *
 * It holds the listening socket on descriptor 0 and never accepts; it starts
 * workers, replaces the dead, all of them one by one on SIGHUP, and itself on
 * SIGUSR2.  One thread, one poll(2).
 */

#ifndef CSA_FCGI_PREFORK_H
#define CSA_FCGI_PREFORK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSA_CHILDREN	1024	/* workers in all states */

enum csa_child_state {
	CSA_CHILD_STARTING,
	CSA_CHILD_READY,
	CSA_CHILD_DRAINING,
	CSA_CHILD__MAX
};

struct csa_child {
	pid_t		 pid;
	int		 notify;	/* its pipe's read end; -1: closed */
	enum csa_child_state state;
	unsigned	 generation;	/* older than ours: to replace */
	int64_t		 started;	/* csa_now_ms() */
	int64_t		 kill_at;	/* INT64_MAX: never */
	bool		 killed;	/* by us */
};

struct csa_prefork {
	const char	*program;
	const char	*conf;		/* NULL: the worker's own default */
	char		**argv;		/* our own, to start ourselves again */
	char		**worker;	/* program and arguments */
	char		 pool[64];	/* a metric's label */
	size_t		 target;	/* workers wanted */
	long		 drain_ms;
	bool		 crowded;	/* workers of very many threads */
	struct csa_child child[CSA_CHILDREN];
	size_t		 nchildren;
	unsigned	 generation;
	int64_t		 failed;	/* last failed start; 0: none of late */
	int64_t		 delay;		/* back-off in ms; 0: none */
	bool		 stopping;
	int64_t		 counted[CSA_CHILD__MAX];	/* in the gauges */
};

/* How many children are in a state. */
size_t	csa_children(const struct csa_prefork *, enum csa_child_state);

/* Start one more.  -1: it cannot even be tried now. */
int	csa_child_start(struct csa_prefork *);

/* Run the worker (or, with own, ourselves) with -t.  Its pid, or -1. */
pid_t	csa_child_check(struct csa_prefork *, bool own);

/*
 * Tell a child to end; it is killed if it takes longer than drain_ms and some.
 */
void	csa_child_end(struct csa_prefork *, struct csa_child *);

/* Read what a child said.  1 if it became ready, 2 if it drains, else 0. */
int	csa_child_news(struct csa_prefork *, struct csa_child *);

/*
 * A child is gone: log, count, decide about the back-off, remove it.  Returns 1
 * if it never became ready, 0 if it did, -1 if pid is none of ours.
 */
int	csa_child_gone(struct csa_prefork *, pid_t pid, int status);

/* Bring the gauges up to date; with gone, to zero. */
void	csa_children_count(struct csa_prefork *, bool gone);

/*
 * Become the program file that is there now, with the same children.  Returns
 * only when that failed, with everything as before.
 */
void	csa_prefork_again(struct csa_prefork *);

/*
 * Take over the children that csa_prefork_again left in the environment.  fds
 * gets the descriptors to keep (room for CSA_CHILDREN); returns how many.
 */
size_t	csa_prefork_adopt(struct csa_prefork *, int *fds);

#endif
