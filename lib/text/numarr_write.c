#include "config.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/text/numarr.h"

/*
 * Nine significant digits tell every float from its neighbors, with room to
 * spare: the scaling below is off by a few units of 2^-53, a digit is 2^-30.
 */
#define DIGITS		9
#define LOW		100000000
#define HIGH		1000000000

/* "-1.23456789e-38," */
#define LONGEST		16
#define BATCH		128

/* 10^0 to 10^54: from the smallest float, 1e-45, up to nine digits. */
static const double p10[] = {
	1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24,
	1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31, 1e32, 1e33, 1e34, 1e35, 1e36,
	1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47, 1e48,
	1e49, 1e50, 1e51, 1e52, 1e53, 1e54,
};

static double
scale(double d, int k)
{
	return k >= 0 ? d * p10[k] : d / p10[-k];
}

/*
 * floor(log10(2^e)): 78913 / 2^18 is log10(2) but for 8e-7, which is less than any
 * power of 2 here is away from a power of 10.  The shift must not see a minus.
 */
static int
log10_of_2(int e)
{
	return (e * 78913 + (64 << 18)) / (1 << 18) - 64;
}

/* d > 0 as m * 10^(x - 8), LOW <= m < HIGH. */
static uint32_t
decimal(double d, int *x)
{
	uint64_t	 bits;
	int64_t		 m;

	/* A float is never subnormal as a double: its exponent is just there. */
	memcpy(&bits, &d, sizeof(bits));
	*x = log10_of_2((int)(bits >> 52) - 1023);
	/* 2^e <= d < 2^(e + 1): the guess is right or one too small. */
	m = (int64_t)(scale(d, DIGITS - 1 - *x) + 0.5);
	while (m >= HIGH) {		/* or 999999999.7 was rounded up */
		(*x)++;
		m = (int64_t)(scale(d, DIGITS - 1 - *x) + 0.5);
	}
	return (uint32_t)m;
}

static void
put2(char *p, uint32_t v)
{
	p[0] = (char)('0' + v / 10);
	p[1] = (char)('0' + v % 10);
}

/* The nine digits of m, in parts that do not wait for each other. */
static void
put9(char *p, uint32_t m)
{
	uint32_t	 high = m / 10000, low = m % 10000;

	p[0] = (char)('0' + high / 10000);
	high %= 10000;
	put2(p + 1, high / 100);
	put2(p + 3, high % 100);
	put2(p + 5, low / 100);
	put2(p + 7, low % 100);
}

static char *
put(char *p, const char *s, int n)
{
	for (int i = 0; i < n; i++)
		*p++ = s[i];
	return p;
}

static char *
put_exponent(char *p, int x)
{
	*p++ = 'e';
	*p++ = x < 0 ? '-' : '+';
	x = x < 0 ? -x : x;
	*p++ = (char)('0' + x / 10);
	*p++ = (char)('0' + x % 10);
	return p;
}

/* Like %.9g. */
static char *
put_float(char *p, float f)
{
	char		 text[DIGITS];
	int		 x, n = DIGITS;

	if (!isfinite(f) || f == 0) {
		*p++ = '0';
		return p;
	}
	if (f < 0)
		*p++ = '-';
	put9(text, decimal(fabs((double)f), &x));
	while (n > 1 && text[n - 1] == '0')
		n--;
	if (x >= -4 && x < 0) {
		p = put(p, "0.000", 1 - x);
		return put(p, text, n);
	}
	if (x >= 0 && x < DIGITS) {
		for (; n < x + 1; n++)
			text[n] = '0';
		p = put(p, text, x + 1);
		if (n > x + 1)
			*p++ = '.';
		return put(p, text + x + 1, n - x - 1);
	}
	*p++ = text[0];
	if (n > 1)
		*p++ = '.';
	return put_exponent(put(p, text + 1, n - 1), x);
}

void
csa_numarr_write(struct csa_buf *b, const float *f, size_t count)
{
	char	 out[BATCH * LONGEST], *p = out;

	csa_buf_putc(b, '[');
	for (size_t i = 0; i < count; i++) {
		p = put_float(p, f[i]);
		if (i + 1 < count)
			*p++ = ',';
		if (p > out + sizeof(out) - LONGEST || i + 1 == count) {
			csa_buf_add(b, out, (size_t)(p - out));
			p = out;
		}
	}
	csa_buf_putc(b, ']');
}
