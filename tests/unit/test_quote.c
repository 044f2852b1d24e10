#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/provider.h"
#include "lib/provider/quote.h"
#include "tests/suite.h"

static struct csa_arena		*arena;
static struct csa_model		*model;
static struct csa_config	 config;
static struct csa_chat_res	 res;

static void
setup(void)
{
	arena = csa_arena_new();
	config.answer_threshold = .3;
	model = csa_model_extractive_open(&config);
}

static void
teardown(void)
{
	model->ops->close(model);
	csa_arena_free(arena);
}

static struct csa_passage
passage(const char *id, const char *text)
{
	struct csa_passage	 p = { .score = 1 };

	p.chunk.id = id;
	p.chunk.document_id = "d";
	p.chunk.title = "";
	p.chunk.text = text;
	p.chunk.len = strlen(text);
	return p;
}

static void
ask(const char *question, const struct csa_passage *p, size_t n,
    const struct csa_text_result *text)
{
	struct csa_ctx		 ctx = { .arena = arena,
				    .deadline = csa_now_ms() + 10000 };
	struct csa_chat_req	 req = { .question = question, .passages = p,
				    .npassages = n, .text = text };
	struct csa_err		 err;

	ck_assert_int_eq(model->ops->generate(model, &ctx, &req, NULL, NULL,
	    &res, &err), 0);
	ck_assert_uint_eq(strlen(res.text), res.len);
	ck_assert_uint_gt(res.len, 0);
	ck_assert_str_eq(res.model, "extractive");
	ck_assert_int_eq(res.finish, CSA_FINISH_STOP);
}

/* One passage of several sentences, and the sentence that should come first. */
static const struct {
	const char	*question, *passage, *first;
} answers[] = {
	{ "How many days do I have to return the goods?",
	  "Our shop is in Ghent. Goods may be returned within 30 days of "
	  "delivery. Returned goods must be unused. We like bicycles.",
	  "Goods may be returned within 30 days of delivery. [1]" },
	{ "Who founded the company?",
	  "The company makes pumps. It was founded in a shed. The company was "
	  "founded by Ada Jansen. It has forty employees.",
	  "The company was founded by Ada Jansen. [1]" },
	{ "When was the bridge opened?",
	  "The bridge is red. The bridge was opened in 1934. The bridge was "
	  "opened by the king, who liked bridges a lot and came often.",
	  "The bridge was opened in 1934. [1]" },
	/* The answer stands behind the question it answers. */
	{ "What does shipping cost?",
	  "What does shipping cost? It is free above 50 euros. Our hotline is "
	  "open all day. Cats are nice.",
	  "It is free above 50 euros. [1]" },
	{ "退款需要多少天？",
	  "我们的商店在北京。退款将在30天内处理。猫很可爱。",
	  "退款将在30天内处理。 [1]" },
	{ "返金は何日かかりますか？",
	  "店は東京にあります。返金は30日以内に行われます。猫は可愛いです。",
	  "返金は30日以内に行われます。 [1]" },
};

START_TEST(quotes_the_sentence_that_answers)
{
	struct csa_passage	 p = passage("c", answers[_i].passage);

	ask(answers[_i].question, &p, 1, NULL);
	ck_assert(!res.unknown);
	ck_assert_msg(strstr(res.text, answers[_i].first) != NULL,
	    "%s: %s", answers[_i].question, res.text);
}
END_TEST

START_TEST(cites_the_passage_it_quotes)
{
	struct csa_passage	 p[3] = {
		passage("a", "Cats sleep a lot. Dogs bark at night."),
		passage("b", "The warranty lasts two years. It covers parts."),
		passage("c", "The warranty is void after a fall."),
	};

	ask("How long does the warranty last?", p, 3, NULL);
	ck_assert(!res.unknown);
	ck_assert_ptr_nonnull(strstr(res.text,
	    "The warranty lasts two years. [2]"));
	ck_assert_ptr_null(strstr(res.text, "[1]"));
}
END_TEST

/* Whatever is quoted stands in the passage, byte for byte. */
START_TEST(changes_nothing_in_what_it_quotes)
{
	static const char	 text[] = "Press   the\nred \"button\" — twice "
	    "— to reset <device> & wait.";
	struct csa_passage	 p = passage("c", text);

	ask("How do I reset the device?", &p, 1, NULL);
	ck_assert(!res.unknown);
	ck_assert(strncmp(res.text, text, sizeof(text) - 1) == 0);
	ck_assert_str_eq(res.text + sizeof(text) - 1, " [1]");
}
END_TEST

static const struct {
	const char	*question, *passage, *missing;
} unknowns[] = {
	{ "What is the capital of France?",
	  "Goods may be returned within 30 days. Shipping is free.",
	  "\"capital\", \"France\"" },
	{ "Do you sell zebras or giraffes?", "", "\"sell\", \"zebras\"" },
	{ "公司的退款政策是什么？", "猫很可爱。天气很好。", "退款" },
	{ "xyzzy", "Nothing of the kind is here.", "\"xyzzy\"" },
};

START_TEST(says_that_it_does_not_know)
{
	struct csa_passage	 p = passage("c", unknowns[_i].passage);

	ask(unknowns[_i].question, &p, 1, NULL);
	ck_assert_msg(res.unknown, "%s: %s", unknowns[_i].question, res.text);
	ck_assert_ptr_nonnull(strstr(res.text, "I don't know"));
	ck_assert_msg(strstr(res.text, unknowns[_i].missing) != NULL, "%s",
	    res.text);
	ck_assert_ptr_null(strstr(res.text, "[1]"));
}
END_TEST

START_TEST(says_so_without_any_passage)
{
	ask("What is this?", NULL, 0, NULL);
	ck_assert(res.unknown);
	ask("", NULL, 0, NULL);
	ck_assert(res.unknown);
	ask("?!", NULL, 0, NULL);
	ck_assert(res.unknown);
}
END_TEST

/* The index's own judgement decides, with the configured threshold. */
START_TEST(keeps_to_the_threshold)
{
	struct csa_passage	 p = passage("c", "The pump needs oil.");
	struct csa_text_hit	 hit = { .chunk = p.chunk };
	struct csa_term		 terms[2] = {
		{ .text = "pump", .idf = 5, .df = 20 },
		{ .text = "volcano", .idf = 7, .df = 2 },
	};
	struct csa_text_result	 text = { &hit, 1, terms, 2, 26.4 };

	hit.bm25 = .29 * text.ideal;
	ask("Does the pump come from a volcano?", &p, 1, &text);
	ck_assert(res.unknown);
	hit.bm25 = .31 * text.ideal;
	ask("Does the pump come from a volcano?", &p, 1, &text);
	ck_assert(!res.unknown);
	ck_assert_str_eq(res.text, "The pump needs oil. [1]");
}
END_TEST

/* A passage that only the vectors found, in a store that has no texts. */
START_TEST(works_where_the_index_knows_nothing)
{
	struct csa_passage	 p = passage("c", "The pump needs oil. "
	    "Water is wet.");
	struct csa_term		 term = { .text = "pump" };
	struct csa_text_result	 text = { NULL, 0, &term, 1, 0 };

	ask("What does the pump need?", &p, 1, &text);
	ck_assert(!res.unknown);
	ck_assert_ptr_nonnull(strstr(res.text, "The pump needs oil. [1]"));
	p.chunk.text = NULL;
	p.chunk.len = 0;
	ask("What does the pump need?", &p, 1, &text);
	ck_assert(res.unknown);
}
END_TEST

START_TEST(quotes_three_sentences_at_most_and_none_twice)
{
	struct csa_passage	 p[2] = {
		passage("a", "Oil the pump. Fill the pump. Start the pump. "
		    "Stop the pump. Oil the pump."),
		passage("b", "Oil the pump. Sell the pump."),
	};
	size_t			 marks = 0;
	const char		*s;

	ask("What about the pump?", p, 2, NULL);
	for (s = res.text; (s = strchr(s, '[')) != NULL; s++)
		marks++;
	ck_assert_uint_ge(marks, 1);
	ck_assert_uint_le(marks, 3);
	s = strstr(res.text, "Oil the pump.");
	ck_assert(s == NULL || strstr(s + 1, "Oil the pump.") == NULL);
}
END_TEST

START_TEST(cuts_a_sentence_without_an_end)
{
	char			*text = csa_malloc(32001);
	struct csa_passage	 p;

	for (size_t i = 0; i + 10 <= 32000; i += 10)
		memcpy(text + i, "pump oil, ", 11);
	p = passage("c", text);
	ask("What oil does the pump need?", &p, 1, NULL);
	ck_assert(!res.unknown);
	ck_assert_uint_lt(res.len, 1010);
	ck_assert(strncmp(res.text, "pump oil, ", 10) == 0);
	free(text);
}
END_TEST

/* The worst that the limits let through, in a bounded time. */
START_TEST(is_quick_with_a_hundred_large_passages)
{
	struct csa_passage	 p[100];
	char			*text = csa_malloc(32001);
	int64_t			 start;

	for (size_t i = 0; i + 8 <= 32000; i += 8)
		memcpy(text + i, i % 3 ? "an owl. " : "a pump! ", 9);
	for (size_t i = 0; i < 100; i++)
		p[i] = passage("c", text);
	start = csa_now_ms();
	ask("an owl or a pump or a bird or a plane", p, 100, NULL);
	/* Some 20 ms; much more under valgrind. */
	ck_assert_int_lt(csa_now_ms() - start, 5000);
	free(text);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("quote");
	TCase	*tc = tcase_create("quote");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, quotes_the_sentence_that_answers, 0,
	    CSA_NITEMS(answers));
	tcase_add_test(tc, cites_the_passage_it_quotes);
	tcase_add_test(tc, changes_nothing_in_what_it_quotes);
	tcase_add_loop_test(tc, says_that_it_does_not_know, 0,
	    CSA_NITEMS(unknowns));
	tcase_add_test(tc, says_so_without_any_passage);
	tcase_add_test(tc, keeps_to_the_threshold);
	tcase_add_test(tc, works_where_the_index_knows_nothing);
	tcase_add_test(tc, quotes_three_sentences_at_most_and_none_twice);
	tcase_add_test(tc, cuts_a_sentence_without_an_end);
	tcase_add_test(tc, is_quick_with_a_hundred_large_passages);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
