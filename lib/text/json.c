#include "config.h"

#include <limits.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/text/fields.h"
#include "lib/text/json.h"

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

struct json_object *
csa_json_parse(const char *s, size_t n, const struct csa_json_limits *limits,
    struct csa_err *err)
{
	struct json_object	*o;

	if (csa_json_vet(s, n, limits, err) == -1)
		return NULL;
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
