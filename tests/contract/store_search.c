#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/contract/store_fixture.h"

static void
put_text(const char *doc, const char *title, const char *text)
{
	struct csa_chunk	 c = { .id = doc, .title = title,
	    .text = text, .len = strlen(text) };

	ck_assert_msg(store->ops->put_document(store, &ctx, &one, doc, NULL,
	    "", &c, 1, NULL, &err) == 0, "%s", err.detail);
}

/* ---- scores ---- */

static void
assert_near(double a, double b)
{
	ck_assert_msg(fabs(a - b) < 1e-9, "%.12f and not %.12f", a, b);
}

static double
bm25(double n, double df, double tf, double length, double mean)
{
	return log(1 + (n - df + .5) / (df + .5)) * tf * 2.2 /
	    (tf + 1.2 * (.25 + .75 * length / mean));
}

START_TEST(scores_as_the_formula_says)
{
	struct csa_text_result	 r;
	double			 mean = (3 + 4 + 5) / 3.0;

	put_text("a", "", "zebra zebra yak");
	put_text("b", "zebra", "xenon quartz quartz");
	put_text("c", "", "quartz quartz quartz quartz quartz");
	r = fx_ask(&one, "zebra and the unicorn", 10);
	ck_assert_uint_eq(r.nterms, 2);
	ck_assert_str_eq(r.terms[0].text, "zebra");
	ck_assert_uint_eq(r.terms[0].df, 2);
	assert_near(r.terms[0].idf, log(1 + 1.5 / 2.5));
	ck_assert_str_eq(r.terms[1].text, "unicorn");
	ck_assert_uint_eq(r.terms[1].df, 0);
	assert_near(r.terms[1].idf, log(1 + 3.5 / .5));
	assert_near(r.ideal, 2.2 * (r.terms[0].idf + r.terms[1].idf));
	ck_assert_uint_eq(r.nhits, 2);
	for (size_t i = 0; i < 2; i++)
		/* Twice in the text is as much as once in the title. */
		assert_near(r.hits[i].bm25, bm25(3, 2, 2,
		    *r.hits[i].chunk.id == 'a' ? 3 : 4, mean));
}
END_TEST

/* BM25 has them equal: twice in the text, once in the title. */
START_TEST(prefers_words_in_the_title)
{
	struct csa_text_result	 r;

	put_text("text", "", "zebra zebra yak");
	put_text("title", "zebra", "yak yak");
	r = fx_ask(&one, "zebra", 2);
	ck_assert_uint_eq(r.nhits, 2);
	assert_near(r.hits[0].bm25, r.hits[1].bm25);
	ck_assert_str_eq(r.hits[0].chunk.id, "title");
}
END_TEST

START_TEST(tells_the_terms_even_where_nothing_is_found)
{
	struct csa_text_result	 r;

	put_text("a", "", "zebra");
	r = fx_ask(&one, "unicorn?", 10);
	ck_assert_uint_eq(r.nhits, 0);
	ck_assert_uint_eq(r.nterms, 1);
	ck_assert_uint_eq(r.terms[0].df, 0);
	assert_near(r.terms[0].idf, log(1 + 1.5 / .5));
	assert_near(r.ideal, 2.2 * r.terms[0].idf);
}
END_TEST

START_TEST(sorts_by_score_and_stops_at_k)
{
	struct csa_text_result	 all, some;

	fx_store(&one, "d", 300, "lamp lamp switch");
	fx_store(&one, "e", 20, "lamp");
	all = fx_ask(&one, "lamp switch 7", 1000);
	ck_assert_uint_eq(all.nhits, 320);
	for (size_t i = 0; i < all.nhits; i++) {
		ck_assert(all.hits[i].bm25 > 0);
		ck_assert(all.hits[i].bm25 <= all.ideal);
		ck_assert(all.hits[i].score >= all.hits[i].bm25);
		ck_assert(i == 0 || all.hits[i].score <= all.hits[i - 1].score);
	}
	ck_assert_str_eq(all.hits[0].chunk.id + 1, "-chunk-7");
	some = fx_ask(&one, "lamp switch 7", 5);
	ck_assert_uint_eq(some.nhits, 5);
	for (size_t i = 0; i < 5; i++)
		ck_assert_str_eq(some.hits[i].chunk.id, all.hits[i].chunk.id);
	ck_assert_uint_eq(fx_ask(&one, "lamp", 0).nhits, 0);
}
END_TEST

/* The same words, but together. */
START_TEST(prefers_words_that_stand_together)
{
	char			 far[1024] = "battery";
	char			 near[1024] = "battery replacement";
	struct csa_text_result	 r;

	for (int i = 0; i < 40; i++) {
		strcat(far, " filler");
		strcat(near, " filler");
	}
	strcat(far, " replacement");
	put_text("far", "", far);
	put_text("near", "", near);
	r = fx_ask(&one, "battery replacement", 2);
	ck_assert_str_eq(r.hits[0].chunk.id, "near");
}
END_TEST

START_TEST(stop_words_count_where_there_is_nothing_else)
{
	put_text("a", "", "to be or not to be");
	put_text("b", "", "a zebra to be seen");
	ck_assert_uint_eq(fx_count(&one, "what is to be?"), 2);
	ck_assert_uint_eq(fx_count(&one, "to be a zebra"), 1);
}
END_TEST

START_TEST(cuts_a_question_of_many_words)
{
	char			 question[4096] = "";
	struct csa_text_result	 r;

	for (int i = 0; i < 400; i++)
		sprintf(question + strlen(question), "w%dx ", i);
	put_text("a", "", "w3x w399x");
	r = fx_ask(&one, question, 5);
	ck_assert_uint_eq(r.nterms, 64);
	ck_assert_uint_eq(r.nhits, 1);
	/* A word said twice is one term. */
	ck_assert_uint_eq(fx_ask(&one, "lamp Lamps LAMP", 5).nterms, 1);
}
END_TEST

/* ---- scripts without spaces ---- */

static const struct {
	const char	*text, *other, *question;
} languages[] = {
	{ "更换电池之前，请先关闭设备电源。",
	    "打印机卡纸时，打开后盖取出纸张。", "怎么更换电池？" },
	{ "ルーターを再起動するには、電源ボタンを10秒間押し続けます。",
	    "プリンターの用紙がなくなったら補充してください。",
	    "ルーターの再起動の方法は何ですか" },
	{ "การเปลี่ยนแบตเตอรี่ต้องปิดเครื่องก่อน",
	    "กระดาษติดในเครื่องพิมพ์ให้เปิดฝาหลัง", "เปลี่ยนแบตเตอรี่อย่างไร" },
	/* One character; the end of a run; among Latin words. */
	{ "我家的猫很可爱", "我家的狗很可爱", "猫" },
	{ "我喜欢猫", "我喜欢狗", "猫" },
	{ "使用Python3编程语言", "使用Java编程语言", "Python3" },
	{ "ໃຊ້ແບດເຕີຣີໃໝ່", "ເຈ້ຍຕິດໃນເຄື່ອງ", "ແບດເຕີຣີ" },
};

START_TEST(finds_text_without_spaces)
{
	struct csa_text_result	 r;

	put_text("other", "", languages[_i].other);
	put_text("text", "", languages[_i].text);
	r = fx_ask(&one, languages[_i].question, 2);
	ck_assert_uint_ge(r.nhits, 1);
	ck_assert_str_eq(r.hits[0].chunk.id, "text");
	ck_assert(r.nhits == 1 || r.hits[1].bm25 < r.hits[0].bm25);
}
END_TEST

/* ---- anyone's text ---- */

static const char *const hostile[] = {
	"", " ", "?!", "\"", "\"\"", "lamp\"", "\" OR \"\"", "lamp AND",
	"lamp OR", "NOT lamp", "NEAR(lamp switch, 2)", "lamp*", "* *",
	"title: lamp", "{title text} : lamp", "- title : lamp", "^lamp",
	"lamp + switch", "(lamp", "lamp)", "'; DROP TABLE chunks; --",
	"lamp\x01\x02\x7f", "la\xc3\xa9mp \xf0\x9f\x92\xa1 lamp", "%s%n lamp",
	"\\", "lamp\\", "AND", "OR", "NOT NOT", "fts", "delete lamp",
	"lamp \xe2\x80\x9cswitch\xe2\x80\x9d",
};

START_TEST(no_question_is_an_operator)
{
	struct csa_text_result	 r;

	fx_store(&one, "d", 2, "lamp switch");
	r = fx_ask(&one, hostile[_i], 5);
	ck_assert_uint_eq(r.nhits,
	    strstr(hostile[_i], "lamp") != NULL ? 2 : 0);
	ck_assert_uint_eq(fx_count(&one, "lamp"), 2);
}
END_TEST

START_TEST(bears_a_very_long_question)
{
	size_t	 n = 4 << 20;
	char	*s = malloc(n + 1);

	fx_store(&one, "d", 2, "lamp switch");
	for (int kind = 0; kind < 3; kind++) {
		memset(s, "a \xe3"[kind], n);
		if (kind == 2)
			for (size_t i = 0; i + 3 <= n; i += 3)
				memcpy(s + i, "\xe7\x8c\xab", 3);
		s[n / 3 * 3] = '\0';
		(void)fx_ask(&one, s, 5);
	}
	free(s);
}
END_TEST

START_TEST(stores_what_it_is_given)
{
	/* As text, as id, as title: no string is special. */
	for (size_t i = 3; i < CSA_NITEMS(hostile); i++)
		put_text(hostile[i], hostile[i], hostile[i]);
	for (size_t i = 3; i < CSA_NITEMS(hostile); i++) {
		struct csa_chunk	 got;

		ck_assert_int_eq(store->ops->chunks(store, &ctx, &one,
		    &hostile[i], 1, &got, &err), 0);
		ck_assert_str_eq(got.text, hostile[i]);
		ck_assert_str_eq(got.document_id, hostile[i]);
	}
	fx_assert_sound("one");
}
END_TEST

TCase *
fx_search(void)
{
	TCase	*tc = tcase_create("search");

	tcase_add_checked_fixture(tc, fx_setup, fx_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, scores_as_the_formula_says);
	tcase_add_test(tc, prefers_words_in_the_title);
	tcase_add_test(tc, tells_the_terms_even_where_nothing_is_found);
	tcase_add_test(tc, sorts_by_score_and_stops_at_k);
	tcase_add_test(tc, prefers_words_that_stand_together);
	tcase_add_test(tc, stop_words_count_where_there_is_nothing_else);
	tcase_add_test(tc, cuts_a_question_of_many_words);
	tcase_add_loop_test(tc, finds_text_without_spaces, 0,
	    CSA_NITEMS(languages));
	tcase_add_loop_test(tc, no_question_is_an_operator, 0,
	    CSA_NITEMS(hostile));
	tcase_add_test(tc, bears_a_very_long_question);
	tcase_add_test(tc, stores_what_it_is_given);
	return tc;
}
