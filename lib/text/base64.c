#include "config.h"

#include "lib/base/buf.h"
#include "lib/text/base64.h"

static const char letters[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* A letter's value plus 1; 0 for what is none. */
static const uint8_t values[256] = {
	['A'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18,
	19, 20, 21, 22, 23, 24, 25, 26,
	['a'] = 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42,
	43, 44, 45, 46, 47, 48, 49, 50, 51, 52,
	['0'] = 53, 54, 55, 56, 57, 58, 59, 60, 61, 62,
	['+'] = 63, ['/'] = 64,
};

/* Four letters as 24 bits, or -1; the last `pad` of them are '='. */
static long
group(const char *s, int pad)
{
	long	 bits = 0;

	for (int i = 0; i < 4; i++) {
		long	 v = values[(unsigned char)s[i]];

		if (i >= 4 - pad) {
			if (s[i] != '=')
				return -1;
			v = 1;
		}
		if (v == 0)
			return -1;
		bits = bits << 6 | (v - 1);
	}
	return bits;
}

long
csa_base64_decode(const char *s, size_t n, uint8_t *out)
{
	uint8_t	*p = out;
	long	 bits;
	int	 pad = 0;

	if (n % 4 != 0)
		return -1;
	for (; n > 0; s += 4, n -= 4) {
		if (n == 4)
			pad = s[3] != '=' ? 0 : s[2] != '=' ? 1 : 2;
		if ((bits = group(s, pad)) == -1)
			return -1;
		/* Bits nobody reads must be zero: one text for one value. */
		if ((bits & ((1L << 8 * pad) - 1)) != 0)
			return -1;
		*p++ = (uint8_t)(bits >> 16);
		if (pad < 2)
			*p++ = (uint8_t)(bits >> 8);
		if (pad < 1)
			*p++ = (uint8_t)bits;
	}
	return (long)(p - out);
}

void
csa_base64_encode(struct csa_buf *b, const void *data, size_t n)
{
	const uint8_t	*p = data;
	unsigned long	 bits;
	char		 four[4];

	if (csa_buf_reserve(b, (n + 2) / 3 * 4) == -1)
		return;
	for (; n > 0; p += 3) {
		bits = (unsigned long)p[0] << 16;
		if (n > 1)
			bits |= (unsigned long)p[1] << 8;
		if (n > 2)
			bits |= p[2];
		for (int i = 0; i < 4; i++)
			four[i] = letters[bits >> (18 - 6 * i) & 63];
		if (n < 3)
			four[3] = '=';
		if (n < 2)
			four[2] = '=';
		csa_buf_add(b, four, 4);
		n -= n < 3 ? n : 3;
	}
}
