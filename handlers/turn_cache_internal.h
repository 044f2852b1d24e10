/*
 * turn_cache_internal: between turn_cache.c, which decides, and turn_follow.c,
 * which tells the client.
 */

#ifndef CSA_HANDLERS_TURN_CACHE_INTERNAL_H
#define CSA_HANDLERS_TURN_CACHE_INTERNAL_H

#include "handlers/turn_cache.h"
#include "lib/cache/key.h"

struct csa_answer;

/*
 * Make it the turn's answer, and a stream's; saved: by which cache.  1, or -1 with
 * err: the client left, or has been told something else.
 */
int	csa_turn_present(struct csa_turn_cache *, const struct csa_answer *,
	    enum csa_cache_kind saved, struct csa_err *) CSA_MUSTCHECK;
/*
 * Wait for who leads.  1: it has landed and was told; 0: work it out, in the
 * flight, or alone where it is NULL now; -1 with err.
 */
int	csa_turn_follow(struct csa_turn_cache *, struct csa_err *)
	    CSA_MUSTCHECK;
/* What was told does not go on.  Returns -1. */
int	csa_turn_break_off(struct csa_err *);

#endif
