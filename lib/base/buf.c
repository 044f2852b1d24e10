#include "config.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

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

int
csa_buf_reserve(struct csa_buf *b, size_t n)
{
	size_t	 size, need;
	char	*p;

	if (b->failed)
		return -1;
	if (n > b->max - b->len)
		goto fail;
	need = b->len + n + 1;
	if (need <= b->size)
		return 0;
	size = b->size > 0 ? b->size : 256;
	while (size < need)
		size += size / 2;
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

void
csa_buf_add(struct csa_buf *b, const void *data, size_t n)
{
	if (csa_buf_reserve(b, n) == -1)
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
	csa_buf_add(b, &c, 1);
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

/* Bytes that csa_buf_json does not copy as they are. */
static bool
is_special(unsigned char c)
{
	return c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' ||
	    c == '&' || c == 0x7f || c == 0xe2;
}

/* Sixteen bytes at once: every answer's text goes through here. */
typedef unsigned char	 bytes16 __attribute__((vector_size(16)));

static bool
has_special(const unsigned char *p)
{
	bytes16		 v, m;
	uint64_t	 half[2];

	memcpy(&v, p, sizeof(v));
	m = (bytes16)(v < 0x20) | (bytes16)(v == '"') | (bytes16)(v == '\\') |
	    (bytes16)(v == '<') | (bytes16)(v == '>') | (bytes16)(v == '&') |
	    (bytes16)(v == 0x7f) | (bytes16)(v == 0xe2);
	memcpy(half, &m, sizeof(half));
	return (half[0] | half[1]) != 0;
}

/* How many bytes at p can be copied as they are. */
static size_t
plain(const unsigned char *p, size_t n)
{
	size_t	 i = 0;

	while (n - i >= sizeof(bytes16) && !has_special(p + i))
		i += sizeof(bytes16);
	while (i < n && !is_special(p[i]))
		i++;
	return i;
}

static void
escape(struct csa_buf *b, unsigned char c)
{
	switch (c) {
	case '"':
		csa_buf_add(b, "\\\"", 2);
		break;
	case '\\':
		csa_buf_add(b, "\\\\", 2);
		break;
	case '\n':
		csa_buf_add(b, "\\n", 2);
		break;
	case '\r':
		csa_buf_add(b, "\\r", 2);
		break;
	case '\t':
		csa_buf_add(b, "\\t", 2);
		break;
	default:
		csa_buf_addf(b, "\\u%04x", c);
	}
}

void
csa_buf_json(struct csa_buf *b, const char *s, size_t n)
{
	const unsigned char	*p = (const unsigned char *)s;
	size_t			 run;

	csa_buf_putc(b, '"');
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
