/*
 * ctx: one request, one deadline, one arena.
 *
 * Handed down through every call that a request makes.  Lower layers take the
 * smaller of their own limit and what is left of the deadline, put what they
 * return into the arena, and wait nowhere else than on the waiter.
 */

#ifndef CSA_BASE_CTX_H
#define CSA_BASE_CTX_H

#include <stdint.h>

struct csa_arena;
struct csa_waiter;		/* lib/http */

struct csa_ctx {
	struct csa_arena	*arena;
	struct csa_waiter	*waiter;
	int64_t			 deadline;	/* csa_now_ms() time */
	const char		*request_id;
	/* Ns on caches so far, in all copies of this; NULL: nobody counts. */
	int64_t			*spent;
};

/* Whose documents: the tenant comes from the key, never from the body. */
struct csa_scope {
	const char	*tenant;	/* "" for none */
	const char	*bot;		/* checked: see handlers/validate.h */
};

#endif
