#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "lib/text/fields.h"
#include "lib/text/json_check.h"

/* Line and column, both from 1; a column is a character. */
static void
place(const char *s, size_t where, size_t *line, size_t *column)
{
	*line = *column = 1;
	for (size_t i = 0; i < where; i++) {
		if (s[i] == '\n') {
			(*line)++;
			*column = 1;
		} else if (((unsigned char)s[i] & 0xc0) != 0x80)
			(*column)++;
	}
}

int
csa_json_vet(const char *s, size_t n, const struct csa_json_limits *limits,
    struct csa_err *err)
{
	size_t		 where, line, column;
	const char	*why;

	if (csa_json_check(s, n, limits, &where, &why) == 0)
		return 0;
	place(s, where, &line, &column);
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "not the JSON we take: %s (byte %zu, line %zu, column %zu)", why,
	    where, line, column);
}

const struct csa_node *
csa_fields(struct csa_arena *arena, const char *s, size_t n,
    struct csa_err *err)
{
	const struct csa_node	*o;

	if (csa_json_vet(s, n, &csa_json_request_limits, err) == -1)
		return NULL;
	o = csa_doc_checked(arena, s, n);
	if (csa_node_is(o, CSA_NODE_OBJECT))
		return o;
	csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "the body must be a JSON object");
	return NULL;
}

/* The dot between a path and a name, if there is a path. */
static const char *
dot(const char *at)
{
	return *at != '\0' ? "." : "";
}

/* 1 and the value of o's field, 0 if none or null, -1. */
static int
field(const struct csa_node *o, const char *at, const char *name,
    const struct csa_node **v, struct csa_err *err)
{
	*v = csa_node_get(o, name);
	if (o != NULL && o->type != CSA_NODE_OBJECT)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s must be an object", *at != '\0' ? at : "the body");
	return *v != NULL ? 1 : 0;
}

static int
no(const char *at, const char *name, const char *what, struct csa_err *err)
{
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "%s%s%s must be %s", at, dot(at), name, what);
}

/* The same of this type. */
static int
typed(const struct csa_node *o, const char *at, const char *name,
    enum csa_node_type type, const char *what, const struct csa_node **v,
    struct csa_err *err)
{
	int	 rc = field(o, at, name, v, err);

	if (rc != 1 || (*v)->type == type)
		return rc;
	return no(at, name, what, err);
}

int
csa_field_str(const struct csa_node *o, const char *at, const char *name,
    const char **s, size_t *n, struct csa_err *err)
{
	const struct csa_node	*v;
	int			 rc;

	rc = typed(o, at, name, CSA_NODE_STRING, "a string", &v, err);
	if (rc == 1) {
		*s = v->s;
		*n = v->n;
	}
	return rc;
}

static int
int_range(const char *at, const char *name, int64_t min, int64_t max,
    struct csa_err *err)
{
	if (max == INT64_MAX)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s%s%s must be at least %" PRId64, at, dot(at), name,
		    min);
	return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "%s%s%s must be between %" PRId64 " and %" PRId64, at, dot(at),
	    name, min, max);
}

/* Is it a whole number, however large and however written? */
static bool
is_whole(const struct csa_node *v)
{
	double	 d;

	if (strpbrk(v->s, ".eE") == NULL)
		return true;
	d = csa_node_double(v);
	return d == floor(d);
}

int
csa_field_int(const struct csa_node *o, const char *at, const char *name,
    int64_t min, int64_t max, int64_t *v, struct csa_err *err)
{
	const struct csa_node	*j;
	int64_t			 x;
	int			 rc;

	rc = typed(o, at, name, CSA_NODE_NUMBER, "an integer", &j, err);
	if (rc != 1)
		return rc;
	if (!is_whole(j))
		return no(at, name, "an integer", err);
	/* What no int64_t holds comes back as either, and is in no range. */
	if ((x = csa_node_int(j, INT64_MIN)) != csa_node_int(j, INT64_MAX) ||
	    x < min || x > max)
		return int_range(at, name, min, max, err);
	*v = x;
	return 1;
}

int
csa_field_num(const struct csa_node *o, const char *at, const char *name,
    double min, double max, double *v, struct csa_err *err)
{
	const struct csa_node	*j;
	double			 x;
	int			 rc;

	rc = typed(o, at, name, CSA_NODE_NUMBER, "a number", &j, err);
	if (rc != 1)
		return rc;
	x = csa_node_double(j);
	/* Written so that a NaN, were there one, would be out of range. */
	if (!(x >= min && x <= max))
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s%s%s must be between %g and %g", at, dot(at), name,
		    min, max);
	*v = x;
	return 1;
}

int
csa_field_bool(const struct csa_node *o, const char *at, const char *name,
    bool *v, struct csa_err *err)
{
	const struct csa_node	*j;
	int			 rc = field(o, at, name, &j, err);

	if (rc != 1)
		return rc;
	if (j->type != CSA_NODE_TRUE && j->type != CSA_NODE_FALSE)
		return no(at, name, "true or false", err);
	*v = j->type == CSA_NODE_TRUE;
	return 1;
}

int
csa_field_arr(const struct csa_node *o, const char *at, const char *name,
    const struct csa_node **v, struct csa_err *err)
{
	return typed(o, at, name, CSA_NODE_ARRAY, "an array", v, err);
}

int
csa_field_obj(const struct csa_node *o, const char *at, const char *name,
    const struct csa_node **v, struct csa_err *err)
{
	return typed(o, at, name, CSA_NODE_OBJECT, "an object", v, err);
}
