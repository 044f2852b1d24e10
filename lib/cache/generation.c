#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/cache/cache_internal.h"
#include "lib/cache/generation.h"

#define MEMO		4096	/* tokens that a process remembers */
#define PROBES		8	/* places where one may be */
#define UNTOLD		4096	/* changes that memcached was not told of, */
#define RETRIES		16	/* and how many of them one request tells */

/* In memcached, eight bytes little end first at last. */
#define VALUE		(32 + 8)

struct memo {
	struct csa_digest	 key;
	int64_t			 until;		/* csa_now_ms() time; 0: free */
	int64_t			 changed;
	char			 token[33];
};

struct untold {
	struct csa_cache_key	 key;
	uint64_t		 turn;		/* of the last such change */
};

struct csa_tokens {
	pthread_mutex_t	 lock;		/* over all of it; never held long */
	struct memo	*memo;
	uint64_t	 turn;		/* rises with each change */
	struct untold	*untold;
	size_t		 nuntold, room;
	size_t		 at;		/* whose turn it is to be told again */
};

struct csa_tokens *
csa_tokens_new(void)
{
	struct csa_tokens	*t = csa_new(struct csa_tokens);

	CSA_MUST(pthread_mutex_init(&t->lock, NULL) == 0);
	/* Pages of it that are not used cost nothing. */
	t->memo = csa_new_array(MEMO, struct memo);
	return t;
}

void
csa_tokens_free(struct csa_tokens *t)
{
	if (t == NULL)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t->memo);
	free(t->untold);
	free(t);
}

static void
lock(struct csa_tokens *t)
{
	CSA_MUST(pthread_mutex_lock(&t->lock) == 0);
}

static void
unlock(struct csa_tokens *t)
{
	CSA_MUST(pthread_mutex_unlock(&t->lock) == 0);
}

/* ---- what this process has read of late; under the lock ---- */

/* Where key is, or else the place that it may best have. */
static struct memo *
place(struct csa_tokens *t, const struct csa_digest *key)
{
	struct memo	*m, *best = NULL;
	uint32_t	 h;

	memcpy(&h, key->b, sizeof(h));
	for (uint32_t i = 0; i < PROBES; i++) {
		m = &t->memo[(h + i) % MEMO];
		if (m->until != 0 && csa_digest_eq(&m->key, key))
			return m;
		if (best == NULL || m->until < best->until)
			best = m;
	}
	return best;
}

static void
remember(struct csa_tokens *t, const struct csa_digest *key, int64_t since,
    const struct csa_generation *g)
{
	struct memo	*m = place(t, key);

	m->key = *key;
	m->until = since + CSA_TOKEN_MS;
	m->changed = g->changed;
	memcpy(m->token, g->token, sizeof(m->token));
}

static void
forget(struct csa_tokens *t, const struct csa_digest *key)
{
	struct memo	*m = place(t, key);

	if (m->until != 0 && csa_digest_eq(&m->key, key))
		m->until = 0;
}

static bool
remembered(struct csa_tokens *t, const struct csa_digest *key, int64_t now,
    struct csa_generation *g)
{
	const struct memo	*m = place(t, key);

	if (m->until <= now || !csa_digest_eq(&m->key, key))
		return false;
	g->changed = m->changed;
	memcpy(g->token, m->token, sizeof(g->token));
	return true;
}

/* ---- tokens in memcached ---- */

static void
token_key(const struct csa_scope *scope, struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, CSA_CACHE_GENERATION);
	csa_key_str(&b, scope->tenant);
	csa_key_str(&b, scope->bot);
	csa_key_end(&b, CSA_CACHE_GENERATION, key);
}

static void
make_token(struct csa_generation *g, uint8_t value[VALUE])
{
	csa_random_id(g->token);
	g->changed = csa_wall_ms();
	memcpy(value, g->token, 32);
	for (int i = 0; i < 8; i++)
		value[32 + i] = (uint8_t)((uint64_t)g->changed >> (8 * i));
}

/* 1 with token and time; 0: there is none, or none of ours; -1: failed. */
static int
read_token(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, struct csa_generation *g)
{
	struct csa_cached	 got;
	const uint8_t		*p;
	uint64_t		 when = 0;
	uint8_t			 bytes[16];
	int			 rc = csa_cache_look(c, ctx, key, &got);

	if (rc != 1)
		return rc;
	if (got.len != VALUE)
		return 0;
	p = got.data;
	memcpy(g->token, p, 32);
	g->token[32] = '\0';
	if (csa_unhex(g->token, bytes, sizeof(bytes)) == -1)
		return 0;
	for (int i = 8; i-- > 0;)
		when = when << 8 | p[32 + i];
	g->changed = (int64_t)when;
	return 1;
}

/* Returns as read_token, but never 0. */
static int
read_or_make(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key, struct csa_generation *g)
{
	uint8_t	 value[VALUE];
	int	 rc = read_token(c, ctx, key, g);

	if (rc != 0)
		return rc;
	make_token(g, value);
	rc = csa_cache_claim(c, ctx, key, value, sizeof(value), 0);
	if (rc != 1)
		return rc == 0 ? 1 : -1;
	/* Somebody was faster: his holds. */
	if ((rc = read_token(c, ctx, key, g)) != 0)
		return rc;
	/* What stands there is nobody's. */
	make_token(g, value);
	if (csa_cache_keep(c, ctx, key, value, sizeof(value), 0) == -1)
		return -1;
	return read_token(c, ctx, key, g) == 1 ? 1 : -1;
}

/* ---- changes ---- */

/* Under the lock: memcached is to be told of it later. */
static void
note(struct csa_tokens *t, const struct csa_cache_key *key, uint64_t turn)
{
	for (size_t i = 0; i < t->nuntold; i++)
		if (csa_digest_eq(&t->untold[i].key.digest, &key->digest)) {
			if (t->untold[i].turn < turn)
				t->untold[i].turn = turn;
			return;
		}
	if (t->nuntold == UNTOLD) {
		csa_error("memcached was not told of too many changes: one is "
		    "given up, other hosts may find what is old");
		return;
	}
	if (t->nuntold == t->room) {
		t->room = t->room * 2 + 8;
		t->untold = csa_realloc(t->untold, t->room,
		    sizeof(*t->untold));
	}
	t->untold[t->nuntold++] = (struct untold){ *key, turn };
}

/* Under the lock: memcached knows of all changes up to this turn. */
static void
strike(struct csa_tokens *t, const struct csa_cache_key *key, uint64_t turn)
{
	for (size_t i = 0; i < t->nuntold; i++) {
		if (!csa_digest_eq(&t->untold[i].key.digest, &key->digest))
			continue;
		if (t->untold[i].turn <= turn)
			t->untold[i] = t->untold[--t->nuntold];
		return;
	}
}

/* Give the bot a new token, which tells of all changes up to this turn. */
static int
tell(struct csa_cache *c, struct csa_ctx *ctx, const struct csa_cache_key *key,
    uint64_t turn)
{
	struct csa_tokens	*t = c->tokens;
	struct csa_generation	 g;
	uint8_t			 value[VALUE];
	int64_t			 since = csa_now_ms();
	int			 rc;

	make_token(&g, value);
	rc = csa_cache_keep(c, ctx, key, value, sizeof(value), 0);
	lock(t);
	if (rc == 0) {
		strike(t, key, turn);
		/* Another change may have been faster. */
		if (t->turn == turn)
			remember(t, &key->digest, since, &g);
		else
			forget(t, &key->digest);
	} else {
		note(t, key, turn);
		forget(t, &key->digest);
	}
	unlock(t);
	return rc;
}

/*
 * Tell of some changes that could not be told, those of first before all.
 * False: first's still cannot be.
 */
static bool
tell_again(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *first)
{
	struct csa_tokens	*t = c->tokens;
	struct csa_cache_key	 keys[RETRIES + 1];
	uint64_t		 turn;
	size_t			 n = 0;
	bool			 all_right = true;

	lock(t);
	if (t->nuntold == 0) {
		unlock(t);
		return true;
	}
	turn = t->turn;
	for (size_t i = 0; i < t->nuntold && n == 0; i++)
		if (csa_digest_eq(&t->untold[i].key.digest, &first->digest))
			keys[n++] = *first;
	for (size_t i = 0; i < RETRIES && i < t->nuntold; i++) {
		t->at = (t->at + 1) % t->nuntold;
		if (!csa_digest_eq(&t->untold[t->at].key.digest,
		    &first->digest))
			keys[n++] = t->untold[t->at].key;
	}
	unlock(t);
	for (size_t i = 0; i < n; i++)
		if (tell(c, ctx, &keys[i], turn) == -1 &&
		    csa_digest_eq(&keys[i].digest, &first->digest))
			all_right = false;
	return all_right;
}

void
csa_generation_bump(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_scope *scope)
{
	struct csa_cache_key	 key;
	struct csa_ctx		 unbound = *ctx;
	uint64_t		 turn;

	if (c->pool == NULL)
		return;
	token_key(scope, &key);
	lock(c->tokens);
	turn = ++c->tokens->turn;
	unlock(c->tokens);
	/* However little time is left for caches: others rely on it. */
	unbound.spent = NULL;
	if (tell(c, &unbound, &key, turn) == 0)
		(void)tell_again(c, ctx, &key);
	else
		csa_warn("memcached was not told that a bot's documents have "
		    "changed: until it is, other hosts may find what is old");
}

int
csa_generation_get(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_scope *scope, uint64_t store, struct csa_generation *g)
{
	struct csa_tokens	*t = c->tokens;
	struct csa_cache_key	 key;
	int64_t			 since;
	uint64_t		 turn;
	bool			 known;

	memset(g, 0, sizeof(*g));
	g->store = store;
	if (c->pool == NULL)
		return 0;
	token_key(scope, &key);
	if (!tell_again(c, ctx, &key))
		return 0;
	since = csa_now_ms();
	lock(t);
	known = remembered(t, &key.digest, since, g);
	turn = t->turn;
	unlock(t);
	if (known)
		return 1;
	if (read_or_make(c, ctx, &key, g) == -1)
		return 0;
	lock(t);
	/* What was read before a change is not what holds after it. */
	if (t->turn == turn)
		remember(t, &key.digest, since, g);
	unlock(t);
	return 1;
}

void
csa_generation_key(struct csa_buf *b, const struct csa_scope *scope,
    const struct csa_generation *g)
{
	csa_key_str(b, scope->tenant);
	csa_key_str(b, scope->bot);
	csa_key_int(b, (int64_t)g->store);
	csa_key_str(b, g->token);
}
