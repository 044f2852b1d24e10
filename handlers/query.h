/*
 * query: one parameter of a request's query.
 */

#ifndef CSA_HANDLERS_QUERY_H
#define CSA_HANDLERS_QUERY_H

#include <stddef.h>

#include "lib/base/err.h"

struct csa_arena;

/*
 * 1 with the value of name in query ("a=1&b=x%20y", + is a space as forms write
 * it), decoded, in the arena; it may have a NUL in it, hence the length.  0 where
 * there is none.  -1, BAD_REQUEST: it is there twice, or has a % that begins no
 * escape, or is no UTF-8.
 */
int	csa_query_get(struct csa_arena *, const char *query, const char *name,
	    const char **value, size_t *n, struct csa_err *);

#endif
