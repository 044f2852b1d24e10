/*
 * acceptor: the loop of a worker's main thread.
 *
 * It alone accepts, hears signals and refuses; request threads never see the
 * listening socket.  Several workers wait on one socket, which is O_NONBLOCK:
 * who comes second finds nothing and goes on waiting.
 */

#ifndef CSA_FCGI_ACCEPTOR_H
#define CSA_FCGI_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

struct csa_app;
struct csa_crew;

struct csa_acceptor {
	int		 listen;	/* borrowed */
	int		 signals;	/* a signalfd of those below */
	int		 wake;		/* the crew's eventfd */
	struct csa_crew	*crew;
	struct csa_app	*app;		/* draining is set in it */
	const char	*name;		/* a metric's pool label */
	long		 queue_timeout_ms, drain_ms;
	uint64_t	 max_requests;	/* 0: no end */
	int		 notify;	/* told when accepting ends; or -1 */
};

/*
 * Accept until told to end, or until max_requests were served, then let the
 * requests finish.  0: all have; -1: some had not within drain_ms, not even
 * when they were cancelled, and their threads still run.
 *
 * SIGTERM, SIGINT, SIGUSR1 end the loop, a second SIGTERM cancels what runs;
 * SIGUSR2 reopens the log; SIGHUP does nothing.
 */
int	csa_accept_loop(const struct csa_acceptor *);

#endif
