#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/config/config.h"
#include "lib/provider/cached.h"

#define MAX_DIM		65536

void
csa_embed_space(const struct csa_embedder *e, const struct csa_config *c,
    enum csa_embed_kind kind, struct csa_digest *out)
{
	bool			 query = kind == CSA_EMBED_QUERY;
	struct csa_cache_key	 key;
	struct csa_buf		 b;

	csa_key_begin(&b, CSA_CACHE_EMBEDDING);
	csa_key_str(&b, e->name);
	csa_key_str(&b, e->model);
	csa_key_str(&b, c->embedding_model_name);
	csa_key_int(&b, c->embedding_dimensions);
	if (strcmp(e->name, "gemini") == 0) {
		csa_key_str(&b, c->google_gemini_base_url);
		csa_key_str(&b, c->gemini_api_version);
	} else {
		csa_key_str(&b, c->openai_embedding_base_url);
		csa_key_str(&b, c->openai_base_url);
	}
	csa_key_str(&b, query ? "query" : "passage");
	csa_key_str(&b, query ? c->embedding_query_model : "");
	csa_key_str(&b, query ? c->embedding_query_prefix :
	    c->embedding_passage_prefix);
	csa_key_str(&b, query ? c->embedding_query_body :
	    c->embedding_passage_body);
	csa_key_end(&b, CSA_CACHE_EMBEDDING, &key);
	*out = key.digest;
}

void
csa_embed_key(const struct csa_digest *space, const struct csa_text *t,
    struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, CSA_CACHE_EMBEDDING);
	csa_key_bytes(&b, space->b, sizeof(space->b));
	csa_key_bytes(&b, t->s, t->n);
	csa_key_end(&b, CSA_CACHE_EMBEDDING, key);
}

static void
put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[1] << 8 | p[0];
}

void
csa_embed_pack(struct csa_buf *b, const float *f, size_t dim)
{
	uint8_t		*p;
	uint32_t	 bits;

	_Static_assert(sizeof(*f) == sizeof(bits), "a float is four bytes");
	if (dim > MAX_DIM || csa_buf_reserve(b, 4 + 4 * dim) == -1) {
		b->failed = true;
		return;
	}
	p = (uint8_t *)b->data + b->len;
	put32(p, (uint32_t)dim);
	for (size_t i = 0; i < dim; i++) {
		memcpy(&bits, &f[i], sizeof(bits));
		put32(p + 4 + 4 * i, bits);
	}
	b->len += 4 + 4 * dim;
	b->data[b->len] = '\0';
}

int
csa_embed_unpack(struct csa_arena *a, const void *data, size_t n,
    struct csa_vec *v)
{
	const uint8_t	*p = data;
	size_t		 dim;
	uint32_t	 bits;
	bool		 length = false;
	float		*f;

	if (n < 4 || (dim = get32(p)) == 0 || dim > MAX_DIM ||
	    n != 4 + 4 * dim)
		return -1;
	f = csa_arena_alloc(a, dim * sizeof(*f));
	for (size_t i = 0; i < dim; i++) {
		bits = get32(p + 4 + 4 * i);
		memcpy(&f[i], &bits, sizeof(bits));
		if (!isfinite(f[i]))
			return -1;
		length |= (bits & 0x7fffffff) != 0;
	}
	if (!length)
		return -1;
	*v = (struct csa_vec){ .f = f, .dim = dim };
	return 0;
}

/*
 * After the four zeros: seconds, four bytes, and the names of code and source, for
 * the numbers of both may be others in the next version.
 */
void
csa_embed_pack_failure(struct csa_buf *b, const struct csa_err *err)
{
	const char	*code = csa_errinfo(err->code)->code;
	const char	*source = csa_source_name(err->source);
	uint8_t		 head[8] = { 0 };

	put32(head + 4, (uint32_t)err->retry_after);
	csa_buf_add(b, head, sizeof(head));
	csa_buf_add(b, code, strlen(code) + 1);
	csa_buf_add(b, source, strlen(source) + 1);
}

static enum csa_source
source_named(const char *name)
{
	for (int i = 0; i < CSA_SRC__MAX; i++)
		if (strcmp(csa_source_name((enum csa_source)i), name) == 0)
			return (enum csa_source)i;
	return CSA_SRC_AGENT;
}

int
csa_embed_unpack_failure(const void *data, size_t n, struct csa_err *err)
{
	const char	*s = data, *source;
	uint32_t	 after;

	if (n < 10 || get32(data) != 0 || s[n - 1] != '\0' ||
	    (source = memchr(s + 8, '\0', n - 9)) == NULL)
		return 0;
	for (int i = CSA_OK + 1; i < CSA_ERR__MAX; i++) {
		if (strcmp(csa_errinfo((enum csa_errcode)i)->code, s + 8) != 0)
			continue;
		csa_fail(err, (enum csa_errcode)i, source_named(source + 1),
		    NULL);
		csa_fail_detail(err, "embeddings: of another request that "
		    "asked the same");
		after = get32((const uint8_t *)data + 4);
		err->retry_after = after <= 86400 ? (int)after : 0;
		return 1;
	}
	return 0;
}
