#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/kv/kv.h"

#define BUCKETS		1024
#define ENTRIES		65536	/* then the next one empties its bucket */

struct entry {
	struct entry	*next;
	char		*key;
	void		*val;
	size_t		 len;
	int64_t		 until;		/* csa_now_ms() time, 0: for ever */
};

struct kv_mem {
	struct csa_kv	 kv;		/* first: a csa_kv * is also ours */
	struct entry	*bucket[BUCKETS];
	size_t		 n;
};

/* FNV-1a */
static struct entry **
bucket(struct kv_mem *m, const char *key)
{
	uint32_t	 h = 0x811c9dc5;

	for (; *key != '\0'; key++)
		h = (h ^ (unsigned char)*key) * 0x01000193;
	return &m->bucket[h % BUCKETS];
}

static void
drop(struct kv_mem *m, struct entry **at)
{
	struct entry	*e = *at;

	*at = e->next;
	free(e->key);
	free(e->val);
	free(e);
	m->n--;
}

/* Where key's entry is linked, or NULL; one that has run out goes. */
static struct entry **
find(struct kv_mem *m, const char *key)
{
	struct entry	**at = bucket(m, key);

	for (; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->key, key) == 0) {
			if ((*at)->until == 0 || (*at)->until > csa_now_ms())
				return at;
			drop(m, at);
			return NULL;
		}
	return NULL;
}

static int
mem_get(struct csa_kv *kv, const char *key, void **val, size_t *len)
{
	struct kv_mem	*m = (struct kv_mem *)kv;
	struct entry	**at;

	*val = NULL;
	*len = 0;
	if (!csa_kv_key_good(key))
		return -1;
	if ((at = find(m, key)) == NULL)
		return 0;
	*len = (*at)->len;
	*val = csa_malloc(*len);
	memcpy(*val, (*at)->val, *len);
	return 1;
}

static int
mem_set(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	struct kv_mem	*m = (struct kv_mem *)kv;
	struct entry	*e, **at;

	if (!csa_kv_key_good(key) || len > CSA_KV_VALMAX)
		return -1;
	if ((at = find(m, key)) != NULL)
		drop(m, at);
	at = bucket(m, key);
	while (m->n >= ENTRIES && *at != NULL)
		drop(m, at);
	e = csa_new(struct entry);
	e->key = csa_strdup(key);
	e->val = csa_malloc(len);
	if (len > 0)
		memcpy(e->val, val, len);
	e->len = len;
	e->until = ttl > 0 ? csa_now_ms() + (int64_t)ttl * 1000 : 0;
	e->next = *at;
	*at = e;
	m->n++;
	return 0;
}

static int
mem_add(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	if (!csa_kv_key_good(key) || len > CSA_KV_VALMAX)
		return -1;
	if (find((struct kv_mem *)kv, key) != NULL)
		return 1;
	return mem_set(kv, key, val, len, ttl);
}

static int
mem_del(struct csa_kv *kv, const char *key)
{
	struct kv_mem	*m = (struct kv_mem *)kv;
	struct entry	**at;

	if (!csa_kv_key_good(key))
		return -1;
	if ((at = find(m, key)) == NULL)
		return 0;
	drop(m, at);
	return 1;
}

static size_t
mem_get_many(struct csa_kv *kv, const char *const *key, size_t n,
    void (*found)(void *, size_t, const void *, size_t), void *arg)
{
	size_t		 bad = 0;
	struct entry	**at;

	for (size_t i = 0; i < n; i++) {
		if (!csa_kv_key_good(key[i]))
			bad++;
		else if ((at = find((struct kv_mem *)kv, key[i])) != NULL)
			found(arg, i, (*at)->val, (*at)->len);
	}
	return bad;
}

static size_t
mem_set_many(struct csa_kv *kv, const struct csa_kv_item *item, size_t n)
{
	size_t	 bad = 0;

	for (size_t i = 0; i < n; i++)
		if (mem_set(kv, item[i].key, item[i].val, item[i].len,
		    item[i].ttl) == -1)
			bad++;
	return bad;
}

static int
mem_ping(struct csa_kv *kv)
{
	(void)kv;
	return 0;
}

static void
mem_close(struct csa_kv *kv)
{
	struct kv_mem	*m = (struct kv_mem *)kv;

	for (size_t i = 0; i < BUCKETS; i++)
		while (m->bucket[i] != NULL)
			drop(m, &m->bucket[i]);
	free(m);
}

static const struct csa_kv_ops	 mem_ops = {
	.name = "mem",
	.get = mem_get,
	.set = mem_set,
	.add = mem_add,
	.del = mem_del,
	.get_many = mem_get_many,
	.set_many = mem_set_many,
	.ping = mem_ping,
	.close = mem_close,
};

struct csa_kv *
csa_kv_mem_open(void)
{
	struct kv_mem	*m = csa_new(struct kv_mem);

	m->kv.ops = &mem_ops;
	return &m->kv;
}
