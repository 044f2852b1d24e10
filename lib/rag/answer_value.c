#include "config.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/rag/answer_value.h"
#include "lib/text/json_check.h"
#include "lib/text/utf8.h"

#define FORMAT		1
#define NO_STRING	UINT32_MAX
#define TOKENS_MAX	INT32_MAX
#define USD_MAX		1e6
#define SCORE_MAX	2	/* 1, and what rounding adds */
#define CITED		1	/* what is said of a passage */
#define ELSEWHERE	2

/* ---- writing ---- */

static void
put32(struct csa_buf *b, uint32_t v)
{
	uint8_t	 d[4];

	for (int i = 0; i < 4; i++)
		d[i] = (uint8_t)(v >> 8 * i);
	csa_buf_add(b, d, sizeof(d));
}

static void
put_double(struct csa_buf *b, double x)
{
	uint64_t	 v;

	memcpy(&v, &x, sizeof(v));
	put32(b, (uint32_t)v);
	put32(b, (uint32_t)(v >> 32));
}

static void
put_tokens(struct csa_buf *b, long n)
{
	put32(b, n < 0 ? 0 : n > TOKENS_MAX ? TOKENS_MAX : (uint32_t)n);
}

static void
put_bytes(struct csa_buf *b, const char *s, size_t n)
{
	if (n >= NO_STRING) {
		b->failed = true;
		return;
	}
	put32(b, (uint32_t)n);
	csa_buf_add(b, s, n);
	csa_buf_putc(b, '\0');
}

static void
put_string(struct csa_buf *b, const char *s)
{
	if (s == NULL)
		put32(b, NO_STRING);
	else
		put_bytes(b, s, strlen(s));
}

static void
put_head(struct csa_buf *b, char kind)
{
	csa_buf_putc(b, kind);
	csa_buf_putc(b, FORMAT);
}

static void
put_passages(struct csa_buf *b, const struct csa_passage *p, size_t n)
{
	CSA_MUST(n <= CSA_ANSWER_PASSAGES);
	put32(b, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		const struct csa_chunk	*c = &p[i].chunk;

		put_double(b, p[i].score);
		put_string(b, c->id);
		put_string(b, c->document_id);
		put_string(b, c->title != NULL ? c->title : "");
		put_bytes(b, c->text, c->len);
		put_string(b, c->metadata);
	}
}

void
csa_answer_write(struct csa_buf *b, const struct csa_answer *a)
{
	const struct csa_chat_res	*r = &a->res;

	put_head(b, 'A');
	csa_buf_putc(b, (char)r->finish);
	csa_buf_putc(b, r->unknown ? 1 : 0);
	put_tokens(b, r->prompt_tokens);
	put_tokens(b, r->completion_tokens);
	put_tokens(b, r->total_tokens);
	put_tokens(b, r->cached_tokens);
	put_tokens(b, r->thought_tokens);
	put_double(b, r->cost_usd >= 0 && r->cost_usd <= USD_MAX ?
	    r->cost_usd : 0);
	put_string(b, r->model);
	put_string(b, r->provider);
	put_string(b, a->degraded);
	put_bytes(b, r->text, r->len);
	put_passages(b, a->passages, a->n);
	for (size_t i = 0; i < a->n; i++)
		csa_buf_putc(b, (char)((a->cited[i] ? CITED : 0) |
		    (a->elsewhere != NULL && a->elsewhere[i] ? ELSEWHERE :
		    0)));
}

void
csa_progress_write(struct csa_buf *b, const struct csa_passage *p, size_t n)
{
	put_head(b, 'P');
	put_passages(b, p, n);
}

void
csa_trouble_write(struct csa_buf *b, const struct csa_err *err)
{
	put_head(b, 'E');
	/* By its name: numbers change when one is added to the table. */
	put_string(b, csa_errinfo(err->code)->code);
	put_string(b, csa_source_name(err->source));
	put_tokens(b, err->retry_after);
	put_string(b, err->msg);
}

/* ---- reading ---- */

/* What is still to be read; at is NULL once something was amiss. */
struct cursor {
	const uint8_t	*at, *end;
};

static bool
has(struct cursor *c, size_t n)
{
	if (c->at != NULL && (size_t)(c->end - c->at) >= n)
		return true;
	c->at = NULL;
	return false;
}

static uint32_t
get8(struct cursor *c, uint32_t max)
{
	uint8_t	 v;

	if (!has(c, 1))
		return 0;
	v = *c->at++;
	if (v > max) {
		c->at = NULL;
		return 0;
	}
	return v;
}

static uint32_t
get32(struct cursor *c)
{
	uint32_t	 v = 0;

	if (!has(c, 4))
		return 0;
	for (int i = 0; i < 4; i++)
		v |= (uint32_t)c->at[i] << 8 * i;
	c->at += 4;
	return v;
}

static double
get_double(struct cursor *c, double max)
{
	uint64_t	 v = get32(c);
	double		 x;

	v |= (uint64_t)get32(c) << 32;
	memcpy(&x, &v, sizeof(x));
	/* -0 would be a second way to write 0. */
	if (isfinite(x) && !signbit(x) && x <= max)
		return x;
	c->at = NULL;
	return 0;
}

static long
get_tokens(struct cursor *c)
{
	uint32_t	 v = get32(c);

	if (v > TOKENS_MAX)
		c->at = NULL;
	return (long)v;
}

/* A string that may be NULL; *n is its length. */
static const char *
get_any(struct cursor *c, size_t *n)
{
	const char	*s;
	uint32_t	 len = get32(c);

	*n = 0;
	if (c->at == NULL || len == NO_STRING || !has(c, (size_t)len + 1))
		return NULL;
	s = (const char *)c->at;
	c->at += (size_t)len + 1;
	if (s[len] != '\0' || memchr(s, '\0', len) != NULL ||
	    !csa_utf8_valid(s, len, NULL)) {
		c->at = NULL;
		return NULL;
	}
	*n = len;
	return s;
}

static const char *
get_string(struct cursor *c, size_t *n)
{
	const char	*s = get_any(c, n);

	if (s == NULL)
		c->at = NULL;
	return s;
}

static int
open_value(struct cursor *c, const void *data, size_t n, int kind)
{
	c->at = data;
	c->end = c->at + n;
	if (csa_answer_kind(data, n) != kind)
		return -1;
	c->at += 2;
	return 0;
}

static const char *
get_metadata(struct cursor *c)
{
	const char	*s, *why;
	size_t		 n, where;

	/* It is shown as it stands. */
	if ((s = get_any(c, &n)) != NULL && (s[0] != '{' || csa_json_check(s, n,
	    &csa_json_request_limits, &where, &why) == -1))
		c->at = NULL;
	return s;
}

static struct csa_passage *
get_passages(struct cursor *c, struct csa_arena *arena, size_t *n)
{
	struct csa_passage	*p;
	size_t			 len;

	*n = get32(c);
	/* None is shorter than that, so a few bytes make no large array. */
	if (*n > CSA_ANSWER_PASSAGES || !has(c, *n * 32)) {
		c->at = NULL;
		return NULL;
	}
	p = csa_arena_array(arena, *n, struct csa_passage);
	for (size_t i = 0; i < *n && c->at != NULL; i++) {
		struct csa_chunk	*k = &p[i].chunk;

		p[i].score = get_double(c, SCORE_MAX);
		k->id = get_string(c, &len);
		k->document_id = get_string(c, &len);
		k->title = get_string(c, &len);
		k->text = get_string(c, &k->len);
		k->metadata = get_metadata(c);
	}
	return p;
}

int
csa_answer_kind(const void *data, size_t n)
{
	const uint8_t	*p = data;

	if (n < 2 || p[1] != FORMAT || memchr("APE", p[0], 3) == NULL)
		return 0;
	return p[0];
}

int
csa_answer_read(struct csa_arena *arena, const void *data, size_t n,
    struct csa_answer *a)
{
	struct csa_chat_res	*r = &a->res;
	struct cursor		 c;
	uint32_t		 flags;
	bool			*elsewhere;
	size_t			 len;

	memset(a, 0, sizeof(*a));
	if (open_value(&c, data, n, 'A') == -1)
		return -1;
	r->finish = (enum csa_finish)get8(&c, CSA_FINISH_FILTER);
	r->unknown = get8(&c, 1) == 1;
	r->prompt_tokens = get_tokens(&c);
	r->completion_tokens = get_tokens(&c);
	r->total_tokens = get_tokens(&c);
	r->cached_tokens = get_tokens(&c);
	r->thought_tokens = get_tokens(&c);
	r->cost_usd = get_double(&c, USD_MAX);
	r->model = get_string(&c, &len);
	r->provider = get_any(&c, &len);
	a->degraded = get_any(&c, &len);
	r->text = get_string(&c, &r->len);
	a->passages = get_passages(&c, arena, &a->n);
	if (!has(&c, a->n))
		return -1;
	a->cited = csa_arena_array(arena, a->n, bool);
	a->elsewhere = elsewhere = csa_arena_array(arena, a->n, bool);
	for (size_t i = 0; i < a->n; i++) {
		flags = get8(&c, CITED | ELSEWHERE);
		a->cited[i] = (flags & CITED) != 0;
		elsewhere[i] = (flags & ELSEWHERE) != 0;
	}
	return c.at == c.end && !csa_utf8_blank(r->text, r->len) ? 0 : -1;
}

int
csa_progress_read(struct csa_arena *arena, const void *data, size_t n,
    struct csa_passage **p, size_t *npassages, const char **text, size_t *len)
{
	struct cursor	 c;

	if (open_value(&c, data, n, 'P') == -1)
		return -1;
	*p = get_passages(&c, arena, npassages);
	if (c.at == NULL)
		return -1;
	*text = (const char *)c.at;
	*len = (size_t)(c.end - c.at);
	return csa_utf8_valid(*text, *len, NULL) ? 0 : -1;
}

static bool
find_code(const char *name, enum csa_errcode *code)
{
	for (int i = CSA_OK + 1; i < CSA_ERR__MAX; i++)
		if (strcmp(csa_errinfo((enum csa_errcode)i)->code, name) == 0) {
			*code = (enum csa_errcode)i;
			return true;
		}
	return false;
}

static bool
find_source(const char *name, enum csa_source *source)
{
	for (int i = 0; i < CSA_SRC__MAX; i++)
		if (strcmp(csa_source_name((enum csa_source)i), name) == 0) {
			*source = (enum csa_source)i;
			return true;
		}
	return false;
}

int
csa_trouble_read(const void *data, size_t n, struct csa_err *err)
{
	struct cursor	 c;
	enum csa_errcode code;
	enum csa_source	 source;
	const char	*name, *from, *msg;
	long		 after;
	size_t		 len;

	if (open_value(&c, data, n, 'E') == -1)
		return -1;
	name = get_string(&c, &len);
	from = get_string(&c, &len);
	after = get_tokens(&c);
	msg = get_string(&c, &len);
	if (c.at != c.end || len >= sizeof(err->msg) ||
	    !find_code(name, &code) || !find_source(from, &source))
		return -1;
	(void)csa_fail(err, code, source, "%s", msg);
	err->retry_after = (int)after;
	return 0;
}
