/*
 * What the fields of a body give is what json-c reads of the same text: every
 * member, asked for as every type, is there, absent or refused as its own type
 * says, and an integer or number is within the bounds that it was asked with.
 * What is refused is refused with its path and the reason, or with the place in
 * the text where it is wrong.
 */

#include "config.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/text/fields.h"
#include "lib/text/json.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

#define PATHSIZE	512	/* more than a message shows */

/* A member, as both have read it. */
struct member {
	const struct csa_node	*o;	/* the object that it is in */
	const char		*at;	/* its path */
	const char		*name;
	struct json_object	*v;	/* NULL: absent or null */
};

static const struct csa_err	untouched;

/* The error says this and no more, but for what msg has no room for. */
static void
says(const struct csa_err *e, enum csa_errcode code, const char *want)
{
	size_t	 n = strlen(e->msg), bad;

	CSA_MUST(e->code == code && e->source == CSA_SRC_CLIENT);
	CSA_MUST(strncmp(e->msg, want, n) == 0);
	/* Cut, the last character may have gone as a whole. */
	CSA_MUST(want[n] == '\0' || n + 4 >= sizeof(e->msg) - 1);
	CSA_MUST(csa_utf8_valid(e->msg, n, &bad));
}

static void
refused(const struct member *m, int rc, const struct csa_err *e,
    enum csa_errcode code, const char *what)
{
	char	 want[PATHSIZE];

	snprintf(want, sizeof(want), "%s%s%s must be %s", m->at,
	    *m->at != '\0' ? "." : "", m->name, what);
	CSA_MUST(rc == -1);
	says(e, code, want);
}

/* Is there a value to look at?  Else rc and e say why not. */
static bool
there(const struct member *m, bool type, const char *what, int rc,
    const struct csa_err *e)
{
	if (m->v == NULL)
		CSA_MUST(rc == 0);
	else if (!type)
		refused(m, rc, e, CSA_ERR_BAD_REQUEST, what);
	CSA_MUST(rc == -1 || memcmp(e, &untouched, sizeof(*e)) == 0);
	return m->v != NULL && type;
}

static void
string(const struct member *m)
{
	struct csa_err	 e = untouched;
	const char	*s = NULL;
	size_t		 n = 0;
	int		 rc = csa_field_str(m->o, m->at, m->name, &s, &n, &e);

	if (!there(m, json_object_is_type(m->v, json_type_string), "a string",
	    rc, &e))
		return;
	CSA_MUST(rc == 1 && s[n] == '\0');
	CSA_MUST(n == (size_t)json_object_get_string_len(m->v));
	CSA_MUST(memcmp(s, json_object_get_string(m->v), n) == 0);
}

static bool
is_number(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double);
}

/* json-c clips integers beyond these. */
static bool
clipped(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) &&
	    (json_object_get_uint64(v) == UINT64_MAX ||
	    json_object_get_int64(v) == INT64_MIN);
}

/* Does an int64_t hold it, to the one? */
static bool
fits(struct json_object *v, int64_t *x)
{
	double	 d = json_object_get_double(v);

	*x = json_object_get_int64(v);
	if (json_object_is_type(v, json_type_int))
		return json_object_get_uint64(v) <= INT64_MAX;
	return fabs(d) <= 9007199254740992.0;	/* 2^53 */
}

static void
integer(const struct member *m, int64_t min, int64_t max, const char *range)
{
	struct csa_err	 e = untouched;
	int64_t		 v = 0, x;
	double		 d = json_object_get_double(m->v);
	int		 rc;

	rc = csa_field_int(m->o, m->at, m->name, min, max, &v, &e);
	if (!there(m, is_number(m->v) && d == floor(d), "an integer", rc, &e))
		return;
	if (!fits(m->v, &x) || x < min || x > max)
		refused(m, rc, &e, CSA_ERR_INVALID_VALUE, range);
	else if (rc == 1 || !clipped(m->v))
		CSA_MUST(rc == 1 && v == x);
}

static void
number(const struct member *m, double min, double max, const char *range)
{
	struct csa_err	 e = untouched;
	double		 v = 0, d = json_object_get_double(m->v);
	int		 rc;

	rc = csa_field_num(m->o, m->at, m->name, min, max, &v, &e);
	if (!there(m, is_number(m->v), "a number", rc, &e))
		return;
	if (d < min || d > max)
		refused(m, rc, &e, CSA_ERR_INVALID_VALUE, range);
	else
		CSA_MUST(rc == 1 && v >= min && v <= max && (v == d ||
		    (clipped(m->v) && fabs(v) > fabs(d) && v * d > 0)));
}

static void
boolean(const struct member *m)
{
	struct csa_err	 e = untouched;
	bool		 v = false;
	int		 rc = csa_field_bool(m->o, m->at, m->name, &v, &e);

	if (there(m, json_object_is_type(m->v, json_type_boolean),
	    "true or false", rc, &e))
		CSA_MUST(rc == 1 && v == json_object_get_boolean(m->v));
}

static void
array(const struct member *m)
{
	struct csa_err		 e = untouched;
	const struct csa_node	*v = NULL;
	int			 rc;

	rc = csa_field_arr(m->o, m->at, m->name, &v, &e);
	if (there(m, json_object_is_type(m->v, json_type_array), "an array",
	    rc, &e))
		CSA_MUST(rc == 1 && csa_node_is(v, CSA_NODE_ARRAY) &&
		    v->n == json_object_array_length(m->v));
}

static void
object(const struct member *m)
{
	struct csa_err		 e = untouched;
	const struct csa_node	*v = NULL;
	int			 rc;

	rc = csa_field_obj(m->o, m->at, m->name, &v, &e);
	if (there(m, json_object_is_type(m->v, json_type_object), "an object",
	    rc, &e))
		CSA_MUST(rc == 1 && csa_node_is(v, CSA_NODE_OBJECT) &&
		    v->n == (size_t)json_object_object_length(m->v));
}

static void
as_every_type(const struct member *m)
{
	string(m);
	integer(m, INT64_MIN, INT64_MAX, "at least -9223372036854775808");
	integer(m, 1, INT64_MAX, "at least 1");
	integer(m, -3, 100, "between -3 and 100");
	number(m, -DBL_MAX, DBL_MAX,
	    "between -1.79769e+308 and 1.79769e+308");
	number(m, 0, 0.5, "between 0 and 0.5");
	boolean(m);
	array(m);
	object(m);
}

/* Fields are asked of what is no object: its path is in the message. */
static void
no_object(const char *at, const struct csa_node *o, struct json_object *j)
{
	struct csa_err	 e = untouched;
	char		 want[PATHSIZE + 32];
	bool		 v;
	int		 rc = csa_field_bool(o, at, "x", &v, &e);

	CSA_MUST(rc == (j != NULL ? -1 : 0));
	if (rc == 0)
		return;
	snprintf(want, sizeof(want), "%s must be an object",
	    *at != '\0' ? at : "the body");
	says(&e, CSA_ERR_BAD_REQUEST, want);
}

static void	same(const char *at, const struct csa_node *,
		    struct json_object *);

static void
same_members(const char *at, const struct csa_node *o, struct json_object *j)
{
	struct member	 absent = { .o = o, .at = at, .name = "a b s e n t" };
	char		 path[PATHSIZE];

	CSA_MUST(o->n == (size_t)json_object_object_length(j));
	absent.v = json_object_object_get(j, absent.name);
	as_every_type(&absent);
	json_object_object_foreach(j, name, v) {
		struct member	 m = { o, at, name, v };

		as_every_type(&m);
		snprintf(path, sizeof(path), "%s%s%s", at,
		    *at != '\0' ? "." : "", name);
		same(path, csa_node_get(o, name), v);
	}
}

static void
same(const char *at, const struct csa_node *o, struct json_object *j)
{
	const struct csa_node	*c;
	char			 path[PATHSIZE];
	size_t			 i = 0;

	if (json_object_is_type(j, json_type_object)) {
		same_members(at, o, j);
		return;
	}
	no_object(at, o, j);
	if (!json_object_is_type(j, json_type_array))
		return;
	for (c = o->first; c != NULL; c = c->next, i++) {
		snprintf(path, sizeof(path), "%s[%zu]", at, i);
		same(path, c->type != CSA_NODE_NULL ? c : NULL,
		    json_object_array_get_idx(j, i));
	}
	CSA_MUST(i == json_object_array_length(j));
}

/* The bytes of the character that begins so. */
static size_t
width(unsigned char c)
{
	return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* Why there are no fields: what is wrong, where, as an editor counts. */
static void
no_fields(const struct csa_err *e, const char *s, size_t n)
{
	size_t		 where, i, line = 1, column = 1;
	const char	*why;
	char		 want[PATHSIZE];

	if (csa_json_check(s, n, &csa_json_request_limits, &where, &why) == 0) {
		says(e, CSA_ERR_BAD_REQUEST, "the body must be a JSON object");
		return;
	}
	CSA_MUST(where <= n);
	for (i = 0; i < where; i += width((unsigned char)s[i])) {
		column = s[i] == '\n' ? 1 : column + 1;
		line += s[i] == '\n';
	}
	CSA_MUST(i == where);
	snprintf(want, sizeof(want), "not the JSON we take: %s (byte %zu, "
	    "line %zu, column %zu)", why, where, line, column);
	says(e, CSA_ERR_BAD_REQUEST, want);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char		*s = (const char *)data;
	struct csa_arena	*arena = csa_arena_new();
	struct csa_err		 e = untouched, ignored;
	struct json_object	*j;
	const struct csa_node	*o;
	char			*copy = csa_malloc(n);

	/* What was read is not the text's: that goes before it is looked at. */
	memcpy(copy, s, n);
	o = csa_fields(arena, copy, n, &e);
	memset(copy, 'x', n);
	free(copy);
	j = csa_json_parse(s, n, &csa_json_request_limits, &ignored);
	CSA_MUST((o != NULL) == json_object_is_type(j, json_type_object));
	if (o != NULL)
		same("", o, j);
	else
		no_fields(&e, s, n);
	csa_json_free(j);
	csa_arena_free(arena);
	return 0;
}
