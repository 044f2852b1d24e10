#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"

#define MINLIFT	8

static _Atomic uint64_t nonces = 0x51ed270b7a14u;

/* The array belongs to the lift from now on.  Returns its number. */
static size_t
keep(struct emu_lift *l, float *f, size_t n)
{
	l->array = emu_realloc(l->array, (l->n + 1) * sizeof(*l->array));
	l->len = emu_realloc(l->len, (l->n + 1) * sizeof(*l->len));
	l->array[l->n] = f;
	l->len[l->n] = n;
	return l->n++;
}

void
emu_lift_fini(struct emu_lift *l)
{
	size_t i;

	for (i = 0; i < l->n; i++)
		free(l->array[i]);
	free(l->array);
	free(l->len);
}

static const char *
space(const char *s)
{
	while (*s == ' ' || *s == '\t' || *s == '\n' || *s == '\r')
		s++;
	return s;
}

/* A JSON number at s; its end, or NULL.  Sets *real on a point or exponent. */
static const char *
number_end(const char *s, bool *real)
{
	if (*s == '-')
		s++;
	if (*s < '0' || *s > '9')
		return NULL;
	while (*s >= '0' && *s <= '9')
		s++;
	if (*s == '.') {
		*real = true;
		if (*++s < '0' || *s > '9')
			return NULL;
		while (*s >= '0' && *s <= '9')
			s++;
	}
	if (*s == 'e' || *s == 'E') {
		*real = true;
		s++;
		if (*s == '+' || *s == '-')
			s++;
		if (*s < '0' || *s > '9')
			return NULL;
		while (*s >= '0' && *s <= '9')
			s++;
	}
	return s;
}

/* Up to 18 digits and no exponent are exact enough; strtod does the rest. */
static float
number(const char *s, const char *end)
{
	static const double p10[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
	    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18 };
	const char *p = s, *point = NULL;
	uint64_t v = 0;
	double d;

	if (*p == '-')
		p++;
	if (end - p > 18)
		return (float)strtod(s, NULL);
	for (; p < end; p++) {
		if (*p == '.')
			point = p;
		else if (*p == 'e' || *p == 'E')
			return (float)strtod(s, NULL);
		else
			v = v * 10 + (uint64_t)(*p - '0');
	}
	d = (double)v / p10[point != NULL ? end - point - 1 : 0];
	return (float)(*s == '-' ? -d : d);
}

/*
 * s stands after '['.  Returns the place after ']' and the numbers, or NULL
 * when this is not an array to lift.
 */
static const char *
scan(const char *s, float **out, size_t *nout)
{
	float *f = NULL;
	size_t n = 0, cap = 0;
	bool real = false;
	const char *end;

	for (s = space(s);; s = space(s + 1)) {
		if ((end = number_end(s, &real)) == NULL)
			goto no;
		if (n == cap) {
			cap = cap != 0 ? cap * 2 : 256;
			f = emu_realloc(f, cap * sizeof(*f));
		}
		f[n++] = number(s, end);
		s = space(end);
		if (*s == ']')
			break;
		if (*s != ',')
			goto no;
	}
	if (!real || n < MINLIFT)
		goto no;
	*out = f;
	*nout = n;
	return s + 1;
no:
	free(f);
	return NULL;
}

/* The end of a string whose opening quote is at s; the NUL if it has none. */
static const char *
skip_string(const char *s)
{
	for (s++; *s != '\0' && *s != '"'; s++)
		if (*s == '\\' && s[1] != '\0')
			s++;
	return *s == '"' ? s + 1 : s;
}

/* Copy text to out with its number arrays replaced by marks. */
static void
lift(struct emu_lift *l, const char *text, struct emu_buf *out)
{
	const char *s, *from = text, *end;
	float *f;
	size_t n;

	l->nonce = atomic_fetch_add(&nonces, 0x9e3779b97f4a7c15u);
	for (s = text; *s != '\0';) {
		if (*s == '"') {
			s = skip_string(s);
			continue;
		}
		if (*s != '[' || (end = scan(s + 1, &f, &n)) == NULL) {
			s++;
			continue;
		}
		emu_buf_add(out, from, (size_t)(s - from));
		emu_buf_addf(out, "\"@%016" PRIx64 "#%zu\"", l->nonce,
		    keep(l, f, n));
		from = s = end;
	}
	emu_buf_add(out, from, (size_t)(s - from));
}

int
emu_json_parse(struct emu_req *rq, enum emu_dialect dialect, const char **why)
{
	struct json_tokener *tok;
	struct emu_buf text = { NULL, 0, 0 };
	enum json_tokener_error e;

	*why = NULL;
	if (rq->body.len == 0) {
		rq->json = json_object_new_object();
		return 0;
	}
	if (memchr(rq->body.p, '\0', rq->body.len) != NULL) {
		*why = "unexpected NUL";
		return -1;
	}
	lift(&rq->lift, rq->body.p, &text);
	tok = json_tokener_new_ex(64);
	json_tokener_set_flags(tok, JSON_TOKENER_VALIDATE_UTF8 |
	    (dialect == EMU_STRICT ? JSON_TOKENER_STRICT : 0));
	rq->json = json_tokener_parse_ex(tok, text.p, (int)text.len + 1);
	e = json_tokener_get_error(tok);
	if (e != json_tokener_success)
		*why = json_tokener_error_desc(e);
	else if (!json_object_is_type(rq->json, json_type_object))
		*why = "the body is not an object";
	json_tokener_free(tok);
	emu_buf_fini(&text);
	return *why != NULL ? -1 : 0;
}

static int
plain_array(struct emu_req *rq, struct json_object *o, const float **f,
    size_t *n)
{
	size_t i;
	float *v;

	*n = json_object_array_length(o);
	v = emu_alloc(*n * sizeof(*v));
	keep(&rq->lift, v, *n);
	*f = v;
	for (i = 0; i < *n; i++) {
		struct json_object *x = json_object_array_get_idx(o, i);

		if (!json_object_is_type(x, json_type_double) &&
		    !json_object_is_type(x, json_type_int))
			return -1;
		v[i] = (float)json_object_get_double(x);
		if (!isfinite(v[i]))
			return -1;
	}
	return 1;
}

int
emu_lift_floats(struct emu_req *rq, struct json_object *o, const float **f,
    size_t *n)
{
	uint64_t nonce;
	size_t i;

	if (o == NULL)
		return 0;
	if (json_object_is_type(o, json_type_array))
		return plain_array(rq, o, f, n);
	if (!json_object_is_type(o, json_type_string) ||
	    sscanf(json_object_get_string(o), "@%16" SCNx64 "#%zu", &nonce,
	    &i) != 2 || nonce != rq->lift.nonce || i >= rq->lift.n)
		return -1;
	*f = rq->lift.array[i];
	*n = rq->lift.len[i];
	for (i = 0; i < *n; i++)
		if (!isfinite((*f)[i]))
			return -1;
	return 1;
}
