/*
 * cache_fake: a kv that keeps everything, and fails, waits and lies as told.
 */

#ifndef CSA_TESTS_CACHE_FAKE_H
#define CSA_TESTS_CACHE_FAKE_H

#include <pthread.h>

#include <check.h>

#include "lib/base/arena.h"
#include "lib/base/ctx.h"
#include "lib/cache/cache.h"
#include "lib/cache/generation.h"
#include "lib/config/config.h"
#include "lib/kv/kv_pool.h"

/* All handles are this one, which may be used by many threads. */
extern struct fake {
	struct csa_kv	 kv;
	struct csa_kv	*mem;
	pthread_mutex_t	 lock;
	_Atomic bool	 no_get, no_set;	/* fail; no_set: add too */
	long		 delay_ms;		/* of each operation */
	const void	*lie;			/* what get finds, or NULL */
	size_t		 lie_len;
	void		(*before_add)(const char *key);	/* NULL: nothing */
	unsigned	 gets, sets, adds;	/* keys and items, not calls */
	uint32_t	 ttl;			/* the last one's */
	char		 key[80];
} fake;

/* Two processes on it, and a request of the test's thread. */
extern struct csa_config	 config;
extern struct csa_kv_pool	*pool;
extern struct csa_cache		*cache, *other;
extern struct csa_ctx		 ctx;
extern int64_t			 spent;

void	fake_setup(void);
void	fake_teardown(void);

/* Of the kind, of one string. */
struct csa_cache_key key_of(enum csa_cache_kind, const char *);
/* How often this was counted, "embedding|hit". */
uint64_t counted(const char *labels);

TCase	*key_tests(void);
TCase	*value_tests(void);
TCase	*cache_tests(void);
TCase	*generation_tests(void);
TCase	*memcached_tests(void);

#endif
