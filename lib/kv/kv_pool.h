/*
 * kv_pool: handles of one kv for the many threads of a process.
 *
 * A handle belongs to who took it until it is given back.  As many are open as
 * were ever in use at once; none before the first is taken, so that a pool may
 * be made before threads and after fork.
 */

#ifndef CSA_KV_KV_POOL_H
#define CSA_KV_KV_POOL_H

#include "lib/kv/kv.h"

struct csa_kv_pool;

/*
 * Of memcached, as csa_kv_memcached_open.  NULL with err where servers cannot be
 * understood.
 */
struct csa_kv_pool *csa_kv_pool_new(const char *servers, long timeout_ms,
		    struct csa_err *);
/* All handles must be back.  NULL: nothing to do. */
void	csa_kv_pool_free(struct csa_kv_pool *);

/* Never NULL: where none can be made, one whose every call fails. */
struct csa_kv	*csa_kv_take(struct csa_kv_pool *);
void	csa_kv_give(struct csa_kv_pool *, struct csa_kv *);

#endif
