#include "config.h"

#include <sys/stat.h>

#include <check.h>
#include <fcntl.h>
#include <math.h>
#include <stdint.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/text/json.h"
#include "lib/text/utf8.h"
#include "tests/path_int.h"
#include "tests/suite.h"

/* Tells our own panic from any other way to die. */
#define PANICKED	99

static struct csa_arena	*doomed;

static void
leave(void)
{
	csa_arena_free(doomed);
	_exit(PANICKED);		/* what is allocated is no leak */
}

/* ---- buf ---- */

START_TEST(a_buffer_takes_its_ceiling_and_not_a_byte_more)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 10);
	csa_buf_add(&b, "12345", 5);
	csa_buf_puts(&b, "6789");
	csa_buf_putc(&b, '0');
	ck_assert(!b.failed);
	ck_assert_str_eq(b.data, "1234567890");
	csa_buf_add(&b, "", 0);
	ck_assert(!b.failed);
	csa_buf_putc(&b, 'x');
	ck_assert(b.failed);
	ck_assert_ptr_null(b.data);
	ck_assert_uint_eq(b.len, 0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_failed_buffer_stays_failed_until_reset)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 4);
	csa_buf_puts(&b, "12345");
	csa_buf_putc(&b, 'x');			/* would fit again */
	csa_buf_addf(&b, "%d", 1);
	ck_assert(b.failed);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_int_eq(csa_buf_reserve(&b, 1), -1);
	csa_buf_reset(&b);
	csa_buf_puts(&b, "1234");
	ck_assert(!b.failed);
	ck_assert_str_eq(b.data, "1234");
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_huge_append_fails_and_does_not_wrap)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 100);
	csa_buf_puts(&b, "x");
	ck_assert_int_eq(csa_buf_reserve(&b, SIZE_MAX), -1);
	ck_assert(b.failed);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_buffer_gives_back_what_it_does_not_use)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 4096);
	csa_buf_fit(&b);
	ck_assert_ptr_null(b.data);
	ck_assert_int_eq(csa_buf_reserve(&b, 4000), 0);
	csa_buf_puts(&b, "abc");
	csa_buf_fit(&b);
	ck_assert_uint_eq(b.size, 4);
	ck_assert_str_eq(b.data, "abc");
	/* It may grow again; a little is left as it is. */
	ck_assert_int_eq(csa_buf_reserve(&b, 100), 0);
	csa_buf_fit(&b);
	csa_buf_puts(&b, "def");
	ck_assert_uint_eq(b.size, 104);
	ck_assert_str_eq(b.data, "abcdef");
	csa_buf_fini(&b);
}
END_TEST

START_TEST(formats_longer_than_what_is_allocated)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 5000);
	csa_buf_addf(&b, "%04000d|%s", 7, "end");
	ck_assert_uint_eq(b.len, 4004);
	ck_assert_str_eq(b.data + 3999, "7|end");
	csa_buf_fini(&b);
}
END_TEST

static const struct { const char *text, *json; } strings[] = {
	{ "", "\"\"" },
	{ "plain", "\"plain\"" },
	{ "\"\\/", "\"\\\"\\\\/\"" },
	{ "\b\f\n\r\t\v", "\"\\u0008\\u000c\\n\\r\\t\\u000b\"" },
	{ "\x01\x1f\x7f", "\"\\u0001\\u001f\\u007f\"" },
	{ "</script>&", "\"\\u003c/script\\u003e\\u0026\"" },
	{ "\xe2\x80\xa8\xe2\x80\xa9", "\"\\u2028\\u2029\"" },
	{ "\xe2\x80\xa7\xe2\x80\xaa", "\"\xe2\x80\xa7\xe2\x80\xaa\"" },
	{ "\xe2\x82\xac \xf0\x9f\x98\x80", "\"\xe2\x82\xac \xf0\x9f\x98\x80\"" },
};

START_TEST(strings_become_json_and_read_back)
{
	struct csa_buf		 b;
	struct csa_err		 err;
	struct json_object	*o;

	csa_buf_init(&b, 100);
	csa_buf_json(&b, strings[_i].text, strlen(strings[_i].text));
	ck_assert_str_eq(b.data, strings[_i].json);
	o = csa_json_parse(b.data, b.len, &csa_json_request_limits, &err);
	ck_assert_ptr_nonnull(o);
	ck_assert_str_eq(json_object_get_string(o), strings[_i].text);
	csa_json_free(o);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(no_string_is_null)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 100);
	csa_buf_jsonz(&b, NULL);
	csa_buf_jsonz(&b, "a");
	ck_assert_str_eq(b.data, "null\"a\"");
	csa_buf_fini(&b);
}
END_TEST

static const struct {
	double		 x;
	unsigned	 decimals;
	const char	*text;
} numbers[] = {
	{ 0, 6, "0.0" },
	{ 1, 6, "1.0" },
	{ 0.7, 6, "0.7" },
	{ 0.7289002557544757, 6, "0.7289" },
	{ 1.0 / 3, 6, "0.333333" },
	{ 2.0 / 3, 3, "0.667" },	/* rounded, not cut */
	{ 0.0000004, 6, "0.0" },
	{ 0.9999999, 6, "1.0" },
	{ 1234.5678, 3, "1234.568" },
	{ 41.5, 0, "42" },
	{ 1e30, 1, "1000000000000.0" },	/* cut to the ceiling */
	{ -1, 6, "0.0" },
	{ NAN, 6, "0.0" },
	{ INFINITY, 0, "1000000000000" },
};

START_TEST(integers_become_decimal)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 100);
	csa_buf_int(&b, 0);
	csa_buf_putc(&b, ' ');
	csa_buf_int(&b, -7);
	csa_buf_putc(&b, ' ');
	csa_buf_int(&b, INT64_MAX);
	csa_buf_putc(&b, ' ');
	csa_buf_int(&b, INT64_MIN);
	ck_assert_str_eq(b.data,
	    "0 -7 9223372036854775807 -9223372036854775808");
	csa_buf_fini(&b);
}
END_TEST

START_TEST(numbers_become_json_with_few_decimals)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 100);
	csa_buf_fixed(&b, numbers[_i].x, numbers[_i].decimals);
	ck_assert_str_eq(b.data, numbers[_i].text);
	csa_buf_fini(&b);
}
END_TEST

static bool
is_special(int c)
{
	return c < 0x20 || c == 0x7f || strchr("\"\\<>&", c) != NULL;
}

/* Each byte past a vector's width, and at each place in it. */
START_TEST(every_special_byte_is_found_in_long_text)
{
	struct csa_buf	 b;
	char		 text[50];

	for (size_t at = 0; at < sizeof(text); at++)
		for (int c = 0; c < 256; c++) {
			memset(text, 'x', sizeof(text));
			text[at] = (char)c;
			csa_buf_init(&b, 1000);
			csa_buf_json(&b, text, sizeof(text));
			ck_assert_uint_eq(b.len > sizeof(text) + 2,
			    is_special(c));
			ck_assert(b.data[at + 1] ==
			    (is_special(c) ? '\\' : (char)c));
			csa_buf_fini(&b);
		}
}
END_TEST

START_TEST(formatted_text_may_be_longer_than_the_room)
{
	struct csa_buf	 b;
	char		 want[2001];

	memset(want, 'y', 2000);
	want[2000] = '\0';
	csa_buf_init(&b, 2004);
	csa_buf_addf(&b, "%d", 7);
	csa_buf_addf(&b, "%s", want);
	ck_assert_uint_eq(b.len, 2001);
	ck_assert(b.data[0] == '7' && strcmp(b.data + 1, want) == 0);
	/* Exactly at the ceiling, and one past it. */
	csa_buf_addf(&b, "%s", "abc");
	ck_assert(!b.failed);
	csa_buf_addf(&b, "%s", "d");
	ck_assert(b.failed);
	csa_buf_fini(&b);
}
END_TEST

/* ---- arena ---- */

START_TEST(an_arena_gives_aligned_memory_of_any_size)
{
	static const size_t	 sizes[] = {
		0, 1, 7, 8, 100, 4095, 4096, 4097, 8192, 100000, 1, 3,
	};
	struct csa_arena	*a = csa_arena_new();
	unsigned char		*p[CSA_NITEMS(sizes)];

	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < CSA_NITEMS(sizes); i++) {
			p[i] = csa_arena_alloc(a, sizes[i]);
			ck_assert_uint_eq((uintptr_t)p[i] %
			    _Alignof(max_align_t), 0);
			memset(p[i], (int)i, sizes[i]);
		}
		/* None lies over another. */
		for (size_t i = 0; i < CSA_NITEMS(sizes); i++)
			for (size_t k = 0; k < sizes[i]; k++)
				ck_assert_uint_eq(p[i][k], i);
		csa_arena_reset(a);
	}
	csa_arena_free(a);
	csa_arena_free(NULL);
}
END_TEST

START_TEST(an_arena_zeroes_after_reset_too)
{
	struct csa_arena	*a = csa_arena_new();
	unsigned char		*p;

	memset(csa_arena_alloc(a, 1000), 0xff, 1000);
	csa_arena_reset(a);
	p = csa_arena_array(a, 1000, unsigned char);
	for (int i = 0; i < 1000; i++)
		ck_assert_uint_eq(p[i], 0);
	csa_arena_free(a);
}
END_TEST

START_TEST(an_arena_copies_and_formats)
{
	struct csa_arena	*a = csa_arena_new();

	ck_assert_str_eq(csa_arena_strdup(a, ""), "");
	ck_assert_str_eq(csa_arena_strdup(a, "abc"), "abc");
	ck_assert_str_eq(csa_arena_strndup(a, "abcdef", 3), "abc");
	ck_assert_str_eq(csa_arena_printf(a, "%s-%d", "x", 5), "x-5");
	ck_assert_uint_eq(strlen(csa_arena_printf(a, "%020000d", 1)), 20000);
	csa_arena_free(a);
}
END_TEST

START_TEST(an_arena_stops_at_a_product_that_wraps)
{
	doomed = csa_arena_new();
	csa_on_panic = leave;
	csa_arena_zalloc(doomed, SIZE_MAX / 2, 4);
}
END_TEST

START_TEST(realloc_stops_at_a_product_that_wraps)
{
	csa_on_panic = leave;
	free(csa_realloc(NULL, SIZE_MAX / 2, 4));
}
END_TEST

/* ---- err ---- */

START_TEST(a_message_is_cut_on_a_character)
{
	struct csa_err	 e;
	char		 text[600];
	size_t		 n;

	/* Two bytes each, from an even and from an odd place. */
	for (int odd = 0; odd < 2; odd++) {
		memset(text, 0, sizeof(text));
		text[0] = 'x';
		for (n = (size_t)odd; n + 2 < sizeof(text); n += 2)
			memcpy(text + n, "\xc3\xa9", 2);
		ck_assert_int_eq(csa_fail(&e, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "%s", text), -1);
		ck_assert(csa_utf8_valid(e.msg, strlen(e.msg), NULL));
		ck_assert_uint_ge(strlen(e.msg), sizeof(e.msg) - 3);
		ck_assert_int_eq(csa_fail_detail(&e, "%s", text), -1);
		ck_assert(csa_utf8_valid(e.detail, strlen(e.detail), NULL));
	}
}
END_TEST

START_TEST(a_name_is_cut_on_a_character)
{
	static const char	 name[] = "\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80";
	static const char *const cut[] = { "", "", "\xc3\xa9", "\xc3\xa9",
		"\xc3\xa9", "\xc3\xa9\xe6\x97\xa5" };
	struct csa_err		 e;
	char			 want[64];

	for (size_t i = 0; i < CSA_NITEMS(cut); i++) {
		csa_fail(&e, CSA_ERR_INTERNAL, CSA_SRC_AGENT, "no %.*s: %s",
		    (int)i, name, name);
		snprintf(want, sizeof(want), "no %s: %s", cut[i], name);
		ck_assert_str_eq(e.msg, want);
	}
}
END_TEST

START_TEST(a_message_that_fits_is_whole)
{
	struct csa_err	 e;
	char		 text[sizeof(e.msg)];

	memset(text, 'a', sizeof(text) - 3);
	memcpy(text + sizeof(text) - 3, "\xc3\xa9", 3);
	csa_fail(&e, CSA_ERR_INTERNAL, CSA_SRC_AGENT, "%s", text);
	ck_assert_str_eq(e.msg, text);
}
END_TEST

START_TEST(a_failure_is_complete)
{
	struct csa_err	 e;

	memset(&e, 0xff, sizeof(e));
	ck_assert_int_eq(csa_fail(&e, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
	    NULL), -1);
	ck_assert_int_eq(e.code, CSA_ERR_TOO_LARGE);
	ck_assert_int_eq(e.source, CSA_SRC_CLIENT);
	ck_assert_int_eq(e.retry_after, 0);
	ck_assert_str_eq(e.msg, csa_errinfo(CSA_ERR_TOO_LARGE)->text);
	ck_assert_str_eq(e.detail, "");
}
END_TEST

START_TEST(every_error_has_a_face)
{
	for (int c = 1; c < CSA_ERR__MAX; c++) {
		const struct csa_errinfo *i = csa_errinfo((enum csa_errcode)c);

		ck_assert_int_ge(i->status, 400);
		ck_assert_int_le(i->status, 599);
		ck_assert_uint_gt(strlen(i->text), 10);
		ck_assert_uint_eq(strspn(i->code,
		    "abcdefghijklmnopqrstuvwxyz_"), strlen(i->code));
		/* Who is told to come back is told when. */
		if (i->status == 429 || i->status == 503)
			ck_assert_int_gt(i->retry_after, 0);
		for (int k = 1; k < c; k++)
			ck_assert_str_ne(i->code,
			    csa_errinfo((enum csa_errcode)k)->code);
	}
	for (int s = 0; s < CSA_SRC__MAX; s++)
		ck_assert_ptr_nonnull(csa_source_name((enum csa_source)s));
}
END_TEST

/* ---- clock ---- */

START_TEST(a_deadline_never_has_less_than_nothing_left)
{
	int64_t	 now = csa_now_ms();

	ck_assert_int_eq(csa_left_ms(now - 1000), 0);
	ck_assert_int_gt(csa_left_ms(now + 60000), 50000);
	ck_assert_int_eq(csa_sooner(now - 5, 1000), now - 5);
	ck_assert_int_lt(csa_sooner(now + 60000, 10), now + 60000);
}
END_TEST

/* ---- log ---- */

static char	 logfile[64];

static void
log_setup(void)
{
	snprintf(logfile, sizeof(logfile), "test_base.%d.log", (int)getpid());
	unlink(logfile);
	ck_assert_int_eq(csa_log_open("test", logfile, CSA_INFO), 0);
}

static void
log_teardown(void)
{
	csa_log_request(NULL);
	unlink(logfile);
}

/* The log's lines, parsed by our own strict check; returns how many. */
static size_t
lines(struct json_object **o, size_t max)
{
	static char	 text[65536];
	struct csa_err	 err;
	char		*line, *nl;
	size_t		 n = 0;
	ssize_t		 len;
	int		 fd = open(logfile, O_RDONLY);

	ck_assert_int_ne(fd, -1);
	len = read(fd, text, sizeof(text) - 1);
	close(fd);
	ck_assert_int_ge(len, 0);
	text[len] = '\0';
	for (line = text; (nl = strchr(line, '\n')) != NULL; line = nl + 1) {
		ck_assert_uint_lt(n, max);
		ck_assert_int_le(nl - line, 8192);
		o[n] = csa_json_parse(line, (size_t)(nl - line),
		    &csa_json_request_limits, &err);
		ck_assert_msg(o[n] != NULL, "%s: %.200s", err.msg, line);
		n++;
	}
	ck_assert_str_eq(line, "");		/* no half line */
	return n;
}

START_TEST(a_log_line_is_json_whatever_is_in_it)
{
	static const char *const texts[] = {
		"plain", "two\nlines\r\n", "\"quoted\" \\ back",
		"\x01\x1b[31mred\x7f", "caf\xc3\xa9 \xff\xfe bad", "",
		"{\"level\":\"fake\"}",
	};
	struct json_object	*o[CSA_NITEMS(texts)];

	csa_log_request("id \"1\"\n");
	for (size_t i = 0; i < CSA_NITEMS(texts); i++)
		csa_warn("%s", texts[i]);
	ck_assert_uint_eq(lines(o, CSA_NITEMS(o)), CSA_NITEMS(texts));
	ck_assert_str_eq(csa_json_path_str(o[1], "msg", ""), "two\nlines\r\n");
	ck_assert_str_eq(csa_json_path_str(o[6], "msg", ""), texts[6]);
	ck_assert_str_eq(csa_json_path_str(o[6], "level", ""), "warn");
	ck_assert_str_eq(csa_json_path_str(o[0], "request_id", ""),
	    "id \"1\"\n");
	ck_assert_int_eq(path_int(o[0], "pid"), getpid());
	for (size_t i = 0; i < CSA_NITEMS(o); i++)
		csa_json_free(o[i]);
}
END_TEST

START_TEST(a_long_message_is_one_line_of_8_kib_at_most)
{
	struct json_object	*o[3];
	char			*text = csa_malloc(100001);

	/* Six bytes each once they are escaped. */
	memset(text, '\x01', 100000);
	text[100000] = '\0';
	csa_info("%s", text);
	memset(text, 'a', 100000);
	csa_info("%s", text);
	ck_assert_uint_eq(lines(o, 3), 2);
	csa_json_free(o[0]);
	csa_json_free(o[1]);
	free(text);
}
END_TEST

START_TEST(levels_below_are_not_written)
{
	struct json_object	*o[2];

	csa_debug("not this");
	csa_info("this");
	csa_log_json(CSA_INFO, "and", "\"n\":1,\"s\":\"x\"");
	ck_assert_uint_eq(lines(o, 2), 2);
	ck_assert_str_eq(csa_json_path_str(o[0], "msg", ""), "this");
	ck_assert_int_eq(path_int(o[1], "n"), 1);
	csa_json_free(o[0]);
	csa_json_free(o[1]);
}
END_TEST

START_TEST(reopening_follows_a_moved_file)
{
	struct json_object	*o[1];
	char			 moved[80];

	csa_info("old");
	snprintf(moved, sizeof(moved), "%s.1", logfile);
	ck_assert_int_eq(rename(logfile, moved), 0);
	csa_log_reopen();
	unlink(moved);
	csa_info("new");
	ck_assert_uint_eq(lines(o, 1), 1);
	ck_assert_str_eq(csa_json_path_str(o[0], "msg", ""), "new");
	csa_json_free(o[0]);
}
END_TEST

START_TEST(a_file_that_cannot_be_opened_is_an_error)
{
	ck_assert_int_eq(csa_log_open("x", "/no/such/place/log", CSA_INFO),
	    -1);
}
END_TEST

static void
add_base(Suite *s)
{
	TCase	*tc = tcase_create("base");

	tcase_add_test(tc, a_buffer_takes_its_ceiling_and_not_a_byte_more);
	tcase_add_test(tc, a_failed_buffer_stays_failed_until_reset);
	tcase_add_test(tc, a_huge_append_fails_and_does_not_wrap);
	tcase_add_test(tc, a_buffer_gives_back_what_it_does_not_use);
	tcase_add_test(tc, formats_longer_than_what_is_allocated);
	tcase_add_loop_test(tc, strings_become_json_and_read_back, 0,
	    CSA_NITEMS(strings));
	tcase_add_test(tc, no_string_is_null);
	tcase_add_test(tc, integers_become_decimal);
	tcase_add_loop_test(tc, numbers_become_json_with_few_decimals, 0,
	    CSA_NITEMS(numbers));
	tcase_add_test(tc, every_special_byte_is_found_in_long_text);
	tcase_add_test(tc, formatted_text_may_be_longer_than_the_room);
	tcase_add_test(tc, an_arena_gives_aligned_memory_of_any_size);
	tcase_add_test(tc, an_arena_zeroes_after_reset_too);
	tcase_add_test(tc, an_arena_copies_and_formats);
	/* Under valgrind all tests share one process: none may end it. */
	if (getenv("CK_FORK") == NULL) {
		tcase_add_exit_test(tc, an_arena_stops_at_a_product_that_wraps,
		    PANICKED);
		tcase_add_exit_test(tc, realloc_stops_at_a_product_that_wraps,
		    PANICKED);
	}
	tcase_add_test(tc, a_message_is_cut_on_a_character);
	tcase_add_test(tc, a_name_is_cut_on_a_character);
	tcase_add_test(tc, a_message_that_fits_is_whole);
	tcase_add_test(tc, a_failure_is_complete);
	tcase_add_test(tc, every_error_has_a_face);
	tcase_add_test(tc, a_deadline_never_has_less_than_nothing_left);
	suite_add_tcase(s, tc);
}

static void
add_log(Suite *s)
{
	TCase	*tc = tcase_create("log");

	tcase_add_checked_fixture(tc, log_setup, log_teardown);
	tcase_add_test(tc, a_log_line_is_json_whatever_is_in_it);
	tcase_add_test(tc, a_long_message_is_one_line_of_8_kib_at_most);
	tcase_add_test(tc, levels_below_are_not_written);
	tcase_add_test(tc, reopening_follows_a_moved_file);
	tcase_add_test(tc, a_file_that_cannot_be_opened_is_an_error);
	suite_add_tcase(s, tc);
}

int
main(void)
{
	Suite	*s = suite_create("base");

	add_base(s);
	add_log(s);
	return run_suite(s);
}
