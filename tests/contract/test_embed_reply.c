/*
 * The vectors that providers answer, well and badly, against the readers alone.
 * The shapes are those of the vendors' documents and of recorded replies, not
 * of our emulators.
 */

#include "config.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/reply.h"
#include "tests/contract/fixture.h"
#include "tests/suite.h"

static struct csa_arena	*arena;
static const char	*why;

static void
setup(void)
{
	arena = csa_arena_new();
	why = NULL;
}

static void
teardown(void)
{
	csa_arena_free(arena);
}

typedef int embed_fn(const struct csa_embed_want *, char *, size_t,
    struct csa_vec *, const char **);

static const struct embed_case {
	embed_fn	*fn;
	const char	*reply;
	size_t		 n, dim;	/* wanted; dim 0: any */
	int		 rc;
	double		 first;		/* of the last vector */
} embeds[] = {
	/* One question, as pretty-printed as the real service does it. */
	{ csa_gemini_embed_reply, "{\n  \"embedding\": {\n    \"values\": [\n"
	  "      0.013168523,\n      -0.008711934\n    ]\n  }\n}\n", 1, 2, 0,
	  0.013168523 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"values\":[3,4]}],\"usageMetadata\":{\"promptTokenCount\":3}}",
	  2, 2, 0, 3 },
	{ csa_openai_embed_reply, "{\"object\":\"list\",\"data\":[{\"object\":"
	  "\"embedding\",\"index\":0,\"embedding\":[1,2]}],\"model\":\"m\","
	  "\"usage\":{\"prompt_tokens\":1,\"total_tokens\":1}}", 1, 0, 0, 1 },
	/* Out of order: index says whose it is. */
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":1,\"embedding\":[3,4]}"
	  ",{\"index\":0,\"embedding\":[1,2]}]}", 2, 0, 0, 3 },
	/* A server that leaves index out means the order of the list. */
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1,2]},"
	  "{\"embedding\":[3,4]}]}", 2, 2, 0, 3 },
	/* base64: 1.0, -2.5 */
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":0,\"embedding\":"
	  "\"AACAPwAAIMA=\"}]}", 1, 2, 0, 1 },

	/* One number too few, one too many. */
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}}", 1, 2,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,2,3]}}", 1, 2,
	  -1, 0 },
	/* Fewer and more vectors than texts; different dimensions. */
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]}]}", 2, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"values\":[1,2]}]}", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"values\":[1,2,3]}]}", 2, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":0,\"embedding\":[1]},"
	  "{\"index\":1,\"embedding\":[1,2]}]}", 2, 0, -1, 0 },
	/* The vector of one text twice, or of one that was not asked. */
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":0,\"embedding\":[1]},"
	  "{\"index\":0,\"embedding\":[1]}]}", 2, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":7,\"embedding\":[1]}]"
	  "}", 1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":-1,\"embedding\":[1]}"
	  "]}", 1, 0, -1, 0 },
	/* No numbers. */
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,NaN]}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,1e999]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,1e200]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,1E+200]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,\"2\"]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,null]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[[1]]}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[]}}", 1, 0, -1,
	  0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[0,0.0,0e5]}}",
	  1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":null}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":0}}", 1, 0, -1,
	  0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":{\"a\":1}}}", 1,
	  0, -1, 0 },
	/* base64 of one byte too few; of NaN; of zeros; not base64; escaped. */
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"AACAPwAA\"}]}",
	  1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"AADAfw==\"}]}",
	  1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"AAAAAA==\"}]}",
	  1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"%%%%\"}]}", 1,
	  0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"\"}]}", 1, 0,
	  -1, 0 },
	/* The number that a cut-out vector leaves behind can not be forged. */
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1],\"x\":0},"
	  "{\"embeddin\\u0067\":0}]}", 2, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"v\\u0061lues\":0}]}", 2, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"x\":{\"values\":[1,2]},\"embedding\":"
	  "{\"v\\u0061lues\":[0]}}", 1, 0, -1, 0 },
	/* Wrong shapes, and no JSON at all. */
	{ csa_gemini_embed_reply, "", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{}", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "null", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "[{\"values\":[1]}]", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":{\"values\":[1]}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":[{\"values\":[1]}]}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}} x", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}", 1, 0, -1,
	  0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]},\"a\":\""
	  "\xff\"}", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "<html>502</html>", 1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"error\":{\"message\":\"no\"}}", 1, 0, -1,
	  0 },
	{ csa_openai_embed_reply, "{\"data\":[[1],[2]]}", 2, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":null,\"embedding\":[1]}", 1, 0,
	  -1, 0 },
};

START_TEST(reads_embeddings_or_refuses)
{
	const struct embed_case	*c = &embeds[_i];
	struct csa_embed_want	 want = { arena, c->n, c->dim, NULL };
	struct csa_vec		 vecs[4];
	size_t			 len = strlen(c->reply);
	char			*s = exact(c->reply, len);
	const float		*f;

	ck_assert_msg(c->fn(&want, s, len, vecs, &why) == c->rc,
	    "%s: %s", c->reply, why != NULL ? why : "taken");
	if (c->rc == 0) {
		f = csa_vec_floats(arena, &vecs[c->n - 1], 0);
		ck_assert_ptr_nonnull(f);
		ck_assert_msg(fabs((double)f[0] - c->first) < 1e-6, "%s: %g",
		    c->reply, (double)f[0]);
		if (c->dim > 0)
			ck_assert_uint_eq(vecs[0].dim, c->dim);
	} else
		ck_assert_ptr_nonnull(why);
	free(s);
}
END_TEST

/* What was billed, of good replies and of bad ones. */
static const struct {
	embed_fn	*fn;
	const char	*reply;
	int		 rc;
	long		 tokens;
} bills[] = {
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]},"
	  "\"usageMetadata\":{\"promptTokenCount\":3}}", 0, 3 },
	{ csa_openai_embed_reply, "{\"usage\":{\"prompt_tokens\":8,"
	  "\"total_tokens\":9},\"data\":[{\"embedding\":[1]}]}", 0, 8 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}}", 0, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[0]}],"
	  "\"usage\":{\"prompt_tokens\":8}}", -1, 8 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1]}],"
	  "\"usage\":{\"prompt_tokens\":-8}}", 0, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1]}],"
	  "\"usage\":{\"prompt_tokens\":9e18}}", 0, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1]}],"
	  "\"usage\":[\"prompt_tokens\"]}", 0, 0 },
	{ csa_openai_embed_reply, "", -1, 0 },
};

START_TEST(reads_what_was_billed)
{
	long			 tokens = 77;
	struct csa_embed_want	 want = { arena, 1, 0, &tokens };
	struct csa_vec		 vec;
	size_t			 len = strlen(bills[_i].reply);
	char			*s = exact(bills[_i].reply, len);

	ck_assert_int_eq(bills[_i].fn(&want, s, len, &vec, &why),
	    bills[_i].rc);
	ck_assert_int_eq(tokens, bills[_i].tokens);
	free(s);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("embed reply");
	TCase	*tc = tcase_create("embed reply");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_embeddings_or_refuses, 0,
	    CSA_NITEMS(embeds));
	tcase_add_loop_test(tc, reads_what_was_billed, 0, CSA_NITEMS(bills));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
