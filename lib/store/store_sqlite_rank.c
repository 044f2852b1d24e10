#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"
#include "lib/store/tokenizer.h"

/*
 * BM25 (Robertson and Zaragoza 2009) with Lucene's idf, which is never below 0:
 * FTS5's own falls to nothing for words in half of the chunks and costs up to
 * .026 nDCG on small corpora.  A word in the title counts as two.
 */
#define K1		CSA_BM25_K1
#define B		0.75
#define TITLE_WEIGHT	2.0

/*
 * What the features add: the first two in shares of the best passage's bm25,
 * the third, itself a BM25, as it is.  Rounded weights; on the tuning splits of
 * scifact and squad2 they gain .001 and .005 nDCG@10.
 */
#define W_COVERAGE	0.50
#define W_TITLE		0.30
#define W_NEAR		0.15

/* Words that stand this near count as together. */
#define WINDOW		8

#define TITLE_COLUMN	0

/* Where one word of the question stands in the text column. */
struct places {
	int	*at;
	int	 n, size;
};

static double
idf_of(double n, double df)
{
	return log(1 + (n - df + .5) / (df + .5));
}

static double
saturate(double tf, double length, double mean)
{
	return tf * (K1 + 1) / (tf + K1 * (1 - B + B * length / mean));
}

/* ---- the heap of the best: best[0] is the one that has to go next ---- */

static bool
is_worse(const struct csa_candidate *a, const struct csa_candidate *b)
{
	return a->bm25 != b->bm25 ? a->bm25 < b->bm25 : a->row > b->row;
}

static void
swap(struct csa_candidate *a, struct csa_candidate *b)
{
	struct csa_candidate	 t = *a;

	*a = *b;
	*b = t;
}

static void
sift_up(struct csa_ranking *r, size_t i)
{
	for (size_t up; i > 0; i = up) {
		up = (i - 1) / 2;
		if (!is_worse(&r->best[i], &r->best[up]))
			return;
		swap(&r->best[i], &r->best[up]);
	}
}

static void
sift_down(struct csa_ranking *r)
{
	size_t	 i = 0, down;

	while ((down = 2 * i + 1) < r->nbest) {
		if (down + 1 < r->nbest &&
		    is_worse(&r->best[down + 1], &r->best[down]))
			down++;
		if (!is_worse(&r->best[down], &r->best[i]))
			return;
		swap(&r->best[i], &r->best[down]);
		i = down;
	}
}

static void
keep(struct csa_ranking *r, const struct csa_candidate *c)
{
	if (r->nbest == r->want) {
		r->best[0] = *c;
		sift_down(r);
		return;
	}
	if (r->nbest == r->size) {
		r->size = r->size == 0 ? 128 : r->size * 2;
		r->best = csa_realloc(r->best, r->size, sizeof(*r->best));
	}
	r->best[r->nbest] = *c;
	sift_up(r, r->nbest++);
}

static bool
is_wanted(const struct csa_ranking *r, double bm25)
{
	return r->nbest < r->want || bm25 > r->best[0].bm25;
}

/* ---- one question's figures ---- */

struct counting {
	struct csa_ranking *r;
	uint64_t	 n;
};

static int
count_row(const Fts5ExtensionApi *api, Fts5Context *fts, void *arg)
{
	struct counting	*c = arg;

	(void)api;
	(void)fts;
	if ((++c->n & 0xfff) == 0 && csa_left_ms(c->r->deadline) == 0)
		return SQLITE_INTERRUPT;
	return SQLITE_OK;
}

static int
prepare(struct csa_ranking *r, const Fts5ExtensionApi *api, Fts5Context *fts)
{
	struct counting	 c;
	sqlite3_int64	 rows = 0, words = 0;
	int		 rc;

	if ((rc = api->xRowCount(fts, &rows)) != SQLITE_OK ||
	    (rc = api->xColumnTotalSize(fts, -1, &words)) != SQLITE_OK)
		return rc;
	/* A row is being ranked, so neither is 0 unless the file is damaged. */
	if (api->xPhraseCount(fts) != r->nterms || rows <= 0 || words <= 0)
		return SQLITE_CORRUPT;
	r->n = (double)rows;
	r->mean = (double)words / (double)rows;
	r->sum_idf = 0;
	for (int i = 0; i < r->nterms; i++) {
		c = (struct counting){ r, 0 };
		rc = api->xQueryPhrase(fts, i, &c, count_row);
		if (rc != SQLITE_OK)
			return rc;
		r->df[i] = (double)c.n;
		r->idf[i] = idf_of(r->n, r->df[i]);
		r->sum_idf += r->idf[i];
	}
	r->ready = true;
	return SQLITE_OK;
}

/* ---- one passage ---- */

/*
 * The length of the row in words, which FTS5 would look up in a table for each
 * row that passes: half of a search.  A row's text never changes and its number
 * is never given again, so what was read once stays true.
 */
static int
length_of(struct csa_ranking *r, const Fts5ExtensionApi *api,
    Fts5Context *fts, int64_t row, int *length)
{
	struct csa_length	*l = &r->lengths[row & (CSA_LENGTHS - 1)];
	int			 rc;

	if (l->row == row) {
		*length = l->words;
		return SQLITE_OK;
	}
	rc = api->xColumnSize(fts, -1, length);
	if (rc == SQLITE_OK && row > 0 && row <= UINT32_MAX) {
		l->row = (uint32_t)row;
		l->words = *length;
	}
	return rc;
}

static int
score(struct csa_ranking *r, const Fts5ExtensionApi *api, Fts5Context *fts,
    double length, struct csa_candidate *c)
{
	Fts5PhraseIter	 it;
	double		 tf;
	bool		 in_title;
	int		 rc, column, at;

	for (int i = 0; i < r->nterms; i++) {
		tf = 0;
		in_title = false;
		rc = api->xPhraseFirst(fts, i, &it, &column, &at);
		if (rc != SQLITE_OK)
			return rc;
		for (; column >= 0; api->xPhraseNext(fts, &it, &column, &at)) {
			tf += column == TITLE_COLUMN ? TITLE_WEIGHT : 1;
			in_title |= column == TITLE_COLUMN;
		}
		if (tf == 0)
			continue;
		c->bm25 += r->idf[i] * saturate(tf, length, r->mean);
		c->coverage += r->idf[i];
		if (in_title)
			c->title += r->idf[i];
	}
	c->coverage /= r->sum_idf;
	c->title /= r->sum_idf;
	return SQLITE_OK;
}

static int
read_places(const Fts5ExtensionApi *api, Fts5Context *fts, int term,
    struct places *p)
{
	Fts5PhraseIter	 it;
	int		 rc, column, at;

	p->n = 0;
	rc = api->xPhraseFirst(fts, term, &it, &column, &at);
	if (rc != SQLITE_OK)
		return rc;
	for (; column >= 0; api->xPhraseNext(fts, &it, &column, &at)) {
		if (column == TITLE_COLUMN)
			continue;
		if (p->n == p->size) {
			p->size = p->size == 0 ? 64 : p->size * 2;
			p->at = csa_realloc(p->at, (size_t)p->size,
			    sizeof(*p->at));
		}
		p->at[p->n++] = at;
	}
	return SQLITE_OK;
}

/* How many of a's places have one of b's near.  Both rise. */
static int
count_near(const struct places *a, const struct places *b)
{
	int	 near = 0;

	for (int i = 0, j = 0; i < a->n && j < b->n; i++) {
		while (j < b->n && b->at[j] <= a->at[i] - WINDOW)
			j++;
		if (j < b->n && b->at[j] < a->at[i] + WINDOW)
			near++;
	}
	return near;
}

/* BM25 of the pairs of words that are neighbors in the question. */
static int
nearness(struct csa_ranking *r, const Fts5ExtensionApi *api,
    Fts5Context *fts, double length, double *near)
{
	struct places	*p = r->near;
	double		 tf, idf;
	int		 rc;

	*near = 0;
	for (int i = 0; i < r->nterms; i++) {
		if ((rc = read_places(api, fts, i, &p[i % 2])) != SQLITE_OK)
			return rc;
		if (i == 0 || (tf = count_near(&p[(i - 1) % 2],
		    &p[i % 2])) == 0)
			continue;
		idf = (r->idf[i - 1] + r->idf[i]) / 2;
		*near += idf * saturate(tf, length, r->mean);
	}
	return SQLITE_OK;
}

/*
 * csa_rank(fts): the SQL value is nothing, the ranking takes the row
 * down.  Only a passage that may stay is looked at more closely than BM25
 * needs.
 */
static void
rank_row(const Fts5ExtensionApi *api, Fts5Context *fts,
    sqlite3_context *result, int nargs, sqlite3_value **args)
{
	struct csa_ranking	*r = api->xUserData(fts);
	struct csa_candidate	 c = { 0 };
	int			 rc = SQLITE_OK, length;

	(void)nargs;
	(void)args;
	if (!r->ready)
		rc = prepare(r, api, fts);
	c.row = api->xRowid(fts);
	if (rc == SQLITE_OK)
		rc = length_of(r, api, fts, c.row, &length);
	if (rc == SQLITE_OK)
		rc = score(r, api, fts, length, &c);
	if (rc == SQLITE_OK && is_wanted(r, c.bm25)) {
		rc = nearness(r, api, fts, length, &c.near);
		if (rc == SQLITE_OK)
			keep(r, &c);
	}
	if (rc != SQLITE_OK)
		sqlite3_result_error_code(result, rc);
}

/* ---- before and after ---- */

int
csa_rank_register(struct csa_db *c)
{
	fts5_api	*api = csa_fts5_api(c->db);

	if (api == NULL)
		return SQLITE_ERROR;
	c->rank = csa_new(struct csa_ranking);
	c->rank->near = csa_new_array(2, struct places);
	c->rank->lengths = csa_new_array(CSA_LENGTHS, struct csa_length);
	return api->xCreateFunction(api, "csa_rank", c->rank, rank_row, NULL);
}

void
csa_rank_free(struct csa_db *c)
{
	struct places	*p;

	if (c->rank == NULL)
		return;
	p = c->rank->near;
	free(p[0].at);
	free(p[1].at);
	free(p);
	free(c->rank->lengths);
	free(c->rank->best);
	free(c->rank);
}

void
csa_rank_start(struct csa_db *c, int nterms, size_t want)
{
	struct csa_ranking	*r = c->rank;

	CSA_MUST(nterms > 0 && nterms <= CSA_TERMS_MAX && want > 0);
	r->deadline = c->deadline;
	r->nterms = nterms;
	r->want = want;
	r->ready = false;
	r->nbest = 0;
}

static int
by_score(const void *a, const void *b)
{
	const struct csa_candidate	*x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return (x->row > y->row) - (x->row < y->row);
}

void
csa_rank_finish(struct csa_db *c, int64_t n)
{
	struct csa_ranking	*r = c->rank;
	double			 top = 0;

	if (!r->ready) {
		r->sum_idf = 0;
		for (int i = 0; i < r->nterms; i++) {
			r->df[i] = 0;
			r->idf[i] = idf_of((double)n, 0);
			r->sum_idf += r->idf[i];
		}
	}
	for (size_t i = 0; i < r->nbest; i++)
		if (r->best[i].bm25 > top)
			top = r->best[i].bm25;
	for (size_t i = 0; i < r->nbest; i++) {
		struct csa_candidate	*b = &r->best[i];

		b->score = b->bm25 + top * (W_COVERAGE * b->coverage +
		    W_TITLE * b->title) + W_NEAR * b->near;
	}
	if (r->nbest > 1)
		qsort(r->best, r->nbest, sizeof(*r->best), by_score);
}
