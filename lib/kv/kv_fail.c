#include "config.h"

#include "lib/kv/kv.h"

/* Nothing in it to fail by accident. */

static int
fail_get(struct csa_kv *kv, const char *key, void **val, size_t *len)
{
	(void)kv;
	(void)key;
	*val = NULL;
	*len = 0;
	return -1;
}

static int
fail_store(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	(void)kv;
	(void)key;
	(void)val;
	(void)len;
	(void)ttl;
	return -1;
}

static int
fail_del(struct csa_kv *kv, const char *key)
{
	(void)kv;
	(void)key;
	return -1;
}

static size_t
fail_get_many(struct csa_kv *kv, const char *const *key, size_t n,
    void (*found)(void *, size_t, const void *, size_t), void *arg)
{
	(void)kv;
	(void)key;
	(void)found;
	(void)arg;
	return n;
}

static size_t
fail_set_many(struct csa_kv *kv, const struct csa_kv_item *item, size_t n)
{
	(void)kv;
	(void)item;
	return n;
}

static int
fail_ping(struct csa_kv *kv)
{
	(void)kv;
	return -1;
}

static void
fail_close(struct csa_kv *kv)
{
	(void)kv;
}

static const struct csa_kv_ops	 fail_ops = {
	.name = "fail",
	.get = fail_get,
	.set = fail_store,
	.add = fail_store,
	.del = fail_del,
	.get_many = fail_get_many,
	.set_many = fail_set_many,
	.ping = fail_ping,
	.close = fail_close,
};

struct csa_kv *
csa_kv_fail_open(void)
{
	static struct csa_kv	 kv = { &fail_ops };

	return &kv;
}
