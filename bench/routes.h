/*
 * routes: what the fake upstream answers, how late, and what it counts.
 *
 * Delays and counters are in memory shared by all processes forked after
 * csa_routes_init, so that /set and /stats hold for all of them.
 */

#ifndef CSA_BENCH_ROUTES_H
#define CSA_BENCH_ROUTES_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/httpreq.h"
#include "bench/io.h"

enum csa_tally {
	CSA_TALLY_CONNECTIONS,	/* that carried a request */
	CSA_TALLY_GONE,		/* clients that left before their reply */
	CSA_TALLY_BAD,		/* not HTTP as we know it */
	CSA_TALLY__MAX
};

/* Map the shared memory and make the replies, whose matches are of bot. */
void	 csa_routes_init(const char *bot);

/* "ROUTE=MS": delay the replies of a route.  0, or -1 when it is no such. */
int	 csa_routes_delay(const char *text);

/*
 * Answer a request whose body is at body.  Returns the reply, which is own
 * (overwritten) or one that lives for ever; *delay is how long to hold it
 * back, in ns.  *counted tells a request from /set and /stats, which are not
 * counted.
 */
const struct csa_bytes *
	 csa_routes_answer(const struct csa_httpreq *req, const char *body,
	    struct csa_bytes *own, uint64_t *delay, bool *counted);

void	 csa_tally(enum csa_tally what);

/* A reply is held back from now on (+1), or no more (-1). */
void	 csa_tally_waiting(int change);

#endif
