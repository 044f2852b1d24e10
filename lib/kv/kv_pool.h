/*
 * kv_pool: handles of one kv for the many threads of a process.
 *
 * A handle belongs to who took it until it is given back.  As many are open as
 * were ever in use at once; none before the first is taken, so that a pool may
 * be made before threads and after fork.  All handles know together which
 * servers do not answer, and a thread sees to it that none of their operations
 * takes longer than it may.
 */

#ifndef CSA_KV_KV_POOL_H
#define CSA_KV_KV_POOL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/kv/kv.h"

struct csa_kv_pool;

/*
 * Of memcached, as csa_kv_memcached_open.  NULL with err where servers cannot
 * be understood.
 */
struct csa_kv_pool *csa_kv_pool_new(const char *servers, long timeout_ms,
		    struct csa_err *);
/* Of any kv, for tests; open(arg) never returns NULL. */
struct csa_kv_pool *csa_kv_pool_of(struct csa_kv *(*open)(void *), void *arg);
/* All handles must be back.  NULL: nothing to do. */
void	csa_kv_pool_free(struct csa_kv_pool *);

/* Never NULL: where none can be made, one whose every call fails. */
struct csa_kv	*csa_kv_take(struct csa_kv_pool *);
void	csa_kv_give(struct csa_kv_pool *, struct csa_kv *);

/*
 * Is the i-th server left alone at the moment? 1 with its name, borrowed; or 0:
 * there are not so many.
 */
int	csa_kv_pool_state(struct csa_kv_pool *, size_t i, const char **name,
	    bool *alone);

#endif
