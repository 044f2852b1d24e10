#include "config.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/text/json.h"

/* Doubles count in ones up to here; beyond, an integer may be another one. */
#define EXACT		9007199254740992.0	/* 2^53 */

#define STEPMAX		128			/* of a step in a path */

/*
 * json-c reads what csa_json_check passed.  A number at the outermost level ends
 * only with the blank that is sent after it.
 */
static struct json_object *
checked(const char *s, size_t n, const struct csa_json_limits *limits)
{
	struct json_tokener	*tok;
	struct json_object	*o;

	if (n > INT_MAX)
		return NULL;
	tok = json_tokener_new_ex((int)limits->max_depth + 2);
	CSA_MUST(tok != NULL);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT);
	o = json_tokener_parse_ex(tok, s, (int)n);
	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, " ", 1);
	json_tokener_free(tok);
	return o;
}

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

struct json_object *
csa_json_parse(const char *s, size_t n, const struct csa_json_limits *limits,
    struct csa_err *err)
{
	struct json_object	*o;
	size_t			 where, line, column;
	const char		*why;

	if (csa_json_check(s, n, limits, &where, &why) == -1) {
		place(s, where, &line, &column);
		csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "not the JSON we take: %s (byte %zu, line %zu, column %zu)",
		    why, where, line, column);
		return NULL;
	}
	/* json-c's null is a NULL pointer: no caller can do anything with it. */
	if ((o = checked(s, n, limits)) == NULL)
		csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "not the JSON we take: null instead of an object");
	return o;
}

struct json_object *
csa_json_reply(const char *s, size_t n)
{
	size_t		 where;
	const char	*why;

	if (csa_json_check(s, n, &csa_json_reply_limits, &where, &why) == -1)
		return NULL;
	return checked(s, n, &csa_json_reply_limits);
}

void
csa_json_free(struct json_object *o)
{
	json_object_put(o);
}

/* The dot between a path and a name, if there is a path. */
static const char *
dot(const char *at)
{
	return *at != '\0' ? "." : "";
}

/* 1 and the value of o's field of this type, 0 if none or null, -1. */
static int
field(struct json_object *o, const char *at, const char *name,
    enum json_type type, const char *what, struct json_object **v,
    struct csa_err *err)
{
	if (o != NULL && json_object_get_type(o) != json_type_object)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s must be an object", *at != '\0' ? at : "the body");
	if (!json_object_object_get_ex(o, name, v) || *v == NULL)
		return 0;
	if (json_object_get_type(*v) == type)
		return 1;
	/* 2.0 and 2 are one number to JSON; each getter sorts them out. */
	if (type == json_type_double &&
	    json_object_get_type(*v) == json_type_int)
		return 1;
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "%s%s%s must be %s", at, dot(at), name, what);
}

int
csa_json_str(struct json_object *o, const char *at, const char *name,
    const char **s, size_t *n, struct csa_err *err)
{
	struct json_object	*v;
	int			 rc;

	rc = field(o, at, name, json_type_string, "a string", &v, err);
	if (rc == 1) {
		*s = json_object_get_string(v);
		*n = (size_t)json_object_get_string_len(v);
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

/*
 * json-c clips what does not fit in an int64, so its unsigned reading is asked
 * first.  Returns 1 and x, 0 where v is no integer, -1 where it is too large.
 */
static int
whole(struct json_object *v, int64_t *x)
{
	double	 d = json_object_get_double(v);

	if (json_object_get_type(v) == json_type_int) {
		if (json_object_get_int64(v) == INT64_MAX &&
		    json_object_get_uint64(v) > INT64_MAX)
			return -1;
		*x = json_object_get_int64(v);
		return 1;
	}
	if (!isfinite(d) || d != floor(d))
		return 0;
	if (fabs(d) > EXACT)
		return -1;
	*x = (int64_t)d;
	return 1;
}

int
csa_json_int(struct json_object *o, const char *at, const char *name,
    int64_t min, int64_t max, int64_t *v, struct csa_err *err)
{
	struct json_object	*j;
	int64_t			 x = 0;
	int			 rc;

	rc = field(o, at, name, json_type_double, "an integer", &j, err);
	if (rc != 1)
		return rc;
	if ((rc = whole(j, &x)) == 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s%s%s must be an integer", at, dot(at), name);
	if (rc == -1 || x < min || x > max)
		return int_range(at, name, min, max, err);
	*v = x;
	return 1;
}

int
csa_json_num(struct json_object *o, const char *at, const char *name,
    double min, double max, double *v, struct csa_err *err)
{
	struct json_object	*j;
	double			 x;
	int			 rc;

	rc = field(o, at, name, json_type_double, "a number", &j, err);
	if (rc != 1)
		return rc;
	x = json_object_get_double(j);
	/* Written so that a NaN, were there one, would be out of range. */
	if (!(x >= min && x <= max))
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s%s%s must be between %g and %g", at, dot(at), name,
		    min, max);
	*v = x;
	return 1;
}

int
csa_json_bool(struct json_object *o, const char *at, const char *name,
    bool *v, struct csa_err *err)
{
	struct json_object	*j;
	int			 rc;

	rc = field(o, at, name, json_type_boolean, "true or false", &j, err);
	if (rc == 1)
		*v = json_object_get_boolean(j);
	return rc;
}

int
csa_json_arr(struct json_object *o, const char *at, const char *name,
    struct json_object **v, struct csa_err *err)
{
	struct json_object	*j;
	int			 rc;

	rc = field(o, at, name, json_type_array, "an array", &j, err);
	if (rc == 1)
		*v = j;
	return rc;
}

int
csa_json_obj(struct json_object *o, const char *at, const char *name,
    struct json_object **v, struct csa_err *err)
{
	struct json_object	*j;
	int			 rc;

	rc = field(o, at, name, json_type_object, "an object", &j, err);
	if (rc == 1)
		*v = j;
	return rc;
}

/* One [n] step; p is behind the bracket and ends behind its partner. */
static struct json_object *
element(struct json_object *o, const char **p)
{
	size_t	 i = 0;

	CSA_MUST(**p >= '0' && **p <= '9');
	for (; **p != ']'; (*p)++) {
		CSA_MUST(**p >= '0' && **p <= '9');
		if (i < 100000000)
			i = i * 10 + (size_t)(**p - '0');
	}
	(*p)++;
	if (json_object_get_type(o) != json_type_array)
		return NULL;
	return json_object_array_get_idx(o, i);
}

static struct json_object *
member(struct json_object *o, const char **p)
{
	struct json_object	*v;
	size_t			 n = strcspn(*p, ".[");
	char			 step[STEPMAX];

	CSA_MUST(n > 0 && n < sizeof(step));
	memcpy(step, *p, n);
	step[n] = '\0';
	*p += n;
	if (json_object_get_type(o) != json_type_object ||
	    !json_object_object_get_ex(o, step, &v))
		return NULL;
	return v;
}

struct json_object *
csa_json_path(struct json_object *o, const char *path)
{
	const char	*p = path;

	while (o != NULL && *p != '\0') {
		if (*p == '[') {
			p++;
			o = element(o, &p);
		} else {
			p += *p == '.';
			o = member(o, &p);
		}
	}
	return o;
}

const char *
csa_json_path_str(struct json_object *o, const char *path,
    const char *otherwise)
{
	struct json_object	*v = csa_json_path(o, path);

	if (json_object_get_type(v) != json_type_string)
		return otherwise;
	return json_object_get_string(v);
}

int64_t
csa_json_path_int(struct json_object *o, const char *path, int64_t otherwise)
{
	struct json_object	*v = csa_json_path(o, path);
	int64_t			 x;

	if (json_object_get_type(v) != json_type_int &&
	    json_object_get_type(v) != json_type_double)
		return otherwise;
	return whole(v, &x) == 1 ? x : otherwise;
}
