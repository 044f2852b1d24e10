/*
 * cache_internal: between the files of lib/cache, and for nobody else.
 */

#ifndef CSA_CACHE_CACHE_INTERNAL_H
#define CSA_CACHE_CACHE_INTERNAL_H

#include "lib/cache/cache.h"

/* ---- key.c ---- */

struct csa_cache_what {
	char		 letter;
	uint8_t		 version;
	const char	*label;
};
extern const struct csa_cache_what csa_cache_kinds[CSA_CACHE__MAX];

struct csa_board;		/* flight_board.c */
struct csa_tokens;		/* generation.c */

struct csa_cache {
	struct csa_kv_pool	*pool;		/* NULL: no memcached */
	int64_t			 budget_ns;	/* for one request, in sum */
	int64_t			 most_ns;	/* one operation may take */
	struct csa_tokens	*tokens;
	struct csa_board	*board;
};

/* ---- cache.c: one operation of memcached each ---- */

/*
 * They seal and unseal, count what they do and what it takes, and are bound by
 * the request's budget, unless ctx->spent is NULL: who looks again and again
 * while he waits hands over a copy of the ctx without it.  ttl is exact, and 0
 * for ever.  -1: memcached could not be asked (there is none, it is left alone,
 * no time is left for it), or what is to be kept is too large.
 */

/* 1 with out; 0: nothing, or nothing that fits the key. */
int	csa_cache_look(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, struct csa_cached *out);
int	csa_cache_keep(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, const void *, size_t n,
	    uint32_t ttl);
/* 0: kept, there was nothing; 1: there was something, which stays. */
int	csa_cache_claim(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, const void *, size_t n,
	    uint32_t ttl);
/* 1: it is gone; 0: there was none. */
int	csa_cache_drop(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *);

/* ---- flight_board.c ---- */

/* After the fork; false: everyone leads.  No flight may be left when it goes. */
struct csa_board *csa_board_new(bool single_flight);
void	csa_board_free(struct csa_board *);	/* NULL: nothing to do */

/* ---- generation.c ---- */

struct csa_tokens *csa_tokens_new(void);
void	csa_tokens_free(struct csa_tokens *);

#endif
