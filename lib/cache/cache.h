/*
 * cache: what was worked out once, in memcached, shared by all processes and
 * hosts.  It may forget, be slow, be gone or lie; a caller sees a miss.
 *
 * A value travels in an envelope (value.c): magic, version, kind, the whole
 * digest of its key, its length, and a checksum over all of that and the value.
 * What does not fit its key to the last bit is a miss, counted as `odd`.  That
 * is against accidents: whoever can write to memcached can write answers, so it
 * belongs on a unix socket or a private network (doc/CACHING.md).
 *
 * One request spends at most cache_budget_ms on caches in sum (ctx->spent);
 * beyond that everything is a miss at once, counted as `skipped`.
 */

#ifndef CSA_CACHE_CACHE_H
#define CSA_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ctx.h"
#include "lib/cache/key.h"

struct csa_config;
struct csa_kv_pool;

struct csa_cache;

/* Something cached, in the arena of the ctx; data NULL: a miss. */
struct csa_cached {
	const void	*data;
	size_t		 len;
};

/*
 * Make one after the fork; it is safe to use from many threads.  pool NULL:
 * there is no memcached; everything is a miss then, but flights work in the
 * process.  Never NULL.
 */
struct csa_cache *csa_cache_new(struct csa_kv_pool *pool,
		    const struct csa_config *);
void	csa_cache_free(struct csa_cache *);
/* Is there a memcached at all?  Without one, keys need not be made. */
bool	csa_cache_is_on(const struct csa_cache *);

/* 1 with out, or 0. */
int	csa_cache_get(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, struct csa_cached *out);
/* The same once more after a miss: another miss is not counted. */
int	csa_cache_again(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, struct csa_cached *out);
/*
 * Many at once, by as few round trips as there are servers and a hundred keys
 * in each: out[i] is for key[i], whose kinds are all the same.  Equal keys are
 * fine.  Returns how many were found.
 */
size_t	csa_cache_get_many(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, size_t n, struct csa_cached *out);
/*
 * Keep it for about ttl seconds (give or take a tenth, so that what was made
 * together does not end together).  What is too large for an item is not kept,
 * and counted as `large`.
 */
void	csa_cache_put(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, const void *, size_t n, uint32_t ttl);
void	csa_cache_put_many(struct csa_cache *, struct csa_ctx *,
	    const struct csa_cache_key *, const struct csa_cached *value,
	    size_t n, uint32_t ttl);

/* What a hit has saved, for the metrics: US dollars and tokens. */
void	csa_cache_saved(enum csa_cache_kind, double usd, long tokens);

#endif
