#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/bytes16.h"

#define MIN_UNUSED	128	/* bytes, below which they are not worth a call */

void
csa_buf_init(struct csa_buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max;
}

void
csa_buf_fini(struct csa_buf *b)
{
	free(b->data);
	b->data = NULL;
	b->len = b->size = 0;
}

void
csa_buf_reset(struct csa_buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* Is there room for n more, and the NUL?  A failed buffer has none. */
static bool
has_room(const struct csa_buf *b, size_t n)
{
	return n < b->size - b->len && n <= b->max - b->len;
}

static int
grow(struct csa_buf *b, size_t n)
{
	size_t	 size = b->size > 0 ? b->size + b->size / 2 : 256;
	char	*p;

	if (b->failed)
		return -1;
	if (n > b->max - b->len)
		goto fail;
	/* No more than is asked for where that is much: it may be all. */
	if (size - b->len <= n)
		size = b->len + n + 1;
	if ((p = realloc(b->data, size)) == NULL)
		goto fail;
	b->data = p;
	b->size = size;
	return 0;
fail:
	csa_buf_fini(b);
	b->failed = true;
	return -1;
}

int
csa_buf_reserve(struct csa_buf *b, size_t n)
{
	return has_room(b, n) ? 0 : grow(b, n);
}

void
csa_buf_fit(struct csa_buf *b)
{
	char	*p;

	if (b->size - b->len <= MIN_UNUSED)
		return;
	/* A block that cannot be made smaller stays as it is. */
	if ((p = realloc(b->data, b->len + 1)) == NULL)
		return;
	b->data = p;
	b->size = b->len + 1;
}

void
csa_buf_add(struct csa_buf *b, const void *data, size_t n)
{
	if (!has_room(b, n) && grow(b, n) == -1)
		return;
	if (n > 0)
		memcpy(b->data + b->len, data, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void
csa_buf_puts(struct csa_buf *b, const char *s)
{
	csa_buf_add(b, s, strlen(s));
}

void
csa_buf_putc(struct csa_buf *b, char c)
{
	if (!has_room(b, 1) && grow(b, 1) == -1)
		return;
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}

void
csa_buf_addf(struct csa_buf *b, const char *fmt, ...)
{
	va_list	 ap;
	size_t	 room;
	int	 n;

	/* Most fit in what is there already; the rest is formatted twice. */
	if (csa_buf_reserve(b, 0) == -1)
		return;
	room = b->size - b->len;
	va_start(ap, fmt);
	n = vsnprintf(b->data + b->len, room, fmt, ap);
	va_end(ap);
	CSA_MUST(n >= 0);
	if ((size_t)n >= room || (size_t)n > b->max - b->len) {
		b->data[b->len] = '\0';
		if (csa_buf_reserve(b, (size_t)n) == -1)
			return;
		va_start(ap, fmt);
		vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

/*
 * The number of the first of sixteen bytes that csa_buf_json does not copy as it
 * is, or 16.  '"' and '&' differ in one bit, '<' and '>' in another.
 */
static unsigned
first_special(const unsigned char *p)
{
	csa_bytes16	 v = csa_load_bytes16(p);

	return csa_first16((csa_bytes16)(v < 0x20) |
	    (csa_bytes16)((v | ('"' ^ '&')) == ('"' | '&')) |
	    (csa_bytes16)((v | ('<' ^ '>')) == ('<' | '>')) |
	    (csa_bytes16)(v == '\\') | (csa_bytes16)(v == 0x7f) |
	    (csa_bytes16)(v == 0xe2));
}

/* How many bytes at p can be copied as they are. */
static size_t
plain(const unsigned char *p, size_t n)
{
	unsigned char	 last[CSA_BYTES16];
	size_t		 i;
	unsigned	 k;

	for (i = 0; n - i >= sizeof(last); i += sizeof(last))
		if ((k = first_special(p + i)) < sizeof(last))
			return i + k;
	memset(last, ' ', sizeof(last));
	memcpy(last, p + i, n - i);
	k = first_special(last);
	return i + k < n ? i + k : n;
}

static void
escape(struct csa_buf *b, unsigned char c)
{
	static const char	 hex[] = "0123456789abcdef";
	char			 text[6] = { '\\', 'u', '0', '0' };

	switch (c) {
	case '"':
	case '\\':
		text[1] = (char)c;
		break;
	case '\n':
		text[1] = 'n';
		break;
	case '\r':
		text[1] = 'r';
		break;
	case '\t':
		text[1] = 't';
		break;
	default:
		text[4] = hex[c >> 4];
		text[5] = hex[c & 15];
	}
	csa_buf_add(b, text, text[1] == 'u' ? 6 : 2);
}

void
csa_buf_escaped(struct csa_buf *b, const char *s, size_t n)
{
	const unsigned char	*p = (const unsigned char *)s;
	size_t			 run;

	while (n > 0) {
		run = plain(p, n);
		csa_buf_add(b, p, run);
		p += run;
		if ((n -= run) == 0)
			break;
		if (*p == 0xe2) {
			/* U+2028 and U+2029 are e2 80 a8 and e2 80 a9. */
			if (n >= 3 && p[1] == 0x80 && (p[2] | 1) == 0xa9) {
				csa_buf_puts(b, p[2] == 0xa8 ?
				    "\\u2028" : "\\u2029");
				p += 3;
				n -= 3;
				continue;
			}
			csa_buf_putc(b, (char)*p);
		} else
			escape(b, *p);
		p++;
		n--;
	}
}

void
csa_buf_json(struct csa_buf *b, const char *s, size_t n)
{
	csa_buf_putc(b, '"');
	csa_buf_escaped(b, s, n);
	csa_buf_putc(b, '"');
}

void
csa_buf_jsonz(struct csa_buf *b, const char *s)
{
	if (s == NULL)
		csa_buf_puts(b, "null");
	else
		csa_buf_json(b, s, strlen(s));
}

void
csa_buf_int(struct csa_buf *b, int64_t x)
{
	char		 text[24], *p = text + sizeof(text);
	uint64_t	 v = x < 0 ? -(uint64_t)x : (uint64_t)x;

	do {
		*--p = (char)('0' + v % 10);
	} while ((v /= 10) > 0);
	if (x < 0)
		*--p = '-';
	csa_buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void
csa_buf_fixed(struct csa_buf *b, double x, unsigned decimals)
{
	static const double	 scale[] = { 1, 10, 100, 1e3, 1e4, 1e5, 1e6 };
	char			 text[32], *p = text + sizeof(text);
	uint64_t		 v;

	CSA_MUST(decimals < sizeof(scale) / sizeof(scale[0]));
	if (!(x > 0))
		x = 0;
	if (x > 1e12)
		x = 1e12;
	v = (uint64_t)(x * scale[decimals] + .5);
	/* One decimal stays, so that it reads as what it is. */
	for (; decimals > 1 && v % 10 == 0; decimals--)
		v /= 10;
	for (unsigned i = 0; i < decimals; i++, v /= 10)
		*--p = (char)('0' + v % 10);
	if (decimals > 0)
		*--p = '.';
	do {
		*--p = (char)('0' + v % 10);
	} while ((v /= 10) > 0);
	csa_buf_add(b, p, (size_t)(text + sizeof(text) - p));
}
