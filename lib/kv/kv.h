/*
 * kv: a key-value store that may forget at any time and may fail at any time.
 *
 * Drivers: kv_memcached for production, kv_mem for tests, kv_fail whose every
 * call fails.  One handle belongs to one thread, made after fork.
 */

#ifndef CSA_KV_KV_H
#define CSA_KV_KV_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define CSA_KV_KEYMAX	250	/* memcached's limit, so everyone's */

struct csa_kv {
	const struct csa_kv_ops	*ops;
};

struct csa_kv_ops {
	const char	*name;

	/*
	 * 1: found, and *val is the caller's to free; 0: not there; -1: the
	 * store failed and has logged why.  key is 1 to CSA_KV_KEYMAX of
	 * [!-~]; anything else is -1.
	 */
	int	(*get)(struct csa_kv *, const char *key, void **val,
		    size_t *len);
	/* 0, or -1 after logging why.  ttl in seconds, 0 keeps the entry. */
	int	(*set)(struct csa_kv *, const char *key, const void *val,
		    size_t len, uint32_t ttl);
	/* 0 where there was none: stored; 1: there was one; -1 failed. */
	int	(*add)(struct csa_kv *, const char *key, const void *val,
		    size_t len, uint32_t ttl);
	int	(*del)(struct csa_kv *, const char *key);
	/* 0 alive, -1 not.  A set, because a get cannot tell (guide/style). */
	int	(*ping)(struct csa_kv *);
	void	(*close)(struct csa_kv *);
};

/*
 * servers: host:port or /path/to/socket, comma-separated.  Opening never waits.
 * NULL with err (source memcached) where servers cannot be understood.
 */
struct csa_kv	*csa_kv_memcached_open(const char *servers, long timeout_ms,
		    struct csa_err *);
struct csa_kv	*csa_kv_mem_open(void);
struct csa_kv	*csa_kv_fail_open(void);

#endif
