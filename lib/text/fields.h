/*
 * fields: what a client sent, read with the path of what is wrong in the
 * message.
 *
 * A field that is null is an absent one.
 */

#ifndef CSA_TEXT_FIELDS_H
#define CSA_TEXT_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"
#include "lib/text/doc.h"

struct csa_json_limits;

/*
 * csa_json_check: 0, or -1 with err (BAD_REQUEST, source client) that says what
 * is wrong at which byte (from 0), line and column (from 1).
 */
int	csa_json_vet(const char *s, size_t n, const struct csa_json_limits *,
	    struct csa_err *);

/*
 * Read the n bytes of a body that must be an object into the arena, within
 * csa_json_request_limits; s may go afterwards.  NULL with err.
 */
const struct csa_node *
	csa_fields(struct csa_arena *, const char *s, size_t n,
	    struct csa_err *);

/*
 * Optional fields of object o.  at is o's own path for messages ("" at the top,
 * "config_params"); the path given out is at.name.  Return 1 and the value, 0
 * where the field is absent or null, -1 with err BAD_REQUEST ("config_params.
 * temperature must be a number") where the type is another, or o is no object.
 * Numbers out of range give INVALID_VALUE with the range; 2.0 is an integer.
 * Strings are the arena's.
 */
int	csa_field_str(const struct csa_node *o, const char *at,
	    const char *name, const char **s, size_t *n, struct csa_err *);
int	csa_field_int(const struct csa_node *o, const char *at,
	    const char *name, int64_t min, int64_t max, int64_t *v,
	    struct csa_err *);
int	csa_field_num(const struct csa_node *o, const char *at,
	    const char *name, double min, double max, double *v,
	    struct csa_err *);
int	csa_field_bool(const struct csa_node *o, const char *at,
	    const char *name, bool *v, struct csa_err *);
int	csa_field_arr(const struct csa_node *o, const char *at,
	    const char *name, const struct csa_node **v, struct csa_err *);
int	csa_field_obj(const struct csa_node *o, const char *at,
	    const char *name, const struct csa_node **v, struct csa_err *);

#endif
