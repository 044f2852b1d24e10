#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/rag/fuse.h"
#include "lib/vector/index.h"

/* From a vector's best to its 0, in times from the best to the last. */
#define SPAN		2.
#define SPAN_LEARNT	1.25

/* Of how many passages is learnt: so many, or one in so many of a list. */
#define LEARN_MOST	5
#define LEARN_ONE_IN	20
/* What share of the question it becomes. */
#define LEARNT		.4

static int
by_id(const void *a, const void *b)
{
	const struct csa_passage	*x = a, *y = b;

	return strcmp(x->chunk.id, y->chunk.id);
}

static int
by_score(const void *a, const void *b)
{
	const struct csa_passage	*x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return by_id(a, b);
}

/* How vectors' scores become shares of 1; see fuse.h. */
struct scale {
	double	 zero, span;	/* span 0: they are all the same */
	double	 unseen;	/* what a passage outside of the list gets */
};

static struct scale
scale_of(const struct csa_vec_hit *vec, size_t n, double span)
{
	struct scale	 s = { 0, 0, 0 };
	double		 lo = 0, hi = 0;

	for (size_t i = 0; i < n; i++) {
		if (i == 0 || vec[i].score < lo)
			lo = vec[i].score;
		if (i == 0 || vec[i].score > hi)
			hi = vec[i].score;
	}
	if (hi > lo) {
		s.span = span * (hi - lo);
		s.zero = hi - s.span;
		s.unseen = (1 - 1 / span) / 2;
	}
	return s;
}

static double
scaled(const struct scale *s, double score)
{
	return s->span > 0 ? (score - s->zero) / s->span : 1;
}

/*
 * Put the two entries that one chunk may have next to each other together.  The
 * text's came with `unseen` in it, which its own vector takes the place of.
 */
static size_t
merge(struct csa_passage *p, size_t n, double unseen)
{
	struct csa_passage	*last;
	struct csa_chunk	 c;
	size_t			 out = 0;

	for (size_t i = 0; i < n; i++) {
		last = out > 0 ? &p[out - 1] : NULL;
		if (last != NULL &&
		    strcmp(last->chunk.id, p[i].chunk.id) == 0) {
			last->score += p[i].score - unseen;
			c = last->chunk.vec != NULL ? last->chunk :
			    p[i].chunk;
			/* The store's row is the one with the whole text. */
			if (last->chunk.text == NULL)
				last->chunk = p[i].chunk;
			last->chunk.vec = c.vec;
			last->chunk.dim = c.dim;
		} else
			p[out++] = p[i];
	}
	return out;
}

static struct csa_passage *
combine(struct csa_arena *arena, const struct csa_text_result *text,
    const struct csa_vec_hit *vec, size_t nvec, double w, double span,
    size_t *n)
{
	struct csa_passage	*p;
	struct scale		 s = scale_of(vec, nvec, span);
	double			 top = 0, unseen = (1 - w) * s.unseen;
	size_t			 k = 0;

	p = csa_arena_array(arena, text->nhits + nvec, struct csa_passage);
	for (size_t i = 0; i < text->nhits; i++)
		if (text->hits[i].score > top)
			top = text->hits[i].score;
	for (size_t i = 0; i < text->nhits; i++, k++) {
		p[k].chunk = text->hits[i].chunk;
		p[k].score = unseen +
		    (top > 0 ? w * text->hits[i].score / top : 0);
	}
	for (size_t i = 0; i < nvec; i++, k++) {
		p[k].chunk = vec[i].chunk;
		p[k].score = (1 - w) * scaled(&s, vec[i].score);
	}
	if (k > 1)
		qsort(p, k, sizeof(*p), by_id);
	*n = merge(p, k, unseen);
	if (*n > 1)
		qsort(p, *n, sizeof(*p), by_score);
	return p;
}

/* The dimensions of all hits' vectors; 0: there is one without, or another. */
static size_t
common_dim(const struct csa_vec_hit *vec, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (vec[i].chunk.vec == NULL ||
		    vec[i].chunk.dim != vec[0].chunk.dim)
			return 0;
	return n > 0 ? vec[0].chunk.dim : 0;
}

/* The middle of the first so many passages that have vectors, of length 1. */
static const float *
middle(struct csa_arena *arena, const struct csa_passage *p, size_t n,
    size_t dim, size_t most)
{
	float	*m = csa_arena_array(arena, dim, float);
	double	 length;

	for (size_t i = 0; i < n && most > 0; i++) {
		if (p[i].chunk.vec == NULL)
			continue;
		for (size_t d = 0; d < dim; d++)
			m[d] += p[i].chunk.vec[d];
		most--;
	}
	length = sqrt(csa_dot(m, m, dim));
	if (!isfinite(length) || length <= 0)
		return NULL;
	for (size_t d = 0; d < dim; d++)
		m[d] = (float)(m[d] / length);
	return m;
}

/* The hits with what they score now, or NULL where there is nothing to learn. */
static const struct csa_vec_hit *
learn(struct csa_arena *arena, const struct csa_passage *p, size_t n,
    const struct csa_vec_hit *vec, size_t nvec)
{
	struct csa_vec_hit	*hits;
	const float		*m;
	size_t			 most = nvec / LEARN_ONE_IN, dim;

	if (most > LEARN_MOST)
		most = LEARN_MOST;
	if (most == 0 || (dim = common_dim(vec, nvec)) == 0 ||
	    (m = middle(arena, p, n, dim, most)) == NULL)
		return NULL;
	hits = csa_arena_array(arena, nvec, struct csa_vec_hit);
	for (size_t i = 0; i < nvec; i++) {
		hits[i] = vec[i];
		hits[i].score = (1 - LEARNT) * vec[i].score +
		    LEARNT * csa_dot(m, vec[i].chunk.vec, dim);
		if (!isfinite(hits[i].score))
			return NULL;
	}
	return hits;
}

struct csa_passage *
csa_fuse(struct csa_arena *arena, const struct csa_text_result *text,
    const struct csa_vec_hit *vec, size_t nvec, double w, size_t *n)
{
	struct csa_passage		*p;
	const struct csa_vec_hit	*learnt;

	p = combine(arena, text, vec, nvec, w, SPAN, n);
	learnt = learn(arena, p, *n, vec, nvec);
	if (learnt != NULL)
		p = combine(arena, text, learnt, nvec, w, SPAN_LEARNT, n);
	return p;
}
