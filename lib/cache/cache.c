#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/cache/cache_internal.h"
#include "lib/cache/value.h"
#include "lib/config/config.h"
#include "lib/kv/kv_pool.h"
#include "lib/metrics/metrics.h"

#define GROUP		100		/* items put at once, */
#define GROUP_BYTES	(512 * 1024)	/* unless one alone is more */

struct csa_cache *
csa_cache_new(struct csa_kv_pool *pool, const struct csa_config *config)
{
	struct csa_cache	*c = csa_new(struct csa_cache);
	int64_t			 most = config->memcached_timeout_ms;

	c->pool = pool;
	c->budget_ns = (int64_t)config->cache_budget_ms * 1000000;
	/* However long one may take, there is time for two. */
	if (most > config->cache_budget_ms / 2)
		most = config->cache_budget_ms / 2;
	c->most_ns = most * 1000000;
	c->tokens = csa_tokens_new();
	c->board = csa_board_new(config->single_flight);
	return c;
}

void
csa_cache_free(struct csa_cache *c)
{
	if (c == NULL)
		return;
	csa_board_free(c->board);
	csa_tokens_free(c->tokens);
	free(c);
}

bool
csa_cache_is_on(const struct csa_cache *c)
{
	return c->pool != NULL;
}

/* ---- counting ---- */

static void
result(enum csa_cache_kind kind, const char *what, size_t n)
{
	char	 labels[40];

	if (n == 0)
		return;
	snprintf(labels, sizeof(labels), "%s|%s", csa_cache_label(kind), what);
	csa_count(CSA_M_cache_requests, labels, n);
}

static void
moved(enum csa_cache_kind kind, const char *direction, uint64_t n)
{
	char	 labels[40];

	if (n == 0)
		return;
	snprintf(labels, sizeof(labels), "%s|%s", csa_cache_label(kind),
	    direction);
	csa_count(CSA_M_cache_bytes, labels, n);
}

void
csa_cache_saved(enum csa_cache_kind kind, double usd, long tokens)
{
	if (usd > 0 && usd < 1e6)
		csa_count(CSA_M_cache_saved_usd, csa_cache_label(kind),
		    (uint64_t)llround(usd * 1e9));
	if (tokens > 0)
		csa_count(CSA_M_cache_saved_tokens, csa_cache_label(kind),
		    (uint64_t)tokens);
}

/* ---- one operation ---- */

struct op {
	struct csa_kv	*kv;
	int64_t		 began;		/* ns */
};

/*
 * False: the request has no time left for another one that takes as long as one
 * may.
 */
static bool
begin(struct csa_cache *c, const struct csa_ctx *ctx, struct op *op)
{
	if (ctx->spent != NULL && *ctx->spent + c->most_ns > c->budget_ns)
		return false;
	op->began = csa_now_ns();
	op->kv = csa_kv_take(c->pool);
	return true;
}

static void
end(struct csa_cache *c, struct csa_ctx *ctx, struct op *op, const char *what)
{
	int64_t	 took;

	csa_kv_give(c->pool, op->kv);
	took = csa_now_ns() - op->began;
	if (ctx->spent != NULL)
		*ctx->spent += took;
	csa_observe(CSA_M_cache_duration, what, (double)took / 1e9);
}

/* Into the arena what is in the envelope; false: it is odd. */
static bool
unpack(struct csa_ctx *ctx, const struct csa_cache_key *key, const void *val,
    size_t len, struct csa_cached *out)
{
	const void	*data;
	size_t		 n;
	char		*copy;

	if ((data = csa_value_unseal(key, val, len, &n)) == NULL)
		return false;
	copy = csa_arena_alloc(ctx->arena, n + 1);
	memcpy(copy, data, n);
	copy[n] = '\0';
	out->data = copy;
	out->len = n;
	return true;
}

static int
look(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, struct csa_cached *out, bool again)
{
	struct op	 op;
	void		*val;
	size_t		 len;
	int		 rc;

	out->data = NULL;
	out->len = 0;
	if (c->pool == NULL)
		return -1;
	if (!begin(c, ctx, &op)) {
		result(key->kind, "skipped", 1);
		return -1;
	}
	rc = op.kv->ops->get(op.kv, key->name, &val, &len);
	end(c, ctx, &op, "get");
	if (rc == 0 && again)
		return 0;
	if (rc != 1) {
		result(key->kind, rc == 0 ? "miss" : "error", 1);
		return rc;
	}
	rc = unpack(ctx, key, val, len, out) ? 1 : 0;
	free(val);
	result(key->kind, rc == 1 ? "hit" : "odd", 1);
	moved(key->kind, "read", len);
	return rc;
}

int
csa_cache_look(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, struct csa_cached *out)
{
	return look(c, ctx, key, out, false);
}

int
csa_cache_again(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, struct csa_cached *out)
{
	return look(c, ctx, key, out, true) == 1;
}

int
csa_cache_get(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, struct csa_cached *out)
{
	return csa_cache_look(c, ctx, key, out) == 1;
}

/* What set and add have in common. */
static int
store(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, const void *data, size_t n, uint32_t ttl,
    bool only_new)
{
	struct op	 op;
	uint8_t		*val;
	int		 rc;

	if (c->pool == NULL)
		return -1;
	if (n > CSA_VALUE_MAX) {
		result(key->kind, "large", 1);
		return -1;
	}
	if (!begin(c, ctx, &op)) {
		result(key->kind, "skipped", 1);
		return -1;
	}
	val = csa_malloc(n + CSA_VALUE_MORE);
	csa_value_seal(key, data, n, val);
	rc = (only_new ? op.kv->ops->add : op.kv->ops->set)(op.kv, key->name,
	    val, n + CSA_VALUE_MORE, ttl);
	end(c, ctx, &op, only_new ? "add" : "set");
	free(val);
	if (rc == -1)
		result(key->kind, "error", 1);
	else if (rc == 0)
		moved(key->kind, "written", n + CSA_VALUE_MORE);
	return rc;
}

int
csa_cache_keep(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, const void *data, size_t n, uint32_t ttl)
{
	return store(c, ctx, key, data, n, ttl, false);
}

int
csa_cache_claim(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, const void *data, size_t n, uint32_t ttl)
{
	return store(c, ctx, key, data, n, ttl, true);
}

int
csa_cache_drop(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key)
{
	struct op	 op;
	int		 rc;

	if (c->pool == NULL)
		return -1;
	if (!begin(c, ctx, &op)) {
		result(key->kind, "skipped", 1);
		return -1;
	}
	rc = op.kv->ops->del(op.kv, key->name);
	end(c, ctx, &op, "delete");
	if (rc == -1)
		result(key->kind, "error", 1);
	return rc;
}

/* A tenth more or less. */
static uint32_t
jittered(uint32_t ttl)
{
	uint32_t	 r;

	csa_random(&r, sizeof(r));
	return ttl - ttl / 10 + r % (ttl / 10 * 2 + 1);
}

void
csa_cache_put(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, const void *data, size_t n, uint32_t ttl)
{
	if (ttl > 0)
		(void)csa_cache_keep(c, ctx, key, data, n, jittered(ttl));
}

/* ---- many ---- */

struct looking {
	struct csa_ctx			*ctx;
	const struct csa_cache_key	*key;
	struct csa_cached		*out;
	size_t				 hit, odd;
	uint64_t			 bytes;
};

static void
found(void *arg, size_t i, const void *val, size_t len)
{
	struct looking	*l = arg;

	l->bytes += len;
	if (unpack(l->ctx, &l->key[i], val, len, &l->out[i]))
		l->hit++;
	else
		l->odd++;
}

size_t
csa_cache_get_many(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, size_t n, struct csa_cached *out)
{
	struct looking	 l = { .ctx = ctx, .key = key, .out = out };
	struct op	 op;
	const char	**names;
	size_t		 failed;

	memset(out, 0, n * sizeof(*out));
	if (c->pool == NULL || n == 0)
		return 0;
	if (!begin(c, ctx, &op)) {
		result(key->kind, "skipped", n);
		return 0;
	}
	names = csa_arena_array(ctx->arena, n, const char *);
	for (size_t i = 0; i < n; i++) {
		CSA_MUST(key[i].kind == key->kind);
		names[i] = key[i].name;
	}
	failed = op.kv->ops->get_many(op.kv, names, n, found, &l);
	end(c, ctx, &op, "get_many");
	CSA_MUST(l.hit + l.odd + failed <= n);
	result(key->kind, "hit", l.hit);
	result(key->kind, "odd", l.odd);
	result(key->kind, "error", failed);
	result(key->kind, "miss", n - l.hit - l.odd - failed);
	moved(key->kind, "read", l.bytes);
	return l.hit;
}

/* One of those that are put together. */
struct group {
	struct csa_kv_item	 item[GROUP];
	size_t			 n, bytes;
};

static void
put_group(struct csa_cache *c, struct csa_ctx *ctx, enum csa_cache_kind kind,
    struct group *g)
{
	struct op	 op;
	size_t		 failed;

	if (g->n == 0)
		return;
	if (!begin(c, ctx, &op))
		result(kind, "skipped", g->n);
	else {
		failed = op.kv->ops->set_many(op.kv, g->item, g->n);
		end(c, ctx, &op, "set_many");
		result(kind, "error", failed);
		if (failed == 0)
			moved(kind, "written", g->bytes);
	}
	g->n = g->bytes = 0;
}

void
csa_cache_put_many(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, const struct csa_cached *value, size_t n,
    uint32_t ttl)
{
	struct group	 g = { .n = 0 };
	size_t		 room = 0, size;
	char		*block = NULL;

	if (c->pool == NULL || ttl == 0 || n == 0)
		return;
	for (size_t i = 0; i < n && room < GROUP_BYTES; i++)
		room += value[i].len + CSA_VALUE_MORE;
	if (room > GROUP_BYTES)
		room = GROUP_BYTES;
	block = csa_malloc(room);
	for (size_t i = 0; i < n; i++) {
		if (value[i].len > CSA_VALUE_MAX) {
			result(key[i].kind, "large", 1);
			continue;
		}
		size = value[i].len + CSA_VALUE_MORE;
		if (g.n == GROUP || g.bytes + size > room) {
			put_group(c, ctx, key->kind, &g);
			if (size > room) {
				free(block);
				room = size;
				block = csa_malloc(room);
			}
		}
		csa_value_seal(&key[i], value[i].data, value[i].len,
		    block + g.bytes);
		g.item[g.n++] = (struct csa_kv_item){ key[i].name,
		    block + g.bytes, size, jittered(ttl) };
		g.bytes += size;
	}
	put_group(c, ctx, key->kind, &g);
	free(block);
}
