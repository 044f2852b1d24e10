#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/sentence.h"
#include "lib/text/utf8.h"
#include "tests/suite.h"

#define MAX	64

/* A bar stands where a sentence is to end; white space beside it is free. */
static const char *const rows[] = {
	/* ends */
	"One. | Two! | Three? | Four",
	"What?! | Yes!!! | Well...",
	"A line\nthat is wrapped goes on. | Next\nline.",
	"Only one",
	"",
	" \n\t ",
	"  Blanks around.  ",
	"Two  spaces.   |   And three.",
	"A no-break space.\xc2\xa0|\xc2\xa0Here.",
	"the flow was studied . | the results are given .",
	"all in small letters. | so full stops must do. | fine",
	/* quotes and brackets behind the mark */
	"He said \"Stop.\" | She did.",
	"(It was late.) | They left.",
	"\xe2\x80\x9cIt is.\xe2\x80\x9d | Good.",
	"\xc2\xabOui.\xc2\xbb | Bon.",
	"**Bold.** | Plain.",
	"So it is.[1] | So it was.[2][3, 4] | End",
	"An [x.] | Not a reference.[a] here",
	/* going on in small letters */
	"\"Really?\" he asked. | \"No!\" she said.",
	"Wait... then it came. | Wait... | Then it came.",
	"Mice, rats, etc. are rodents. | Mice, rats, etc. | Rodents all.",
	"About 5 approx. as many.",
	/* abbreviations */
	"Dr. Watson met Mr. Holmes. | Both left.",
	"See e.g. Section 3. | Or i.e. Appendix A.",
	"Red vs. Blue. | Cf. Smith.",
	"As Fig. 3 and Figs. 4 show. | Eq. (2) holds.",
	"It is a fig. | That is a fruit.",
	"See No. 5 and Vol. IV. | No. | Really.",
	"From Jan. 5 to Dec. 7. | It was Dec. | Nobody came.",
	"Acme Inc. Chairman Jones left. | He works at Acme Inc. | The end.",
	"Smith et al. (1998) and Jones et al. | They agree.",
	"Gen. Lee came. | They are of one gen. | Lee left.",
	"(b. 1892) is a year.",
	"See p. 12 or pp. 13 there.",
	/* initials and dotted letters */
	"J. R. R. Tolkien wrote. | George W. Bush read.",
	"The U.S. Army left the U.S. | The rest stayed.",
	"At 5 p.m. | The shop closes.",
	"She has a Ph.D. | He has none.",
	"\xc3\x89. Zola wrote.",
	/* no white space, no end */
	"It is 3.14 or .5 of it.",
	"Open foo.txt at www.example.org/a?b=c. | Done.",
	"Version 1.2.3 came in 1998. | Then 2.0.",
	"192.168.0.1 is no sentence.",
	"a.b.c",
	/* lists, headings, rules, tables */
	"1. Open it. | 2. Close it. ",
	"Steps:|\n1. Open it. | Wait. |\n2. Close it.",
	"Intro|\n- one|\n- two\n  wrapped|\n* three",
	"Intro|\n\xe2\x80\xa2 one|\n\xe2\x80\xa2 two",
	"Intro|\n a) one|\n b) two|\n (c) three",
	"iv. Fourth. | Fifth.",
	"It was in\n1998. | Then more.",
	"A dash -\nand on",
	"# Heading|\nText here.",
	"## 1. Heading. Same|\nText",
	"#1 is first. | Then #2.",
	"Text|\n## Heading|\nMore",
	"Title\n=====|\nText",
	"Before|\n\n---|\n\nAfter",
	"Code:|\n```|\nx = 1",
	"> quoted",
	/* blank lines */
	"No mark|\n\nNext paragraph",
	"No mark|\n \t\nNext paragraph",
	"No mark|\r\n\r\nNext paragraph",
	"Mr.|\n\nNext paragraph",
	"etc.|\n- an item",
	/* other scripts */
	"\xe4\xb8\xad\xe6\x96\x87\xe3\x80\x82|\xe7\xac\xac\xef\xbc\x81|"
	    "\xe4\xba\x8c\xef\xbc\x9f|\xe4\xb8\x89",
	"\xe3\x80\x8c\xe3\x81\xaf\xe3\x81\x84\xe3\x80\x82\xe3\x80\x8d"
	    "\xe3\x81\xa8\xe3\x80\x82|\xe6\xac\xa1",	/* quoted, and on */
	"\xe4\xbb\x96\xe8\xaf\xb4\xe3\x80\x82\xe2\x80\x9d|\xe5\xa5\xbd",
	"\xd0\x94\xd0\xb0. | \xd0\x9d\xd0\xb5\xd1\x82.",	/* Russian */
	"\xd0\x94\xd0\xb0... \xd0\xbd\xd0\xb5\xd1\x82.",
	"\xe0\xa4\xb9\xe0\xa4\xbe\xe0\xa5\xa4 | \xe0\xa4\xb9",	/* Hindi */
	"\xd9\x86\xd8\xb9\xd9\x85\xd8\x9f | \xd9\x84\xd8\xa7",	/* Arabic */
};

/* Takes the bars out of row; want[i] is where sentence i begins, in text. */
static size_t
prepare(const char *row, char *text, size_t *want)
{
	size_t	 n = 0, count = 0, parts = 0, skip;
	bool	 fresh = true;

	for (; *row != '\0'; row++) {
		if (*row == '|') {
			fresh = true;
			parts++;
			continue;
		}
		/* A blank may be more than a byte. */
		for (skip = csa_utf8_skip(row, strlen(row)); skip > 1; skip--)
			text[n++] = *row++;
		if (fresh && skip == 0) {
			want[count++] = n;
			fresh = false;
		}
		text[n++] = *row;
	}
	text[n] = '\0';
	ck_assert_uint_le(count, parts + 1);
	return count;
}

START_TEST(ends_sentences_where_people_do)
{
	struct csa_span	 spans[MAX];
	char		 text[512], *copy;
	size_t		 want[MAX], n, count, got;

	count = prepare(rows[_i], text, want);
	n = strlen(text);
	copy = csa_malloc(n);
	memcpy(copy, text, n);
	got = csa_sentences(copy, n, spans, MAX);
	for (size_t i = 0; i < got && i < count; i++)
		ck_assert_msg(spans[i].start == want[i],
		    "%s: sentence %zu begins at \"%s\"", rows[_i], i,
		    text + spans[i].start);
	ck_assert_msg(got == count, "%s: %zu sentences", rows[_i], got);
	free(copy);
}
END_TEST

START_TEST(rows_of_a_table_are_sentences)
{
	static const char	 text[] = "| a | b |\n|---|---|\n| c. d | e |\nx";
	struct csa_span		 spans[MAX];

	ck_assert_uint_eq(csa_sentences(text, sizeof(text) - 1, spans, MAX),
	    4);
	ck_assert_uint_eq(spans[0].start, 0);
	ck_assert_uint_eq(spans[0].len, 9);
	ck_assert_uint_eq(spans[1].start, 10);
	ck_assert_uint_eq(spans[2].start, 20);
	ck_assert_uint_eq(spans[3].start, 33);
}
END_TEST

START_TEST(the_last_span_takes_the_rest)
{
	static const char	 text[] = " One. Two. Three. ";
	struct csa_span		 spans[MAX];

	ck_assert_uint_eq(csa_sentences(text, sizeof(text) - 1, spans, 0), 0);
	ck_assert_uint_eq(csa_sentences(text, sizeof(text) - 1, spans, 1), 1);
	ck_assert_uint_eq(spans[0].start, 1);
	ck_assert_uint_eq(spans[0].len, 16);
	ck_assert_uint_eq(csa_sentences(text, sizeof(text) - 1, spans, 2), 2);
	ck_assert_uint_eq(spans[1].start, 6);
	ck_assert_uint_eq(spans[1].len, 11);
	ck_assert_uint_eq(csa_sentences(text, sizeof(text) - 1, spans, 3), 3);
	ck_assert_uint_eq(spans[2].len, 6);
}
END_TEST

/* What could make a look ahead start over and over. */
static const char *const slow[] = {
	".", ". ", "! ", "\n", " ", ".[1", "[1", "-", "=\n", "1", "1.", "a.",
	"\"", ".\"", "a. ", "Dr. ", "\xe3\x80\x82", ".\n", "(", "\n-", "...",
	"I. ", "x\n===", "\xe2\x80\xa6 a", "e.g. ", "\xe3\x80\x8d",
};

START_TEST(takes_linear_time)
{
	enum { COUNT = 300000 };
	struct csa_span	*spans = csa_new_array(COUNT, struct csa_span);
	struct csa_buf	 b;

	csa_buf_init(&b, 16 * COUNT);
	csa_buf_puts(&b, "A");
	for (int i = 0; i < COUNT; i++)
		csa_buf_puts(&b, slow[_i]);
	ck_assert(!b.failed);
	ck_assert_uint_ge(csa_sentences(b.data, b.len, spans, COUNT), 1);
	csa_buf_fini(&b);
	free(spans);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("text/sentence");
	TCase	*tc = tcase_create("sentence");

	tcase_set_timeout(tc, 30);
	tcase_add_loop_test(tc, ends_sentences_where_people_do, 0,
	    CSA_NITEMS(rows));
	tcase_add_test(tc, rows_of_a_table_are_sentences);
	tcase_add_test(tc, the_last_span_takes_the_rest);
	tcase_add_loop_test(tc, takes_linear_time, 0, CSA_NITEMS(slow));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
