#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/provider/reply.h"
#include "lib/text/json.h"
#include "lib/text/utf8.h"

#define MAX_BODY	65536	/* of an error; a longer one is a page */
#define A_DAY_IS_LONG	3600	/* seconds until a daily quota is tried again */

/* Copy s as one printable line; what is no UTF-8 is cut off. */
static void
one_line(char *out, size_t size, const char *s, size_t n)
{
	size_t	 bad;

	if (!csa_utf8_valid(s, n, &bad))
		n = bad;
	n = csa_utf8_cut(s, n, size - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ?
		    ' ' : s[i];
	out[n] = '\0';
}

static const char *
str(struct json_object *o, const char *path)
{
	return o == NULL ? NULL : csa_json_path_str(o, path, NULL);
}

/* The message: error.message, error as text, or flat. */
static const char *
message(struct json_object *o)
{
	static const char *const paths[] = {
		"error.message", "error", "message", "detail", "detail[0].msg",
	};
	const char	*s = NULL;

	for (size_t i = 0; s == NULL && i < sizeof(paths) / sizeof(paths[0]);
	    i++)
		s = str(o, paths[i]);
	return s;
}

/* A protobuf Duration, "38.804s", in whole seconds; 0 where it is none. */
static long
duration(const char *s)
{
	char	*end;
	double	 d = strtod(s, &end);

	if (end == s || strcmp(end, "s") != 0 || !(d > 0))
		return 0;
	return d > 86400 ? 86400 : (long)ceil(d);
}

/* Is one of the violations of a QuotaFailure about a whole day? */
static bool
per_day(struct json_object *detail)
{
	struct json_object	*v = NULL;
	const char		*id;

	if (detail != NULL)
		v = csa_json_path(detail, "violations");
	if (!json_object_is_type(v, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(v); i++) {
		id = str(json_object_array_get_idx(v, i), "quotaId");
		if (id != NULL && strstr(id, "PerDay") != NULL)
			return true;
	}
	return false;
}

/*
 * Gemini's hint stands in the body.  A daily quota comes with one as well,
 * which would only make everyone try again in vain.
 */
static long
retry_delay(struct json_object *o)
{
	struct json_object	*d = csa_json_path(o, "error.details"), *e;
	const char		*s;
	long			 delay = 0;

	if (!json_object_is_type(d, json_type_array))
		return 0;
	for (size_t i = 0; i < json_object_array_length(d); i++) {
		e = json_object_array_get_idx(d, i);
		if (per_day(e))
			return A_DAY_IS_LONG;
		if ((s = str(e, "retryDelay")) != NULL)
			delay = duration(s);
	}
	return delay;
}

/* Is the key anywhere in it?  Even a part of it must not be logged. */
static bool
repeats(const char *s, size_t n, const char *key)
{
	size_t	 k = strlen(key);

	return k > 0 && memmem(s, n, key, k) != NULL;
}

void
csa_provider_error_read(struct csa_provider_error *e, const char *s,
    size_t len, const char *key)
{
	struct json_object	*o = NULL;
	const char		*m = NULL;
	size_t			 n = 0;

	memset(e, 0, sizeof(*e));
	if (len == 0)
		return;
	if (len <= MAX_BODY && (o = csa_json_reply(s, len)) != NULL) {
		if ((m = message(o)) != NULL)
			n = strlen(m);
		e->retry_s = retry_delay(o);
	} else {
		m = s;
		n = len;
	}
	if (m != NULL) {
		if (repeats(m, n, key) || repeats(s, len, key))
			snprintf(e->message, sizeof(e->message), "%s",
			    "(not shown: it repeats the key)");
		else
			one_line(e->message, sizeof(e->message), m, n);
	}
	csa_json_free(o);
}
