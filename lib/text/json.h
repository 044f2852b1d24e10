/*
 * json: json-c behind one door, checked first; for what is changed and written
 * again.  What is only read takes doc.h or fields.h, which cost far less.
 *
 * Objects must be given back with csa_json_free by the same thread.
 */

#ifndef CSA_TEXT_JSON_H
#define CSA_TEXT_JSON_H

#include <stddef.h>

#include <json-c/json.h>

#include "lib/base/err.h"
#include "lib/text/json_check.h"

/*
 * Parse n bytes.  NULL with err (BAD_REQUEST, source client) that says what is
 * wrong at which byte (from 0), line and column (from 1); a text that is just null
 * is refused as well, json-c's null being NULL.  Returns: yours to csa_json_free.
 */
struct json_object *
	csa_json_parse(const char *s, size_t n, const struct csa_json_limits *,
	    struct csa_err *err);

/* The same for an upstream's reply: NULL where it is not JSON, no message. */
struct json_object *
	csa_json_reply(const char *s, size_t n);
void	csa_json_free(struct json_object *);		/* NULL is fine */

/*
 * For replies: walk o along path, names and [n] steps ("candidates[0].content.
 * parts"), and return what is there, or NULL.  path is the program's own, a step
 * below 128 bytes: a malformed one is a panic.  csa_json_path_str returns its
 * default where it is missing or no string.
 */
struct json_object *
	csa_json_path(struct json_object *o, const char *path);
const char *
	csa_json_path_str(struct json_object *o, const char *path,
	    const char *otherwise);

#endif
