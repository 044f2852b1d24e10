/*
 * cache: the vectors of the bots that were asked lately, in memory.
 *
 * An entry is read by many threads at a time.  When the bot's generation has
 * risen the first of them brings it up to date, reading what is new and
 * dropping what is gone, and the others wait for that until their deadlines.
 */

#ifndef CSA_VECTOR_CACHE_H
#define CSA_VECTOR_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/ctx.h"
#include "lib/base/err.h"
#include "lib/store/store.h"
#include "lib/vector/index.h"

struct csa_vcache;

/* One bot's vectors of one dimension. */
struct csa_vcached {
	struct csa_index index;
	size_t		 others;	/* another dimension it has, or 0 */
	bool		 too_large;	/* to be kept: read the store */
};

/* Borrows the store; model is copied. */
struct csa_vcache *csa_vcache_new(struct csa_store *, const char *model);
void	csa_vcache_free(struct csa_vcache *);

/*
 * The scope's vectors of dim numbers (1 to CSA_INDEX_DIM_MAX), as new as the
 * store is: 1 and *out, to be given back with csa_vcache_leave; 0 for a bot that
 * stores nothing; -1.
 */
int	csa_vcache_enter(struct csa_vcache *, struct csa_ctx *,
	    const struct csa_scope *, size_t dim, const struct csa_vcached **out,
	    struct csa_err *) CSA_MUSTCHECK;
void	csa_vcache_leave(struct csa_vcache *, const struct csa_vcached *);

#endif
