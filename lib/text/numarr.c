#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/text/number.h"
#include "lib/text/numarr.h"
#include "lib/text/numarr_marks.h"
#include "lib/text/swar.h"

/* What has fewer bytes and no exponent is below FLT_MAX, which has 39 digits. */
#define SURELY_FINITE	38

#define CHUNK		16
#define SPAN		(CSA_WINDOW + CHUNK)	/* bytes a window may touch */

static inline const char *
digits(const char *p, const char *end)
{
	uint64_t	 m;

	for (; end - p >= 8; p += 8)
		if ((m = csa_not_digits(csa_load8(p))) != 0)
			return p + csa_first8(m);
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

/* The number at p to its end, or NULL; exponents take the long way. */
static inline const char *
number(const char *p, const char *end)
{
	struct csa_number_text	 t;
	const char		*start = p, *whole, *frac;

	p += p < end && *p == '-';
	whole = p;
	/* Nearly always one digit before the point. */
	if (end - p >= 2 && p[1] == '.' && *p >= '0' && *p <= '9')
		p++;
	else
		p = digits(p, end);
	if (p == whole || (*whole == '0' && p > whole + 1))
		return NULL;
	if (p < end && *p == '.') {
		frac = ++p;
		if ((p = digits(p, end)) == frac)
			return NULL;
	}
	if (p - start <= SURELY_FINITE &&
	    (p == end || (*p != 'e' && *p != 'E')))
		return p;
	if (csa_number_scan(start, (size_t)(end - start), &t) !=
	    CSA_NUMBER_OK || csa_number_exceeds_float(start, t.len))
		return NULL;
	return start + t.len;
}

/* ---- in place: what has been read is written again, without blanks ---- */

/* out is never ahead of p. */
struct scan {
	char	*p, *end;	/* to be read */
	char	*out;		/* where what follows is to be written */
	size_t	 count, max;
};

static void
skip_blanks(struct scan *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' ||
	    *c->p == '\r' || *c->p == '\t'))
		c->p++;
}

/*
 * The numbers of a window, each from its start to the comma that ends it.  In
 * whole chunks: with p so far ahead, what is written too much is read already.
 */
static inline __attribute__((always_inline)) void
put_numbers(struct scan *c, uint64_t starts, uint64_t ends)
{
	const char	*s;
	size_t		 n, at;

	do {
		s = c->p + __builtin_ctzll(starts);
		n = (size_t)(c->p + __builtin_ctzll(ends) + 1 - s);
		at = 0;
		do
			memcpy(c->out + at, s + at, CHUNK);
		while ((at += CHUNK) < n);
		c->out += n;
		starts &= starts - 1;
	} while ((ends &= ends - 1) != 0);
}

/* The same nearer than that: at the beginning, and where there is no gap. */
static __attribute__((noinline)) char *
put_near(const char *p, char *out, uint64_t starts, uint64_t ends)
{
	const char	*s;
	size_t		 n;

	for (; ends != 0; starts &= starts - 1, ends &= ends - 1) {
		s = p + __builtin_ctzll(starts);
		n = (size_t)(p + __builtin_ctzll(ends) + 1 - s);
		if (out != s)
			memmove(out, s, n);
		out += n;
	}
	return out;
}

/* What stands behind a comma or a blank, or first of all. */
static inline __attribute__((always_inline)) uint64_t
behind_gap(const struct csa_marks *m)
{
	return (m->comma | m->blank) << 1 | 1;
}

/*
 * Where the first byte stands that no usual number has there, if the window
 * begins behind a comma or the bracket.  A usual number is one digit, a point and
 * digits, perhaps behind a minus, with blanks before it and its comma right
 * behind.  None is too large for a float.  Each bit depends on none above it, so
 * what the window cuts off does no harm to what stands before.
 */
static inline __attribute__((always_inline)) uint64_t
misfits(const struct csa_marks *m)
{
	uint64_t	 first, gap = behind_gap(m);

	first = m->digit & ~(m->digit << 1 | m->point << 1);
	return ~(m->digit | m->point | m->minus | m->comma | m->blank) |
	    (m->point ^ first << 1) | (m->point << 1 & ~m->digit) |
	    (m->minus << 1 & ~m->digit) | (m->comma & ~(m->digit << 1)) |
	    ((m->blank | m->minus) & ~gap);
}

/* Past the usual numbers of a window that end in it; false: there is none. */
static inline __attribute__((always_inline)) bool
window(struct scan *c, const struct csa_marks *m)
{
	uint64_t	 wrong = misfits(m), starts, ends, ink;
	size_t		 n;

	ends = m->comma & ((wrong & -wrong) - 1);
	if (ends == 0)
		return false;
	n = (size_t)__builtin_popcountll(ends);
	if (n > c->max - c->count)
		return false;
	c->count += n;
	starts = behind_gap(m) & ~m->blank;
	if (c->p - c->out >= CHUNK)
		put_numbers(c, starts, ends);
	else
		c->out = put_near(c->p, c->out, starts, ends);
	/* The gap behind the last one as well, as far as it can be seen. */
	ink = ~m->blank & ~UINT64_C(1) << (63 - __builtin_clzll(ends));
	c->p += ink != 0 ? __builtin_ctzll(ink) : CSA_WINDOW;
	return true;
}

/* Through a copy of its own: what is written might else be part of c. */
#define WINDOWS(c, marks) do {						\
	struct csa_marks	 m_;					\
	struct scan		 c_ = *(c);				\
									\
	do								\
		marks(c_.p, &m_);					\
	while (window(&c_, &m_) && c_.end - c_.p >= SPAN);		\
	*(c) = c_;							\
} while (0)

#ifdef __x86_64__
CSA_AVX2 static void
windows_avx2(struct scan *c)
{
	WINDOWS(c, csa_marks_avx2);
}
#endif

static void
windows(struct scan *c)
{
	if (c->end - c->p < SPAN)
		return;
#ifdef __x86_64__
	if (csa_has_avx2())
		windows_avx2(c);
	else
		WINDOWS(c, csa_marks_sse2);
#else
	WINDOWS(c, csa_marks_plain);
#endif
}

static int
one_number(struct scan *c)
{
	const char	*q;
	size_t		 n;

	skip_blanks(c);
	if (c->count == c->max || (q = number(c->p, c->end)) == NULL)
		return -1;
	c->count++;
	n = (size_t)(q - c->p);
	memmove(c->out, c->p, n);
	c->out += n;
	c->p += n;
	skip_blanks(c);
	return 0;
}

static int
numbers(struct scan *c)
{
	for (;;) {
		windows(c);
		if (one_number(c) == -1)
			return -1;
		if (c->p == c->end || *c->p != ',')
			return 0;
		*c->out++ = *c->p++;
	}
}

int
csa_numarr_scan(char *s, size_t n, size_t max, struct csa_numarr *a,
    size_t *used)
{
	struct scan	 c = { s + 1, s + n, s + 1, 0, max };

	if (n == 0 || *s != '[')
		return -1;
	skip_blanks(&c);
	if ((c.p == c.end || *c.p != ']') && numbers(&c) == -1)
		return -1;
	if (c.p == c.end || *c.p != ']')
		return -1;
	*c.out++ = *c.p++;
	a->s = s;
	a->n = (size_t)(c.out - s);
	a->count = c.count;
	*used = (size_t)(c.p - s);
	return 0;
}

static const char *
past_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' ||
	    *p == '\t'))
		p++;
	return p;
}

/* The quote that ends the string whose first byte is at p, or NULL. */
static const char *
closing(const char *p, const char *end)
{
	const char	*q, *b, *from = p;

	while ((q = memchr(from, '"', (size_t)(end - from))) != NULL) {
		for (b = q; b > p && b[-1] == '\\'; b--)
			;
		if ((q - b) % 2 == 0)
			return q;
		from = q + 1;
	}
	return NULL;
}

const char *
csa_json_find(const char *s, size_t n, const char *name, size_t *pos)
{
	const char	*end = s + n, *p, *q;
	size_t		 len = strlen(name);
	bool		 same;

	if (*pos >= n)
		return NULL;
	p = s + *pos;
	while ((p = memchr(p, '"', (size_t)(end - p))) != NULL) {
		p++;
		if ((q = closing(p, end)) == NULL)
			return NULL;
		same = (size_t)(q - p) == len && memcmp(p, name, len) == 0;
		p = q + 1;
		if (!same)
			continue;
		/* A string of that text may be a value instead. */
		q = past_blanks(p, end);
		if (q == end || *q != ':')
			continue;
		q = past_blanks(q + 1, end);
		if (q == end)
			return NULL;
		*pos = (size_t)(p - s);
		return q;
	}
	return NULL;
}
