#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/rag/retrieve_cache.h"
#include "lib/text/utf8.h"

#define FORMAT	1

/* The least that each of them takes. */
#define LEAST_PASSAGE	(8 + 1 + 4 + 1)
#define LEAST_TERM	(4 + 1 + 8 + 8 + 1)
#define LEAST_HIT	(4 + 8 + 8)

/* ---- writing ---- */

static void
put_number(struct csa_buf *b, uint64_t v, size_t n)
{
	uint8_t	 le[8];

	for (size_t i = 0; i < n; i++, v >>= 8)
		le[i] = (uint8_t)v;
	csa_buf_add(b, le, n);
}

static void
put_double(struct csa_buf *b, double v)
{
	uint64_t	 bits;

	memcpy(&bits, &v, sizeof(bits));
	put_number(b, bits, 8);
}

static void
put_bytes(struct csa_buf *b, const char *s, size_t n)
{
	put_number(b, n, 4);
	if (n > 0)
		csa_buf_add(b, s, n);
}

static void
put_string(struct csa_buf *b, const char *s)
{
	put_bytes(b, s, strlen(s));
}

static void
put_passage(struct csa_buf *b, const struct csa_passage *p, bool elsewhere)
{
	const struct csa_chunk	*c = &p->chunk;

	put_double(b, p->score);
	put_number(b, elsewhere, 1);
	put_string(b, c->id);
	if (!elsewhere)
		return;
	put_string(b, c->document_id);
	put_string(b, c->title);
	put_bytes(b, c->text, c->len);
	put_number(b, c->metadata != NULL, 1);
	if (c->metadata != NULL)
		put_string(b, c->metadata);
}

/* found->n where it is none of the passages. */
static size_t
passage_of(const struct csa_found *found, const char *id)
{
	size_t	 i;

	for (i = 0; i < found->n; i++)
		if (strcmp(found->passages[i].chunk.id, id) == 0)
			break;
	return i;
}

/* What else full text has found nobody asks for. */
static size_t
count_hits(const struct csa_found *found)
{
	const struct csa_text_result	*t = &found->text;
	size_t				 n = 0;

	for (size_t i = 0; i < t->nhits; i++)
		n += passage_of(found, t->hits[i].chunk.id) < found->n;
	return n;
}

static void
put_hits(struct csa_buf *b, const struct csa_found *found)
{
	const struct csa_text_result	*t = &found->text;
	size_t				 at;

	for (size_t i = 0; i < t->nhits; i++) {
		at = passage_of(found, t->hits[i].chunk.id);
		if (at == found->n)
			continue;
		put_number(b, at, 4);
		put_double(b, t->hits[i].score);
		put_double(b, t->hits[i].bm25);
	}
}

static void
put_terms(struct csa_buf *b, const struct csa_text_result *t)
{
	for (size_t i = 0; i < t->nterms; i++) {
		put_string(b, t->terms[i].text);
		put_double(b, t->terms[i].idf);
		put_number(b, t->terms[i].df, 8);
		put_number(b, t->terms[i].prefix, 1);
	}
}

void
csa_found_encode(struct csa_buf *b, const struct csa_found *found)
{
	put_number(b, FORMAT, 1);
	put_number(b, found->n, 4);
	put_number(b, found->text.nterms, 4);
	put_number(b, count_hits(found), 4);
	put_double(b, found->text.ideal);
	for (size_t i = 0; i < found->n; i++)
		put_passage(b, &found->passages[i],
		    found->elsewhere != NULL && found->elsewhere[i]);
	put_terms(b, &found->text);
	put_hits(b, found);
}

/* ---- reading ---- */

/* Once something is wrong all that is read is nothing. */
struct reader {
	struct csa_arena *arena;
	const uint8_t	*p;
	size_t		 left;
	bool		 bad;
};

static const uint8_t *
get_bytes(struct reader *r, size_t n)
{
	const uint8_t	*p = r->p;

	if (r->bad || n > r->left) {
		r->bad = true;
		return NULL;
	}
	r->p += n;
	r->left -= n;
	return p;
}

static uint64_t
get_number(struct reader *r, size_t n)
{
	const uint8_t	*p = get_bytes(r, n);
	uint64_t	 v = 0;

	if (p == NULL)
		return 0;
	while (n-- > 0)
		v = v << 8 | p[n];
	return v;
}

static bool
get_bool(struct reader *r)
{
	uint64_t	 v = get_number(r, 1);

	if (v > 1)
		r->bad = true;
	return v == 1;
}

/* How many of what takes at least so many bytes each. */
static size_t
get_count(struct reader *r, size_t least)
{
	uint64_t	 v = get_number(r, 4);

	if (v > r->left / least)
		r->bad = true;
	return r->bad ? 0 : (size_t)v;
}

/* Scores and the like: finite and not below 0. */
static double
get_double(struct reader *r)
{
	uint64_t	 bits = get_number(r, 8);
	double		 v;

	memcpy(&v, &bits, sizeof(v));
	if (!isfinite(v) || v < 0)
		r->bad = true;
	return r->bad ? 0 : v;
}

/* In the arena, with a NUL behind it; text may have some in it as well. */
static const char *
get_text(struct reader *r, size_t *len)
{
	size_t		 n = (size_t)get_number(r, 4);
	const char	*s = (const char *)get_bytes(r, n);

	*len = 0;
	if (s == NULL || !csa_utf8_valid(s, n, NULL)) {
		r->bad = true;
		return "";
	}
	*len = n;
	return csa_arena_strndup(r->arena, s, n);
}

static const char *
get_string(struct reader *r)
{
	size_t		 n;
	const char	*s = get_text(r, &n);

	if (strlen(s) != n)
		r->bad = true;
	return s;
}

/* "" is nobody's name. */
static const char *
get_name(struct reader *r)
{
	const char	*s = get_string(r);

	if (*s == '\0')
		r->bad = true;
	return s;
}

static bool
get_passage(struct reader *r, struct csa_passage *p)
{
	bool	 elsewhere;

	p->score = get_double(r);
	elsewhere = get_bool(r);
	p->chunk.id = get_name(r);
	if (!elsewhere)
		return false;
	p->chunk.document_id = get_string(r);
	p->chunk.title = get_string(r);
	p->chunk.text = get_text(r, &p->chunk.len);
	if (get_bool(r))
		p->chunk.metadata = get_string(r);
	return true;
}

static bool
is_among(const struct csa_passage *p, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(p[i].chunk.id, id) == 0)
			return true;
	return false;
}

static void
get_passages(struct reader *r, struct csa_found *found)
{
	struct csa_passage	*p;
	bool			*elsewhere;

	p = csa_arena_array(r->arena, found->n, struct csa_passage);
	elsewhere = csa_arena_array(r->arena, found->n, bool);
	for (size_t i = 0; i < found->n && !r->bad; i++) {
		elsewhere[i] = get_passage(r, &p[i]);
		if ((i > 0 && p[i].score > p[i - 1].score) ||
		    is_among(p, i, p[i].chunk.id))
			r->bad = true;
	}
	found->passages = p;
	found->elsewhere = elsewhere;
}

static void
get_terms(struct reader *r, struct csa_text_result *t)
{
	t->terms = csa_arena_array(r->arena, t->nterms, struct csa_term);
	for (size_t i = 0; i < t->nterms && !r->bad; i++) {
		t->terms[i].text = get_name(r);
		t->terms[i].idf = get_double(r);
		t->terms[i].df = get_number(r, 8);
		t->terms[i].prefix = get_bool(r);
	}
}

static const uint32_t *
get_hits(struct reader *r, struct csa_found *found)
{
	struct csa_text_result	*t = &found->text;
	uint32_t		*of;

	of = csa_arena_array(r->arena, t->nhits, uint32_t);
	t->hits = csa_arena_array(r->arena, t->nhits, struct csa_text_hit);
	for (size_t i = 0; i < t->nhits && !r->bad; i++) {
		of[i] = (uint32_t)get_number(r, 4);
		if (of[i] >= found->n)
			r->bad = true;
		t->hits[i].score = get_double(r);
		t->hits[i].bm25 = get_double(r);
	}
	return of;
}

int
csa_found_decode(struct csa_arena *arena, const void *data, size_t n,
    size_t k, struct csa_found *found, const uint32_t **of)
{
	struct reader	 r = { arena, data, n, false };

	memset(found, 0, sizeof(*found));
	if (get_number(&r, 1) != FORMAT)
		return 0;
	found->n = get_count(&r, LEAST_PASSAGE);
	found->text.nterms = get_count(&r, LEAST_TERM);
	found->text.nhits = get_count(&r, LEAST_HIT);
	found->text.ideal = get_double(&r);
	if (r.bad || found->n > k || found->text.nhits > found->n)
		return 0;
	get_passages(&r, found);
	get_terms(&r, &found->text);
	*of = get_hits(&r, found);
	return !r.bad && r.left == 0;
}
