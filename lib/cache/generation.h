/*
 * generation: which state of a bot's documents something cached belongs to.
 *
 * It has two parts, and both are fields of every key that depends on documents.
 * The store's number is raised in the transaction that changes the documents,
 * and read anew for every question: on one host nothing old is found from the
 * moment the change is durable.  The token is random, stands in memcached for
 * all hosts, and is replaced after the commit; a process believes one that it
 * has read for CSA_TOKEN_MS.  A token that is missing is made anew, at random:
 * an evicted one can never bring back what was cached before.
 *
 * Read it before the documents are looked at, never after: then what is found
 * in the middle of a change is cached under the old one, where nobody looks
 * again.
 */

#ifndef CSA_CACHE_GENERATION_H
#define CSA_CACHE_GENERATION_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/ctx.h"

#define CSA_TOKEN_MS	900	/* a second for all, the way there included */

struct csa_cache;

struct csa_generation {
	uint64_t	 store;		/* the store's number */
	char		 token[33];
	int64_t		 changed;	/* when, ms of the wall clock */
};

/*
 * 1 with out; 0: it cannot be known (memcached is away, or there is none), and
 * nothing may be taken from, or put into, the cache for this bot.
 */
int	csa_generation_get(struct csa_cache *, struct csa_ctx *,
	    const struct csa_scope *, uint64_t store, struct csa_generation *);
/*
 * The bot's documents have changed; after the commit.  Where memcached cannot
 * be told, it is told later, by whatever request comes next; until then other
 * hosts may find what is old, for as long as they keep it.
 */
void	csa_generation_bump(struct csa_cache *, struct csa_ctx *,
	    const struct csa_scope *);
/* Add both parts, tenant and bot to a key. */
void	csa_generation_key(struct csa_buf *, const struct csa_scope *,
	    const struct csa_generation *);

#endif
