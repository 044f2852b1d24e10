#ifndef EMU_LIFT_H
#define EMU_LIFT_H

#include "tests/emu/emu.h"

/*
 * json-c makes an object of every number, which for vectors of 3072 costs
 * more than everything else here.  So arrays of eight or more numbers, at
 * least one of them with a point or an exponent, are parsed to floats first
 * and a mark is left in their place.
 */

enum emu_dialect {
	EMU_STRICT,		/* RFC 8259 and UTF-8 */
	EMU_LENIENT		/* as Google: quotes 'so', trailing commas */
};

/*
 * Parse the request's body into rq->json.  Returns 0, or -1 with a message
 * that needs no freeing; an empty body counts as {}.
 */
int	emu_json_parse(struct emu_req *, enum emu_dialect, const char **);

/*
 * The numbers of an array that may have been lifted.  1: *f and *n are set and
 * live as long as the request; 0: o is NULL; -1: it is something else, or one
 * of the numbers is not finite.
 */
int	emu_lift_floats(struct emu_req *, struct json_object *, const float **f,
	    size_t *n);

void	emu_lift_fini(struct emu_lift *);

#endif
