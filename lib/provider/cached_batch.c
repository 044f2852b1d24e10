#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/provider/cached.h"
#include "lib/text/utf8.h"

/* ---- one of each ---- */

static size_t
place(const struct csa_cache_key *key, size_t size)
{
	size_t	 h;

	memcpy(&h, key->digest.b, sizeof(h));
	return h & (size - 1);
}

void
csa_embed_sort_out(struct csa_embed_batch *b, const struct csa_digest *space,
    const struct csa_text *texts)
{
	struct csa_arena	*a = b->ctx->arena;
	size_t			 size = 2, at, *table;
	struct csa_cache_key	*key;

	while (size < 2 * b->n)
		size *= 2;
	table = csa_arena_array(a, size, size_t);	/* item + 1 */
	b->of = csa_arena_array(a, b->n, size_t);
	b->items = csa_arena_array(a, b->n, struct csa_embed_item);
	b->keys = csa_arena_array(a, b->n, struct csa_cache_key);
	for (size_t i = 0; i < b->n; i++) {
		key = &b->keys[b->nitems];
		csa_embed_key(space, &texts[i], key);
		at = place(key, size);
		while (table[at] != 0 && !csa_digest_eq(&key->digest,
		    &b->keys[table[at] - 1].digest))
			at = (at + 1) & (size - 1);
		if (table[at] == 0) {
			b->items[b->nitems].text = &texts[i];
			table[at] = ++b->nitems;
		}
		b->of[i] = table[at] - 1;
	}
}

/* ---- what is known already ---- */

bool
csa_embed_agree(const struct csa_embed_batch *b)
{
	size_t	 dim = 0;

	for (size_t i = 0; i < b->nitems; i++) {
		if (b->items[i].vec.dim == 0)
			continue;
		if (dim != 0 && b->items[i].vec.dim != dim)
			return false;
		dim = b->items[i].vec.dim;
	}
	return true;
}

void
csa_embed_forget(struct csa_embed_batch *b)
{
	for (size_t i = 0; i < b->nitems; i++)
		if (!b->items[i].fresh)
			memset(&b->items[i].vec, 0, sizeof(struct csa_vec));
}

int
csa_embed_use(const struct csa_embed_batch *b, struct csa_embed_item *item,
    const struct csa_cached *c)
{
	struct csa_vec	 v;

	if (csa_embed_unpack(b->ctx->arena, c->data, c->len, &v) == -1 ||
	    (b->dim != 0 && v.dim != b->dim))
		return 0;
	item->vec = v;
	return 1;
}

void
csa_embed_saved(const struct csa_embed_batch *b)
{
	const struct csa_embed_item	*item;
	long				 tokens = 0;

	for (size_t i = 0; i < b->nitems; i++) {
		item = &b->items[i];
		if (item->vec.dim != 0 && !item->fresh)
			tokens += (long)csa_tokens_estimate(item->text->s,
			    item->text->n);
	}
	csa_cache_saved(CSA_CACHE_EMBEDDING,
	    csa_embed_price(b->embedder, b->kind, tokens), tokens);
}

void
csa_embed_look_up(struct csa_embed_batch *b, struct csa_cache *cache)
{
	struct csa_cached	*got;

	if (b->ttl == 0)
		return;
	got = csa_arena_array(b->ctx->arena, b->nitems, struct csa_cached);
	if (csa_cache_get_many(cache, b->ctx, b->keys, b->nitems, got) == 0)
		return;
	for (size_t i = 0; i < b->nitems; i++)
		if (got[i].data != NULL)
			(void)csa_embed_use(b, &b->items[i], &got[i]);
	if (!csa_embed_agree(b))
		csa_embed_forget(b);
	csa_embed_saved(b);
}

/* ---- what is new ---- */

void
csa_embed_item_pack(const struct csa_embed_batch *b,
    struct csa_embed_item *item, struct csa_buf *out)
{
	csa_embed_pack(out, csa_vec_floats(b->ctx->arena, &item->vec, 0),
	    item->vec.dim);
}

void
csa_embed_keep(struct csa_embed_batch *b, struct csa_cache *cache)
{
	struct csa_arena	*a = b->ctx->arena;
	struct csa_cache_key	*keys;
	struct csa_cached	*values;
	struct csa_buf		 all;
	size_t			 n = 0, *at;

	if (b->ttl == 0 || !csa_cache_is_on(cache))
		return;
	keys = csa_arena_array(a, b->nitems, struct csa_cache_key);
	values = csa_arena_array(a, b->nitems, struct csa_cached);
	at = csa_arena_array(a, b->nitems, size_t);
	csa_buf_init(&all, SIZE_MAX / 2);
	for (size_t i = 0; i < b->nitems; i++) {
		if (!b->items[i].fresh)
			continue;
		at[n] = all.len;
		csa_embed_item_pack(b, &b->items[i], &all);
		values[n].len = all.len - at[n];
		keys[n++] = b->keys[i];
	}
	for (size_t i = 0; i < n; i++)
		values[i].data = all.data + at[i];
	if (n > 0 && !all.failed)
		csa_cache_put_many(cache, b->ctx, keys, values, n, b->ttl);
	csa_buf_fini(&all);
}
