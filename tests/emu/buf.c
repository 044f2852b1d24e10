#include "config.h"

#include <err.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/buf.h"

void *
emu_alloc(size_t n)
{
	void *p;

	if ((p = malloc(n != 0 ? n : 1)) == NULL)
		err(1, "out of memory");
	return p;
}

void *
emu_calloc(size_t n, size_t size)
{
	void *p;

	if ((p = calloc(n != 0 ? n : 1, size)) == NULL)
		err(1, "out of memory");
	return p;
}

void *
emu_realloc(void *old, size_t n)
{
	void *p;

	if ((p = realloc(old, n != 0 ? n : 1)) == NULL)
		err(1, "out of memory");
	return p;
}

char *
emu_strndup(const char *s, size_t n)
{
	char *p;

	p = emu_alloc(n + 1);
	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
emu_strdup(const char *s)
{
	return emu_strndup(s, strlen(s));
}

void
emu_buf_room(struct emu_buf *b, size_t n)
{
	size_t cap;

	if (b->p != NULL && b->cap - b->len > n)
		return;
	cap = b->cap != 0 ? b->cap : 256;
	while (cap - b->len <= n)
		cap *= 2;
	b->p = emu_realloc(b->p, cap);
	b->cap = cap;
	b->p[b->len] = '\0';
}

void
emu_buf_add(struct emu_buf *b, const void *p, size_t n)
{
	emu_buf_room(b, n);
	if (n != 0)
		memcpy(b->p + b->len, p, n);
	b->len += n;
	b->p[b->len] = '\0';
}

void
emu_buf_adds(struct emu_buf *b, const char *s)
{
	emu_buf_add(b, s, strlen(s));
}

void
emu_buf_addf(struct emu_buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	emu_buf_room(b, 128);
	va_start(ap, fmt);
	n = vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
	va_end(ap);
	if (n < 0)
		errx(1, "vsnprintf");
	if ((size_t)n >= b->cap - b->len) {
		emu_buf_room(b, (size_t)n);
		va_start(ap, fmt);
		(void)vsnprintf(b->p + b->len, b->cap - b->len, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

/* The two-character escape of a byte, or 0 if it has none. */
static char
short_escape(unsigned char c)
{
	switch (c) {
	case '"':	return '"';
	case '\\':	return '\\';
	case '\n':	return 'n';
	case '\r':	return 'r';
	case '\t':	return 't';
	default:	return 0;
	}
}

void
emu_buf_json(struct emu_buf *b, const char *s, size_t n)
{
	size_t i, from = 0;
	char esc[8];

	emu_buf_room(b, n + 2);
	emu_buf_add(b, "\"", 1);
	for (i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		emu_buf_add(b, s + from, i - from);
		from = i + 1;
		if (short_escape(c) != 0)
			(void)snprintf(esc, sizeof(esc), "\\%c",
			    short_escape(c));
		else
			(void)snprintf(esc, sizeof(esc), "\\u%04x", c);
		emu_buf_adds(b, esc);
	}
	emu_buf_add(b, s + from, n - from);
	emu_buf_add(b, "\"", 1);
}

void
emu_buf_jsons(struct emu_buf *b, const char *s)
{
	emu_buf_json(b, s, strlen(s));
}

/*
 * Nine decimals without printf, which would cost more than all the rest of an
 * embedding.  Good for 1e-4 <= |f| < 1; the caller sends the others elsewhere.
 */
static size_t
fixed9(char *out, float f)
{
	char digits[9];
	uint32_t v;
	size_t n = 0;
	int i, last = 0;

	if (f < 0) {
		out[n++] = '-';
		f = -f;
	}
	v = (uint32_t)((double)f * 1e9 + 0.5);
	if (v >= 1000000000u)
		v = 999999999u;
	for (i = 8; i >= 0; i--, v /= 10) {
		digits[i] = (char)('0' + v % 10);
		if (last == 0 && v % 10 != 0)
			last = i;
	}
	out[n++] = '0';
	out[n++] = '.';
	for (i = 0; i <= last; i++)
		out[n++] = digits[i];
	return n;
}

void
emu_buf_float(struct emu_buf *b, float f)
{
	float a = fabsf(f);

	emu_buf_room(b, 32);
	if (a >= 1e-4f && a < 1.0f)
		b->len += fixed9(b->p + b->len, f);
	else
		b->len += (size_t)snprintf(b->p + b->len, 32, "%.9g",
		    (double)f);
	b->p[b->len] = '\0';
}

void
emu_buf_floats(struct emu_buf *b, const float *f, size_t n)
{
	size_t i;

	emu_buf_room(b, n * 13 + 2);
	emu_buf_add(b, "[", 1);
	for (i = 0; i < n; i++) {
		if (i != 0)
			emu_buf_add(b, ",", 1);
		emu_buf_float(b, f[i]);
	}
	emu_buf_add(b, "]", 1);
}

void
emu_buf_base64(struct emu_buf *b, const void *p, size_t n)
{
	static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *s = p;
	size_t i;
	char *o;

	emu_buf_room(b, (n + 2) / 3 * 4);
	o = b->p + b->len;
	for (i = 0; i < n; i += 3) {
		uint32_t v = (uint32_t)s[i] << 16;

		if (i + 1 < n)
			v |= (uint32_t)s[i + 1] << 8;
		if (i + 2 < n)
			v |= s[i + 2];
		*o++ = abc[v >> 18];
		*o++ = abc[v >> 12 & 63];
		*o++ = i + 1 < n ? abc[v >> 6 & 63] : '=';
		*o++ = i + 2 < n ? abc[v & 63] : '=';
	}
	b->len = (size_t)(o - b->p);
	b->p[b->len] = '\0';
}

void
emu_buf_clear(struct emu_buf *b)
{
	b->len = 0;
	if (b->p != NULL)
		b->p[0] = '\0';
}

void
emu_buf_fini(struct emu_buf *b)
{
	free(b->p);
	memset(b, 0, sizeof(*b));
}

/* The length of the valid sequence at s, or 0. */
static size_t
utf8_step(const unsigned char *s, size_t n)
{
	size_t len, i;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	len = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (len > n)
		return 0;
	for (i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
	    (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

int
emu_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, step;

	while (i < n) {
		if ((step = utf8_step(p + i, n - i)) == 0)
			return 0;
		i += step;
	}
	return 1;
}

/* The finalizer of splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t
mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9u;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

uint64_t
emu_hash(const void *p, size_t n, uint64_t seed)
{
	const unsigned char *s = p;
	uint64_t h = seed ^ (n * 0x9e3779b97f4a7c15u), w;
	size_t i;

	for (i = 0; i + 8 <= n; i += 8) {
		memcpy(&w, s + i, 8);
		h = (h ^ w) * 0x9fb21c651e98df25u;
		h ^= h >> 32;
	}
	w = 0;
	memcpy(&w, s + i, n - i);
	return mix(h ^ w);
}
