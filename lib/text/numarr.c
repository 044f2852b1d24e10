#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/text/number.h"
#include "lib/text/numarr.h"
#include "lib/text/numarr_usual.h"
#include "lib/text/swar.h"

/* What has fewer bytes and no exponent is below FLT_MAX, which has 39 digits. */
#define SURELY_FINITE	38

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

/*
 * Past the usual numbers at p, each with the gap before it and the comma behind
 * it, counting them up to max.  None is too large for a float.
 */
static const char *
usual_numbers(const char *p, const char *end, size_t max, size_t *count)
{
	struct csa_gap	 gap;
	const char	*start, *q;
	unsigned	 n;

	csa_gap_learn(&gap, p, end);
	for (; end - p >= CSA_USUAL && *count < max && csa_gap_is(&gap, p);
	    p = q + 1) {
		start = p + gap.n;
		if ((n = csa_usual_number(start)) == 0)
			break;
		q = start + n;
		if (n == CSA_WINDOW &&
		    (q = digits(q, end)) - start > SURELY_FINITE)
			break;
		if (q == end || *q != ',')
			break;
		(*count)++;
	}
	return p;
}

int
csa_numarr_scan(const char *s, size_t n, size_t max, struct csa_numarr *a)
{
	const char	*p = s, *end = s + n;
	size_t		 count = 0;

	if (n == 0 || *p != '[')
		return -1;
	p = csa_skip_blanks(p + 1, end);
	if (p < end && *p == ']')
		goto done;
	for (;;) {
		p = usual_numbers(p, end, max, &count);
		p = csa_skip_blanks(p, end);
		if (count == max || (p = number(p, end)) == NULL)
			return -1;
		count++;
		p = csa_skip_blanks(p, end);
		if (p == end || *p != ',')
			break;
		p++;
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
		q = csa_skip_blanks(p, end);
		if (q == end || *q != ':')
			continue;
		q = csa_skip_blanks(q + 1, end);
		if (q == end)
			return NULL;
		*pos = (size_t)(p - s);
		return q;
	}
	return NULL;
}
