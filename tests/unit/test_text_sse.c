#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/text/sse.h"
#include "tests/suite.h"

#define MAX	64

/* What came out, an event a line: name=data#id, ! before a bare one. */
static struct csa_buf	 out;

static void
setup(void)
{
	csa_buf_init(&out, 1 << 20);
}

static void
teardown(void)
{
	csa_buf_fini(&out);
}

static void
note(const struct csa_sse_event *ev)
{
	ck_assert_uint_eq(ev->n, strlen(ev->data));
	csa_buf_addf(&out, "%s%s=%s#%s;", ev->bare ? "!" : "", ev->name,
	    ev->data, ev->id);
}

/* One piece, out of memory that ends where it does. */
static int
feed(struct csa_sse *e, const char *s, size_t n)
{
	char			*copy = csa_malloc(n > 0 ? n : 1);
	const char		*p = copy;
	size_t			 left = n;
	struct csa_sse_event	 ev;
	int			 rc;

	memcpy(copy, s, n);
	while ((rc = csa_sse_next(e, &p, &left, &ev)) == 1)
		note(&ev);
	if (rc == 0)
		ck_assert_uint_eq(left, 0);
	free(copy);
	return rc;
}

static void
finish(struct csa_sse *e, int rc)
{
	struct csa_sse_event	 ev;

	if (rc == 0 && (rc = csa_sse_end(e, &ev)) == 1)
		note(&ev);
	else if (rc == -1) {
		/* For good. */
		ck_assert_int_eq(feed(e, "data:x\n\n", 8), -1);
		ck_assert_int_eq(csa_sse_end(e, &ev), -1);
		csa_buf_puts(&out, "too long");
	}
}

/* n bytes, cut before a and before b. */
static const char *
cut(const char *s, size_t n, size_t a, size_t b)
{
	struct csa_sse	 e;
	int		 rc;

	csa_buf_reset(&out);
	csa_sse_init(&e, MAX);
	rc = feed(&e, s, a);
	if (rc == 0)
		rc = feed(&e, s + a, b - a);
	if (rc == 0)
		rc = feed(&e, s + b, n - b);
	finish(&e, rc);
	csa_sse_fini(&e);
	return out.len > 0 ? out.data : "";
}

static const char *
bytes(const char *s, size_t n)
{
	struct csa_sse	 e;
	int		 rc = 0;

	csa_buf_reset(&out);
	csa_sse_init(&e, MAX);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = feed(&e, s + i, 1);
	finish(&e, rc);
	csa_sse_fini(&e);
	return out.len > 0 ? out.data : "";
}

#define TEN	"0123456789"
#define SIXTY	TEN TEN TEN TEN TEN TEN

static const struct stream {
	const char	*s, *events;
} streams[] = {
	{ "", "" }, { "\n\n\n", "" }, { "\r\r\n\n\r", "" },
	{ "data: a\n\n", "=a#;" },
	{ "data: a\r\n\r\n", "=a#;" },
	{ "data: a\r\r", "=a#;" },
	{ "data: a\n\ndata: b\n\n", "=a#;=b#;" },
	{ "data: a\r\n\ndata: b\n\r\n", "=a#;=b#;" },
	{ "data: a\rdata: b\r\rdata:c\r\r", "=a\nb#;=c#;" },
	/* Of blanks only the first, and only behind the colon. */
	{ "data:a\n\ndata:  b \n\ndata : c\n\n", "=a#;= b #;" },
	{ "data\n\n", "=#;" }, { "data:\n\n", "=#;" },
	{ "data\ndata\n\n", "=\n#;" },
	{ "data: a\ndata:\ndata: b\n\n", "=a\n\nb#;" },
	/* The examples of the standard. */
	{ "data: YHOO\ndata: +2\ndata: 10\n\n", "=YHOO\n+2\n10#;" },
	{ ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\n"
	  "id\n\ndata:  third event", "=first event#1;=second event#;"
	  "= third event#;" },
	{ "data:test\n\ndata: test\n\n", "=test#;=test#;" },
	/* Names, and that they do not last. */
	{ "event: x\ndata: a\n\ndata: b\n\n", "x=a#;=b#;" },
	{ "event: x\n\ndata: b\n\n", "=b#;" },
	{ "event: x\nevent: y\ndata: a\n\n", "y=a#;" },
	/* Ids last, and one with a NUL is none; see the one below. */
	{ "id: 7\ndata: a\n\ndata: b\n\nid:\ndata: c\n\n", "=a#7;=b#7;=c#;" },
	{ "id: 7\n\ndata: b\n\n", "=b#7;" },
	/* Comments and unknown fields. */
	{ ": ping\n\n:\n\n::data: x\ndata: a\n: b\ndata: c\n\n", "=a\nc#;" },
	{ "foo: bar\nDATA: x\n data: y\ndata: a\nfoo\n\n", "=a#;" },
	{ "data: a:b: c\n\n", "=a:b: c#;" },
	/* A BOM at the start, and only there. */
	{ "\xef\xbb\xbf" "data: a\n\n", "=a#;" },
	{ "\xef\xbb\xbf\n\xef\xbb\xbf" "data: a\n\n", "" },
	{ "\xef\xbb\xbf\xef\xbb\xbf" "data: a\n\n", "" },
	{ "data: \xef\xbb\xbf\n\n", "=\xef\xbb\xbf#;" },
	{ "\xef\xbb", "" },
	/* Without its end, or without all of it. */
	{ "data: a", "=a#;" }, { "data: a\n", "=a#;" },
	{ "data: a\r", "=a#;" }, { "data: a\r\n", "=a#;" },
	{ "data: a\ndat", "=a#;" }, { "data: a\n\nda", "=a#;" },
	{ "data: a\n\ndata", "=a#;=#;" },
	{ "data: a\n\nevent: x\nid: 5", "=a#;" },
	/* Characters of several bytes are nothing special. */
	{ "data: \xe6\x97\xa5\xf0\x9f\x98\x80\n\n",
	  "=\xe6\x97\xa5\xf0\x9f\x98\x80#;" },
	{ "data: \xe2\x80\xa8\x0b\x0c\xc2\x85\n\n",
	  "=\xe2\x80\xa8\x0b\x0c\xc2\x85#;" },
	/* Bare JSON. */
	{ "data: a\n\n{\"error\":{}}\n\ndata: b\n\n",
	  "=a#;!={\"error\":{}}#;=b#;" },
	{ "data: a\r\n\r\n{\r\n  \"error\": 1\r\n}\r\n\r\n",
	  "=a#;!={\n  \"error\": 1\n}#;" },
	{ "data: a\n\n{\n:\ndata: x\n}", "=a#;!={\n:\ndata: x\n}#;" },
	{ "data: a\n{\"not\":1}\n\n", "=a#;" },
	/* The longest line, and one byte more; the same for the data. */
	{ "data: 0123" SIXTY, "too long" },
	{ "data:" SIXTY "\n\n", "too long" },
	{ "data: " TEN TEN TEN TEN TEN "01234567\n\n", "=" TEN TEN TEN TEN TEN
	  "01234567#;" },
	{ "data: " TEN TEN TEN TEN TEN "012345678\n\n", "too long" },
	{ ":" SIXTY "012\ndata: a\n\n", "=a#;" },
	{ "data: a\n\n:" SIXTY "0123\n", "=a#;too long" },
	{ "data: a\n\n" TEN SIXTY, "=a#;too long" },
	{ "data: " TEN TEN TEN "\ndata: " TEN TEN TEN "012\n\n",
	  "=" TEN TEN TEN "\n" TEN TEN TEN "012#;" },
	{ "data: " TEN TEN TEN "\ndata: " TEN TEN TEN "0123\n\n", "too long" },
};

START_TEST(reads_a_stream_however_it_is_cut)
{
	const struct stream	*t = &streams[_i];
	size_t			 n = strlen(t->s);

	for (size_t a = 0; a <= n; a++)
		for (size_t b = a; b <= n; b++)
			ck_assert_msg(strcmp(cut(t->s, n, a, b), t->events) ==
			    0, "%s\ncut at %zu, %zu\nis  %s\nnot %s", t->s, a,
			    b, out.data, t->events);
	ck_assert_str_eq(bytes(t->s, n), t->events);
}
END_TEST

/* An id with a NUL in it changes nothing. */
START_TEST(takes_no_id_with_a_nul)
{
	static const char	 s[] = "id: 1\nid: a\0b\ndata: x\n\n";

	for (size_t a = 0; a < sizeof(s); a++)
		ck_assert_str_eq(cut(s, sizeof(s) - 1, a, a), "=x#1;");
}
END_TEST

/* Data may have a NUL; its length tells. */
START_TEST(keeps_a_nul_in_the_data)
{
	static const char	 s[] = "data: a\0b\n\n";
	const char		*p = s;
	size_t			 n = sizeof(s) - 1;
	struct csa_sse		 e;
	struct csa_sse_event	 ev;

	csa_sse_init(&e, MAX);
	ck_assert_int_eq(csa_sse_next(&e, &p, &n, &ev), 1);
	ck_assert_uint_eq(ev.n, 3);
	ck_assert_int_eq(memcmp(ev.data, "a\0b", 3), 0);
	csa_sse_fini(&e);
}
END_TEST

static const struct { const char *s; long ms; } retries[] = {
	{ "data: x\n", -1 }, { "retry: 1500\n", 1500 }, { "retry:0\n", 0 },
	{ "retry: 1500", 1500 }, { "retry: x\n", -1 }, { "retry: -1\n", -1 },
	{ "retry: 1.5\n", -1 }, { "retry:\n", -1 }, { "retry\n", -1 },
	{ "retry: 7\nretry: 8 \n", 7 }, { "retry: 99999999999999\n", 86400000 },
	{ "retry: 99999999999999999999999999\n", -1 },
};

START_TEST(takes_digits_for_a_time_to_retry)
{
	struct csa_sse		 e;
	struct csa_sse_event	 ev;

	csa_sse_init(&e, MAX);
	ck_assert_int_eq(feed(&e, retries[_i].s, strlen(retries[_i].s)), 0);
	(void)csa_sse_end(&e, &ev);
	ck_assert_int_eq(e.retry_ms, retries[_i].ms);
	csa_sse_fini(&e);
}
END_TEST

/* The second event of the same size needs no more memory than the first. */
START_TEST(uses_its_memory_again)
{
	struct csa_sse	 e;
	char		*data;

	csa_sse_init(&e, MAX);
	ck_assert_int_eq(feed(&e, "event:n\ndata: abc\n\n", 19), 0);
	data = e.data.data;
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(feed(&e, "data: abc\n\n", 11), 0);
	ck_assert_ptr_eq(e.data.data, data);
	ck_assert_uint_le(e.data.size + e.line.size + e.name.size, 1024);
	csa_sse_fini(&e);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("sse");
	TCase	*tc = tcase_create("sse");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_a_stream_however_it_is_cut, 0,
	    (int)CSA_NITEMS(streams));
	tcase_add_test(tc, takes_no_id_with_a_nul);
	tcase_add_test(tc, keeps_a_nul_in_the_data);
	tcase_add_loop_test(tc, takes_digits_for_a_time_to_retry, 0,
	    (int)CSA_NITEMS(retries));
	tcase_add_test(tc, uses_its_memory_again);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
