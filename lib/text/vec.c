#include "config.h"

#include <math.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/text/vec.h"

static const float *
unit_length(struct csa_arena *a, const float *f, size_t dim)
{
	double	 square = 0, factor;
	float	*scaled;

	/* In double: no float squared overflows or vanishes there. */
	for (size_t i = 0; i < dim; i++)
		square += (double)f[i] * f[i];
	if (!(square > 0) || !isfinite(square))
		return NULL;
	factor = 1 / sqrt(square);
	scaled = csa_arena_alloc(a, dim * sizeof(*scaled));
	for (size_t i = 0; i < dim; i++)
		scaled[i] = (float)(f[i] * factor);
	return scaled;
}

const float *
csa_vec_floats(struct csa_arena *a, struct csa_vec *v, int unit)
{
	float	*f;

	if (v->f == NULL) {
		CSA_MUST(v->json.s != NULL && v->json.count == v->dim);
		f = csa_arena_alloc(a, v->dim * sizeof(*f));
		csa_numarr_floats(&v->json, f);
		v->f = f;
	}
	return unit ? unit_length(a, v->f, v->dim) : v->f;
}

void
csa_vec_json(struct csa_buf *b, const struct csa_vec *v)
{
	if (v->json.s != NULL)
		csa_buf_add(b, v->json.s, v->json.n);
	else
		csa_numarr_write(b, v->f, v->dim);
}
