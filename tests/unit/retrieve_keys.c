/*
 * What a question is but for its white space, and the name that what it has
 * found is kept under.
 */

#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/unit/test_retrieve_cache.h"

/* ---- the question ---- */

static const struct {
	const char	*from, *to;
} questions[] = {
	{ "a", "a" },
	{ "a b", "a b" },
	{ " a", "a" },
	{ "a ", "a" },
	{ "  a \t\r\n b  ", "a b" },
	{ "a\nb", "a b" },
	{ "a\xc2\xa0" "b", "a b" },
	{ "\xe3\x80\x80\xe5\x9b\xbe\xe3\x80\x80\xe3\x80\x80\xe4\xb9\xa6",
	    "\xe5\x9b\xbe \xe4\xb9\xa6" },
	/* Case, marks, what shows as nothing: not ours to change. */
	{ "A? b!", "A? b!" },
	{ "a\xe2\x80\x8b" "b", "a\xe2\x80\x8b" "b" },
	{ "\xc3\x89", "\xc3\x89" },
	{ "e\xcc\x81", "e\xcc\x81" },
	{ " ", "" },
	{ "", "" },
};

START_TEST(white_space_is_all_that_is_normalised)
{
	const char	*from = questions[_i].from, *to;

	to = csa_question(arena, from);
	ck_assert_str_eq(to, questions[_i].to);
	/* Nothing is copied that need not be; and once is enough. */
	ck_assert_int_eq(to == from, strcmp(from, to) == 0);
	ck_assert_ptr_eq(csa_question(arena, to), to);
}
END_TEST

/* ---- the key ---- */

static struct csa_embedder	 some_embedder = { NULL, "gemini", "m#768" };
static struct csa_vectors	 some_vectors = { NULL, "pinecone", true };

struct asked {
	struct csa_rag		 rag;
	struct csa_embedder	 embedder;
	struct csa_vectors	 vectors;
	struct csa_scope	 scope;
	struct csa_generation	 g;
	const char		*question;
	size_t			 k;
};

static struct asked
some_question(void)
{
	return (struct asked){
		.rag = {
			.text_weight = .6, .retrieval_ttl = 60,
			.space = { .embedding_url = "https://e",
			    .query_model = "q", .query_prefix = "query: ",
			    .passage_prefix = "passage: ",
			    .query_body = "{}", .passage_body = "{ }",
			    .index = "i", .index_host = "https://h",
			    .controller = "https://c" },
		},
		.embedder = some_embedder, .vectors = some_vectors,
		.scope = { "t", "b" },
		.g = { .store = 7, .token = "0123456789abcdef"
		    "0123456789abcdef", .changed = 1 },
		.question = "is it so?", .k = 5,
	};
}

static const char *
name_of(const struct asked *a)
{
	static struct csa_cache_key	 key;
	struct csa_rag			 r = a->rag;
	struct csa_embedder		 e = a->embedder;
	struct csa_vectors		 v = a->vectors;

	r.embedder = e.name != NULL ? &e : NULL;
	r.vectors = v.name != NULL ? &v : NULL;
	csa_lookup_key(&r, &a->scope, &a->g, a->question, a->k, &key);
	ck_assert_int_eq(key.kind, CSA_CACHE_RETRIEVAL);
	return key.name;
}

/*
 * Made by another program, from key.h alone.  When these change, all that is kept
 * becomes unknown, which is right where a version was raised, and else is not.
 */
#define GOLDEN_WITH_VECTORS						\
	"csa:r:255724c3a23d45cc12683994f1397af6"						\
	"705e5e497286e3df47c3fce5236ff8ca"
#define GOLDEN_TEXT_ALONE						\
	"csa:r:a057ba577576cd3a5f68a83c0280a387"						\
	"e4712d61b878b7194ee2138627aa62a2"

START_TEST(the_key_is_what_it_was)
{
	struct asked	 a = some_question();

	ck_assert_str_eq(name_of(&a), GOLDEN_WITH_VECTORS);
	a.embedder.name = a.vectors.name = NULL;
	ck_assert_str_eq(name_of(&a), GOLDEN_TEXT_ALONE);
}
END_TEST

/* Each changes one thing that decides what is found. */
#define CHANGES(C)							\
	C(a.scope.tenant = "u")						\
	C(a.scope.tenant = "")						\
	C(a.scope.bot = "c")						\
	C(a.scope = ((struct csa_scope){ "tb", "" }))			\
	C(a.g.store++)							\
	C(a.g.token[31] ^= 1)						\
	C(a.question = "is it so")					\
	C(a.question = "Is it so?")					\
	C(a.k = 6)							\
	C(a.rag.text_weight = nextafter(.6, 1))				\
	C(a.embedder.name = "openai")					\
	C(a.embedder.model = "m#1536")					\
	C(a.embedder.name = NULL)					\
	C(a.vectors.name = "local")					\
	C(a.rag.space.embedding_url = "https://f")			\
	C(a.rag.space.query_model = "r")				\
	C(a.rag.space.query_prefix = "")				\
	C(a.rag.space.query_prefix = NULL)				\
	C(a.rag.space.passage_prefix = "query: ")			\
	C(a.rag.space.query_body = "{\"a\":1}")				\
	C(a.rag.space.passage_body = "{}")				\
	C(a.rag.space.index = "j")					\
	C(a.rag.space.index_host = "https://i")				\
	C(a.rag.space.controller = "https://d")				\
	C(swap(&a.rag.space.query_prefix, &a.rag.space.passage_prefix))	\
	C(swap(&a.rag.space.index, &a.rag.space.query_model))

static void
swap(const char **a, const char **b)
{
	const char	*t = *a;

	*a = *b;
	*b = t;
}

START_TEST(whatever_decides_changes_the_key)
{
	char		 names[32][80];
	size_t		 n = 0;
	struct asked	 a = some_question();

	strcpy(names[n++], name_of(&a));
#define CHANGE(what)							\
	a = some_question();						\
	what;								\
	strcpy(names[n++], name_of(&a));
	CHANGES(CHANGE)
	ck_assert_uint_le(n, 32);
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_msg(strcmp(names[i], names[j]) != 0,
			    "changes %zu and %zu have one key", j, i);
	/* Every field of the space is among them: nine strings. */
	_Static_assert(sizeof(struct csa_space) == 9 * sizeof(char *),
	    "a setting more: add it to csa_rag_key and to CHANGES");
}
END_TEST

START_TEST(what_decides_nothing_does_not)
{
	struct asked	 a = some_question();
	char		 name[80];

	strcpy(name, name_of(&a));
	a.rag.may_degrade = true;
	a.rag.retrieve_ms = 9;
	a.rag.context_tokens = 9;
	a.rag.retrieval_ttl = 9;
	a.g.changed = 9;
	ck_assert_str_eq(name_of(&a), name);
	/* Without vectors their settings are nobody's. */
	a.embedder.name = NULL;
	strcpy(name, name_of(&a));
	a.rag.text_weight = .1;
	a.rag.space.index = "j";
	ck_assert_str_eq(name_of(&a), name);
}
END_TEST

TCase *
retrieve_keys_case(void)
{
	TCase	*tc = tcase_create("keys");

	tcase_add_checked_fixture(tc, arena_setup, arena_teardown);
	tcase_add_loop_test(tc, white_space_is_all_that_is_normalised, 0,
	    (int)CSA_NITEMS(questions));
	tcase_add_test(tc, the_key_is_what_it_was);
	tcase_add_test(tc, whatever_decides_changes_the_key);
	tcase_add_test(tc, what_decides_nothing_does_not);
	return tc;
}
