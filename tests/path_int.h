/*
 * path_int: the integer at a path in JSON, for tests of what was answered.
 */

#ifndef CSA_TESTS_PATH_INT_H
#define CSA_TESTS_PATH_INT_H

#include <stdint.h>

#include "lib/text/json.h"

/* -1 where it is missing or none. */
static inline int64_t
path_int(struct json_object *o, const char *path)
{
	struct json_object	*v = csa_json_path(o, path);

	return json_object_is_type(v, json_type_int) ?
	    json_object_get_int64(v) : -1;
}

#endif
