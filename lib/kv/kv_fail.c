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
	.ping = fail_ping,
	.close = fail_close,
};

struct csa_kv *
csa_kv_fail_open(void)
{
	static struct csa_kv	 kv = { &fail_ops };

	return &kv;
}
