/*
 * cache_fixture: a memcached of the test's own, and what stands over it.
 */

#ifndef CSA_TESTS_CACHE_FIXTURE_H
#define CSA_TESTS_CACHE_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/ctx.h"
#include "lib/cache/cache.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/kv/kv_pool.h"

/* A server on a socket in a directory of its own, and its end. */
void	mc_start(void);
void	mc_stop(void);
extern char	mc_socket[];
/* It hears, but says nothing; and again. */
void	mc_hang(bool);
/* Say this to it in the text protocol ("flush_all\r\n"). */
void	mc_say(const char *);
/* Store raw bytes under a key, for good. */
void	mc_put(const char *key, const void *, size_t n);
/* Is there anything under that key? */
bool	mc_has(const char *key);
/* Seconds until it is forgotten; -1: there is none, or it never is. */
long	mc_ttl(const char *key);

/*
 * What the caches are configured with, set by mc_start to what no busy machine
 * can make fail.  A test may change it before host_open.
 */
extern struct csa_config	mc_config;

/* What a process has; as many as a test likes, as if each were a host. */
struct host {
	struct csa_kv_pool	*pool;
	struct csa_cache	*cache;
	struct csa_http		*http;
};
void	host_open(struct host *, bool memcached);
void	host_close(struct host *);

/* What a request has, of one thread. */
struct who {
	struct csa_arena	*arena;
	int64_t			 spent;
	struct csa_ctx		 ctx;
};
void	who_open(struct who *, struct host *, int64_t ms);
void	who_close(struct who *);

/* ms, times CK_TIMEOUT_MULTIPLIER. */
int64_t	patience(int64_t ms);
void	nap(long ms);

#endif
