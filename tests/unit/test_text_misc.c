#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/base64.h"
#include "lib/text/digest.h"
#include "lib/text/item.h"
#include "lib/text/num.h"
#include "tests/suite.h"

static const struct {
	const char	*text;
	int		 rc;
	int64_t		 v;
} ints[] = {
	{ "0", 0, 0 }, { "-0", 0, 0 }, { "7", 0, 7 }, { "-7", 0, -7 },
	{ "007", 0, 7 },
	{ "9223372036854775807", 0, INT64_MAX },
	{ "-9223372036854775808", 0, INT64_MIN },
	{ "9223372036854775808", -1, 99 },	/* one too many */
	{ "-9223372036854775809", -1, 99 },
	{ "99999999999999999999999999", -1, 99 },
	{ "", -1, 99 }, { "-", -1, 99 }, { "+1", -1, 99 }, { " 1", -1, 99 },
	{ "1 ", -1, 99 }, { "1x", -1, 99 }, { "0x10", -1, 99 },
	{ "1.0", -1, 99 }, { "1e3", -1, 99 }, { "--1", -1, 99 },
};

START_TEST(an_integer_has_nothing_before_or_behind_it)
{
	int64_t	 v = 99;

	ck_assert_int_eq(csa_parse_int(ints[_i].text, INT64_MIN, INT64_MAX,
	    &v), ints[_i].rc);
	ck_assert_int_eq(v, ints[_i].v);
}
END_TEST

START_TEST(an_integer_is_in_its_range)
{
	int64_t	 v = 99;

	ck_assert_int_eq(csa_parse_int("1", 1, 10, &v), 0);
	ck_assert_int_eq(csa_parse_int("10", 1, 10, &v), 0);
	ck_assert_int_eq(v, 10);
	ck_assert_int_eq(csa_parse_int("0", 1, 10, &v), -1);
	ck_assert_int_eq(csa_parse_int("11", 1, 10, &v), -1);
	ck_assert_int_eq(csa_parse_int("-5", -4, 10, &v), -1);
	ck_assert_int_eq(v, 10);
}
END_TEST

static const struct {
	const char	*text;
	int		 rc;
	double		 v;
} doubles[] = {
	{ "0", 0, 0 }, { "0.5", 0, 0.5 }, { "-1.5e1", 0, -15 },
	{ "1e2", 0, 100 }, { "100.0000001", -1, 99 }, { "-101", -1, 99 },
	{ "1e999", -1, 99 }, { "nan", -1, 99 }, { "inf", -1, 99 },
	{ "0x1p3", -1, 99 }, { "1,5", -1, 99 }, { "", -1, 99 },
	{ ".5", -1, 99 }, { "5.", -1, 99 }, { " 1", -1, 99 },
	{ "1 ", -1, 99 }, { "+1", -1, 99 },
};

START_TEST(a_double_is_written_as_in_json)
{
	double	 v = 99;

	ck_assert_int_eq(csa_parse_double(doubles[_i].text, -100, 100, &v),
	    doubles[_i].rc);
	ck_assert(v == doubles[_i].v);
}
END_TEST

START_TEST(a_size_is_digits)
{
	static const char *const bad[] = {
		"", "-1", "-0", "+3", " 3", "3 ", "3,3", "0x3",
		"18446744073709551616", "1000000000000000000000000000000",
	};
	size_t	 v = 99;

	for (size_t i = 0; i < CSA_NITEMS(bad); i++)
		ck_assert_int_eq(csa_parse_size(bad[i], &v), -1);
	ck_assert_uint_eq(v, 99);
	ck_assert_int_eq(csa_parse_size("18446744073709551615", &v), 0);
	ck_assert_uint_eq(v, SIZE_MAX);
	ck_assert_int_eq(csa_parse_size("0", &v), 0);
	ck_assert_uint_eq(v, 0);
}
END_TEST

/* FIPS 180-4's examples, and the empty message. */
static const struct { const char *text, *hex; } digests[] = {
	{ "", "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855" },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad" },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039"
	    "a33ce45964ff2167f6ecedd419db06c1" },
};

START_TEST(digests_are_sha_256)
{
	struct csa_digest	 d, other;
	char			 hex[2 * CSA_DIGEST + 1];

	csa_sha256(digests[_i].text, strlen(digests[_i].text), &d);
	csa_hex(d.b, sizeof(d.b), hex);
	ck_assert_str_eq(hex, digests[_i].hex);
	ck_assert_int_eq(csa_unhex(hex, other.b, sizeof(other.b)), 0);
	ck_assert(csa_digest_eq(&d, &other));
	for (int i = 0; i < CSA_DIGEST; i++) {
		other.b[i] ^= 1;
		ck_assert(!csa_digest_eq(&d, &other));
		other.b[i] ^= 1;
	}
}
END_TEST

START_TEST(hex_is_as_long_as_asked)
{
	uint8_t	 b[2];

	ck_assert_int_eq(csa_unhex("aBcD", b, 2), 0);
	ck_assert(b[0] == 0xab && b[1] == 0xcd);
	ck_assert_int_eq(csa_unhex("", b, 0), 0);
	ck_assert_int_eq(csa_unhex("abc", b, 2), -1);
	ck_assert_int_eq(csa_unhex("ab", b, 2), -1);
	ck_assert_int_eq(csa_unhex("abcde", b, 2), -1);
	ck_assert_int_eq(csa_unhex("abcdef", b, 2), -1);
	ck_assert_int_eq(csa_unhex("abcg", b, 2), -1);
	ck_assert_int_eq(csa_unhex("ab d", b, 2), -1);
}
END_TEST

START_TEST(no_two_ids_are_equal)
{
	char	 ids[500][33];

	for (size_t i = 0; i < CSA_NITEMS(ids); i++) {
		csa_random_id(ids[i]);
		ck_assert_uint_eq(strspn(ids[i], "0123456789abcdef"), 32);
		ck_assert_uint_eq(strlen(ids[i]), 32);
		for (size_t k = 0; k < i; k++)
			ck_assert_str_ne(ids[k], ids[i]);
	}
}
END_TEST

/* RFC 4648 section 10, and the letters with the highest values. */
static const struct { const char *bytes, *text; } base64[] = {
	{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbe", "+/++" },
};

START_TEST(base64_both_ways)
{
	struct csa_buf	 b;
	size_t		 n = strlen(base64[_i].text);
	uint8_t		*out = csa_malloc(n / 4 * 3);
	long		 len;

	csa_buf_init(&b, n);
	csa_base64_encode(&b, base64[_i].bytes, strlen(base64[_i].bytes));
	ck_assert(!b.failed);
	ck_assert_str_eq(b.len > 0 ? b.data : "", base64[_i].text);
	len = csa_base64_decode(base64[_i].text, n, out);
	ck_assert_int_eq(len, (long)strlen(base64[_i].bytes));
	ck_assert(memcmp(out, base64[_i].bytes, (size_t)len) == 0);
	csa_buf_fini(&b);
	free(out);
}
END_TEST

START_TEST(base64_keeps_every_byte)
{
	struct csa_buf	 b;
	uint8_t		 bytes[256], back[300];

	for (int i = 0; i < 256; i++)
		bytes[i] = (uint8_t)i;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		csa_buf_init(&b, 400);
		csa_base64_encode(&b, bytes, n);
		ck_assert_int_eq(csa_base64_decode(b.len > 0 ? b.data : "",
		    b.len, back), (long)n);
		ck_assert(memcmp(back, bytes, n) == 0);
		csa_buf_fini(&b);
	}
}
END_TEST

START_TEST(base64_refuses_all_else)
{
	static const char *const bad[] = {
		"Z", "Zg", "Zg=", "Zg===", "====", "=", "Z===",
		"Zh==",				/* bits left over */
		"Zm9=",
		"Zg==Zg==",			/* padding inside */
		"Zm=v", "=m9v", "Zm9v\n", "Zm 9", "Zm9v Zm9", "Zm9-", "Zm9_",
		"Zm9\xc3",
	};
	uint8_t		 out[16];

	for (size_t i = 0; i < CSA_NITEMS(bad); i++)
		ck_assert_msg(csa_base64_decode(bad[i], strlen(bad[i]), out) ==
		    -1, "%s", bad[i]);
	ck_assert_int_eq(csa_base64_decode("Zm\0v", 4, out), -1);
}
END_TEST

static const struct { const char *list, *items; } lists[] = {
	{ "", "" }, { " , ,, ", "" }, { "a", "a|" }, { " a , b,,c ", "a|b|c|" },
	{ "a b,c", "a b|c|" }, { ",a,", "a|" }, { "\ta", "\ta|" },
};

START_TEST(items_of_a_list)
{
	const char	*list = lists[_i].list, *item;
	struct csa_buf	 b;
	size_t		 n;

	csa_buf_init(&b, 100);
	while ((item = csa_item(&list, &n)) != NULL) {
		csa_buf_add(&b, item, n);
		csa_buf_putc(&b, '|');
	}
	ck_assert_str_eq(b.data != NULL ? b.data : "", lists[_i].items);
	ck_assert_str_eq(list, "");
	csa_buf_fini(&b);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("text/misc");
	TCase	*tc = tcase_create("misc");

	tcase_add_loop_test(tc, an_integer_has_nothing_before_or_behind_it, 0,
	    CSA_NITEMS(ints));
	tcase_add_test(tc, an_integer_is_in_its_range);
	tcase_add_loop_test(tc, a_double_is_written_as_in_json, 0,
	    CSA_NITEMS(doubles));
	tcase_add_test(tc, a_size_is_digits);
	tcase_add_loop_test(tc, digests_are_sha_256, 0, CSA_NITEMS(digests));
	tcase_add_test(tc, hex_is_as_long_as_asked);
	tcase_add_test(tc, no_two_ids_are_equal);
	tcase_add_loop_test(tc, base64_both_ways, 0, CSA_NITEMS(base64));
	tcase_add_test(tc, base64_keeps_every_byte);
	tcase_add_test(tc, base64_refuses_all_else);
	tcase_add_loop_test(tc, items_of_a_list, 0, CSA_NITEMS(lists));
	suite_add_tcase(s, tc);
	return run_suite(s);
}
