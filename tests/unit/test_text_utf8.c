#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/text/utf8.h"
#include "tests/suite.h"

/* cp as UTF-8 by the bit layout alone, surrogates and all. */
static size_t
put(uint32_t cp, size_t len, unsigned char *p)
{
	static const unsigned char	 lead[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	if (len == 1) {
		p[0] = (unsigned char)cp;
		return 1;
	}
	for (size_t i = len; i-- > 1; cp >>= 6)
		p[i] = (unsigned char)(0x80 | (cp & 0x3f));
	p[0] = (unsigned char)(lead[len] | cp);
	return len;
}

static size_t
length(uint32_t cp)
{
	return cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
}

START_TEST(every_character_is_valid_and_no_surrogate_is)
{
	unsigned char	 p[4];
	uint32_t	 back;
	size_t		 n;

	for (uint32_t cp = 0; cp < 0x1fffff; cp++) {
		n = put(cp, length(cp), p);
		if ((cp >= 0xd800 && cp < 0xe000) || cp > 0x10ffff) {
			ck_assert(!csa_utf8_valid((char *)p, n, NULL));
			continue;
		}
		ck_assert(csa_utf8_valid((char *)p, n, NULL));
		ck_assert_uint_eq(csa_utf8_decode((char *)p, n, &back), n);
		ck_assert_uint_eq(back, cp);
		/* Without its last byte it is none. */
		if (n > 1)
			ck_assert(!csa_utf8_valid((char *)p, n - 1, NULL));
	}
}
END_TEST

START_TEST(no_longer_form_is_valid)
{
	unsigned char	 p[4];
	size_t		 n;

	for (uint32_t cp = 0; cp < 0x10000; cp++)
		for (size_t len = length(cp) + 1; len <= 4; len++) {
			n = put(cp, len, p);
			ck_assert(!csa_utf8_valid((char *)p, n, NULL));
		}
}
END_TEST

/* The first bad byte is found wherever it is among eights. */
START_TEST(says_where_the_first_bad_byte_is)
{
	char	 text[64];
	size_t	 where;

	for (size_t n = 1; n < sizeof(text); n++)
		for (size_t i = 0; i < n; i++) {
			char	*copy = csa_malloc(n);

			memset(copy, 'a', n);
			copy[i] = (char)0xff;
			ck_assert(!csa_utf8_valid(copy, n, &where));
			ck_assert_uint_eq(where, i);
			free(copy);
		}
}
END_TEST

START_TEST(decoding_rubbish_stays_within_it)
{
	static const char *const rows[] = {
		"\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x98",
		"\xc3(", "\xed\xa0\x80",
	};
	uint32_t	 cp;

	for (size_t i = 0; i < CSA_NITEMS(rows); i++) {
		size_t	 n = strlen(rows[i]);
		char	*copy = csa_malloc(n);

		memcpy(copy, rows[i], n);
		ck_assert_uint_eq(csa_utf8_decode(copy, n, &cp), 1);
		ck_assert_uint_eq(cp, 0xfffd);
		free(copy);
	}
}
END_TEST

START_TEST(cuts_between_characters)
{
	static const char	 text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
	static const size_t	 want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10 };
	size_t			 n = sizeof(text) - 1;

	for (size_t max = 0; max < CSA_NITEMS(want); max++)
		ck_assert_uint_eq(csa_utf8_cut(text, n, max), want[max]);
	ck_assert_uint_eq(csa_utf8_cut("", 0, 0), 0);
}
END_TEST

static const struct {
	const char	*text;
	bool		 blank;
	size_t		 skip;
} blanks[] = {
	{ "", true, 0 },
	{ " \t\r\n\v\f", true, 6 },
	{ "\xc2\xa0\xe3\x80\x80", true, 5 },	/* no-break, ideographic */
	{ "\xe2\x80\x8b\xef\xbb\xbf", true, 6 }, /* zero width, BOM */
	{ "\xe2\x80\xa8\xe2\x80\xa9", true, 6 }, /* separators */
	{ " x ", false, 1 },
	{ ".", false, 0 },
	{ "\xe2\x80\x8d", false, 0 },		/* a joiner joins something */
	{ "  \xc3\xa9", false, 2 },
};

START_TEST(knows_what_is_blank)
{
	size_t	 n = strlen(blanks[_i].text);

	ck_assert(csa_utf8_blank(blanks[_i].text, n) == blanks[_i].blank);
	ck_assert_uint_eq(csa_utf8_skip(blanks[_i].text, n), blanks[_i].skip);
}
END_TEST

static const struct {
	const char	*text, *line;
} lines[] = {
	{ "", "" },
	{ "two\nlines\x7f.", "two lines ." },
	{ "caf\xc3\xa9\xff more", "caf\xc3\xa9" },
	{ "0123456789abcde", "0123456789abcde" },
	{ "0123456789abcdef", "0123456789abcde" },
	{ "0123456789abcd\xc3\xa9", "0123456789abcd" },
};

START_TEST(a_line_is_printable_and_ends_on_a_character)
{
	char	 out[16];

	csa_utf8_line(out, sizeof(out), lines[_i].text,
	    strlen(lines[_i].text));
	ck_assert_str_eq(out, lines[_i].line);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("text/utf8");
	TCase	*tc = tcase_create("utf8");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, every_character_is_valid_and_no_surrogate_is);
	tcase_add_test(tc, no_longer_form_is_valid);
	tcase_add_test(tc, says_where_the_first_bad_byte_is);
	tcase_add_test(tc, decoding_rubbish_stays_within_it);
	tcase_add_test(tc, cuts_between_characters);
	tcase_add_loop_test(tc, knows_what_is_blank, 0, CSA_NITEMS(blanks));
	tcase_add_loop_test(tc, a_line_is_printable_and_ends_on_a_character,
	    0, CSA_NITEMS(lines));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
