#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/fields.h"
#include "lib/text/json.h"

#define MIB	(1024 * 1024)

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

/* Checks a copy with not a byte more, for ASan's sake. */
static int
check_n(const char *s, size_t n, const struct csa_json_limits *limits,
    size_t *where, const char **why)
{
	char	*copy = csa_malloc(n);
	int	 rc;

	memcpy(copy, s, n);
	rc = csa_json_check(copy, n, limits, where, why);
	free(copy);
	return rc;
}

static int
check(const char *s, size_t *where, const char **why)
{
	return check_n(s, strlen(s), &csa_json_request_limits, where, why);
}

static struct json_object *
parse(const char *s)
{
	struct csa_err		 err;
	struct json_object	*o;

	o = csa_json_parse(s, strlen(s), &csa_json_request_limits, &err);
	ck_assert_msg(o != NULL, "%s: %s", s, err.msg);
	return o;
}

static const struct csa_node *
fields(const char *s)
{
	const struct csa_node	*o = csa_doc(arena, s, strlen(s));

	ck_assert_ptr_nonnull(o);
	return o;
}

static const char *const good[] = {
	"{}",
	"[]",
	" \t\r\n{ \"a\" : [ ] } \n",		/* all four blanks, everywhere */
	"{\"\":1}",				/* the empty name is a name */
	"[[],{},\"\",0,true,false,null]",
	"\"alone\"",				/* a value need be no object */
	"0", "-0", "7", "true",
	"[0.5,-0.5,1e3,1E+3,1e-3,0e0,-0.0e-0]",
	"[1e308,-1.7976931348623157e308]",	/* the largest double */
	"[1.797693134862315807e308]",		/* rounds down to it */
	"[1e-400]",				/* rounds to 0, not to infinity */
	"[18446744073709551616]",		/* whose range is the reader's */
	"[0e999999999999999999999]",
	"[0.00001e310]",			/* 1e305 */
	"[9007199254740993,9223372036854775808,18446744073709551615]",
	"[-9223372036854775808]",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\"",
	"\"\\u0001\\u001f\\u007f\"",		/* escaped controls are text */
	"\"\\ud7ff\\ue000\\uffff\"",		/* next to the surrogates */
	"\"\x7f\xc2\x80\xef\xbf\xbf\xf4\x8f\xbf\xbf\"",
	"\"\xef\xbb\xbf\"",			/* a BOM inside a string */
	"\"\xe2\x80\xae\"",			/* bidi override: text */
	"{\"a\":{\"a\":{\"a\":1}}}",		/* same name, other objects */
	"[{\"a\":1},{\"a\":1}]",
	"{\"a\":[{\"b\":1},{\"b\":2}],\"b\":3}",
	"{\"a\":1,\"A\":2,\"a \":3}",		/* names that differ */
	"{\"abcdefgh1\":1,\"abcdefgh2\":2}",
	"{\"a\":1,\"\\u0062\":2}",		/* escaped, and differs */
	"{\"\\\\u0061\":1,\"a\":2}",		/* an escaped backslash */
};

START_TEST(accepts_what_the_rfc_does)
{
	size_t		 where;
	const char	*why = "";

	ck_assert_msg(check(good[_i], &where, &why) == 0, "%s: %s", good[_i],
	    why);
}
END_TEST

START_TEST(json_c_reads_all_that_is_accepted)
{
	struct json_object	*o, *again;
	const char		*text;

	o = parse(good[_i]);
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	again = parse(text);
	ck_assert_msg(json_object_equal(o, again), "%s became %s", good[_i],
	    text);
	csa_json_free(o);
	csa_json_free(again);
}
END_TEST

/* Every beginning of a text is refused, at its end or before. */
START_TEST(refuses_what_is_cut_short)
{
	size_t		 n = strlen(good[_i]), where;
	const char	*why;

	while (n > 0 && strchr(" \n", good[_i][n - 1]) != NULL)
		n--;
	/* A number cut short may be one. */
	if (strchr("{[\"t", good[_i][0]) == NULL)
		return;
	while (n-- > 0) {
		ck_assert_int_eq(check_n(good[_i], n,
		    &csa_json_request_limits, &where, &why), -1);
		ck_assert_uint_le(where, n);
	}
}
END_TEST

static const struct {
	const char	*text;
	size_t		 where;
	const char	*why;
} bad[] = {
	/* H-01: numbers no client means */
	{ "1e999", 0, "a number is too large" },
	{ "[-1e999]", 1, "a number is too large" },
	{ "[1.7976931348623159e308]", 1, "a number is too large" },
	{ "[0.1e310]", 1, "a number is too large" },
	{ "[1e99999999999999999999]", 1, "a number is too large" },
	{ "NaN", 0, "no JSON value starts like this" },
	{ "[nan]", 1, "no JSON value starts like this" },
	{ "[Infinity]", 1, "no JSON value starts like this" },
	{ "[-Infinity]", 2, "a digit is missing in a number" },
	/* numbers of other languages */
	{ "[01]", 1, "a number may not start with 0" },
	{ "[-01]", 2, "a number may not start with 0" },
	{ "[00]", 1, "a number may not start with 0" },
	{ "[+1]", 1, "no JSON value starts like this" },
	{ "[.5]", 1, "no JSON value starts like this" },
	{ "[1.]", 3, "a digit is missing in a number" },
	{ "[1.e3]", 3, "a digit is missing in a number" },
	{ "[1e]", 3, "a digit is missing in a number" },
	{ "[1e+]", 4, "a digit is missing in a number" },
	{ "[-]", 2, "a digit is missing in a number" },
	{ "[0x1F]", 2, "a comma or the closing bracket is missing" },
	{ "[1_000]", 2, "a comma or the closing bracket is missing" },
	{ "[1 2]", 3, "a comma or the closing bracket is missing" },
	/* H-02: a name twice, also in disguise */
	{ "{\"bot_id\":1,\"bot_id\":2}", 12, "name given twice" },
	{ "{\"bot_id\":1,\"bot\\u005fid\":2}", 12, "name given twice" },
	{ "{\"bot\\u005Fid\":1,\"bot_id\":2}", 17, "name given twice" },
	{ "{\"\\/\":1,\"/\":2}", 8, "name given twice" },
	{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", 18,
	    "name given twice" },
	{ "{\"\xc3\xa9\":1,\"\\u00e9\":2}", 8, "name given twice" },
	{ "{\"\\n\":1,\"\\u000a\":2}", 8, "name given twice" },
	{ "{\"\":1,\"\":2}", 6, "name given twice" },
	{ "{\"a\":{\"a\":1},\"a\":2}", 13, "name given twice" },
	{ "{\"a\":1,\"b\":{\"c\":1,\"c\":2}}", 18, "name given twice" },
	{ "{\"bot_id\\u0000x\":1}", 8, "\\u0000 is not allowed" },
	/* H-03: characters */
	{ "\"a\\u0000\"", 2, "\\u0000 is not allowed" },
	{ "\"a\x01\"", 2, "a control character in a string" },
	{ "\"a\nb\"", 2, "a control character in a string" },
	{ "\"12345678\x1f\"", 9, "a control character in a string" },
	{ "\"a\tb\"", 2, "a control character in a string" },
	{ "\"\xc0\xaf\"", 1, "not valid UTF-8" },	/* overlong */
	{ "\"\xed\xa0\x80\"", 1, "not valid UTF-8" },	/* surrogate */
	{ "\"\xf4\x90\x80\x80\"", 1, "not valid UTF-8" }, /* U+110000 */
	{ "\"\x80\"", 1, "not valid UTF-8" },
	{ "\"a\xe2\x80\"", 2, "not valid UTF-8" },	/* cut short */
	{ "\"\\ud800\"", 1, "half of a surrogate pair" },
	{ "\"\\udc00\"", 1, "half of a surrogate pair" },
	{ "\"\\udc00\\udc00\"", 1, "half of a surrogate pair" },
	{ "\"\\ud800x\"", 1, "half of a surrogate pair" },
	{ "\"\\ud800\\n12345\"", 1, "half of a surrogate pair" },
	{ "\"\\ud800\\ud800\"", 1, "half of a surrogate pair" },
	{ "\"\\ud800\\u0041\"", 1, "half of a surrogate pair" },
	{ "\xef\xbb\xbf{}", 0, "a byte order mark is not allowed" },
	{ "\xff\xfe{", 0, "not valid UTF-8" },
	/* escapes */
	{ "\"\\x41\"", 1, "no such escape in a string" },
	{ "\"\\'\"", 1, "no such escape in a string" },
	{ "\"\\u12\"", 1, "\\u takes four hex digits" },
	{ "\"\\u12g4\"", 1, "\\u takes four hex digits" },
	{ "\"\\u+123\"", 1, "\\u takes four hex digits" },
	{ "\"\\", 1, "no such escape in a string" },
	/* H-04: not one JSON text */
	{ "", 0, "a value is missing" },
	{ " \n", 2, "a value is missing" },
	{ "{}x", 2, "something follows the value" },
	{ "{}{}", 2, "something follows the value" },
	{ "{} {}", 3, "something follows the value" },
	{ "{},", 2, "something follows the value" },
	{ "[]]", 2, "something follows the value" },
	{ "{/* c */}", 1, "a name in double quotes is missing" },
	{ "// c\n{}", 0, "no JSON value starts like this" },
	{ "# c\n{}", 0, "no JSON value starts like this" },
	{ "{'a':1}", 1, "a name in double quotes is missing" },
	{ "['a']", 1, "no JSON value starts like this" },
	{ "{a:1}", 1, "a name in double quotes is missing" },
	{ "{1:1}", 1, "a name in double quotes is missing" },
	{ "[1,]", 3, "no JSON value starts like this" },
	{ "[,1]", 1, "no JSON value starts like this" },
	{ "[1,,2]", 3, "no JSON value starts like this" },
	{ "{\"a\":1,}", 7, "a name in double quotes is missing" },
	{ "{,}", 1, "a name in double quotes is missing" },
	{ "{\"a\"}", 4, "a colon is missing after a name" },
	{ "{\"a\":}", 5, "no JSON value starts like this" },
	{ "{\"a\"::1}", 5, "no JSON value starts like this" },
	{ "{\"a\" 1}", 5, "a colon is missing after a name" },
	{ "{\"a\":1 \"b\":2}", 7,
	    "a comma or the closing bracket is missing" },
	{ "[1}", 2, "a comma or the closing bracket is missing" },
	{ "{\"a\":1]", 6, "a comma or the closing bracket is missing" },
	{ "[\"a\":1]", 4, "a comma or the closing bracket is missing" },
	{ "]", 0, "no JSON value starts like this" },
	{ "tru", 0, "no JSON value starts like this" },
	{ "TRUE", 0, "no JSON value starts like this" },
	{ "truex", 4, "something follows the value" },
	{ "undefined", 0, "no JSON value starts like this" },
	{ "\v{}", 0, "no JSON value starts like this" },
	{ "\f{}", 0, "no JSON value starts like this" },
	{ "\xc2\xa0{}", 0, "no JSON value starts like this" },
	{ "{", 1, "an object does not end" },
	{ "{\"a\":1", 6, "an object does not end" },
	{ "[1", 2, "an array does not end" },
	{ "[\"abc", 1, "a string does not end" },
};

START_TEST(refuses_and_says_where_and_why)
{
	size_t		 where = 999;
	const char	*why = "nothing";

	ck_assert_msg(check(bad[_i].text, &where, &why) == -1, "%s",
	    bad[_i].text);
	ck_assert_msg(where == bad[_i].where && strcmp(why, bad[_i].why) == 0,
	    "%s: %s at %zu", bad[_i].text, why, where);
}
END_TEST

START_TEST(refuses_a_nul_byte_anywhere)
{
	static const char	 text[] = "{\"name\" : [ 1.5e3, \"value\" ] }";
	char			 copy[sizeof(text)];
	size_t			 where;
	const char		*why;

	for (size_t i = 0; i < sizeof(text); i++) {
		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		/* The last one is behind the text. */
		ck_assert_int_eq(check_n(copy, sizeof(text),
		    &csa_json_request_limits, &where, &why), -1);
		ck_assert_uint_le(where, i);
	}
}
END_TEST

/* count times s, and around it before and after. */
static void
repeat(struct csa_buf *b, const char *before, const char *s, size_t count,
    const char *after)
{
	csa_buf_init(b, 64 * MIB);
	csa_buf_puts(b, before);
	for (size_t i = 0; i < count; i++)
		csa_buf_puts(b, s);
	csa_buf_puts(b, after);
	ck_assert(!b->failed);
}

/* H-01: text made of one piece many times. */
static const struct {
	const char	*before, *s;
	size_t		 count;
	const char	*after, *why;		/* NULL: accepted */
} large[] = {
	{ "", "[", 33, "", "nested too deeply" },
	{ "", "[", 1000, "", "nested too deeply" },
	{ "", "[", 1000000, "", "nested too deeply" },
	{ "", "{\"a\":", 33, "", "nested too deeply" },
	{ "", "[{\"a\":", 500000, "", "nested too deeply" },
	{ "[0", ",0", 99998, "]", NULL },	/* 100,000 with the array */
	{ "[0", ",0", 99999, "]", "too many values" },
	{ "[0", ",0", 1000000, "]", "too many values" },
	{ "[[]", ",[]", 1000000, "]", "too many values" },
	{ "\"", "x", 8 * MIB, "\"", NULL },	/* the body's limit decides */
	{ "\"", "\\u00e9", MIB, "\"", NULL },
	{ "", "1", 100000, "", "a number is too long" },
	{ "0.", "1", 100000, "", "a number is too long" },
	{ "1e", "0", 100000, "", "a number is too long" },
	{ "", "1", 310, "", "a number is too large" },
	{ "0.", "0", 510, "", NULL },		/* 512 bytes */
	{ "0.", "0", 511, "", "a number is too long" },
	{ "", " ", MIB, "{}", NULL },
};

START_TEST(bounds_what_is_large)
{
	struct csa_buf	 b;
	size_t		 where;
	const char	*why = NULL;

	repeat(&b, large[_i].before, large[_i].s, large[_i].count,
	    large[_i].after);
	if (large[_i].why == NULL)
		ck_assert_int_eq(check_n(b.data, b.len,
		    &csa_json_request_limits, &where, &why), 0);
	else {
		ck_assert_int_eq(check_n(b.data, b.len,
		    &csa_json_request_limits, &where, &why), -1);
		ck_assert_str_eq(why, large[_i].why);
	}
	csa_buf_fini(&b);
}
END_TEST

START_TEST(takes_the_deepest_that_is_allowed)
{
	struct csa_buf		 b;
	struct json_object	*o;
	struct csa_err		 err;

	csa_buf_init(&b, 1024);
	for (int i = 0; i < 31; i++)
		csa_buf_puts(&b, "{\"a\":");
	csa_buf_puts(&b, "[\"x\"]");
	for (int i = 0; i < 31; i++)
		csa_buf_putc(&b, '}');
	o = csa_json_parse(b.data, b.len, &csa_json_request_limits, &err);
	ck_assert_msg(o != NULL, "%s", err.msg);
	csa_json_free(o);
	csa_buf_fini(&b);
}
END_TEST

static void
object_of(struct csa_buf *b, size_t names)
{
	csa_buf_init(b, 64 * MIB);
	csa_buf_putc(b, '{');
	for (size_t i = 0; i < names; i++)
		csa_buf_addf(b, "%s\"n%zu\":0", i > 0 ? "," : "", i);
	csa_buf_putc(b, '}');
}

START_TEST(bounds_the_names_of_an_object)
{
	static const struct { size_t names; int rc; } rows[] = {
		{ 1000, 0 }, { 1001, -1 }, { 100000, -1 },
	};
	struct csa_buf	 b;
	size_t		 where;
	const char	*why = "";

	object_of(&b, rows[_i].names);
	ck_assert_int_eq(check_n(b.data, b.len, &csa_json_request_limits,
	    &where, &why), rows[_i].rc);
	if (rows[_i].rc == -1)
		ck_assert_str_eq(why, "an object has too many names");
	csa_buf_fini(&b);
}
END_TEST

/* The first name comes again as the last of a thousand. */
START_TEST(finds_a_name_among_many)
{
	struct csa_buf	 b;
	size_t		 where, at;
	const char	*why;

	object_of(&b, 999);
	b.len--;
	at = b.len + 1;
	csa_buf_puts(&b, ",\"n0\":0}");
	ck_assert_int_eq(check_n(b.data, b.len, &csa_json_request_limits,
	    &where, &why), -1);
	ck_assert_str_eq(why, "name given twice");
	ck_assert_uint_eq(where, at);
	csa_buf_fini(&b);
}
END_TEST

/* 90 objects of 1,000 names, one inside the other's array, and long names. */
START_TEST(compares_names_in_linear_time)
{
	struct csa_buf	 b, one;
	size_t		 where;
	const char	*why = "";

	object_of(&one, 1000);
	csa_buf_init(&b, 64 * MIB);
	csa_buf_putc(&b, '[');
	for (int i = 0; i < 90; i++) {
		csa_buf_add(&b, one.data, one.len);
		csa_buf_putc(&b, ',');
	}
	csa_buf_putc(&b, '{');
	for (int i = 0; i < 1000; i++) {
		csa_buf_puts(&b, i > 0 ? ",\"" : "\"");
		for (int k = 0; k < 1000; k++)
			csa_buf_puts(&b, "\\u0061");
		csa_buf_addf(&b, "%d\":0", i);
	}
	csa_buf_puts(&b, "}]");
	ck_assert(!b.failed);
	ck_assert_msg(check_n(b.data, b.len, &csa_json_request_limits,
	    &where, &why) == 0, "%s", why);
	csa_buf_fini(&b);
	csa_buf_fini(&one);
}
END_TEST

START_TEST(leaves_replies_their_repeated_names_and_long_integers)
{
	static const char	 text[] =
	    "{\"a\":1,\"a\":123456789012345678901234567890}";
	size_t			 where;
	const char		*why;

	ck_assert_int_eq(check_n(text, sizeof(text) - 1,
	    &csa_json_reply_limits, &where, &why), 0);
	ck_assert_ptr_null(csa_json_reply("{\"a\":NaN}", 9));
	ck_assert_ptr_null(csa_json_reply("", 0));
}
END_TEST

START_TEST(says_byte_line_and_column_of_an_error)
{
	static const char	 text[] = "{\n  \"\xc3\xa9\xc3\xa9\": tru\n}";
	struct csa_err		 err;

	ck_assert_ptr_null(csa_json_parse(text, sizeof(text) - 1,
	    &csa_json_request_limits, &err));
	ck_assert_int_eq(err.code, CSA_ERR_BAD_REQUEST);
	ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
	ck_assert_str_eq(err.msg, "not the JSON we take: no JSON value starts "
	    "like this (byte 12, line 2, column 9)");
}
END_TEST

START_TEST(a_body_is_an_object)
{
	static const char *const	 others[] = { "null", "[{}]", "7", "" };
	struct csa_err			 err;

	for (size_t i = 0; i < CSA_NITEMS(others); i++) {
		ck_assert_ptr_null(csa_fields(arena, others[i],
		    strlen(others[i]), &err));
		ck_assert_int_eq(err.code, CSA_ERR_BAD_REQUEST);
	}
	ck_assert_ptr_null(csa_fields(arena, "{\"a\":1,\"a\":1}", 13, &err));
	ck_assert_ptr_nonnull(csa_fields(arena, " {} ", 4, &err));
}
END_TEST

START_TEST(refuses_null_for_a_body)
{
	struct csa_err	 err;

	ck_assert_ptr_null(csa_json_parse(" null ", 6,
	    &csa_json_request_limits, &err));
	ck_assert_int_eq(err.code, CSA_ERR_BAD_REQUEST);
}
END_TEST

START_TEST(strings_are_borrowed_whole)
{
	const struct csa_node	*o = fields("{\"s\":\"h\\u00e9 \\\"x\\\"\"}");
	struct csa_err		 err;
	const char		*s;
	size_t			 n;

	ck_assert_int_eq(csa_field_str(o, "", "s", &s, &n, &err), 1);
	ck_assert_uint_eq(n, 7);
	ck_assert_str_eq(s, "h\xc3\xa9 \"x\"");
}
END_TEST

static const struct {
	const char	*value;
	int		 rc;
	int64_t		 v;
	const char	*msg;
} ints[] = {
	{ "1", 1, 1, "" },
	{ "100", 1, 100, "" },
	{ "2.0", 1, 2, "" },			/* an integer all the same */
	{ "2e1", 1, 20, "" },
	{ "null", 0, -1, "" },			/* as if it were not there */
	{ "0", -1, -1, "p.v must be between 1 and 100" },
	{ "101", -1, -1, "p.v must be between 1 and 100" },
	{ "-0", -1, -1, "p.v must be between 1 and 100" },
	{ "9223372036854775808", -1, -1, "p.v must be between 1 and 100" },
	{ "18446744073709551615", -1, -1, "p.v must be between 1 and 100" },
	{ "1e300", -1, -1, "p.v must be between 1 and 100" },
	{ "1.5", -1, -1, "p.v must be an integer" },
	{ "\"1\"", -1, -1, "p.v must be an integer" },
	{ "true", -1, -1, "p.v must be an integer" },
	{ "[1]", -1, -1, "p.v must be an integer" },
	{ "{}", -1, -1, "p.v must be an integer" },
};

START_TEST(integers_are_whole_and_in_range)
{
	char			 text[80];
	const struct csa_node	*o;
	struct csa_err		 err = { 0 };
	int64_t			 v = -1;

	snprintf(text, sizeof(text), "{\"v\":%s}", ints[_i].value);
	o = fields(text);
	ck_assert_int_eq(csa_field_int(o, "p", "v", 1, 100, &v, &err),
	    ints[_i].rc);
	ck_assert_int_eq(v, ints[_i].v);
	ck_assert_str_eq(err.msg, ints[_i].msg);
}
END_TEST

START_TEST(no_integer_is_clipped_into_the_range)
{
	const struct csa_node	*o = fields("{\"u\":9223372036854775808,"
				    "\"i\":9223372036854775807}");
	struct csa_err		 err;
	int64_t			 v = 7;

	ck_assert_int_eq(csa_field_int(o, "", "u", 0, INT64_MAX, &v, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	ck_assert_str_eq(err.msg, "u must be at least 0");
	ck_assert_int_eq(v, 7);
	ck_assert_int_eq(csa_field_int(o, "", "i", 0, INT64_MAX, &v, &err), 1);
	ck_assert_int_eq(v, INT64_MAX);
}
END_TEST

static const struct {
	const char	*value;
	int		 rc;
	enum csa_errcode code;
	const char	*msg;
} nums[] = {
	{ "0", 1, CSA_OK, "" },
	{ "2", 1, CSA_OK, "" },
	{ "0.7", 1, CSA_OK, "" },
	{ "-0.0", 1, CSA_OK, "" },
	{ "2.0000001", -1, CSA_ERR_INVALID_VALUE, "v must be between 0 and 2" },
	{ "-1e-9", -1, CSA_ERR_INVALID_VALUE, "v must be between 0 and 2" },
	{ "1e308", -1, CSA_ERR_INVALID_VALUE, "v must be between 0 and 2" },
	{ "\"0.7\"", -1, CSA_ERR_BAD_REQUEST, "v must be a number" },
	{ "false", -1, CSA_ERR_BAD_REQUEST, "v must be a number" },
};

START_TEST(numbers_are_in_range)
{
	char			 text[80];
	const struct csa_node	*o;
	struct csa_err		 err = { 0 };
	double			 v = -1;

	snprintf(text, sizeof(text), "{\"v\":%s}", nums[_i].value);
	o = fields(text);
	ck_assert_int_eq(csa_field_num(o, "", "v", 0, 2, &v, &err),
	    nums[_i].rc);
	ck_assert_int_eq(err.code, nums[_i].code);
	ck_assert_str_eq(err.msg, nums[_i].msg);
	if (nums[_i].rc == 1)
		ck_assert(v == strtod(nums[_i].value, NULL));
	else
		ck_assert(v == -1);
}
END_TEST

START_TEST(every_getter_names_the_type_it_wants)
{
	const struct csa_node	*o = fields("{\"n\":1,\"s\":\"x\",\"t\":true,"
				    "\"a\":[],\"o\":{},\"z\":null}"), *v;
	struct csa_err		 err;
	const char		*s;
	size_t			 n;
	bool			 b = false;

	ck_assert_int_eq(csa_field_str(o, "c[2]", "n", &s, &n, &err), -1);
	ck_assert_str_eq(err.msg, "c[2].n must be a string");
	ck_assert_int_eq(csa_field_bool(o, "", "n", &b, &err), -1);
	ck_assert_str_eq(err.msg, "n must be true or false");
	ck_assert_int_eq(csa_field_arr(o, "", "o", &v, &err), -1);
	ck_assert_str_eq(err.msg, "o must be an array");
	ck_assert_int_eq(csa_field_obj(o, "", "a", &v, &err), -1);
	ck_assert_str_eq(err.msg, "a must be an object");
	ck_assert_int_eq(csa_field_bool(o, "", "t", &b, &err), 1);
	ck_assert(b);
	ck_assert_int_eq(csa_field_arr(o, "", "a", &v, &err), 1);
	ck_assert_int_eq(csa_field_obj(o, "", "o", &v, &err), 1);
	ck_assert_int_eq(csa_field_str(o, "", "z", &s, &n, &err), 0);
	ck_assert_int_eq(csa_field_str(o, "", "none", &s, &n, &err), 0);
	ck_assert_int_eq(csa_field_obj(NULL, "", "o", &v, &err), 0);
}
END_TEST

START_TEST(a_field_of_no_object_is_an_error)
{
	const struct csa_node	*o = fields("[1]");
	struct csa_err		 err;
	bool			 b;

	ck_assert_int_eq(csa_field_bool(o, "", "stream", &b, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_BAD_REQUEST);
	ck_assert_str_eq(err.msg, "the body must be an object");
	ck_assert_int_eq(csa_field_bool(o, "chunks[0]", "x", &b, &err), -1);
	ck_assert_str_eq(err.msg, "chunks[0] must be an object");
}
END_TEST

static const struct { const char *path, *value; } paths[] = {
	{ "candidates[0].content.parts[1].text", "two" },
	{ "candidates[1].content", "-" },	/* no such element */
	{ "candidates.content", "-" },		/* an array has no members */
	{ "candidates[0].usage[0]", "-" },	/* an object no elements */
	{ "candidates[0].none.at.all", "-" },
	{ "candidates[0].usage.total", "-" },	/* a number is no string */
	{ "candidates[99999999]", "-" },
	{ "name", "x" },
	{ "nothing", "-" },			/* null */
};

START_TEST(a_path_leads_to_its_value_or_nowhere)
{
	struct json_object	*o = parse("{\"candidates\":[{\"content\":"
	    "{\"parts\":[{\"text\":\"one\"},{\"text\":\"two\"}]},"
	    "\"usage\":{\"total\":7}}],"
	    "\"name\":\"x\",\"nothing\":null}");

	ck_assert_str_eq(csa_json_path_str(o, paths[_i].path, "-"),
	    paths[_i].value);
	ck_assert_str_eq(csa_json_path_str(NULL, paths[_i].path, "-"), "-");
	csa_json_free(o);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("text/json");
	TCase	*tc = tcase_create("check");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, accepts_what_the_rfc_does, 0,
	    CSA_NITEMS(good));
	tcase_add_loop_test(tc, json_c_reads_all_that_is_accepted, 0,
	    CSA_NITEMS(good));
	tcase_add_loop_test(tc, refuses_what_is_cut_short, 0,
	    CSA_NITEMS(good));
	tcase_add_loop_test(tc, refuses_and_says_where_and_why, 0,
	    CSA_NITEMS(bad));
	tcase_add_test(tc, refuses_a_nul_byte_anywhere);
	tcase_add_loop_test(tc, bounds_what_is_large, 0, CSA_NITEMS(large));
	tcase_add_test(tc, takes_the_deepest_that_is_allowed);
	tcase_add_loop_test(tc, bounds_the_names_of_an_object, 0, 3);
	tcase_add_test(tc, finds_a_name_among_many);
	tcase_add_test(tc, compares_names_in_linear_time);
	tcase_add_test(tc,
	    leaves_replies_their_repeated_names_and_long_integers);
	suite_add_tcase(s, tc);

	tc = tcase_create("fields");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, says_byte_line_and_column_of_an_error);
	tcase_add_test(tc, a_body_is_an_object);
	tcase_add_test(tc, refuses_null_for_a_body);
	tcase_add_test(tc, strings_are_borrowed_whole);
	tcase_add_loop_test(tc, integers_are_whole_and_in_range, 0,
	    CSA_NITEMS(ints));
	tcase_add_test(tc, no_integer_is_clipped_into_the_range);
	tcase_add_loop_test(tc, numbers_are_in_range, 0, CSA_NITEMS(nums));
	tcase_add_test(tc, every_getter_names_the_type_it_wants);
	tcase_add_test(tc, a_field_of_no_object_is_an_error);
	tcase_add_loop_test(tc, a_path_leads_to_its_value_or_nowhere, 0,
	    CSA_NITEMS(paths));
	suite_add_tcase(s, tc);

	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
