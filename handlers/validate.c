#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/text/doc.h"
#include "lib/text/utf8.h"

static bool
all_of(const char *s, size_t n, const char *more)
{
	for (size_t i = 0; i < n; i++) {
		char	 c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
		    (c >= '0' && c <= '9') ||
		    (c != '\0' && strchr(more, c) != NULL)))
			return false;
	}
	return true;
}

int
csa_check_bot(const char *at, const char *s, size_t n, struct csa_err *err)
{
	if (n < 1 || n > 128 || !all_of(s, n, "._-") || s[0] == '.' ||
	    memmem(s, n, "..", 2) != NULL)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s must be 1 to 128 of A-Z a-z 0-9 . _ -, not start with a "
		    "dot and not contain \"..\"", at);
	return 0;
}

/* Those of ASCII, and U+0080 to U+009F.  s is UTF-8. */
static bool
has_control(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char	 c = (unsigned char)s[i];

		if (c < 0x20 || c == 0x7f || (c == 0xc2 && i + 1 < n &&
		    (unsigned char)s[i + 1] < 0xa0))
			return true;
	}
	return false;
}

int
csa_check_id(const char *at, const char *s, size_t n, struct csa_err *err)
{
	if (n < 1 || n > 256 || has_control(s, n) || csa_utf8_blank(s, n))
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s must be 1 to 256 bytes without control characters, and "
		    "not blank", at);
	return 0;
}

int
csa_check_model(const char *at, const char *s, size_t n, struct csa_err *err)
{
	if (n < 1 || n > 200 || !all_of(s, n, "._:/-+@") ||
	    memmem(s, n, "..", 2) != NULL || s[0] == '/')
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s is not a model's name", at);
	return 0;
}

int
csa_check_text(const char *at, const char *s, size_t n, size_t max,
    struct csa_err *err)
{
	if (n > max)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s has %zu bytes; the limit is %zu", at, n, max);
	if (csa_utf8_blank(s, n))
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s must not be empty or blank", at);
	return 0;
}

static int
add_list(struct csa_buf *b, const char *at, const char *name,
    const struct csa_node *list, struct csa_err *err)
{
	const struct csa_node	*o;
	size_t			 i = 0;

	csa_buf_putc(b, '[');
	for (o = list->first; o != NULL; o = o->next, i++) {
		if (o->type != CSA_NODE_STRING)
			return csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT, "%s.%.64s[%zu] must be a string",
			    at, name, i);
		if (i > 0)
			csa_buf_putc(b, ',');
		csa_buf_json(b, o->s, o->n);
	}
	csa_buf_putc(b, ']');
	return 0;
}

/* Would an integer be another one to whoever has 64 bits for it? */
static bool
is_too_long(const char *s)
{
	if (strpbrk(s, ".eE") != NULL)
		return false;
	return *s == '-' ? strtoll(s, NULL, 10) == INT64_MIN :
	    strtoull(s, NULL, 10) == UINT64_MAX;
}

static int
add_value(struct csa_buf *b, const char *at, const char *name,
    const struct csa_node *v, struct csa_err *err)
{
	switch (v->type) {
	case CSA_NODE_NUMBER:
		if (is_too_long(v->s))
			return csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT, "%s.%.64s does not fit in 64 bits",
			    at, name);
		/* Numbers keep the text they came with. */
		/* FALLTHROUGH */
	case CSA_NODE_STRING:
	case CSA_NODE_TRUE:
	case CSA_NODE_FALSE:
		csa_node_write(b, v);
		return 0;
	case CSA_NODE_ARRAY:
		return add_list(b, at, name, v, err);
	default:
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s.%.64s must be a string, a number, a boolean or a list "
		    "of strings", at, name);
	}
}

/* An object's members by name, so that a thousand in a thousand are no million. */
struct members {
	const struct csa_node	**v;
	size_t			 n;
};

static int
by_name(const void *a, const void *b)
{
	const struct csa_node	*x = *(const struct csa_node *const *)a;
	const struct csa_node	*y = *(const struct csa_node *const *)b;

	if (x->nname != y->nname)
		return x->nname < y->nname ? -1 : 1;
	return memcmp(x->name, y->name, x->nname);
}

/* Those with null too.  o may be NULL. */
static struct members
members_of(struct csa_arena *arena, const struct csa_node *o)
{
	struct members	 m = { NULL, 0 };

	if (o == NULL)
		return m;
	m.v = csa_arena_array(arena, o->n, const struct csa_node *);
	for (const struct csa_node *v = o->first; v != NULL; v = v->next)
		m.v[m.n++] = v;
	if (m.n > 1)
		qsort(m.v, m.n, sizeof(*m.v), by_name);
	return m;
}

static bool
is_among(const struct members *m, const struct csa_node *like)
{
	return m->n > 0 &&
	    bsearch(&like, m->v, m->n, sizeof(*m->v), by_name) != NULL;
}

static int
add_members(struct csa_buf *b, const char *at, const struct csa_node *o,
    const char *skip, const struct members *winner, struct csa_err *err)
{
	if (o == NULL)
		return 0;
	for (const struct csa_node *v = o->first; v != NULL; v = v->next) {
		if (v->type == CSA_NODE_NULL ||
		    (skip != NULL && strcmp(v->name, skip) == 0) ||
		    (winner != NULL && is_among(winner, v)))
			continue;
		csa_buf_putc(b, b->len == 0 ? '{' : ',');
		csa_buf_json(b, v->name, v->nname);
		csa_buf_putc(b, ':');
		if (add_value(b, at, v->name, v, err) == -1)
			return -1;
	}
	return 0;
}

int
csa_check_metadata(struct csa_arena *arena, const char *at,
    const struct csa_node *base, const struct csa_node *o, const char *skip,
    size_t max, const char **out, struct csa_err *err)
{
	struct members	 own = members_of(arena, o);
	struct csa_buf	 b;
	int		 rc = -1;

	*out = NULL;
	csa_buf_init(&b, max);
	if (add_members(&b, at, base, skip, &own, err) == -1 ||
	    add_members(&b, at, o, NULL, NULL, err) == -1)
		goto out;
	if (b.len > 0)
		csa_buf_putc(&b, '}');
	if (b.failed) {
		(void)csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s has more than %zu bytes", at, max);
		goto out;
	}
	if (b.len > 0)
		*out = csa_arena_strndup(arena, b.data, b.len);
	rc = 0;
out:
	csa_buf_fini(&b);
	return rc;
}
