/*
 * arrivals: when the events of a stream came, and what that tells.
 *
 * Fed with the stream as it comes; an event counts when its blank line has.
 */

#ifndef CSA_CLI_ARRIVALS_H
#define CSA_CLI_ARRIVALS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSA_ARRIVALS_MAX	100

struct csa_arrivals {
	int64_t	 at[CSA_ARRIVALS_MAX];	/* ns, of each delta */
	unsigned n;
	bool	 done;			/* the terminal event came */
	char	 line[32];		/* the begin of the one being read */
	size_t	 len;			/* of it, more than fits too */
	bool	 is_delta, is_done;	/* the event being read */
};

enum csa_flow {
	CSA_FLOW_EVEN,		/* one by one */
	CSA_FLOW_LUMPS,		/* several at a time */
	CSA_FLOW_ONE_PIECE,	/* all at the end */
	CSA_FLOW_CUT		/* events are missing, or the end */
};

/* Zeroed is ready.  now: csa_now_ns() when these bytes came. */
void	csa_arrivals_feed(struct csa_arrivals *, const char *data, size_t n,
	    int64_t now);

/*
 * What became of `events` sent every gap_ms?  *spread is from the first to the
 * last, *longest the longest gap, both in ms.
 */
enum csa_flow csa_arrivals_judge(const struct csa_arrivals *, unsigned events,
	    long gap_ms, double *spread, double *longest);

#endif
