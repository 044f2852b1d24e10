/*
 * upstream_server: an HTTP/1.1 server that does what a script says, a thread a
 * connection, on a port of its own on 127.0.0.1.
 */

#ifndef CSA_TESTS_UPSTREAM_SERVER_H
#define CSA_TESTS_UPSTREAM_SERVER_H

#include <stdatomic.h>

enum what {
	REPLY,
	RESET,			/* before a byte of the reply */
	HANG,			/* so, until the peer leaves */
	CUT,			/* in the middle of the body */
	STALL,			/* there, until the peer leaves */
	GARBAGE			/* no HTTP */
};

/* What happens to a request. */
struct step {
	enum what	 what;
	int		 status;
	int		 delay_ms;	/* before anything */
	const char	*header;	/* a line without its end, or NULL */
	const char	*body;		/* NULL: "ok" */
};

struct script {
	int			 fd, port;
	/* Requests and those of them that brought a key "k1", "k2", "k3". */
	atomic_int		 requests;
	atomic_int		 keyed[3];
	/* The step of the i-th request, or of its key's; the last one stays. */
	_Atomic(const struct step *) step;
	atomic_int		 nsteps;
	const struct step	*of_key[3];	/* instead, where not NULL */
	struct script		*before;	/* made before this one */
};

struct script *script_start(void);
/* What comes from now on, counted anew. */
void	script_set(struct script *, const struct step *, int n);
/* Nobody listens any more; and again, at the same port. */
void	script_down(struct script *);
void	script_up(struct script *);

#endif
