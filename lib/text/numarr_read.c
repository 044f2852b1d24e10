#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/text/number.h"
#include "lib/text/numarr.h"
#include "lib/text/numarr_usual.h"
#include "lib/text/swar.h"

/* Powers of ten that a double, and a uint64_t, holds exactly. */
static const double p10[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};
static const uint64_t u10[] = {
	1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000,
};

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

/* Read any number at p, checked before, and return its end. */
static const char *
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
	while (*p != ',' && *p != ']')
		p++;
	*f = csa_number_float(start, (size_t)(p - start));
	return p;
}

/* The k digits, 0 to 8 of them, that v begins with. */
static inline uint64_t
up_to_eight(uint64_t v, unsigned k)
{
	/* Shifted up to the end of the word, behind zeros. */
	if (k < 8)
		v = v << 8 << (56 - 8 * k) | (CSA_ONES * '0') >> 8 * k;
	return csa_eight_digits(v);
}

/* Read the usual number of n bytes at p, n < CSA_USUAL. */
static inline bool
read_usual(const char *p, unsigned n, float *f)
{
	bool		 minus = *p == '-';
	const char	*frac = p + minus + 2;
	unsigned	 k = n - minus - 2;
	uint64_t	 m = (uint64_t)(frac[-2] - '0');

	if (k < 8)
		m = m * u10[k] + up_to_eight(csa_load8(frac), k);
	else {
		m = m * u10[8] + csa_eight_digits(csa_load8(frac));
		m = m * u10[k - 8] + up_to_eight(csa_load8(frac + 8), k - 8);
	}
	if (!quick(m, -(int)k, f))
		return false;
	if (minus)
		*f = -*f;
	return true;
}

/* Read the number at p, checked before, and return its end. */
static inline const char *
read_number(const char *p, const char *end, float *f)
{
	unsigned	 n;

	/* What is read: the second eight digits, behind "-0." and the first. */
	if (end - p >= CSA_USUAL_LOOK && (n = csa_usual_number(p)) > 0 &&
	    n < CSA_USUAL && p[n] == ',' && read_usual(p, n, f))
		return p + n;
	return read_float(p, end, f);
}

void
csa_numarr_floats(const struct csa_numarr *a, float *f)
{
	const char	*end = a->s + a->n, *p = a->s + 1;

	for (size_t i = 0; i < a->count; i++) {
		p = read_number(p, end, &f[i]) + 1;	/* comma or bracket */
		CSA_MUST(p <= end);
	}
}
