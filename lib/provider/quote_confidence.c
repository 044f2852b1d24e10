#include "config.h"

#include <math.h>

#include "lib/provider/quote_internal.h"
#include "lib/text/utf8.h"

/*
 * In a collection of a few chunks BM25 says little: every word looks common,
 * one that is missing very rare, and a word that is there once in a short text
 * gives .45 of its weight.  So below SMALL chunks, how much of the question's
 * words a passage covers counts as well, scaled to be comparable, with the
 * rarity that they would have if SUPPOSED more chunks were there.
 */
#define SMALL		50
#define SUPPOSED	10
#define COVERAGE_SCALE	.6

/* The idf that a word would have in a somewhat larger collection. */
static double
supposed_idf(const struct csa_quote_work *w, const struct csa_qterm *t)
{
	double	 n = w->q.chunks, df;

	/* idf = ln(1 + (n - df + .5) / (df + .5)), solved for df. */
	df = (n + 1) / exp(t->idf) - .5;
	if (!(df > 0))
		df = 0;
	n += SUPPOSED;
	return log(1 + (n - df + .5) / (df + .5));
}

/* The share of the question's weight that the best passage covers. */
static double
coverage(const struct csa_quote_work *w)
{
	double	 best = 0, idf[CSA_QTERMS], sum = 0, has;

	for (size_t j = 0; j < w->q.n; j++)
		sum += idf[j] = supposed_idf(w, &w->q.t[j]);
	for (size_t i = 0; i < w->npassages; i++) {
		has = 0;
		for (size_t j = 0; j < w->q.n; j++)
			if (w->p[i].tf[j] > 0 || w->p[i].titled[j])
				has += idf[j];
		if (sum > 0 && has / sum > best)
			best = has / sum;
	}
	return best;
}

/* Is it written without spaces, so that its words are pairs of characters? */
static bool
is_spaceless(const struct csa_qterm *t)
{
	return (unsigned char)t->text[0] >= 0xe0;
}

/* Hiragana is endings and particles for the most part. */
static bool
is_hiragana(uint32_t cp)
{
	return cp >= 0x3041 && cp <= 0x309f;
}

/*
 * Of such a question most pairs lie across two words, and no text has them,
 * however well it fits.  So the characters are counted that some pair of the
 * passage covers; a word of another script counts as two.
 */
static double
covered(const struct csa_quote_work *w, const struct csa_qpassage *p)
{
	double		 all = 0, has = 0;
	size_t		 at, counted = 0, len;
	uint32_t	 cp;
	bool		 in, next;

	for (size_t j = 0; j < w->q.n; j++) {
		const struct csa_qterm	*t = &w->q.t[j];

		in = p->tf[j] > 0 || p->titled[j];
		if (!is_spaceless(t)) {
			all += 2;
			has += in ? 2 : 0;
			continue;
		}
		for (at = t->start; at < t->end; at += len) {
			len = csa_utf8_decode(w->q.question + at,
			    t->end - at, &cp);
			if (at < counted || is_hiragana(cp))
				continue;
			counted = at + len;
			/* Its second character is the next pair's first. */
			next = j + 1 < w->q.n && w->q.t[j + 1].start == at &&
			    (p->tf[j + 1] > 0 || p->titled[j + 1]);
			all++;
			has += in || next;
		}
	}
	return all > 0 ? has / all : 0;
}

static bool
has_spaceless(const struct csa_quote_work *w)
{
	for (size_t j = 0; j < w->q.n; j++)
		if (is_spaceless(&w->q.t[j]))
			return true;
	return false;
}

double
csa_quote_confidence(const struct csa_quote_work *w)
{
	double	 best = 0, c;

	if (has_spaceless(w)) {
		for (size_t i = 0; i < w->npassages; i++) {
			c = COVERAGE_SCALE * covered(w, &w->p[i]);
			if (c > best)
				best = c;
		}
	} else if (w->q.chunks < SMALL)
		best = COVERAGE_SCALE * coverage(w);
	for (size_t i = 0; i < w->npassages; i++)
		if (w->p[i].ratio > best)
			best = w->p[i].ratio;
	return best > 1 ? 1 : best;
}
