#include "config.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/tokens.h"
#include "tests/suite.h"

static struct csa_arena	*arena;

static void
setup(void)
{
	arena = csa_arena_new();
}

static void
teardown(void)
{
	csa_arena_free(arena);
}

/* The tokens of s with blanks between; ~ marks a stop word, * one character. */
static const char *
joined(const char *s)
{
	static char		 out[1024];
	struct csa_token	*t;
	size_t			 n, at = 0;

	n = csa_tokens(arena, s, strlen(s), 100, &t);
	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(out + at, sizeof(out) - at,
		    "%s%s%s%s", i > 0 ? " " : "", t[i].stop ? "~" : "",
		    t[i].text, t[i].prefix ? "*" : "");
	return out;
}

static const struct {
	const char	*text, *tokens;
} cases[] = {
	{ "", "" },
	{ " .,;!? ", "" },
	{ "Printing printers PRINTED", "print printer print" },
	/* Words as long as the stems kept, and longer. */
	{ "Counterrevolutionary electroencephalographs",
	    "counterrevolutionari electroencephalograph" },
	{ "Caf\xc3\xa9 \xc3\x9c" "ber na\xc3\xafve", "cafe uber naiv" },
	{ "cafe\xcc\x81", "cafe" },			/* e + U+0301 */
	{ "x-ray 3.5mm v2", "x rai 3 5mm v2" },
	/* Question words go, whatever their case; their stems do not count. */
	{ "How do I reset THE router?", "~how ~do ~i reset ~the router" },
	{ "does this", "~doe ~thi" },
	{ "It's what we'll don't can\xe2\x80\x99t",
	    "~it ~s ~what ~we ~ll ~don ~t ~can ~t" },
	/* ... but a quoted word, a name or a cell type stays. */
	{ "'ok' T cells", "ok t cell" },
	{ "don quixote", "don quixot" },
	/* Scripts without spaces. */
	{ "猫", "猫*" },
	{ "电池", "电池 池*" },
	{ "電池交換", "電池 池交 交換 換*" },
	{ "電池、交換", "電池 池* 交換 換*" },
	{ "東京タワー", "東京 京タ タワ ワー ー*" },
	{ "使用Python3编程", "使用 用* python3 编程 程*" },
	{ "ไทย", "ไท ทย ย*" },
	{ "\xf0\xa0\x80\x80\xf0\xa0\x80\x81",		/* plane 2 */
	    "\xf0\xa0\x80\x80\xf0\xa0\x80\x81 \xf0\xa0\x80\x81*" },
	{ "什么是电池", "~什么 ~么是 是电 电池 池*" },
	{ "電池は何ですか",
	    "電池 ~池は ~は何 ~何で ~です ~すか か*" },
	/* Those with spaces are not touched. */
	{ "배터리 교체", "배터리 교체" },
	{ "Батарея", "батарея" },
};

START_TEST(cuts_text_as_the_index_does)
{
	ck_assert_str_eq(joined(cases[_i].text), cases[_i].tokens);
	/* Again, now that the stems are known. */
	ck_assert_str_eq(joined(cases[_i].text), cases[_i].tokens);
}
END_TEST

/* Each token's bytes, cut up alone, give the same token first. */
START_TEST(knows_where_each_token_stands)
{
	const char		*s = cases[_i].text;
	struct csa_token	*t, *u;
	size_t			 n, before = 0;

	n = csa_tokens(arena, s, strlen(s), 100, &t);
	for (size_t i = 0; i < n; i++) {
		ck_assert_uint_lt(t[i].start, t[i].end);
		ck_assert_uint_le(t[i].end, strlen(s));
		ck_assert_uint_ge(t[i].start, before);
		before = t[i].start;
		ck_assert_uint_ge(csa_tokens(arena, s + t[i].start,
		    t[i].end - t[i].start, 9, &u), 1);
		ck_assert_str_eq(u[0].text, t[i].text);
	}
}
END_TEST

START_TEST(stops_at_the_most_it_may_give)
{
	struct csa_token	*t;

	ck_assert_uint_eq(csa_tokens(arena, "a b c d", 7, 3, &t), 3);
	ck_assert_str_eq(t[2].text, "c");
	ck_assert_uint_eq(csa_tokens(arena, "a b c d", 7, 0, &t), 0);
}
END_TEST

/* Nothing behind the n bytes is looked at, valid or not. */
START_TEST(believes_in_no_byte)
{
	static const char *const	 bad[] = {
		"\xe7", "\xe7\x94", "\xf0\xa0\x80", "\xff\xfe", "ab\xe7",
		"\xe7\x94\xe7\x94\xb5", "\xc3", "\xed\xa0\x80",
	};
	struct csa_token	*t;

	for (size_t i = 0; i < CSA_NITEMS(bad); i++) {
		size_t	 n = strlen(bad[i]);
		char	*s = malloc(n);

		memcpy(s, bad[i], n);
		(void)csa_tokens(arena, s, n, 9, &t);
		free(s);
	}
}
END_TEST

/* Many words more than the memory of stems has room for. */
START_TEST(remembers_the_right_stem)
{
	char			 word[32];
	struct csa_token	*t;

	for (int i = 0; i < 20000; i++) {
		snprintf(word, sizeof(word), "Word%dxings", i * 7 % 5003);
		ck_assert_uint_eq(csa_tokens(arena, word, strlen(word), 9, &t),
		    1);
		snprintf(word, sizeof(word), "word%dx", i * 7 % 5003);
		ck_assert_str_eq(t[0].text, word);
	}
}
END_TEST

/*
 * Words of every length, at the end of the text and before what ends them; "qz"
 * over and over has no ending that would be taken off.
 */
START_TEST(knows_words_of_every_length)
{
	static const char *const after[] = { "", " ", ".", "\x7f", "\n7", "é" };
	struct csa_token	*t;
	char			 word[48], text[64];
	size_t			 n;

	for (size_t len = 1; len < 44; len++)
		for (size_t k = 0; k < 2 * CSA_NITEMS(after); k++) {
			for (size_t i = 0; i < len; i++)
				word[i] = i % 2 ? 'z' : 'q';
			word[len] = '\0';
			n = (size_t)snprintf(text, sizeof(text), "%s%s%s",
			    k % 2 ? "?" : "", word, after[k / 2]);
			for (size_t i = 0; i < n; i += 3)
				if (text[i] == 'q' || text[i] == 'z')
					text[i] -= 'a' - 'A';
			if (k / 2 == 5)
				strcat(word, "e");
			ck_assert_uint_ge(csa_tokens(arena, text, n, 9, &t), 1);
			ck_assert_str_eq(t[0].text, word);
		}
}
END_TEST

static void *
cut_many(void *arg)
{
	struct csa_arena	*a = csa_arena_new();
	struct csa_token	*t;
	long			 bad = 0;

	for (int i = 0; i < 2000; i++) {
		const char	*s = i % 2 ? "Printing printers" : "電池交換";

		if (csa_tokens(a, s, strlen(s), 9, &t) != (i % 2 ? 2u : 4u) ||
		    strcmp(t[0].text, i % 2 ? "print" : "電池") != 0)
			bad++;
		csa_arena_reset(a);
	}
	csa_arena_free(a);
	*(long *)arg = bad;
	return NULL;
}

START_TEST(serves_many_threads)
{
	pthread_t	 t[8];
	long		 bad[8];

	for (int i = 0; i < 8; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, cut_many, &bad[i]),
		    0);
	for (int i = 0; i < 8; i++) {
		pthread_join(t[i], NULL);
		ck_assert_int_eq(bad[i], 0);
	}
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("store_tokens");
	TCase	*tc = tcase_create("tokens");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, cuts_text_as_the_index_does, 0,
	    CSA_NITEMS(cases));
	tcase_add_loop_test(tc, knows_where_each_token_stands, 0,
	    CSA_NITEMS(cases));
	tcase_add_test(tc, stops_at_the_most_it_may_give);
	tcase_add_test(tc, believes_in_no_byte);
	tcase_add_test(tc, remembers_the_right_stem);
	tcase_add_test(tc, knows_words_of_every_length);
	tcase_add_test(tc, serves_many_threads);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
