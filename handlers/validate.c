#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <json-c/json.h>

#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
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

int
csa_check_id(const char *at, const char *s, size_t n, struct csa_err *err)
{
	size_t	 i;

	for (i = 0; i < n; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			break;
	if (n < 1 || n > 256 || i < n || csa_utf8_blank(s, n))
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s must be 1 to 256 bytes without control characters", at);
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
    struct json_object *list, struct csa_err *err)
{
	size_t	 n = json_object_array_length(list);

	csa_buf_putc(b, '[');
	for (size_t i = 0; i < n; i++) {
		struct json_object *o = json_object_array_get_idx(list, i);

		if (json_object_get_type(o) != json_type_string)
			return csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT, "%s.%.64s[%zu] must be a string",
			    at, name, i);
		if (i > 0)
			csa_buf_putc(b, ',');
		csa_buf_json(b, json_object_get_string(o),
		    (size_t)json_object_get_string_len(o));
	}
	csa_buf_putc(b, ']');
	return 0;
}

static int
add_value(struct csa_buf *b, const char *at, const char *name,
    struct json_object *v, struct csa_err *err)
{
	switch (json_object_get_type(v)) {
	case json_type_string:
		csa_buf_json(b, json_object_get_string(v),
		    (size_t)json_object_get_string_len(v));
		return 0;
	case json_type_int:
		/* json-c keeps what is beyond 64 bits as the nearest it can. */
		if (json_object_get_uint64(v) == UINT64_MAX ||
		    json_object_get_int64(v) == INT64_MIN)
			return csa_fail(err, CSA_ERR_INVALID_VALUE,
			    CSA_SRC_CLIENT, "%s.%.64s does not fit in 64 bits",
			    at, name);
		/* FALLTHROUGH */
	case json_type_double:
	case json_type_boolean:
		/* Numbers keep the text they came with. */
		csa_buf_puts(b, json_object_to_json_string_ext(v,
		    JSON_C_TO_STRING_PLAIN));
		return 0;
	case json_type_array:
		return add_list(b, at, name, v, err);
	default:
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s.%.64s must be a string, a number, a boolean or a list "
		    "of strings", at, name);
	}
}

static int
add_members(struct csa_buf *b, const char *at, struct json_object *o,
    const char *skip, struct json_object *winner, struct csa_err *err)
{
	struct json_object	*unused;

	if (o == NULL)
		return 0;
	json_object_object_foreach(o, name, v) {
		if (v == NULL || (skip != NULL && strcmp(name, skip) == 0) ||
		    (winner != NULL && json_object_object_get_ex(winner, name,
		    &unused)))
			continue;
		csa_buf_putc(b, b->len == 0 ? '{' : ',');
		csa_buf_jsonz(b, name);
		csa_buf_putc(b, ':');
		if (add_value(b, at, name, v, err) == -1)
			return -1;
	}
	return 0;
}

int
csa_check_metadata(struct csa_arena *arena, const char *at,
    struct json_object *base, struct json_object *o, const char *skip,
    size_t max, const char **out, struct csa_err *err)
{
	struct csa_buf	 b;
	int		 rc = -1;

	*out = NULL;
	csa_buf_init(&b, max);
	if (add_members(&b, at, base, skip, o, err) == -1 ||
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
