/*
 * vec: an embedding, as text that passes through or as floats, whichever it came
 * as; the other form is made when somebody needs it.
 */

#ifndef CSA_TEXT_VEC_H
#define CSA_TEXT_VEC_H

#include <stddef.h>

#include "lib/text/numarr.h"

struct csa_arena;
struct csa_buf;

struct csa_vec {
	struct csa_numarr json;		/* s NULL: only floats */
	const float	*f;		/* NULL: only text */
	size_t		 dim;
};

/*
 * v's floats, made in the arena where there are none yet, and kept in v.  With
 * unit, a copy of them in the arena scaled to length 1 (cosine), or NULL for a
 * vector without length (all zero, or not finite).  v->dim must be the text's count.
 */
const float *csa_vec_floats(struct csa_arena *, struct csa_vec *v, int unit);

/* Append v as a JSON array. */
void	csa_vec_json(struct csa_buf *, const struct csa_vec *v);

#endif
