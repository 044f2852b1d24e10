#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/cache/cache.h"
#include "lib/rag/retrieve_cache.h"
#include "lib/text/utf8.h"

/*
 * Seconds that nothing is remembered.  A question of a bot without documents is
 * often asked again right after they were stored elsewhere.
 */
#define NOTHING_S	60

/* ---- the question ---- */

/* What is nothing but does not part words either is no white space. */
static bool
is_space(uint32_t cp)
{
	return csa_utf8_space(cp) && cp != 0x200b && cp != 0x2060 &&
	    cp != 0xfeff;
}

/* Copies s to out, if that is not NULL.  Is anything left out or changed? */
static bool
squeeze(const char *s, size_t len, char *out)
{
	bool	 pending = false, changed = false;
	size_t	 n = 0, k;
	uint32_t cp;

	for (size_t i = 0; i < len; i += k) {
		k = csa_utf8_decode(s + i, len - i, &cp);
		if (is_space(cp)) {
			changed = changed || pending || n == 0 || cp != ' ';
			pending = true;
			continue;
		}
		if (pending && n > 0) {
			if (out != NULL)
				out[n] = ' ';
			n++;
		}
		pending = false;
		if (out != NULL)
			memcpy(out + n, s + i, k);
		n += k;
	}
	if (out != NULL)
		out[n] = '\0';
	return changed || pending;
}

const char *
csa_question(struct csa_arena *arena, const char *s)
{
	size_t	 n = strlen(s);
	char	*out;

	if (!squeeze(s, n, NULL))
		return s;
	out = csa_arena_alloc(arena, n + 1);
	(void)squeeze(s, n, out);
	return out;
}

/* ---- the state of the documents ---- */

int
csa_rag_generation(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, struct csa_generation *g)
{
	struct csa_err	 err;
	uint64_t	 store = 0;

	memset(g, 0, sizeof(*g));
	if (rag->cache == NULL)
		return 0;
	if (rag->store->ops->generation(rag->store, ctx, scope, &store,
	    &err) == -1) {
		csa_debug("no cache for this question: %s: %s", err.msg,
		    err.detail);
		return 0;
	}
	if (csa_generation_get(rag->cache, ctx, scope, store, g) == 1)
		return 1;
	memset(g, 0, sizeof(*g));
	g->store = store;
	return 0;
}

/*
 * A clock that is a little wrong, here or where the change was made, is as good
 * as none; one that is an hour ahead would end keeping for as long.
 */
static bool
is_recent(int64_t when)
{
	int64_t	 age = csa_wall_ms() - when;

	return age < CSA_SETTLE_MS && age > -3600000;
}

bool
csa_rag_may_keep(const struct csa_rag *rag, const struct csa_generation *g)
{
	if (g->token[0] == '\0')
		return false;
	if (rag->vectors == NULL || !rag->vectors->remote)
		return true;
	/* This host's own changes are known before the token is read again. */
	return !is_recent(g->changed) && !is_recent((int64_t)g->store);
}

/* ---- the key ---- */

static void
space_key(struct csa_buf *b, const struct csa_space *s)
{
	csa_key_str(b, s->embedding_url);
	csa_key_str(b, s->query_model);
	csa_key_str(b, s->query_prefix);
	csa_key_str(b, s->passage_prefix);
	csa_key_str(b, s->query_body);
	csa_key_str(b, s->passage_body);
	csa_key_str(b, s->index);
	csa_key_str(b, s->index_host);
	csa_key_str(b, s->controller);
}

void
csa_rag_key(struct csa_buf *b, const struct csa_rag *rag)
{
	bool	 vectors = rag->embedder != NULL && rag->vectors != NULL;

	csa_key_int(b, CSA_RETRIEVE_VERSION);
	csa_key_int(b, vectors);
	if (!vectors)
		return;
	csa_key_dbl(b, rag->text_weight);
	csa_key_str(b, rag->embedder->name);
	csa_key_str(b, rag->embedder->model);
	csa_key_str(b, rag->vectors->name);
	space_key(b, &rag->space);
}

void
csa_lookup_key(const struct csa_rag *rag, const struct csa_scope *scope,
    const struct csa_generation *g, const char *question, size_t k,
    struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, CSA_CACHE_RETRIEVAL);
	csa_generation_key(&b, scope, g);
	csa_rag_key(&b, rag);
	csa_key_int(&b, (int64_t)k);
	csa_key_str(&b, question);
	csa_key_end(&b, CSA_CACHE_RETRIEVAL, key);
}

/* ---- finding and keeping ---- */

/* Give the passages their texts as they are now: 1, or 0 where one is gone. */
static int
complete(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, struct csa_found *found)
{
	const char	**ids;
	struct csa_chunk *chunks;
	struct csa_err	 err;
	size_t		 n = 0;

	ids = csa_arena_array(ctx->arena, found->n, const char *);
	chunks = csa_arena_array(ctx->arena, found->n, struct csa_chunk);
	for (size_t i = 0; i < found->n; i++)
		if (!found->elsewhere[i])
			ids[n++] = found->passages[i].chunk.id;
	if (n > 0 && rag->store->ops->chunks(rag->store, ctx, scope, ids, n,
	    chunks, &err) == -1)
		return 0;
	n = 0;
	for (size_t i = 0; i < found->n; i++) {
		if (found->elsewhere[i])
			continue;
		if (chunks[n].id == NULL)
			return 0;
		found->passages[i].chunk = chunks[n++];
	}
	return 1;
}

static int
read_found(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_cached *got, size_t k,
    struct csa_found *found)
{
	const uint32_t	*of;

	if (csa_found_decode(ctx->arena, got->data, got->len, k, found,
	    &of) == 0 || complete(rag, ctx, scope, found) == 0) {
		memset(found, 0, sizeof(*found));
		return 0;
	}
	for (size_t i = 0; i < found->text.nhits; i++)
		found->text.hits[i].chunk = found->passages[of[i]].chunk;
	found->cached = true;
	return 1;
}

/* At least the question was not embedded again. */
static void
count_saved(const struct csa_embedder *e, const char *question)
{
	long	 tokens = (long)csa_tokens_estimate(question,
		    strlen(question));

	csa_cache_saved(CSA_CACHE_RETRIEVAL, csa_embed_price(e,
	    CSA_EMBED_QUERY, tokens), tokens);
}

int
csa_lookup_find(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_lookup *l, struct csa_found *found)
{
	struct csa_generation	 g;
	struct csa_cached	 got;

	l->may_keep = false;
	if (rag->cache == NULL || rag->retrieval_ttl == 0 ||
	    !csa_cache_is_on(rag->cache))
		return 0;
	if (rag->generation != NULL)
		g = *rag->generation;
	else
		(void)csa_rag_generation(rag, ctx, scope, &g);
	if (g.token[0] == '\0')
		return 0;
	csa_lookup_key(rag, scope, &g, question, k, &l->key);
	if (csa_cache_get(rag->cache, ctx, &l->key, &got) == 1 &&
	    read_found(rag, ctx, scope, &got, k, found) == 1) {
		if (rag->embedder != NULL)
			count_saved(rag->embedder, question);
		return 1;
	}
	l->may_keep = csa_rag_may_keep(rag, &g);
	return 0;
}

void
csa_lookup_keep(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_lookup *l, const struct csa_found *found)
{
	uint32_t	 ttl = rag->retrieval_ttl;
	struct csa_buf	 b;

	if (!l->may_keep || found->degraded != NULL)
		return;
	csa_buf_init(&b, 1 << 20);
	csa_found_encode(&b, found);
	if (found->n == 0 && ttl > NOTHING_S)
		ttl = NOTHING_S;
	if (!b.failed)
		csa_cache_put(rag->cache, ctx, &l->key, b.data, b.len, ttl);
	csa_buf_fini(&b);
}
