/*
 * kv: a key-value store that may forget at any time and may fail at any time.
 *
 * Drivers: kv_memcached for production, kv_mem for tests, kv_fail whose every
 * call fails.  One handle belongs to one thread, made after fork.
 */

#ifndef CSA_KV_KV_H
#define CSA_KV_KV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

#define CSA_KV_KEYMAX	250	/* memcached's limits, so everyone's */
#define CSA_KV_VALMAX	(1024 * 1024 - 1024)

struct csa_kv {
	const struct csa_kv_ops	*ops;
};

/* What set_many stores. */
struct csa_kv_item {
	const char	*key;
	const void	*val;
	size_t		 len;
	uint32_t	 ttl;
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
	/*
	 * 0, or -1 after logging why.  ttl in seconds, 0 keeps the entry.  More
	 * than CSA_KV_VALMAX bytes are -1.
	 */
	int	(*set)(struct csa_kv *, const char *key, const void *val,
		    size_t len, uint32_t ttl);
	/* 0 where there was none: stored; 1: there was one; -1 failed. */
	int	(*add)(struct csa_kv *, const char *key, const void *val,
		    size_t len, uint32_t ttl);
	/* 1: there was one, and it is gone; 0: there was none; -1 failed. */
	int	(*del)(struct csa_kv *, const char *key);
	/*
	 * As get and set of each, in as few round trips as there are servers
	 * and hundreds of keys for each of them.  found is told of key[i] at
	 * most once, borrows val only to the others' end, and must not use the
	 * kv; two keys may be equal.  Both return for how many the store
	 * failed, or which it does not take: of those it is not known whether
	 * they are there, or were stored.
	 */
	size_t	(*get_many)(struct csa_kv *, const char *const *key, size_t n,
		    void (*found)(void *arg, size_t i, const void *val,
		    size_t len), void *arg);
	size_t	(*set_many)(struct csa_kv *, const struct csa_kv_item *,
		    size_t n);
	/*
	 * 0: all servers are alive, -1 not.  It sets an entry: of a server that
	 * is no memcached at all, a get may say "not there".
	 */
	int	(*ping)(struct csa_kv *);
	void	(*close)(struct csa_kv *);
};

/*
 * Is key one that a driver takes?  Checked by all of them, before anything is
 * sent: a key with a line break in it would be a second command.
 */
bool	csa_kv_key_good(const char *key);

/*
 * servers: host:port, [v6]:port or /path/to/socket, comma-separated; several
 * share the keys by consistent hashing.  Opening never waits.  NULL with err
 * (source memcached) where servers cannot be understood.
 *
 * An operation that waits for the network ends within timeout_ms; of a handle
 * that is no pool's, a server that sends its reply in drops can hold one up for
 * longer, and of any handle the resolver of a host's name.  After three
 * failures in a row a server is left alone for five seconds, in which
 * everything for it is -1 at once; then one operation tries again, while others
 * are still refused.
 */
struct csa_kv	*csa_kv_memcached_open(const char *servers, long timeout_ms,
		    struct csa_err *);
struct csa_kv	*csa_kv_mem_open(void);
struct csa_kv	*csa_kv_fail_open(void);

#endif
