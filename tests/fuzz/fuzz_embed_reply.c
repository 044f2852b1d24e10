/*
 * The reply of an embedding call: what is taken has as many vectors as were
 * asked for, all of one dimension, of numbers that are some.  The first byte
 * says which reader, how many vectors and of how many dimensions.
 */

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/reply.h"
#include "tests/fuzz/fuzz.h"

static void
accepted(struct csa_arena *arena, const struct csa_embed_want *want,
    struct csa_vec *vecs, const char *s, size_t len)
{
	const float	*f;

	for (size_t i = 0; i < want->n; i++) {
		CSA_MUST(vecs[i].dim == vecs[0].dim && vecs[i].dim > 0);
		CSA_MUST(want->dim == 0 || vecs[i].dim == want->dim);
		CSA_MUST(vecs[i].f != NULL || (vecs[i].json.s >= s &&
		    vecs[i].json.s + vecs[i].json.n <= s + len));
		f = csa_vec_floats(arena, &vecs[i], 0);
		CSA_MUST(f != NULL);
		for (size_t k = 0; k < vecs[i].dim; k++)
			CSA_MUST(isfinite(f[k]));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_embed_want	 want = { .arena = arena };
	struct csa_vec		 vecs[4];
	const char		*why = NULL;
	char			*s;
	int			 rc;

	if (n > 0) {
		/* It is written in, and may be to its last byte. */
		s = csa_malloc(n);
		memcpy(s, data + 1, n - 1);
		want.n = 1 + (data[0] >> 1 & 3);
		want.dim = data[0] >> 3 & 3;
		rc = (data[0] & 1 ? csa_gemini_embed_reply :
		    csa_openai_embed_reply)(&want, s, n - 1, vecs, &why);
		if (rc == 0)
			accepted(arena, &want, vecs, s, n - 1);
		else
			CSA_MUST(why != NULL);
		free(s);
	}
	csa_arena_free(arena);
	return 0;
}
