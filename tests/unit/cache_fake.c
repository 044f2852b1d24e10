#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/cache_fake.h"

struct fake		 fake;
struct csa_config	 config;
struct csa_kv_pool	*pool;
struct csa_cache	*cache, *other;
struct csa_ctx		 ctx;
int64_t			 spent;

static void
enter(const char *key)
{
	struct timespec	 t = { fake.delay_ms / 1000,
			    fake.delay_ms % 1000 * 1000000 };

	if (fake.delay_ms > 0)
		nanosleep(&t, NULL);
	pthread_mutex_lock(&fake.lock);
	if (key != NULL)
		snprintf(fake.key, sizeof(fake.key), "%s", key);
}

static void
leave(void)
{
	pthread_mutex_unlock(&fake.lock);
}

static int
fake_get(struct csa_kv *kv, const char *key, void **val, size_t *len)
{
	int	 rc = -1;

	(void)kv;
	enter(key);
	fake.gets++;
	*val = NULL;
	*len = 0;
	if (fake.lie != NULL) {
		/* Not a byte more, so that reading on is found out. */
		*val = csa_malloc(fake.lie_len);
		memcpy(*val, fake.lie, fake.lie_len);
		*len = fake.lie_len;
		rc = 1;
	} else if (!fake.no_get)
		rc = fake.mem->ops->get(fake.mem, key, val, len);
	leave();
	return rc;
}

static int
fake_set(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	int	 rc = -1;

	(void)kv;
	enter(key);
	fake.sets++;
	fake.ttl = ttl;
	if (!fake.no_set)
		rc = fake.mem->ops->set(fake.mem, key, val, len, ttl);
	leave();
	return rc;
}

static int
fake_add(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	int	 rc = -1;

	(void)kv;
	enter(key);
	fake.adds++;
	fake.ttl = ttl;
	if (fake.before_add != NULL)
		fake.before_add(key);
	if (!fake.no_set)
		rc = fake.mem->ops->add(fake.mem, key, val, len, ttl);
	leave();
	return rc;
}

static int
fake_del(struct csa_kv *kv, const char *key)
{
	int	 rc;

	(void)kv;
	enter(key);
	rc = fake.no_set ? -1 : fake.mem->ops->del(fake.mem, key);
	leave();
	return rc;
}

static size_t
fake_get_many(struct csa_kv *kv, const char *const *key, size_t n,
    void (*found)(void *, size_t, const void *, size_t), void *arg)
{
	size_t	 bad = n;

	(void)kv;
	enter(NULL);
	fake.gets += (unsigned)n;
	if (!fake.no_get)
		bad = fake.mem->ops->get_many(fake.mem, key, n, found, arg);
	leave();
	return bad;
}

static size_t
fake_set_many(struct csa_kv *kv, const struct csa_kv_item *item, size_t n)
{
	size_t	 bad = n;

	(void)kv;
	enter(n > 0 ? item[n - 1].key : NULL);
	fake.sets += (unsigned)n;
	if (n > 0)
		fake.ttl = item[n - 1].ttl;
	if (!fake.no_set)
		bad = fake.mem->ops->set_many(fake.mem, item, n);
	leave();
	return bad;
}

static int
fake_ping(struct csa_kv *kv)
{
	(void)kv;
	return 0;
}

static void
fake_close(struct csa_kv *kv)
{
	(void)kv;
}

static const struct csa_kv_ops fake_ops = {
	.name = "fake", .get = fake_get, .set = fake_set, .add = fake_add,
	.del = fake_del, .get_many = fake_get_many, .set_many = fake_set_many,
	.ping = fake_ping, .close = fake_close,
};

static struct csa_kv *
hand_out(void *arg)
{
	return arg;
}

void
fake_setup(void)
{
	struct csa_err	 err;

	csa_log_open("test", "/dev/null", CSA_ERROR);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	memset(&fake, 0, sizeof(fake));
	fake.kv.ops = &fake_ops;
	fake.mem = csa_kv_mem_open();
	ck_assert_int_eq(pthread_mutex_init(&fake.lock, NULL), 0);
	memset(&config, 0, sizeof(config));
	config.memcached_timeout_ms = 50;
	config.cache_budget_ms = 100;
	pool = csa_kv_pool_of(hand_out, &fake.kv);
	cache = csa_cache_new(pool, &config);
	other = csa_cache_new(pool, &config);
	spent = 0;
	/* Only what is about the budget is bound by it. */
	ctx = (struct csa_ctx){ .arena = csa_arena_new(),
	    .deadline = csa_now_ms() + 60000 };
}

void
fake_teardown(void)
{
	csa_cache_free(other);
	csa_cache_free(cache);
	csa_kv_pool_free(pool);
	csa_arena_free(ctx.arena);
	fake.mem->ops->close(fake.mem);
	pthread_mutex_destroy(&fake.lock);
	csa_metrics_close();
}

struct csa_cache_key
key_of(enum csa_cache_kind kind, const char *s)
{
	struct csa_cache_key	 key;
	struct csa_buf		 b;

	csa_key_begin(&b, kind);
	csa_key_str(&b, s);
	csa_key_end(&b, kind, &key);
	return key;
}

uint64_t
counted(const char *labels)
{
	return csa_metric_value(CSA_M_cache_requests, labels);
}
