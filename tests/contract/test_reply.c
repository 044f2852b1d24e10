/*
 * Recorded replies of every provider, against the readers alone: every prefix
 * of a good one is an error, and any wrong byte no worse than that.
 */

#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/reply.h"
#include "lib/vector/pinecone_reply.h"
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

static int
read_embeddings(const char *name, const char *s, size_t len)
{
	struct csa_embed_want	 want = { arena, 1, 0, NULL };
	struct csa_vec		 vec;
	char			*copy = exact(s, len);
	int			 rc;

	rc = strstr(name, "gemini") != NULL ?
	    csa_gemini_embed_reply(&want, copy, len, &vec, &why) :
	    csa_openai_embed_reply(&want, copy, len, &vec, &why);
	free(copy);
	return rc;
}

static int
read_any(const char *name, const char *s, size_t len)
{
	struct csa_match_want	 matches = { .arena = arena, .ns = "t.b",
	    .bot = "b", .k = 10, .max_text = 39,
	    .metric = CSA_METRIC_COSINE };
	struct csa_vec_hit	*hits;
	struct csa_answer	 a;
	size_t			 n, dropped;
	int			 rc;

	if (strstr(name, "embed") != NULL)
		return read_embeddings(name, s, len);
	if (strstr(name, "pinecone") != NULL)
		return csa_pinecone_matches(&matches, s, len, &hits, &n,
		    &dropped, &why);
	csa_answer_init(&a, 1 << 20);
	rc = strstr(name, "gemini") != NULL ?
	    csa_gemini_chat_reply(&a, s, len, &why) :
	    csa_openai_chat_reply(&a, s, len, &why);
	csa_answer_fini(&a);
	return rc;
}

/* Without the line's end, which may be missing. */
static char *
load(const char *name, size_t *len)
{
	char	*s = fixture(name, len);

	while (*len > 0 && s[*len - 1] == '\n')
		--*len;
	return s;
}

static const char *const whole[] = {
	"gemini-generate.json", "gemini-embed.json", "openai-chat.json",
	"openai-embed-float.json", "openai-embed-base64.json",
	"pinecone-query.json",
};

START_TEST(refuses_every_truncation)
{
	size_t	 len;
	char	*s = load(whole[_i], &len), *part;

	ck_assert_msg(read_any(whole[_i], s, len) == 0, "%s: %s", whole[_i],
	    why != NULL ? why : "");
	for (size_t n = 0; n < len; n++) {
		part = exact(s, n);
		ck_assert_msg(read_any(whole[_i], part, n) == -1,
		    "%s cut at %zu was taken", whole[_i], n);
		free(part);
		csa_arena_reset(arena);
	}
	free(s);
}
END_TEST

/* Any one byte wrong: an error or another reading, but no crash. */
START_TEST(survives_every_wrong_byte)
{
	static const char	 wrong[] = { '\0', '"', '{', ']', ',', '\\',
	    '9', 'n', (char)0xff };
	size_t	 len;
	char	*s = load(whole[_i], &len), kept;

	for (size_t n = 0; n < len; n++) {
		kept = s[n];
		for (size_t k = 0; k < sizeof(wrong); k++) {
			s[n] = wrong[k];
			(void)read_any(whole[_i], s, len);
		}
		s[n] = kept;
		csa_arena_reset(arena);
	}
	free(s);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("reply");
	TCase	*tc = tcase_create("reply");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, refuses_every_truncation, 0,
	    CSA_NITEMS(whole));
	tcase_add_loop_test(tc, survives_every_wrong_byte, 0,
	    CSA_NITEMS(whole));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
