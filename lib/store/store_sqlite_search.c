#include "config.h"

#include <limits.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"
#include "lib/store/tokens.h"

/* The re-ranking looks at so many at least. */
#define CANDIDATES	100

/* Words of a question that are looked at, before stop words are dropped. */
#define TOKENS_MAX	1024

static bool
is_among(const struct csa_term *terms, size_t n, const struct csa_token *t)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(terms[i].text, t->text) == 0 &&
		    terms[i].prefix == t->prefix)
			return true;
	return false;
}

/* The lone last character of a run: its pair says more already. */
static bool
is_tail(const struct csa_token *t, size_t i)
{
	return t[i].prefix && i > 0 && t[i - 1].end == t[i].end;
}

static size_t
pick(const struct csa_token *t, size_t n, bool with_stop_words,
    struct csa_term *terms)
{
	size_t	 k = 0;

	for (size_t i = 0; i < n && k < CSA_TERMS_MAX; i++) {
		if ((t[i].stop && !with_stop_words) || is_tail(t, i) ||
		    is_among(terms, k, &t[i]))
			continue;
		terms[k].text = t[i].text;
		terms[k++].prefix = t[i].prefix;
	}
	return k;
}

/* The question's words; all of them where they are stop words throughout. */
static size_t
terms_of(struct csa_arena *arena, const char *question,
    struct csa_term **terms)
{
	struct csa_token	*t;
	size_t			 n, k, len = strlen(question);

	n = csa_tokens(arena, question, len < INT_MAX ? len : INT_MAX,
	    TOKENS_MAX, &t);
	*terms = csa_arena_array(arena, CSA_TERMS_MAX, struct csa_term);
	if ((k = pick(t, n, false, *terms)) == 0)
		k = pick(t, n, true, *terms);
	return k;
}

/*
 * "word" OR "word" OR "character" *: quoted, so nothing in it is an operator;
 * a quote itself is doubled.
 */
static const char *
match_of(struct csa_arena *arena, const struct csa_term *terms, size_t n)
{
	struct csa_buf	 b;
	const char	*s;

	csa_buf_init(&b, 1 << 24);
	for (size_t i = 0; i < n; i++) {
		csa_buf_puts(&b, i > 0 ? " OR \"" : "\"");
		for (s = terms[i].text; *s != '\0'; s++) {
			if (*s == '"')
				csa_buf_putc(&b, '"');
			csa_buf_putc(&b, *s);
		}
		csa_buf_puts(&b, terms[i].prefix ? "\" *" : "\"");
	}
	CSA_MUST(!b.failed);
	s = csa_arena_strndup(arena, b.data, b.len);
	csa_buf_fini(&b);
	return s;
}

static int
match(struct csa_db *c, const char *words)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_MATCH);
	int		 rc;

	if (st == NULL)
		return -1;
	csa_bind_text(st, 1, words);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW)
		;
	return csa_done(st, rc);
}

static int
read_hit(struct csa_db *c, struct csa_arena *arena,
    const struct csa_candidate *best, struct csa_text_hit *hit)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_CHUNK_BY_ROW);
	int		 rc;

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, best->row);
	if ((rc = sqlite3_step(st)) == SQLITE_ROW)
		rc = csa_read_chunk(arena, st, &hit->chunk);
	hit->bm25 = best->bm25;
	hit->score = best->score;
	/* The index knows a row that is not there: a damaged file. */
	if (rc == SQLITE_DONE)
		rc = SQLITE_CORRUPT;
	return csa_done(st, rc);
}

static void
report_terms(const struct csa_ranking *r, struct csa_text_result *out)
{
	for (size_t i = 0; i < out->nterms; i++) {
		out->terms[i].df = (uint64_t)r->df[i];
		out->terms[i].idf = r->idf[i];
	}
	out->ideal = r->sum_idf * (CSA_BM25_K1 + 1);
}

/* In one read transaction: the ranking and the texts are of one generation. */
static int
run(struct csa_db *c, struct csa_arena *arena, size_t k,
    struct csa_text_result *out)
{
	int64_t	 chunks;

	csa_rank_start(c, (int)out->nterms, k > CANDIDATES ? k : CANDIDATES);
	if (csa_begin(c, false) == -1 || csa_meta(c, "chunks", &chunks) == -1 ||
	    match(c, match_of(arena, out->terms, out->nterms)) == -1)
		return -1;
	csa_rank_finish(c, chunks);
	report_terms(c->rank, out);
	if (k > c->rank->nbest)
		k = c->rank->nbest;
	out->hits = csa_arena_array(arena, k, struct csa_text_hit);
	for (; out->nhits < k; out->nhits++)
		if (read_hit(c, arena, &c->rank->best[out->nhits],
		    &out->hits[out->nhits]) == -1)
			return -1;
	return csa_commit(c);
}

int
csa_sqlite_search(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_text_result *out, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	memset(out, 0, sizeof(*out));
	out->nterms = terms_of(ctx->arena, question, &out->terms);
	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	rc = 0;
	if (out->nterms > 0 && k > 0 &&
	    run(c, ctx->arena, k, out) == -1)
		rc = csa_db_fail(c, "search", err);
	csa_db_give(s, c);
	return rc;
}
