#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/text/doc.h"
#include "lib/text/json.h"
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

/* Read from memory that ends where the text does. */
static const struct csa_node *
doc(const char *s, size_t n)
{
	char			*copy = malloc(n > 0 ? n : 1);
	const struct csa_node	*v;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s, n);
	v = csa_doc(arena, copy, n);
	/* Nothing may point into it any more. */
	memset(copy, 'x', n);
	free(copy);
	return v;
}

static const struct csa_node *
docz(const char *s)
{
	return doc(s, strlen(s));
}

static const char *const	texts[] = {
	"{}", "[]", " [ ] ", "{ \"a\" : { } }", "0", "-1.5e3", "true", "false",
	"\"\"", "\"plain\"", "12", "[1,2,[3,[4,{\"x\":[]}]],null,true,false]",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"a\\u0041\\u00e9\\u20ac\"",
	"\"\\ud83d\\ude00 and \\uD834\\uDD1E\"", "\"\\\\\\\\\"", "\"x\\\\\"",
	"{\"a\":1,\"b\":[{\"c\":\"d\"},{\"e\":null}],\"f\":-0}",
	"{\"\\u0061\":1,\"b\\n\":2,\"\":3}",
	"{\"a\":1,\"b\":2,\"a\":{\"c\":3}}",
	"{\"a\":1,\"a\":2,\"a\":null}", "{\"a\":null,\"b\":1,\"a\":\"z\"}",
	"{\"\\u0061\":1,\"a\":2}",
	"\n{\t\"k\"\r:\n[ 1 ,\t2 , {\"a\" : \"b\"} ]\r}\n",
	"[9223372036854775807,-9223372036854775808,1e308,123.456]",
	"\"\xe2\x82\xac \xf0\x9f\x98\x80\"",
};

/* What is written again is the same to json-c as what was read. */
static void
same_to_json_c(const char *s, size_t n)
{
	const struct csa_node	*v = doc(s, n);
	struct json_object	*a = csa_json_reply(s, n), *b;
	struct csa_buf		 out;

	ck_assert_ptr_nonnull(v);
	csa_buf_init(&out, 1 << 20);
	csa_node_write(&out, v);
	ck_assert(!out.failed);
	b = csa_json_reply(out.data, out.len);
	ck_assert_msg(json_object_equal(a, b), "%.*s: %s", (int)n, s, out.data);
	csa_json_free(a);
	csa_json_free(b);
	csa_buf_fini(&out);
}

START_TEST(reads_what_json_c_reads)
{
	same_to_json_c(texts[_i], strlen(texts[_i]));
}
END_TEST

/* In long strings, and at each place in a short one, twice as well. */
START_TEST(reads_escapes_wherever_they_are)
{
	static const char *const	 escapes[] = {
		"\\\"", "\\\\", "\\n", "\\u0041", "\\ud83d\\ude00",
	};
	char				 s[100];

	for (int i = 0; i < 40; i++)
		for (int j = 0; j < 20; j++)
			for (size_t k = 0; k < 5; k++) {
				snprintf(s, sizeof(s), "\"%.*s%s%.*s%s\"",
				    i, "x/<\x7f{}:,'abcdefghijklmnopqrstuvwxyz"
				    "0123456789", escapes[k], j,
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
				    escapes[(k + (size_t)j) % 5]);
				same_to_json_c(s, strlen(s));
			}
}
END_TEST

/* Whatever is cut off a text, it is no text, and nothing behind it is read. */
START_TEST(refuses_what_is_cut_short)
{
	const char	*s = texts[_i];
	size_t		 where;
	const char	*why;

	for (size_t n = 0; n < strlen(s); n++)
		ck_assert_int_eq(doc(s, n) == NULL, csa_json_check(s, n,
		    &csa_json_reply_limits, &where, &why) == -1);
}
END_TEST

START_TEST(refuses_what_is_no_json)
{
	static const char *const	 bad[] = {
		"", "{", "nul", "{'a':1}", "[1,]", "{\"a\":1,}", "\"\\u0000\"",
		"\"\\ud800\"", "1e999", "NaN", "{} {}", "\"\xff\"",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_msg(docz(bad[i]) == NULL, "%s", bad[i]);
}
END_TEST

START_TEST(nests_as_deep_as_the_check_lets_it)
{
	char	 s[200];

	memset(s, '[', 64);
	memset(s + 64, ']', 64);
	same_to_json_c(s, 128);
	memset(s, '[', 65);
	memset(s + 65, ']', 65);
	ck_assert_ptr_null(doc(s, 130));
}
END_TEST

/* n members n0, n1, …; then `again` of them once more. */
static void
object(struct csa_buf *b, size_t n, size_t again)
{
	csa_buf_init(b, 1 << 20);
	csa_buf_putc(b, '{');
	for (size_t i = 0; i < n + again; i++)
		csa_buf_addf(b, "%s\"n%zu\":%zu", i > 0 ? "," : "",
		    i < n ? i : (i - n) * 7 % n, i);
	csa_buf_putc(b, '}');
}

START_TEST(the_last_of_a_name_counts)
{
	static const size_t	 sizes[] = { 1, 2, 14, 15, 16, 17, 18, 40, 500 };
	const struct csa_node	*o;
	struct csa_buf		 b;
	char			 name[32];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		for (size_t again = 0; again < 20; again++) {
			object(&b, sizes[i], again);
			same_to_json_c(b.data, b.len);
			o = doc(b.data, b.len);
			ck_assert_uint_eq(o->n, sizes[i]);
			csa_buf_fini(&b);
			snprintf(name, sizeof(name), "n%zu", sizes[i] - 1);
			ck_assert_ptr_nonnull(csa_node_get(o, name));
		}
	object(&b, 10, 65);
	ck_assert_ptr_null(doc(b.data, b.len));
	csa_buf_fini(&b);
	object(&b, 500, 65);
	ck_assert_ptr_null(doc(b.data, b.len));
	csa_buf_fini(&b);
}
END_TEST

START_TEST(finds_what_is_there)
{
	const struct csa_node	*o;

	o = docz("{\"a\":{\"b\":{\"c\":\"x\"}},\"n\":null,\"l\":[1],"
	    "\"e\":\"\\u0022\"}");
	ck_assert(csa_node_is(o, CSA_NODE_OBJECT));
	ck_assert_str_eq(csa_node_str(csa_node_at(o, "a.b.c")), "x");
	ck_assert_str_eq(csa_node_str(csa_node_get(o, "e")), "\"");
	ck_assert_ptr_null(csa_node_at(o, "a.b.d"));
	ck_assert_ptr_null(csa_node_at(o, "a.b.c.d"));
	ck_assert_ptr_null(csa_node_get(o, "n"));
	ck_assert_ptr_null(csa_node_at(o, "n.x"));
	ck_assert_ptr_null(csa_node_get(csa_node_get(o, "l"), "0"));
	ck_assert_ptr_null(csa_node_get(NULL, "a"));
	ck_assert_ptr_null(csa_node_str(csa_node_get(o, "a")));
	ck_assert_ptr_null(csa_node_str(NULL));
	ck_assert(!csa_node_is(NULL, CSA_NODE_NULL));
	ck_assert_int_eq(csa_node_get(o, "l")->first->type, CSA_NODE_NUMBER);
}
END_TEST

static const struct {
	const char	*s;
	int64_t		 v;		/* -7: none */
} integers[] = {
	{ "0", 0 }, { "-0", 0 }, { "12", 12 }, { "-12", -12 },
	{ "9223372036854775807", INT64_MAX },
	{ "9223372036854775808", -7 }, { "-9223372036854775808", INT64_MIN },
	{ "-9223372036854775809", -7 }, { "99999999999999999999999", -7 },
	{ "2.0", 2 }, { "2.5", -7 }, { "1e3", 1000 }, { "1.5e1", 15 },
	{ "1e-3", -7 }, { "1e17", -7 }, { "9007199254740992.0",
	9007199254740992 }, { "\"5\"", -7 }, { "null", -7 }, { "true", -7 },
	{ "[1]", -7 },
};

START_TEST(counts_only_in_whole_numbers)
{
	ck_assert_int_eq(csa_node_int(docz(integers[_i].s), -7),
	    integers[_i].v);
}
END_TEST

START_TEST(reads_numbers_with_fractions)
{
	ck_assert(csa_node_double(docz("0.1")) == 0.1);
	ck_assert(csa_node_double(docz("-12.5e-2")) == -0.125);
	ck_assert(csa_node_double(docz("7")) == 7);
	ck_assert(csa_node_double(docz("\"7\"")) == 0);
	ck_assert(csa_node_double(NULL) == 0);
	ck_assert_int_eq(csa_node_int(NULL, 3), 3);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("text_doc");
	TCase	*tc = tcase_create("doc");
	int	 n = (int)(sizeof(texts) / sizeof(texts[0]));

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_what_json_c_reads, 0, n);
	tcase_add_test(tc, reads_escapes_wherever_they_are);
	tcase_add_loop_test(tc, refuses_what_is_cut_short, 0, n);
	tcase_add_test(tc, refuses_what_is_no_json);
	tcase_add_test(tc, nests_as_deep_as_the_check_lets_it);
	tcase_add_test(tc, the_last_of_a_name_counts);
	tcase_add_test(tc, finds_what_is_there);
	tcase_add_loop_test(tc, counts_only_in_whole_numbers, 0,
	    (int)(sizeof(integers) / sizeof(integers[0])));
	tcase_add_test(tc, reads_numbers_with_fractions);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
