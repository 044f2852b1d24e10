#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/provider/quote_internal.h"
#include "lib/store/tokens.h"
#include "lib/text/sentence.h"

/* The bounds of the work; a passage has at most 32,000 bytes by default. */
#define SENTENCES	512	/* of one passage */
#define TOKENS		16384	/* of one passage */

/* BM25 as the index has it. */
#define K1	1.2
#define B	.75

/* Weights, found on questions of SQuAD 2.0 with known answers. */
#define W_CONTEXT	.3	/* a word in the title or the sentence before */
#define W_ANNOUNCED	.9	/* the same, where that asks or is a heading */
#define W_ANSWER	.1
#define W_BIGRAM	.1

/* A heading or a question has the words, but seldom the answer. */
#define W_NO_ANSWER	.6
#define HEADING_TOKENS	6

/* How good the second sentence must be, compared with the first. */
#define GOOD_ENOUGH	.6

/* ---- reading ---- */

/* Titles and headings end without a mark; a question ends with one. */
static bool
announces(const struct csa_qsentence *s)
{
	static const char *const ends[] = { ".", "!", ":", ";", "。", "！", "…",
	    ")", "\"", "”", "」" };
	static const char *const asks[] = { "?", "？" };
	size_t	 k;

	for (size_t i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
		k = strlen(asks[i]);
		if (s->len >= k && memcmp(s->s + s->len - k, asks[i], k) == 0)
			return true;
	}
	if (s->tokens > HEADING_TOKENS)
		return false;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		k = strlen(ends[i]);
		if (s->len >= k && memcmp(s->s + s->len - k, ends[i], k) == 0)
			return false;
	}
	return true;
}

/* Count the question's words among the tokens of one sentence. */
static void
count(struct csa_quote_work *w, struct csa_qsentence *s,
    const struct csa_token *t, size_t n)
{
	int	 last = -1, at;

	for (size_t i = 0; i < n; i++) {
		s->tokens++;
		if (t[i].stop)
			continue;
		at = csa_qterm_find(&w->q, t[i].text);
		if (at != -1) {
			w->q.t[at].seen = true;
			if (s->tf[at]++ == 0)
				s->terms++;
			else if (s->tf[at] == 0)
				s->tf[at] = UINT8_MAX;
			if (last != -1 && at == last + 1)
				s->pairs++;
		}
		last = at;
	}
}

static struct csa_qsentence *
new_sentence(struct csa_quote_work *w)
{
	struct csa_qsentence	*more;

	if (w->n == w->size) {
		w->size = w->size == 0 ? 64 : w->size * 2;
		more = csa_arena_array(w->arena, w->size, struct csa_qsentence);
		if (w->n > 0)
			memcpy(more, w->s, w->n * sizeof(*more));
		w->s = more;
	}
	return &w->s[w->n++];
}

static void
read_title(struct csa_quote_work *w, struct csa_qpassage *p, const char *title)
{
	struct csa_token	*t;
	size_t			 n;
	int			 at;

	if (title == NULL || title[0] == '\0')
		return;
	n = csa_tokens(w->arena, title, strlen(title), 256, &t);
	for (size_t i = 0; i < n; i++)
		if ((at = csa_qterm_find(&w->q, t[i].text)) != -1) {
			p->titled[at] = true;
			w->q.t[at].seen = true;
		}
}

static void
read_passage(struct csa_quote_work *w, size_t i, struct csa_span *spans)
{
	const struct csa_chunk	*c = &w->in[i].chunk;
	struct csa_qpassage		*p = &w->p[i];
	struct csa_token	*t;
	size_t			 ntokens, nspans, from = 0, to;

	p->first = w->n;
	read_title(w, p, c->title);
	if (c->text == NULL)
		return;
	nspans = csa_sentences(c->text, c->len, spans, SENTENCES);
	ntokens = csa_tokens(w->arena, c->text, c->len, TOKENS, &t);
	for (size_t k = 0; k < nspans; k++) {
		struct csa_qsentence	*s = new_sentence(w);

		s->passage = i;
		s->s = c->text + spans[k].start;
		s->len = spans[k].len;
		for (to = from; to < ntokens &&
		    t[to].start < spans[k].start + spans[k].len; to++)
			;
		if (to > from)
			count(w, s, &t[from], to - from);
		from = to;
		s->announces = announces(s);
		p->tokens += s->tokens;
		for (size_t j = 0; j < w->q.n; j++)
			p->tf[j] += s->tf[j];
	}
	p->n = w->n - p->first;
}

/* ---- weighing ---- */

/* Without the index's own, rarity is what it is among these sentences. */
static void
own_idf(struct csa_quote_work *w)
{
	double	 df, n = (double)w->n;

	if (w->q.sum_idf > 0)
		return;
	w->q.chunks = n;
	for (size_t j = 0; j < w->q.n; j++) {
		df = 0;
		for (size_t i = 0; i < w->n; i++)
			df += w->s[i].tf[j] > 0;
		w->q.t[j].idf = log(1 + (n - df + .5) / (df + .5));
		w->q.sum_idf += w->q.t[j].idf;
	}
}

static double
bm25_of(double idf, double tf, double len, double average)
{
	if (tf == 0 || average <= 0)
		return 0;
	return idf * tf * (K1 + 1) /
	    (tf + K1 * (1 - B + B * len / average));
}

/* The index's BM25 where it has the chunk, else one from these passages. */
static void
weigh_passages(struct csa_quote_work *w, const struct csa_text_result *text)
{
	double	 ideal = w->q.sum_idf * (K1 + 1), tokens = 0;

	for (size_t i = 0; i < w->npassages; i++)
		tokens += w->p[i].tokens;
	for (size_t i = 0; i < w->npassages; i++) {
		struct csa_qpassage	*p = &w->p[i];
		bool		 known = false;

		for (size_t k = 0; text != NULL && text->ideal > 0 &&
		    !known && k < text->nhits; k++)
			if (strcmp(text->hits[k].chunk.id,
			    w->in[i].chunk.id) == 0) {
				p->ratio = text->hits[k].bm25 / text->ideal;
				known = true;
			}
		for (size_t j = 0; !known && j < w->q.n && ideal > 0; j++)
			p->ratio += bm25_of(w->q.t[j].idf, p->tf[j], p->tokens,
			    tokens / (double)w->npassages) / ideal;
	}
}

static void
weigh_sentence(struct csa_quote_work *w, struct csa_qsentence *s,
    double average)
{
	const struct csa_qpassage	*p = &w->p[s->passage];
	const struct csa_qsentence	*before = NULL;
	double			 own = 0, context = 0, factor;

	if ((size_t)(s - w->s) > p->first)
		before = s - 1;
	for (size_t j = 0; j < w->q.n; j++) {
		double	 idf = w->q.t[j].idf;

		own += bm25_of(idf, s->tf[j], s->tokens, average);
		factor = before != NULL && before->tf[j] > 0 ?
		    (before->announces ? W_ANNOUNCED : W_CONTEXT) :
		    p->titled[j] ? W_CONTEXT : 0;
		if (s->tf[j] == 0)
			context += factor * idf;
	}
	s->score = (own + context) / (w->q.sum_idf * (K1 + 1)) + p->ratio;
	if (csa_qterms_answered(&w->q, s->s, s->len))
		s->score += W_ANSWER;
	if (w->q.n > 1)
		s->score += W_BIGRAM * s->pairs / (double)(w->q.n - 1);
	if (s->announces)
		s->score *= W_NO_ANSWER;
	/* Nothing of the question in it, nor right before it. */
	if (own == 0 && context == 0)
		s->score = 0;
}

static void
weigh_sentences(struct csa_quote_work *w)
{
	double	 tokens = 0;

	for (size_t i = 0; i < w->n; i++)
		tokens += w->s[i].tokens;
	for (size_t i = 0; i < w->n; i++)
		weigh_sentence(w, &w->s[i], tokens / (double)w->n);
}

/* ---- choosing ---- */

static bool
is_chosen(const struct csa_quotes *out, const struct csa_qsentence *s)
{
	for (size_t i = 0; i < out->n; i++)
		if (out->q[i].s == s->s || (out->q[i].len == s->len &&
		    memcmp(out->q[i].s, s->s, s->len) == 0))
			return true;
	return false;
}

static void
choose(const struct csa_quote_work *w, struct csa_quotes *out)
{
	while (out->n < CSA_QUOTES) {
		const struct csa_qsentence	*best = NULL;

		for (size_t i = 0; i < w->n; i++)
			if (w->s[i].score > 0 && w->s[i].len > 0 &&
			    (best == NULL || w->s[i].score > best->score) &&
			    !is_chosen(out, &w->s[i]))
				best = &w->s[i];
		if (best == NULL || (out->n > 0 && best->score <
		    GOOD_ENOUGH * out->q[0].score))
			return;
		out->q[out->n++] = (struct csa_quote){ best->passage, best->s,
		    best->len, best->score };
	}
}

void
csa_quote(struct csa_arena *arena, const char *question,
    const struct csa_passage *passages, size_t n,
    const struct csa_text_result *text, struct csa_quotes *out)
{
	struct csa_quote_work	*w = csa_arena_zalloc(arena, 1, sizeof(*w));
	struct csa_span	*spans = csa_arena_array(arena, SENTENCES,
			    struct csa_span);

	memset(out, 0, sizeof(*out));
	w->arena = arena;
	w->in = passages;
	w->npassages = n < CSA_QPASSAGES ? n : CSA_QPASSAGES;
	csa_qterms(arena, question, text, &w->q);
	for (size_t i = 0; i < w->npassages; i++)
		read_passage(w, i, spans);
	out->missing = csa_qterms_missing(arena, &w->q);
	if (w->n == 0 || w->q.n == 0)
		return;
	own_idf(w);
	weigh_passages(w, text);
	weigh_sentences(w);
	out->confidence = csa_quote_confidence(w);
	choose(w, out);
}
