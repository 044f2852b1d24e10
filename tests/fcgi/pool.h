/*
 * pool: the programs under test, each in a directory and with a socket of its
 * own.
 *
 * The test itself holds the listening socket, as systemd would.  What is
 * started here is killed when the test's process ends, however it ends.
 */

#ifndef CSA_TESTS_FCGI_POOL_H
#define CSA_TESTS_FCGI_POOL_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

struct pool {
	char	 dir[64], sock[96], conf[96], log[96];
	int	 listen;
	pid_t	 pid;		/* of the worker or the master */
	bool	 crashes;	/* a report of a sanitizer is expected */
};

/* The directory, the socket, and a configuration with these lines added. */
void	pool_make(struct pool *, const char *lines);
/* Write the configuration again; false lines are what a test wants. */
void	pool_configure(struct pool *, const char *lines);
/* Start the stub (with NULL) or `worker` under the master, and wait for it. */
void	pool_start(struct pool *);
void	pool_start_master(struct pool *, const char *worker);
/* Kill what runs and remove the directory. */
void	pool_remove(struct pool *);

/*
 * Wait until the process has ended, at most ms.  Its wait status, -1: it runs.
 */
int	pool_wait(struct pool *, int ms);

/* Ask /pid; 0 where there is no answer. */
pid_t	pool_ask_pid(const struct pool *);
/* Children of the master whose command is `comm`, into pids; how many. */
size_t	pool_children(const struct pool *, const char *comm, pid_t *pids,
	    size_t max);
/* How often text stands in the log. */
unsigned pool_logged(const struct pool *, const char *text);
/* Wait until it stands there n times at least, at most ms. */
bool	pool_wait_log(const struct pool *, const char *text, unsigned n,
	    int ms);
/* Open descriptors of a process. */
unsigned pool_files(pid_t);
void	pool_sleep(int ms);

/* A program of the build tree, into path. */
const char *pool_program(const char *name, char *path, size_t n);

#endif
