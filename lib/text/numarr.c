#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/must.h"
#include "lib/text/number.h"
#include "lib/text/numarr.h"
#include "lib/text/swar.h"

/* What has fewer bytes and no exponent is below FLT_MAX, which has 39 digits. */
#define SURELY_FINITE	38

#define COPY_ROOM	256	/* bytes asked for at a time */

/* Powers of ten that a double, and a uint64_t, holds exactly. */
static const double p10[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
static const uint64_t u10[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
};

/* Past the blanks: a pretty-printer's are a newline and then many spaces. */
static inline const char *
blanks(const char *p, const char *end)
{
	uint64_t	 m;

	for (; p < end && (unsigned char)*p <= ' '; p++) {
		if (*p == ' ' && end - p >= 8) {
			m = csa_not_spaces(csa_load8(p));
			p += m != 0 ? csa_first8(m) - 1 : 7;
		} else if (*p != ' ' && *p != '\n' && *p != '\r' &&
		    *p != '\t')
			break;
	}
	return p;
}

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

int
csa_numarr_scan(const char *s, size_t n, size_t max, struct csa_numarr *a)
{
	const char	*p = s, *end = s + n;
	size_t		 count = 0;

	if (n == 0 || *p != '[')
		return -1;
	p = blanks(p + 1, end);
	if (p < end && *p == ']')
		goto done;
	for (;;) {
		if (count == max || (p = number(p, end)) == NULL)
			return -1;
		count++;
		p = blanks(p, end);
		if (p == end || *p != ',')
			break;
		p = blanks(p + 1, end);
	}
	if (p == end || *p != ']')
		return -1;
done:
	a->s = s;
	a->n = (size_t)(p + 1 - s);
	a->count = count;
	return 0;
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
		q = blanks(p, end);
		if (q == end || *q != ':')
			continue;
		q = blanks(q + 1, end);
		if (q == end)
			return NULL;
		*pos = (size_t)(p - s);
		return q;
	}
	return NULL;
}

/*
 * Append the digits at *p to *m; false where there are more than 19 significant
 * ones.  Eight or fewer at a time: those that are too few are shifted up to the
 * end of the word, behind zeros.
 */
static inline bool
mantissa(const char **p, const char *end, uint64_t *m)
{
	uint64_t	 v, stop;
	unsigned	 k = 0;

	while (end - *p >= 8) {
		v = csa_load8(*p);
		stop = csa_not_digits(v);
		k = stop == 0 ? 8 : csa_first8(stop);
		if (k == 0)
			return true;
		if (k < 8)
			v = v << (64 - 8 * k) | (CSA_ONES * '0') >> 8 * k;
		if (*m >= u10[8] * 1000 * u10[8 - k])
			return false;
		*m = *m * u10[k] + csa_eight_digits(v);
		*p += k;
		if (k < 8)
			return true;
	}
	for (; **p >= '0' && **p <= '9'; (*p)++) {
		if (*m >= u10[8] * 1000 * u10[7])
			return false;
		*m = *m * 10 + (uint64_t)(**p - '0');
	}
	return true;
}

/*
 * m * 10^e as a float, if the shortest way is sure to be right.  m and 10^e become
 * doubles and are multiplied or divided once: an error of 2 units in the last
 * place at most.  Rounding that to float is right unless it lies so near the
 * middle between two floats that the error decides (Clinger, "How to read floating
 * point numbers accurately", 1990, for the exact case).  With such an e, d is 0 or
 * at least 1e-22, so no float is subnormal; that none is infinite, the scan saw to.
 */
static inline bool
quick(uint64_t m, int e, float *f)
{
	const uint64_t	 middle = UINT64_C(1) << 28, error = 8;
	uint64_t	 bits, rest;
	double		 d;

	if (e < -22 || e > 22)
		return false;
	d = e < 0 ? (double)m / p10[-e] : (double)m * p10[e];
	memcpy(&bits, &d, sizeof(bits));
	rest = bits & (2 * middle - 1);
	if (rest - (middle - error) <= 2 * error)
		return false;
	*f = (float)d;
	return true;
}

/* The exponent behind an 'e' at p, held to what quick refuses anyway. */
static int
exponent(const char **p)
{
	bool	 minus;
	int	 e = 0;

	(*p)++;
	minus = **p == '-';
	*p += minus || **p == '+';
	for (; **p >= '0' && **p <= '9'; (*p)++)
		if (e < 10000)
			e = e * 10 + (**p - '0');
	return minus ? -e : e;
}

/* Read the number at p, checked before, and return its end. */
static inline const char *
read_float(const char *p, const char *end, float *f)
{
	const char	*start = p, *frac;
	bool		 minus = *p == '-', fits;
	uint64_t	 m = 0;
	int		 e = 0;

	p += minus;
	/* Nearly always one digit before the point. */
	if (p[1] == '.') {
		m = (uint64_t)(*p++ - '0');
		fits = true;
	} else
		fits = mantissa(&p, end, &m);
	if (fits && *p == '.') {
		frac = ++p;
		fits = mantissa(&p, end, &m);
		e = p - frac < 1000 ? -(int)(p - frac) : -1000;
	}
	if (fits && (*p == 'e' || *p == 'E'))
		e += exponent(&p);
	if (fits && quick(m, e, f)) {
		if (minus)
			*f = -*f;
		return p;
	}
	while (*p != ',' && *p != ']' && (unsigned char)*p > ' ')
		p++;
	*f = csa_number_float(start, (size_t)(p - start));
	return p;
}

void
csa_numarr_floats(const struct csa_numarr *a, float *f)
{
	const char	*end = a->s + a->n, *p = a->s + 1;

	for (size_t i = 0; i < a->count; i++) {
		p = blanks(p, end);
		p = read_float(p, end, &f[i]);
		p = blanks(p, end) + 1;		/* a comma or the bracket */
		CSA_MUST(p <= end);
	}
}

/*
 * Fill the room that b has.  The bytes of a number and its comma are copied
 * eight at a time, the blanks behind them included and then written over.
 */
static const char *
copy_some(struct csa_buf *b, const char *p, const char *end)
{
	char		*out = b->data + b->len, *last;
	size_t		 room = b->size - b->len - 1, len;
	uint64_t	 v, low;

	if (room > b->max - b->len)
		room = b->max - b->len;
	for (last = out + room - 8; out <= last && end - p >= 8; p += len) {
		v = csa_load8(p);
		memcpy(out, p, 8);
		/* Top bit set up to the first byte below 0x21; all are ASCII. */
		low = ~(v + CSA_ONES * 0x5f) & CSA_TOPS;
		len = low == 0 ? 8 : csa_first8(low);
		out += len;
		if (len < 8)
			p = blanks(p + len, end) - len;
	}
	b->len = (size_t)(out - b->data);
	b->data[b->len] = '\0';
	return p;
}

void
csa_numarr_copy(struct csa_buf *b, const struct csa_numarr *a)
{
	const char	*p = a->s, *end = a->s + a->n;

	while (end - p >= 8 && b->max - b->len >= COPY_ROOM &&
	    csa_buf_reserve(b, COPY_ROOM) == 0)
		p = copy_some(b, p, end);
	/* The last bytes, or near the buffer's ceiling: one by one. */
	for (; p < end && !b->failed; p++)
		if ((unsigned char)*p > ' ')
			csa_buf_putc(b, *p);
}
