#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/rag/fuse.h"

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
scale_of(const struct csa_vec_hit *vec, size_t n)
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
		s.span = 2 * (hi - lo);
		s.zero = hi - s.span;
		s.unseen = .25;
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
	size_t	 out = 0;

	for (size_t i = 0; i < n; i++) {
		if (out > 0 && strcmp(p[out - 1].chunk.id, p[i].chunk.id) == 0) {
			p[out - 1].score += p[i].score - unseen;
			/* The store's row is the one with the whole text. */
			if (p[out - 1].chunk.text == NULL)
				p[out - 1].chunk = p[i].chunk;
		} else
			p[out++] = p[i];
	}
	return out;
}

struct csa_passage *
csa_fuse(struct csa_arena *arena, const struct csa_text_result *text,
    const struct csa_vec_hit *vec, size_t nvec, double w, size_t *n)
{
	struct csa_passage	*p;
	struct scale		 s = scale_of(vec, nvec);
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
