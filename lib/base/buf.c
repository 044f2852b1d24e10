#include "config.h"

#include <math.h>
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
	int	 n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	CSA_MUST(n >= 0);
	if (csa_buf_reserve(b, (size_t)n) == -1)
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

/* How many bytes at p can be copied as they are. */
static size_t
plain(const unsigned char *p, size_t n)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if (p[i] < 0x20 || p[i] == '"' || p[i] == '\\' ||
		    p[i] == '<' || p[i] == '>' || p[i] == '&' ||
		    p[i] == 0x7f || p[i] == 0xe2)
			break;
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
csa_buf_json_double(struct csa_buf *b, double x)
{
	char	 text[40];

	if (!isfinite(x))
		x = 0;
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, x);
		if (strtod(text, NULL) == x)
			break;
	}
	csa_buf_puts(b, text);
}
