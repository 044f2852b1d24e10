#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/bytes16.h"
#include "lib/base/must.h"
#include "lib/text/json_check.h"
#include "lib/text/names.h"
#include "lib/text/number.h"
#include "lib/text/utf8.h"

const struct csa_json_limits	csa_json_request_limits = {
	.max_depth = 32,
	.max_names = 1000,
	.max_values = 100000,
	.unique_names = true,
};

/* Names may be namespaces, one a bot; values, 100 vectors of 3,072 numbers. */
const struct csa_json_limits	csa_json_reply_limits = {
	.max_depth = 64,
	.max_names = 100000,
	.max_values = 1000000,
};

/* An array or object that is open. */
struct level {
	size_t	 start;			/* where it opened: its number */
	uint32_t names;			/* so far */
	uint32_t names_before : 31;	/* on the stack of names */
	uint32_t object : 1;
};

struct check {
	const char			*s;
	size_t				 n, i;
	const struct csa_json_limits	*limits;
	const char			*why;
	size_t				 values;
	unsigned			 depth;
	struct level			 levels[CSA_JSON_DEPTH_MAX];
	struct csa_names		 names;
};

static int
wrong(struct check *c, size_t where, const char *why)
{
	c->i = where;
	c->why = why;
	return -1;
}

static void
blanks(struct check *c)
{
	while (c->i < c->n && (c->s[c->i] == ' ' || c->s[c->i] == '\n' ||
	    c->s[c->i] == '\r' || c->s[c->i] == '\t'))
		c->i++;
}

static int
word(struct check *c, const char *w)
{
	size_t	 n = strlen(w);

	if (c->n - c->i < n || memcmp(c->s + c->i, w, n) != 0)
		return wrong(c, c->i, "no JSON value starts like this");
	c->i += n;
	return 0;
}

static int
number(struct check *c)
{
	const char		*s = c->s + c->i;
	struct csa_number_text	 t;

	switch (csa_number_scan(s, c->n - c->i, &t)) {
	case CSA_NUMBER_OK:
		break;
	case CSA_NUMBER_SYNTAX:
		return wrong(c, c->i + t.len, "a digit is missing in a number");
	case CSA_NUMBER_ZERO:
		return wrong(c, c->i + t.len, "a number may not start with 0");
	case CSA_NUMBER_LONG:
		return wrong(c, c->i, "a number is too long");
	}
	/* 300 digits without an exponent are below 1e308. */
	if ((t.exponent || t.len > 300) && csa_number_exceeds_double(s, t.len))
		return wrong(c, c->i, "a number is too large");
	c->i += t.len;
	return 0;
}

/* The four hex digits at i, or -1. */
static long
hex4(const struct check *c, size_t i)
{
	long	 v = 0;
	int	 d;

	if (i > c->n || c->n - i < 4)
		return -1;
	for (size_t end = i + 4; i < end; i++) {
		d = c->s[i];
		if (d >= '0' && d <= '9')
			d -= '0';
		else if ((d | 0x20) >= 'a' && (d | 0x20) <= 'f')
			d = (d | 0x20) - 'a' + 10;
		else
			return -1;
		v = v << 4 | d;
	}
	return v;
}

/* \uXXXX, and the second half of a pair; i is at the backslash. */
static int
unicode_escape(struct check *c)
{
	size_t	 at = c->i;
	long	 u = hex4(c, at + 2), low;

	if (u == -1)
		return wrong(c, at, "\\u takes four hex digits");
	if (u == 0)
		return wrong(c, at, "\\u0000 is not allowed");
	c->i += 6;
	if (u < 0xd800 || u > 0xdfff)
		return 0;
	if (u > 0xdbff || c->n - c->i < 6 || c->s[c->i] != '\\' ||
	    c->s[c->i + 1] != 'u' || (low = hex4(c, c->i + 2)) < 0xdc00 ||
	    low > 0xdfff)
		return wrong(c, at, "half of a surrogate pair");
	c->i += 6;
	return 0;
}

static int
escape(struct check *c)
{
	char	 e = c->i + 1 < c->n ? c->s[c->i + 1] : '\0';

	if (e == 'u')
		return unicode_escape(c);
	if (e == '\0' || strchr("\"\\/bfnrt", e) == NULL)
		return wrong(c, c->i, "no such escape in a string");
	c->i += 2;
	return 0;
}

size_t
csa_json_plain(const char *p, size_t n)
{
	csa_bytes16	 v;
	unsigned	 k;
	size_t		 i;

	for (i = 0; n - i >= CSA_BYTES16; i += CSA_BYTES16) {
		v = csa_load_bytes16(p + i);
		k = csa_first16((csa_bytes16)(v == '"') |
		    (csa_bytes16)(v == '\\') | (csa_bytes16)(v < 0x20));
		if (k < CSA_BYTES16)
			return i + k;
	}
	while (i < n && p[i] != '"' && p[i] != '\\' &&
	    (unsigned char)p[i] >= 0x20)
		i++;
	return i;
}

/* i is at the opening quote and ends behind the closing one. */
static int
string(struct check *c, bool *escaped)
{
	size_t	 start = c->i++;

	*escaped = false;
	for (;;) {
		c->i += csa_json_plain(c->s + c->i, c->n - c->i);
		if (c->i == c->n)
			return wrong(c, start, "a string does not end");
		if (c->s[c->i] == '"')
			break;
		if (c->s[c->i] != '\\')
			return wrong(c, c->i,
			    "a control character in a string");
		*escaped = true;
		if (escape(c) == -1)
			return -1;
	}
	c->i++;
	return 0;
}

/* A member's name and its colon; i is at what should be the name. */
static int
name(struct check *c)
{
	struct level	*l = &c->levels[c->depth - 1];
	size_t		 start = c->i;
	bool		 escaped;

	if (c->i == c->n || c->s[c->i] != '"')
		return wrong(c, c->i, c->i == c->n ? "an object does not end" :
		    "a name in double quotes is missing");
	if (string(c, &escaped) == -1)
		return -1;
	if (++l->names > c->limits->max_names)
		return wrong(c, start, "an object has too many names");
	if (c->limits->unique_names && !csa_names_push(&c->names, l->start,
	    c->s + start + 1, c->i - start - 2, escaped))
		return wrong(c, start, "name given twice");
	blanks(c);
	if (c->i == c->n || c->s[c->i] != ':')
		return wrong(c, c->i, "a colon is missing after a name");
	c->i++;
	return 0;
}

static int
open_level(struct check *c)
{
	struct level	*l;

	if (c->depth == c->limits->max_depth)
		return wrong(c, c->i, "nested too deeply");
	l = &c->levels[c->depth++];
	l->object = c->s[c->i] == '{';
	l->start = c->i++;
	l->names = 0;
	CSA_MUST(c->names.count < 1u << 31);
	l->names_before = (uint32_t)c->names.count & 0x7fffffff;
	return 0;
}

static void
close_level(struct check *c)
{
	csa_names_pop(&c->names, c->levels[--c->depth].names_before);
	c->i++;
}

/*
 * What comes next where a value is due.  Returns 1 if the value is an array or
 * object that goes on with a value, 0 if it is complete, -1 if it is wrong.
 */
static int
value(struct check *c)
{
	bool	 escaped;

	blanks(c);
	if (c->i == c->n)
		return wrong(c, c->i, "a value is missing");
	if (++c->values > c->limits->max_values)
		return wrong(c, c->i, "too many values");
	switch (c->s[c->i]) {
	case '"':
		return string(c, &escaped);
	case 't':
		return word(c, "true");
	case 'f':
		return word(c, "false");
	case 'n':
		return word(c, "null");
	case '{':
	case '[':
		break;
	default:
		if (c->s[c->i] == '-' ||
		    (c->s[c->i] >= '0' && c->s[c->i] <= '9'))
			return number(c);
		return wrong(c, c->i, "no JSON value starts like this");
	}
	if (open_level(c) == -1)
		return -1;
	blanks(c);
	if (c->i < c->n &&
	    c->s[c->i] == (c->levels[c->depth - 1].object ? '}' : ']')) {
		close_level(c);
		return 0;
	}
	if (c->levels[c->depth - 1].object && name(c) == -1)
		return -1;
	return 1;
}

/*
 * What follows a complete value.  Returns 1 if another value is due, 0 if the
 * outermost is complete, -1 if it is wrong.
 */
static int
follow(struct check *c)
{
	bool	 object;

	for (;;) {
		blanks(c);
		if (c->depth == 0)
			return c->i == c->n ? 0 :
			    wrong(c, c->i, "something follows the value");
		object = c->levels[c->depth - 1].object;
		if (c->i == c->n)
			return wrong(c, c->i, object ?
			    "an object does not end" : "an array does not end");
		if (c->s[c->i] == ',')
			break;
		if (c->s[c->i] != (object ? '}' : ']'))
			return wrong(c, c->i,
			    "a comma or the closing bracket is missing");
		close_level(c);
	}
	c->i++;
	blanks(c);
	return object && name(c) == -1 ? -1 : 1;
}

static int
scan(struct check *c)
{
	size_t	 bad;
	int	 rc;

	if (c->n >= 3 && memcmp(c->s, "\xef\xbb\xbf", 3) == 0)
		return wrong(c, 0, "a byte order mark is not allowed");
	if (!csa_utf8_valid(c->s, c->n, &bad))
		return wrong(c, bad, "not valid UTF-8");
	do {
		do
			rc = value(c);
		while (rc == 1);
		if (rc == 0)
			rc = follow(c);
	} while (rc == 1);
	return rc;
}

int
csa_json_check(const char *s, size_t n, const struct csa_json_limits *limits,
    size_t *where, const char **why)
{
	struct check	 c;
	int		 rc;

	CSA_MUST(limits->max_depth <= CSA_JSON_DEPTH_MAX);
	c.s = s;
	c.n = n;
	c.i = c.values = c.depth = 0;
	c.limits = limits;
	csa_names_init(&c.names);
	rc = scan(&c);
	csa_names_fini(&c.names);
	if (rc == -1) {
		*where = c.i;
		*why = c.why;
	}
	return rc;
}
