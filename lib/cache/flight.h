/*
 * flight: of many who want the same thing at the same time, one works it out and
 * the others wait for it, over all processes and hosts.
 *
 * Within a process the board is a table; between them it is one item of memcached
 * under the flight's key: who leads (host, process, a random name), and what there
 * is of the value so far; in the end the value is in another.  It is renewed while
 * the leader waits (csa_waiter_tick) and ends by itself CSA_LEASE_S after that, so
 * that a host which is lost delays nobody for longer; a leader of the same host
 * that is dead is seen at the next look.  Where memcached cannot say who leads,
 * everyone leads (in a process still only one): a cache never stops an answer.
 *
 * A follower waits on its own waiter: its deadline, its client's leaving and the
 * process's end hold for it, whatever becomes of the leader.
 */

#ifndef CSA_CACHE_FLIGHT_H
#define CSA_CACHE_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ctx.h"
#include "lib/base/err.h"
#include "lib/base/must.h"
#include "lib/cache/cache.h"

#define CSA_LEASE_S	3

struct csa_flight;

/*
 * Told what the leader has so far: all of it each time, data and len as told by
 * the leader's csa_flight_tell, growing.  -1: nobody listens any more.  Who has
 * heard one leader is not told what another one says after it.
 */
struct csa_flight_ear {
	int	(*told)(void *arg, const void *data, size_t len);
	void	*arg;
};

/*
 * Come aboard.  Never NULL, and never waits but for an operation of memcached, or
 * two where somebody else leads.  csa_flight_leave must follow; until then the ctx
 * must live.  key is the value's.  Who comes after a flight has landed begins
 * another one: whether what has landed may be used later is for the cache to say,
 * under the value's key.  Everyone leads without a cache (NULL), without
 * single_flight, and without a waiter.
 */
struct csa_flight *csa_flight_board(struct csa_cache *, struct csa_ctx *,
		    const struct csa_cache_key *);
/* Do we lead?  Then work it out, and land it; who cannot simply leaves. */
bool	csa_flight_leads(const struct csa_flight *);

/*
 * A follower's wait.  1: it has landed, *out is in the arena; 0: the leader is
 * lost or gave up, and we lead now; -1 with err: our own deadline (DEADLINE),
 * client (CANCELLED; the ear's -1 too) or end (OVERLOADED).  ear may be NULL.
 * Where the leader is lost another follower may lead in its place and land: so
 * what was told may be followed by 0, or by 1 with a value that does not begin
 * like it.  After three leaders that came to nothing a follower leads, alone.
 */
int	csa_flight_follow(struct csa_flight *, const struct csa_flight_ear *ear,
	    struct csa_cached *out, struct csa_err *) CSA_MUSTCHECK;

/*
 * A leader's: tell followers what there is so far (published at most every 150 ms,
 * so it costs nothing to call often), and land the whole.
 */
void	csa_flight_tell(struct csa_flight *, const void *, size_t n);
void	csa_flight_land(struct csa_flight *, const void *, size_t n);
/* How many of this process follow now; for tests and metrics. */
unsigned csa_flight_followers(const struct csa_flight *);
/*
 * A leader's who need not land, since nobody follows and nobody else could:
 * true, and it has left.  False: it is still aboard.
 */
bool	csa_flight_leave_alone(struct csa_flight *);
/* Either role's end.  A leader that has not landed lets the next one lead now. */
void	csa_flight_leave(struct csa_flight *);

#endif
