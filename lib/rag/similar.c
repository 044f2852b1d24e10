#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/provider/provider.h"
#include "lib/rag/paraphrase.h"
#include "lib/rag/rag.h"
#include "lib/rag/similar.h"
#include "lib/text/digest.h"
#include "lib/text/utf8.h"
#include "lib/text/vec.h"

#define FORMAT		1
#define RING_MAX	(512 * 1024)
#define DIM_MAX		65535
/* Between "csa:a:" and the end of a key's name is the digest in hex. */
#define NAME_HEAD	6

/* ---- bytes ---- */

static void
put16(struct csa_buf *b, size_t v)
{
	csa_buf_putc(b, (char)(v & 255));
	csa_buf_putc(b, (char)(v >> 8 & 255));
}

static size_t
get16(const uint8_t *p)
{
	return (size_t)p[0] | (size_t)p[1] << 8;
}

void
csa_similar_write(struct csa_buf *b, const struct csa_similar_ring *r)
{
	uint32_t	 bits;

	csa_buf_putc(b, 'S');
	csa_buf_putc(b, FORMAT);
	put16(b, r->dim);
	csa_buf_putc(b, (char)r->n);
	for (size_t i = 0; i < r->n; i++) {
		const struct csa_similar_entry	*e = &r->e[i];

		csa_buf_add(b, e->answer.b, sizeof(e->answer.b));
		memcpy(&bits, &e->scale, sizeof(bits));
		put16(b, bits & 0xffff);
		put16(b, bits >> 16);
		csa_buf_add(b, e->v, r->dim);
		put16(b, e->len);
		csa_buf_add(b, e->text, e->len);
	}
}

/* One entry at p; past it, or NULL. */
static const uint8_t *
read_entry(const uint8_t *p, const uint8_t *end, size_t dim,
    struct csa_similar_entry *e)
{
	uint32_t	 bits;

	if ((size_t)(end - p) < CSA_DIGEST + 4 + dim + 2)
		return NULL;
	memcpy(e->answer.b, p, CSA_DIGEST);
	p += CSA_DIGEST;
	bits = (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
	memcpy(&e->scale, &bits, sizeof(bits));
	e->v = (const int8_t *)(p + 4);
	p += 4 + dim;
	e->len = get16(p);
	e->text = (const char *)(p + 2);
	p += 2;
	if (!isfinite(e->scale) || e->scale <= 0 || e->scale > 1 ||
	    e->len > CSA_SIMILAR_BYTES || (size_t)(end - p) < e->len ||
	    !csa_utf8_valid(e->text, e->len, NULL))
		return NULL;
	return p + e->len;
}

int
csa_similar_read(const void *data, size_t n, struct csa_similar_ring *r)
{
	const uint8_t	*p = data, *end = p + n;

	if (n < 5 || p[0] != 'S' || p[1] != FORMAT || p[4] > CSA_SIMILAR_MAX)
		return -1;
	r->dim = get16(p + 2);
	r->n = p[4];
	p += 5;
	for (size_t i = 0; i < r->n; i++)
		if ((p = read_entry(p, end, r->dim, &r->e[i])) == NULL)
			return -1;
	return p == end && r->dim > 0 ? 0 : -1;
}

/* ---- vectors ---- */

float
csa_similar_pack(const float *unit, size_t dim, int8_t *out)
{
	float	 max = 0, scale;

	for (size_t i = 0; i < dim; i++)
		if (fabsf(unit[i]) > max)
			max = fabsf(unit[i]);
	scale = max / 127;
	for (size_t i = 0; i < dim; i++)
		out[i] = (int8_t)lrintf(unit[i] / scale);
	return scale;
}

double
csa_similar_cosine(const float *unit, size_t dim,
    const struct csa_similar_entry *e)
{
	float	 dot[4] = { 0 };
	size_t	 i;

	/* Four sums, so that they need not wait for each other. */
	for (i = 0; i + 4 <= dim; i += 4)
		for (size_t k = 0; k < 4; k++)
			dot[k] += unit[i + k] * (float)e->v[i + k];
	for (; i < dim; i++)
		dot[0] += unit[i] * (float)e->v[i];
	return (double)e->scale * ((double)dot[0] + (double)dot[1] +
	    (double)dot[2] + (double)dot[3]);
}

/*
 * The question's vector; what finds passages asks for it again, and gets it from
 * the embedding cache.  It may take no longer than it may there.
 */
static bool
embed(struct csa_similar *s, struct csa_ctx *ctx)
{
	struct csa_embedder	*e = s->rag->embedder;
	const char		*q = csa_question(ctx->arena, s->question);
	struct csa_text		 text = { q, strlen(q) };
	int64_t			 half = csa_left_ms(ctx->deadline) / 2;
	struct csa_ctx		 own = *ctx;
	struct csa_embed_job	*job;
	struct csa_vec		 vec;
	struct csa_err		 unused;
	const float		*unit;

	if (s->unit != NULL)
		return true;
	own.deadline = csa_sooner(ctx->deadline, s->rag->retrieve_ms > 0 &&
	    s->rag->retrieve_ms < half ? s->rag->retrieve_ms : half);
	job = e->ops->start(e, &own, CSA_EMBED_QUERY, &text, 1);
	if (e->ops->finish(job, &vec, &unused) == 0 && vec.dim <= DIM_MAX &&
	    (unit = csa_vec_floats(ctx->arena, &vec, 1)) != NULL) {
		s->unit = unit;
		s->dim = vec.dim;
	}
	e->ops->end(job);
	return s->unit != NULL;
}

/* ---- the ring ---- */

static bool
is_short(const char *q)
{
	return strlen(q) <= CSA_SIMILAR_BYTES;
}

/* An empty one where there is none, or none that fits. */
static struct csa_similar_ring *
get_ring(struct csa_similar *s, struct csa_ctx *ctx)
{
	struct csa_similar_ring	*r = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*r));
	struct csa_cached	 v;

	if (csa_cache_get(s->cache, ctx, s->ring, &v) != 1 ||
	    csa_similar_read(v.data, v.len, r) == -1)
		r->n = 0;
	return r;
}

static void
answer_of(const struct csa_digest *d, const struct csa_cache_key *like,
    struct csa_cache_key *key)
{
	*key = *like;
	key->digest = *d;
	csa_hex(d->b, sizeof(d->b), key->name + NAME_HEAD);
}

int
csa_similar_find(struct csa_similar *s, struct csa_ctx *ctx,
    const struct csa_cache_key *like, struct csa_cache_key *answer)
{
	const char			*q = csa_question(ctx->arena,
					    s->question);
	struct csa_similar_ring		*r;
	const struct csa_similar_entry	*best = NULL;
	double				 most = s->threshold, near;

	if (!is_short(q))
		return 0;
	/* The vector only where there is something to compare it with. */
	r = get_ring(s, ctx);
	if (r->n == 0 || !embed(s, ctx) || r->dim != s->dim)
		return 0;
	for (size_t i = 0; i < r->n; i++) {
		near = csa_similar_cosine(s->unit, s->dim, &r->e[i]);
		if (near >= most && csa_same_question(ctx->arena, q, strlen(q),
		    r->e[i].text, r->e[i].len)) {
			most = near;
			best = &r->e[i];
		}
	}
	if (best == NULL)
		return 0;
	answer_of(&best->answer, like, answer);
	return 1;
}

/* How many vectors of this size an item may hold. */
static size_t
room(size_t dim)
{
	size_t	 n = RING_MAX / (CSA_DIGEST + 6 + dim + CSA_SIMILAR_BYTES);

	return n < CSA_SIMILAR_MAX ? n : CSA_SIMILAR_MAX;
}

/* Let the i-th go. */
static void
let_go(struct csa_similar_ring *r, size_t i)
{
	r->n--;
	memmove(&r->e[i], &r->e[i + 1], (r->n - i) * sizeof(r->e[0]));
}

void
csa_similar_add(struct csa_similar *s, struct csa_ctx *ctx,
    const struct csa_cache_key *answer, uint32_t ttl)
{
	const char			*q = csa_question(ctx->arena,
					    s->question);
	struct csa_similar_ring		*r;
	struct csa_similar_entry	*e;
	struct csa_buf			 b;
	int8_t				*v;

	if (!is_short(q) || !embed(s, ctx) || room(s->dim) == 0)
		return;
	r = get_ring(s, ctx);
	if (r->dim != s->dim)
		r->n = 0;
	r->dim = s->dim;
	/* What was asked and answered again is not there twice. */
	for (size_t i = r->n; i-- > 0;)
		if (csa_digest_eq(&r->e[i].answer, &answer->digest))
			let_go(r, i);
	while (r->n >= room(r->dim))
		let_go(r, 0);
	e = &r->e[r->n++];
	v = csa_arena_alloc(ctx->arena, s->dim);
	e->scale = csa_similar_pack(s->unit, s->dim, v);
	e->v = v;
	e->answer = answer->digest;
	e->text = q;
	e->len = strlen(q);
	csa_buf_init(&b, 2 * RING_MAX);
	csa_similar_write(&b, r);
	if (!b.failed)
		csa_cache_put(s->cache, ctx, s->ring, b.data, b.len, ttl);
	csa_buf_fini(&b);
}
