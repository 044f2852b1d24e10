/*
 * What an answer is kept under, and how it is written down.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/rag/answer_key.h"
#include "lib/rag/answer_value.h"
#include "lib/rag/rag.h"
#include "lib/text/digest.h"
#include "lib/vector/vector_script.h"
#include "tests/suite.h"
#include "tests/unit/test_answer_cache.h"

static struct csa_arena	*arena;

static void
setup(void)
{
	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	arena = csa_arena_new();
}

static void
teardown(void)
{
	csa_arena_free(arena);
}

/* ---- the key ---- */

/* Everything of a question that was asked, to be changed. */
static struct asked {
	struct csa_scope	 scope;
	struct csa_generation	 generation;
	struct csa_message	 history[2];
	struct csa_rag		 rag;
	struct csa_answer_ask	 a;
} asked;

static void
ask(void)
{
	asked = (struct asked){
		.scope = { "t", "faq" },
		.generation = { .store = 7,
		    .token = "0123456789abcdef0123456789abcdef" },
		.history = { { CSA_ROLE_USER, "Hello", 5, false },
		    { CSA_ROLE_USER, "Again", 5, false } },
		.rag = { .context_tokens = 6000 },
		.a = {
			.scope = &asked.scope,
			.generation = &asked.generation,
			.question = "What?",
			.history = asked.history, .nhistory = 1,
			.system_prompt = "Be brief.",
			.provider = "gemini", .address = "https://h",
			.model = "m-1", .fallback_models = "m-2",
			.may_degrade = true,
			.temperature = .7, .answer_threshold = .3,
			.max_output_tokens = 2048, .k = 5,
			.rag = &asked.rag,
		},
	};
}

static const char *
name(void)
{
	static struct csa_cache_key	 key;

	csa_answer_key(&asked.a, &key);
	ck_assert_int_eq(key.kind, CSA_CACHE_ANSWER);
	return key.name;
}

/* Worked out by another program from what key.h says. */
START_TEST(the_key_is_the_golden_one)
{
	struct csa_cache_key	 similar;

	ask();
	ck_assert_str_eq(name(), "csa:a:9d4ba0054b4f1158fda90924049af114"
	    "f87bb5277191f4b15b1033e6da4e48de");
	csa_similar_key(&asked.a, &similar);
	ck_assert_str_eq(similar.name, "csa:s:7f710811e0dd4ad2fec27e291e0201b4"
	    "d54592bc6b346a01cea5e3812d2f0aaf");
}
END_TEST

static struct csa_vectors	 index1 = { .name = "local" };
static struct csa_vectors	 index2 = { .name = "pinecone" };
static struct csa_embedder	 embedder1 = { .name = "openai", .model = "e" };
static struct csa_embedder	 embedder2 = { .name = "openai", .model = "f" };
static struct csa_embedder	 embedder3 = { .name = "gemini", .model = "e" };

static void
with_vectors(void)
{
	asked.rag.vectors = &index1;
	asked.rag.embedder = &embedder1;
	asked.rag.space = (struct csa_space){ "u", "qm", "qp", "pp", "qb",
	    "pb", "i", "h", "c" };
}

/* Each changes one thing of what ask() and with_vectors() say. */
#define CHANGES(C)							\
	C(asked.scope.tenant = "u")					\
	C(asked.scope.tenant = "")					\
	C(asked.scope.bot = "faqs")					\
	C(asked.generation.store = 8)					\
	C(asked.generation.token[31] = '0')				\
	C(asked.generation.token[0] = '\0')				\
	C(asked.a.second = 1)						\
	C(asked.a.question = "what?")					\
	C(asked.a.question = "What")					\
	C(asked.a.question = "Wh at?")					\
	C(asked.a.nhistory = 0)						\
	C(asked.a.nhistory = 2)						\
	C(asked.history[0].role = CSA_ROLE_ASSISTANT)			\
	C(asked.history[0].text = "hello")				\
	C(asked.history[0].len = 4)					\
	C(asked.a.system_prompt = "Be brief")				\
	C(asked.a.system_prompt = "")					\
	C(asked.a.provider = "openai")					\
	C(asked.a.address = "https://i")				\
	C(asked.a.model = "m-2")					\
	C(asked.a.fallback_models = "")					\
	C(asked.a.may_degrade = false)					\
	C(asked.a.temperature = .70000001)				\
	C(asked.a.answer_threshold = .31)				\
	C(asked.a.max_output_tokens = 2047)				\
	C(asked.a.k = 6)						\
	C(asked.rag.context_tokens = 6001)				\
	C(asked.rag.text_weight = .5)					\
	C(asked.rag.vectors = &index2)					\
	C(asked.rag.vectors = NULL)					\
	C(asked.rag.embedder = &embedder2)				\
	C(asked.rag.embedder = &embedder3)				\
	C(asked.rag.space.embedding_url = "v")				\
	C(asked.rag.space.query_model = "v")				\
	C(asked.rag.space.query_prefix = "v")				\
	C(asked.rag.space.passage_prefix = "v")				\
	C(asked.rag.space.query_body = "v")				\
	C(asked.rag.space.passage_body = "v")				\
	C(asked.rag.space.index = "v")					\
	C(asked.rag.space.index_host = "v")				\
	C(asked.rag.space.controller = "v")

#define CHANGE_N(c)	+ 1
#define NCHANGES	(0 CHANGES(CHANGE_N))

static const char *
change(int i)
{
	int	 n = 0;

#define CHANGE(c)	if (n++ == i) { c; return #c; }
	CHANGES(CHANGE)
#undef CHANGE
	return NULL;
}

START_TEST(everything_that_shapes_an_answer_is_in_the_key)
{
	char		 names[NCHANGES + 1][80];
	const char	*what[NCHANGES + 1];

	for (int i = 0; i <= NCHANGES; i++) {
		ask();
		with_vectors();
		what[i] = i < NCHANGES ? change(i) : "nothing";
		ck_assert_ptr_nonnull(what[i]);
		strcpy(names[i], name());
		for (int k = 0; k < i; k++)
			ck_assert_msg(strcmp(names[i], names[k]) != 0,
			    "%s and %s", what[i], what[k]);
	}
}
END_TEST

START_TEST(what_shapes_none_is_not)
{
	char	 before[80];

	ask();
	strcpy(before, name());
	asked.a.question = " \n\tWhat?\r\n ";
	ck_assert_str_eq(name(), before);
	asked.a.question = "\xc2\xa0What?";
	ck_assert_str_eq(name(), before);
	asked.generation.changed = 12345;
	ck_assert_str_eq(name(), before);
	/* Without an index its settings shape nothing. */
	asked.rag.text_weight = .5;
	asked.rag.space.index = "v";
	ck_assert_str_eq(name(), before);
	/* Time limits and may_degrade of the search: see may_degrade above. */
	asked.rag.retrieve_ms = 7;
	asked.rag.retrieval_ttl = 7;
	ck_assert_str_eq(name(), before);
}
END_TEST

/* A text that moves from one field into the next is another answer. */
START_TEST(fields_do_not_run_into_each_other)
{
	char	 before[80];

	ask();
	asked.a.provider = "ab";
	asked.a.address = "c";
	strcpy(before, name());
	asked.a.provider = "a";
	asked.a.address = "bc";
	ck_assert_str_ne(name(), before);
	asked.a.provider = "abc";
	asked.a.address = "";
	ck_assert_str_ne(name(), before);
	asked.a.address = NULL;
	ck_assert_str_ne(name(), before);
}
END_TEST

/* Who changes the prompt has to raise CSA_PROMPT_FORMAT, and this with it. */
START_TEST(the_prompt_is_that_of_its_format)
{
	struct csa_message	 history = { CSA_ROLE_USER, "Hello", 5, false };
	struct csa_passage	 p = { .chunk = { .id = "i", .title = "T",
	    .document_id = "d", .text = "text", .len = 4 } };
	struct csa_prompt	 prompt;
	struct csa_digest	 d;
	struct csa_buf		 b;
	char			 hex[2 * CSA_DIGEST + 1];

	csa_buf_init(&b, 1 << 20);
	for (size_t n = 0; n < 2; n++) {
		csa_prompt_build(arena, "System.", &history, 1, 10, &p, n,
		    1000, "What?", &prompt);
		csa_buf_puts(&b, prompt.system);
		for (size_t i = 0; i < prompt.nmessages; i++)
			csa_buf_add(&b, prompt.messages[i].text,
			    prompt.messages[i].len);
	}
	csa_sha256(b.data, b.len, &d);
	csa_buf_fini(&b);
	csa_hex(d.b, sizeof(d.b), hex);
	ck_assert_int_eq(CSA_PROMPT_FORMAT, 1);
	ck_assert_str_eq(hex, "bc8b0971ed86c36ed0ed9089a6fb4a76"
	    "03dde157244fd15f92e7568b2b8dc7d5");
}
END_TEST

static const struct { const char *text; bool is; } unknowns[] = {
	{ "I don't know.", true },
	{ "I don\xe2\x80\x99t know.", true },
	{ "Sorry, I do not know that.", true },
	{ "Das wei\xc3\x9f ich nicht.", true },
	{ "Je ne sais pas.", true },
	{ "No lo s\xc3\xa9.", true },
	{ "Non lo so.", true },
	{ "N\xc3\xa3o sei.", true },
	{ "Dat weet ik niet.", true },
	{ "It is blue [1].", false },
	{ "", false },
};

START_TEST(hears_when_somebody_does_not_know)
{
	char	 text[1000];

	for (size_t i = 0; i < CSA_NITEMS(unknowns); i++)
		ck_assert_msg(csa_says_unknown(unknowns[i].text,
		    strlen(unknowns[i].text)) == unknowns[i].is, "%s",
		    unknowns[i].text);
	/* In a long text it is a part of something else. */
	memset(text, ' ', sizeof(text));
	memcpy(text, "I don't know", 12);
	ck_assert(csa_says_unknown(text, 300));
	ck_assert(!csa_says_unknown(text, sizeof(text)));
}
END_TEST

/* ---- the value ---- */

static struct csa_passage	 sources[] = {
	{ { .id = "d-0", .document_id = "d", .text = "one \xc3\xa9", .len = 6,
	    .title = "T", .metadata = "{\"page\":3}" }, 1 },
	{ { .id = "e-0", .document_id = "e", .text = "", .len = 0,
	    .title = "" }, .25 },
};
static bool			 cited[] = { true, false };
static const bool		 elsewhere[] = { false, true };

static struct csa_answer
an_answer(void)
{
	return (struct csa_answer){
		.passages = sources, .n = 2, .cited = cited,
		.elsewhere = elsewhere,
		.res = {
			.text = "It is so [1].", .len = 13,
			.finish = CSA_FINISH_LENGTH, .model = "m",
			.provider = "p", .prompt_tokens = 1,
			.completion_tokens = 2, .total_tokens = 3,
			.cached_tokens = 4, .thought_tokens = 5,
			.cost_usd = .125, .unknown = true,
		},
		.degraded = "model_unavailable",
	};
}

static struct csa_buf
written(const struct csa_answer *a)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 1 << 20);
	csa_answer_write(&b, a);
	ck_assert(!b.failed);
	return b;
}

START_TEST(an_answer_comes_back_as_it_was)
{
	struct csa_answer	 a = an_answer(), r;
	struct csa_buf		 b = written(&a), again;

	ck_assert_int_eq(csa_answer_kind(b.data, b.len), 'A');
	ck_assert_int_eq(csa_answer_read(arena, b.data, b.len, &r), 0);
	ck_assert_str_eq(r.res.text, a.res.text);
	ck_assert_uint_eq(r.res.len, 13);
	ck_assert_int_eq(r.res.finish, CSA_FINISH_LENGTH);
	ck_assert_str_eq(r.res.model, "m");
	ck_assert_str_eq(r.res.provider, "p");
	ck_assert_int_eq(r.res.prompt_tokens, 1);
	ck_assert_int_eq(r.res.completion_tokens, 2);
	ck_assert_int_eq(r.res.total_tokens, 3);
	ck_assert_int_eq(r.res.cached_tokens, 4);
	ck_assert_int_eq(r.res.thought_tokens, 5);
	ck_assert_double_eq(r.res.cost_usd, .125);
	ck_assert(r.res.unknown);
	ck_assert_str_eq(r.degraded, "model_unavailable");
	ck_assert_uint_eq(r.n, 2);
	ck_assert(r.cited[0] && !r.cited[1]);
	ck_assert(!r.elsewhere[0] && r.elsewhere[1]);
	ck_assert_str_eq(r.passages[0].chunk.id, "d-0");
	ck_assert_str_eq(r.passages[0].chunk.document_id, "d");
	ck_assert_str_eq(r.passages[0].chunk.text, "one \xc3\xa9");
	ck_assert_str_eq(r.passages[0].chunk.title, "T");
	ck_assert_str_eq(r.passages[0].chunk.metadata, "{\"page\":3}");
	ck_assert_double_eq(r.passages[1].score, .25);
	ck_assert_ptr_null(r.passages[1].chunk.metadata);
	again = written(&r);
	ck_assert_uint_eq(again.len, b.len);
	ck_assert_mem_eq(again.data, b.data, b.len);
	csa_buf_fini(&again);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(what_may_be_missing_is)
{
	struct csa_answer	 a = an_answer(), r;
	struct csa_buf		 b;

	a.n = 0;
	a.degraded = a.res.provider = NULL;
	a.res.unknown = false;
	b = written(&a);
	ck_assert_int_eq(csa_answer_read(arena, b.data, b.len, &r), 0);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_ptr_null(r.degraded);
	ck_assert_ptr_null(r.res.provider);
	csa_buf_fini(&b);
}
END_TEST

/* Nonsense in what was paid must not make nonsense of the metrics. */
START_TEST(odd_counts_become_none)
{
	struct csa_answer	 a = an_answer(), r;
	struct csa_buf		 b;

	a.res.cost_usd = -1;
	a.res.total_tokens = -5;
	b = written(&a);
	ck_assert_int_eq(csa_answer_read(arena, b.data, b.len, &r), 0);
	ck_assert_double_eq(r.res.cost_usd, 0);
	ck_assert_int_eq(r.res.total_tokens, 0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(no_part_of_an_answer_is_one)
{
	struct csa_answer	 a = an_answer(), r;
	struct csa_buf		 b = written(&a);
	char			*copy;

	for (size_t n = 0; n < b.len; n++) {
		/* Of its size, so that reading on is found out. */
		copy = csa_malloc(n + (n == 0));
		memcpy(copy, b.data, n);
		ck_assert_int_eq(csa_answer_read(arena, copy, n, &r), -1);
		free(copy);
	}
	csa_buf_putc(&b, '\0');
	ck_assert_int_eq(csa_answer_read(arena, b.data, b.len, &r), -1);
	csa_buf_fini(&b);
}
END_TEST

/*
 * The envelope's checksum finds accidents; what comes after it has to be safe to
 * show all the same: whatever is read again is written the same.
 */
START_TEST(every_flipped_byte_is_refused_or_sound)
{
	struct csa_answer	 a = an_answer(), r;
	struct csa_buf		 b = written(&a), again;
	unsigned		 taken = 0;

	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			b.data[i] = (char)(b.data[i] ^ 1 << bit);
			if (csa_answer_read(arena, b.data, b.len, &r) == 0) {
				again = written(&r);
				ck_assert_uint_eq(again.len, b.len);
				ck_assert_mem_eq(again.data, b.data, b.len);
				csa_buf_fini(&again);
				taken++;
			}
			b.data[i] = (char)(b.data[i] ^ 1 << bit);
			csa_arena_reset(arena);
		}
	/* In texts and numbers that is another text or number. */
	ck_assert_uint_gt(taken, 0);
	ck_assert_uint_lt(taken, (unsigned)b.len * 8 / 2);
	csa_buf_fini(&b);
}
END_TEST

static int
read_with(struct csa_answer *a)
{
	struct csa_answer	 r;
	struct csa_buf		 b = written(a);
	int			 rc;

	rc = csa_answer_read(arena, b.data, b.len, &r);
	csa_buf_fini(&b);
	return rc;
}

START_TEST(what_must_not_be_shown_is_refused)
{
	struct csa_passage	 p = sources[0];
	struct csa_answer	 a = an_answer();
	bool			 one = false;

	a.passages = &p;
	a.cited = &one;
	a.n = 1;
	ck_assert_int_eq(read_with(&a), 0);
	p.chunk.metadata = "{\"page\":3";
	ck_assert_int_eq(read_with(&a), -1);
	p.chunk.metadata = "3";
	ck_assert_int_eq(read_with(&a), -1);
	p.chunk.metadata = NULL;
	p.chunk.text = "\xc3";
	p.chunk.len = 1;
	ck_assert_int_eq(read_with(&a), -1);
	p.chunk.text = "a\0b";
	p.chunk.len = 3;
	ck_assert_int_eq(read_with(&a), -1);
	p = sources[0];
	p.score = -1;
	ck_assert_int_eq(read_with(&a), -1);
	p = sources[0];
	a.res.text = " \n";
	a.res.len = 2;
	ck_assert_int_eq(read_with(&a), -1);
}
END_TEST

START_TEST(progress_is_passages_and_then_text)
{
	struct csa_passage	*p;
	struct csa_buf		 b;
	const char		*text;
	size_t			 n, len, head;

	csa_buf_init(&b, 1 << 20);
	csa_progress_write(&b, sources, 2);
	head = b.len;
	ck_assert_int_eq(csa_answer_kind(b.data, b.len), 'P');
	ck_assert_int_eq(csa_progress_read(arena, b.data, b.len, &p, &n, &text,
	    &len), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_uint_eq(len, 0);
	csa_buf_puts(&b, "It is ");
	csa_buf_puts(&b, "so");
	ck_assert_int_eq(csa_progress_read(arena, b.data, b.len, &p, &n, &text,
	    &len), 0);
	ck_assert_mem_eq(text, "It is so", 8);
	ck_assert_uint_eq(len, 8);
	ck_assert_ptr_eq(text, b.data + head);
	csa_buf_puts(&b, "\xc3");
	ck_assert_int_eq(csa_progress_read(arena, b.data, b.len, &p, &n, &text,
	    &len), -1);
	ck_assert_int_eq(csa_progress_read(arena, b.data, head - 1, &p, &n,
	    &text, &len), -1);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(trouble_is_told_again)
{
	struct csa_err	 err, r;
	struct csa_buf	 b;

	for (int i = CSA_OK + 1; i < CSA_ERR__MAX; i++) {
		(void)csa_fail(&err, (enum csa_errcode)i, CSA_SRC_GEMINI,
		    "it is %d, 100%%", i);
		err.retry_after = 9;
		(void)csa_fail_detail(&err, "for the log");
		csa_buf_init(&b, 4096);
		csa_trouble_write(&b, &err);
		ck_assert_int_eq(csa_answer_kind(b.data, b.len), 'E');
		ck_assert_int_eq(csa_trouble_read(b.data, b.len, &r), 0);
		ck_assert_int_eq(r.code, i);
		ck_assert_int_eq(r.source, CSA_SRC_GEMINI);
		ck_assert_int_eq(r.retry_after, 9);
		ck_assert_str_eq(r.msg, err.msg);
		ck_assert_str_eq(r.detail, "");
		for (size_t n = 0; n < b.len; n++)
			ck_assert_int_eq(csa_trouble_read(b.data, n, &r), -1);
		csa_buf_fini(&b);
	}
}
END_TEST

static TCase *
key_case(void)
{
	TCase	*t = tcase_create("key");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, the_key_is_the_golden_one);
	tcase_add_test(t, everything_that_shapes_an_answer_is_in_the_key);
	tcase_add_test(t, what_shapes_none_is_not);
	tcase_add_test(t, fields_do_not_run_into_each_other);
	tcase_add_test(t, the_prompt_is_that_of_its_format);
	tcase_add_test(t, hears_when_somebody_does_not_know);
	return t;
}

static TCase *
value_case(void)
{
	TCase	*t = tcase_create("value");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, an_answer_comes_back_as_it_was);
	tcase_add_test(t, what_may_be_missing_is);
	tcase_add_test(t, odd_counts_become_none);
	tcase_add_test(t, no_part_of_an_answer_is_one);
	tcase_add_test(t, every_flipped_byte_is_refused_or_sound);
	tcase_add_test(t, what_must_not_be_shown_is_refused);
	tcase_add_test(t, progress_is_passages_and_then_text);
	tcase_add_test(t, trouble_is_told_again);
	return t;
}

int
main(void)
{
	Suite	*s = suite_create("answer_cache");

	suite_add_tcase(s, key_case());
	suite_add_tcase(s, value_case());
	suite_add_tcase(s, turns_case());
	return run_suite(s);
}
