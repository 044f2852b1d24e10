#include "config.h"

#include <string.h>

#include "lib/text/utf8.h"

/* Eight bytes at once; most text, and nearly all JSON, is ASCII. */
static size_t
ascii(const unsigned char *p, size_t n)
{
	uint64_t	 v;
	size_t		 i = 0;

	for (; n - i >= 8; i += 8) {
		memcpy(&v, p + i, 8);
		if ((v & 0x8080808080808080u) != 0)
			break;
	}
	while (i < n && p[i] < 0x80)
		i++;
	return i;
}

/*
 * Length of the well-formed character at p, or 0 (Unicode 15, table 3-7).  Only
 * the second byte's range depends on the first.
 */
static size_t
character(const unsigned char *p, size_t n)
{
	unsigned char	 lo = 0x80, hi = 0xbf;
	size_t		 len;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	len = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	if (n < len)
		return 0;
	if (p[0] == 0xe0)
		lo = 0xa0;
	else if (p[0] == 0xed)
		hi = 0x9f;
	else if (p[0] == 0xf0)
		lo = 0x90;
	else if (p[0] == 0xf4)
		hi = 0x8f;
	if (p[1] < lo || p[1] > hi)
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool
csa_utf8_valid(const char *s, size_t n, size_t *where)
{
	const unsigned char	*p = (const unsigned char *)s;
	size_t			 i = 0, len;

	while (i < n) {
		i += ascii(p + i, n - i);
		if (i == n)
			break;
		if ((len = character(p + i, n - i)) == 0) {
			if (where != NULL)
				*where = i;
			return false;
		}
		i += len;
	}
	return true;
}

size_t
csa_utf8_decode(const char *s, size_t n, uint32_t *cp)
{
	const unsigned char	*p = (const unsigned char *)s;
	size_t			 len = character(p, n);

	switch (len) {
	case 1:
		*cp = p[0];
		return 1;
	case 2:
		*cp = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return 2;
	case 3:
		*cp = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 |
		    (p[2] & 0x3fu);
		return 3;
	case 4:
		*cp = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 |
		    (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
		return 4;
	}
	*cp = 0xfffd;
	return 1;
}

size_t
csa_utf8_cut(const char *s, size_t n, size_t max)
{
	if (n <= max)
		return n;
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	return max;
}

void
csa_utf8_line(char *out, size_t size, const char *s, size_t n)
{
	size_t	 bad;

	if (!csa_utf8_valid(s, n, &bad))
		n = bad;
	n = csa_utf8_cut(s, n, size - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ?
		    ' ' : s[i];
	out[n] = '\0';
}

bool
csa_utf8_space(uint32_t cp)
{
	switch (cp) {
	case '\t':
	case '\n':
	case '\v':
	case '\f':
	case '\r':
	case ' ':
	case 0x85:
	case 0xa0:
	case 0x1680:
	case 0x2028:
	case 0x2029:
	case 0x202f:
	case 0x205f:
	case 0x2060:
	case 0x3000:
	case 0xfeff:
		return true;
	}
	return cp >= 0x2000 && cp <= 0x200b;
}

size_t
csa_utf8_skip(const char *s, size_t n)
{
	size_t		 i, len;
	uint32_t	 cp;

	for (i = 0; i < n; i += len) {
		len = csa_utf8_decode(s + i, n - i, &cp);
		if (!csa_utf8_space(cp))
			break;
	}
	return i;
}

bool
csa_utf8_blank(const char *s, size_t n)
{
	return csa_utf8_skip(s, n) == n;
}

size_t
csa_tokens_estimate(const char *s, size_t n)
{
	const uint64_t	 ones = 0x0101010101010101u;
	size_t		 high = 0, other = 0, i = 0;
	uint64_t	 v, top;

	/* Eight bytes at once: a bit of each, added up in the top byte. */
	for (; n - i >= 8; i += 8) {
		memcpy(&v, s + i, 8);
		if ((top = v >> 7 & ones) == 0)
			continue;
		high += top * ones >> 56;
		other += (top & v >> 6) * ones >> 56;
	}
	for (; i < n; i++) {
		high += (unsigned char)s[i] >= 0x80;
		other += (unsigned char)s[i] >= 0xc0;
	}
	return (n - high + 3) / 4 + other;
}
