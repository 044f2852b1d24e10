#include "config.h"

#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/web/accept.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"
#include "tests/suite.h"

static const struct {
	const char	*target, *prefix;
	const char	*path;		/* NULL: not found */
	const char	*query;
} targets[] = {
	{ "/chat", "", "/chat", "" },
	{ "/", "", "/", "" },
	{ "/chat?", "", "/chat", "" },
	{ "/chat?a=1&b=%2F", "", "/chat", "a=1&b=%2F" },	/* raw */
	{ "/chat?/../x", "", "/chat", "/../x" },
	{ "/chat/", "", "/chat/", "" },		/* another path */
	{ "/%63hat", "", "/chat", "" },
	{ "/documents/%C3%A4", "", "/documents/\xc3\xa4", "" },
	{ "/a%20b", "", "/a b", "" },
	{ "/a%25b", "", "/a%b", "" },		/* decoded once */
	{ "/%252e%252e/x", "", "/%2e%2e/x", "" },
	{ "/...", "", "/...", "" },
	{ "/.well-known", "", "/.well-known", "" },
	{ "/a;x=1", "", "/a;x=1", "" },
	/* Several spellings of one thing. */
	{ "//chat", "", NULL, "" },
	{ "/chat//x", "", NULL, "" },
	{ "/chat//", "", NULL, "" },
	{ "/./chat", "", NULL, "" },
	{ "/x/.", "", NULL, "" },
	{ "/x/../chat", "", NULL, "" },
	{ "/..", "", NULL, "" },
	{ "/%2e%2e/chat", "", NULL, "" },
	{ "/%2e/chat", "", NULL, "" },
	{ "/.%2E/chat", "", NULL, "" },
	{ "/x%2fy", "", NULL, "" },
	{ "/x%2Fy", "", NULL, "" },
	{ "/x%5cy", "", NULL, "" },
	{ "/x\\y", "", NULL, "" },
	/* What has no place in a path. */
	{ "/x%00", "", NULL, "" },
	{ "/x%0ay", "", NULL, "" },
	{ "/x%7f", "", NULL, "" },
	{ "/x\ty", "", NULL, "" },
	{ "/x%", "", NULL, "" },
	{ "/x%4", "", NULL, "" },
	{ "/x%4g", "", NULL, "" },
	{ "/x%-1", "", NULL, "" },
	{ "/%C3", "", NULL, "" },		/* half a character */
	{ "/%C0%AF", "", NULL, "" },		/* an overlong slash */
	{ "/%ED%A0%80", "", NULL, "" },		/* a surrogate */
	{ "/chat#x", "", NULL, "" },
	{ "", "", NULL, "" },
	{ "*", "", NULL, "" },
	{ "chat", "", NULL, "" },
	{ "?a", "", NULL, "" },
	/* Absolute form: the host is of no interest. */
	{ "http://evil/chat?x", "", "/chat", "x" },
	{ "HTTPS://[::1]:80/chat", "", "/chat", "" },
	{ "http://host", "", NULL, "" },
	{ "http://host?/chat", "", NULL, "" },
	{ "http:///chat", "", NULL, "" },
	{ "http://h//chat", "", NULL, "" },
	{ "ftp://host/chat", "", NULL, "" },
	/* Mounted below a prefix. */
	{ "/agent/chat", "/agent", "/chat", "" },
	{ "/agent/chat?q", "/agent/", "/chat", "q" },
	{ "/agent", "/agent", "/", "" },
	{ "/agent/", "/agent", "/", "" },
	{ "/agentchat", "/agent", NULL, "" },
	{ "/chat", "/agent", NULL, "" },
	{ "/agent/../chat", "/agent", NULL, "" },
	{ "/%61gent/chat", "/agent", "/chat", "" },
	{ "/a/b/chat", "/a/b", "/chat", "" },
	{ "/chat", "/", "/chat", "" },
};

START_TEST(targets_have_one_reading)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_req		 r = { .ctx.arena = arena };
	struct csa_err		 err = { 0 };
	int			 ret;

	r.target = targets[_i].target;
	ret = csa_req_parse_target(&r, targets[_i].prefix, &err);
	if (targets[_i].path == NULL) {
		ck_assert_msg(ret == -1, "%s is %s", r.target, r.path);
		ck_assert_int_eq(err.code, CSA_ERR_NOT_FOUND);
		ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
	} else {
		ck_assert_msg(ret == 0, "%s is refused", r.target);
		ck_assert_str_eq(r.path, targets[_i].path);
		ck_assert_str_eq(r.query, targets[_i].query);
	}
	csa_arena_free(arena);
}
END_TEST

START_TEST(any_byte_is_survived)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_req		 r = { .ctx.arena = arena };
	struct csa_err		 err;
	char			 text[24];
	uint32_t		 x = 2463534242;

	for (int n = 0; n < 100000; n++) {
		text[0] = '/';
		for (size_t i = 1; i < sizeof(text) - 1; i++) {
			x ^= x << 13, x ^= x >> 17, x ^= x << 5;
			text[i] = x % 3 == 0 ? "/.%2eFf0?"[x / 3 % 9] :
			    (char)(x >> 8);
		}
		text[sizeof(text) - 1] = '\0';
		r.target = text;
		if (csa_req_parse_target(&r, "", &err) == 0) {
			ck_assert_ptr_null(strstr(r.path, "//"));
			ck_assert_ptr_null(strstr(r.path, "/../"));
			ck_assert_ptr_null(strchr(r.path, '\\'));
		}
		csa_arena_reset(arena);
	}
	csa_arena_free(arena);
}
END_TEST

/* A sink that keeps what it gets and can be told to fail. */
struct memory {
	struct csa_sink	 base;
	struct csa_buf	 got;
	int		 flushes, ends;
	bool		 fails;
};

static int
memory_write(struct csa_sink *s, const void *data, size_t n)
{
	struct memory	*m = (struct memory *)s;

	if (m->fails)
		return -1;
	csa_buf_add(&m->got, data, n);
	return 0;
}

static int
memory_flush(struct csa_sink *s)
{
	((struct memory *)s)->flushes++;
	return ((struct memory *)s)->fails ? -1 : 0;
}

static int
memory_end(struct csa_sink *s, const void *data, size_t n)
{
	((struct memory *)s)->ends++;
	return memory_write(s, data, n);
}

static const struct csa_sink_ops with_end = {
	.write = memory_write, .flush = memory_flush, .end = memory_end
};
static const struct csa_sink_ops without_end = {
	.write = memory_write, .flush = memory_flush
};

static struct memory	 m;
static struct csa_resp	 resp;

static void
setup(void)
{
	m = (struct memory){ .base.ops = &with_end };
	csa_buf_init(&m.got, 65536);
	csa_resp_init(&resp, &m.base);
}

static void
teardown(void)
{
	csa_resp_fini(&resp);
	csa_buf_fini(&m.got);
}

START_TEST(a_whole_answer)
{
	csa_resp_header(&resp, "Retry-After", "2");
	ck_assert_int_eq(m.got.len, 0);
	ck_assert_int_eq(csa_resp_send(&resp, 503, "text/plain", "busy", 4), 0);
	ck_assert_str_eq(m.got.data, "Status: 503 Service Unavailable\r\n"
	    "Content-Type: text/plain\r\nCache-Control: no-store\r\n"
	    "X-Content-Type-Options: nosniff\r\nContent-Length: 4\r\n"
	    "Retry-After: 2\r\n\r\nbusy");
	ck_assert_int_eq(m.ends, 1);
	ck_assert_int_eq(m.flushes, 0);
	ck_assert_int_eq(resp.status, 503);
	ck_assert_uint_eq(resp.written, 4);
}
END_TEST

START_TEST(a_sink_without_end_is_flushed)
{
	m.base.ops = &without_end;
	ck_assert_int_eq(csa_resp_send(&resp, 200, "text/plain", "", 0), 0);
	ck_assert_int_eq(m.flushes, 1);
	ck_assert_ptr_nonnull(strstr(m.got.data, "Content-Length: 0\r\n"));
}
END_TEST

START_TEST(a_stream_has_no_length_and_no_buffer_before_it)
{
	ck_assert_int_eq(csa_resp_begin(&resp, 200, "text/event-stream", -1),
	    0);
	ck_assert_ptr_null(strstr(m.got.data, "Content-Length"));
	ck_assert_ptr_nonnull(strstr(m.got.data, "X-Accel-Buffering: no\r\n"));
	ck_assert_int_eq(csa_resp_write(&resp, "a", 1), 0);
	ck_assert_int_eq(csa_resp_flush(&resp), 0);
	ck_assert_int_eq(csa_resp_write(&resp, "bc", 2), 0);
	ck_assert_uint_eq(resp.written, 3);
	ck_assert_int_eq(m.flushes, 1);
	ck_assert_int_eq(m.ends, 0);
}
END_TEST

START_TEST(a_client_that_left_stays_gone)
{
	ck_assert_int_eq(csa_resp_begin(&resp, 200, "text/plain", -1), 0);
	m.fails = true;
	ck_assert_int_eq(csa_resp_write(&resp, "a", 1), -1);
	ck_assert(resp.gone);
	m.fails = false;
	ck_assert_int_eq(csa_resp_write(&resp, "b", 1), -1);
	ck_assert_int_eq(csa_resp_flush(&resp), -1);
	ck_assert_int_eq(m.flushes, 0);
	ck_assert_uint_eq(resp.written, 0);
	ck_assert_ptr_null(strstr(m.got.data, "\r\n\r\na"));
}
END_TEST

START_TEST(a_failed_end_is_told)
{
	ck_assert_int_eq(csa_resp_begin(&resp, 200, "text/plain", 0), 0);
	csa_resp_fini(&resp);
	csa_resp_init(&resp, &m.base);
	m.fails = true;
	ck_assert_int_eq(csa_resp_send(&resp, 200, "text/plain", "x", 1), -1);
	ck_assert(resp.gone);
}
END_TEST

START_TEST(a_line_end_in_a_header_is_a_bug)
{
	csa_resp_header(&resp, "X-Request-Id", "a\r\nSet-Cookie: b");
}
END_TEST

START_TEST(a_header_after_the_beginning_is_a_bug)
{
	(void)csa_resp_begin(&resp, 200, "text/plain", 0);
	csa_resp_header(&resp, "Late", "yes");
}
END_TEST

static const struct {
	const char	*header;
	bool		 events;
} accepts[] = {
	{ NULL, false },
	{ "", false },
	{ ",", false },
	{ "*/*", false },
	{ "text/*", false },
	{ "application/json", false },
	{ "text/event-stream", true },
	{ "TEXT/Event-Stream", true },
	{ " ,text/event-stream\t;charset=utf-8", true },
	{ "text/event-stream, */*;q=0.1", true },
	{ "application/json, text/event-stream", true },
	{ "application/json;q=0.9,text/event-stream;q=0.9", true },
	{ "application/json;q=0.25, text/event-stream;q=0.3", true },
	{ "application/json;q=0.25, text/event-stream; Q=0.249", false },
	{ "application/json, text/event-stream;q=0.5", false },
	{ "application/json;q=0, text/event-stream;q=0.001", true },
	{ "text/event-stream;q=0", false },
	{ "text/event-stream;q=0.000, application/json", false },
	{ "text/event-stream;charset=utf-8;q=0", false },
	{ "text/event-stream, x/y;q=0", true },
	{ "text/event-stream;q=", true },
	{ "text/event-stream;", true },
	{ "text/event-streams", false },
	{ "xtext/event-stream", false },
	{ "text/event-strea", false },
	{ "x/y;z=text/event-stream", false },
};

START_TEST(accept_is_weighed)
{
	ck_assert_int_eq(csa_accepts_events(accepts[_i].header),
	    accepts[_i].events);
}
END_TEST

START_TEST(every_error_has_a_phrase)
{
	for (int code = CSA_OK + 1; code < CSA_ERR__MAX; code++)
		ck_assert_str_ne(csa_status_text(
		    csa_errinfo((enum csa_errcode)code)->status), "Unknown");
	ck_assert_str_eq(csa_status_text(200), "OK");
	ck_assert_str_eq(csa_status_text(418), "Unknown");
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("web");
	TCase	*req = tcase_create("req"), *rsp = tcase_create("resp");

	tcase_add_loop_test(req, targets_have_one_reading, 0,
	    (int)CSA_NITEMS(targets));
	tcase_add_test(req, any_byte_is_survived);
	tcase_add_loop_test(req, accept_is_weighed, 0,
	    (int)CSA_NITEMS(accepts));
	tcase_add_checked_fixture(rsp, setup, teardown);
	tcase_add_test(rsp, a_whole_answer);
	tcase_add_test(rsp, a_sink_without_end_is_flushed);
	tcase_add_test(rsp, a_stream_has_no_length_and_no_buffer_before_it);
	tcase_add_test(rsp, a_client_that_left_stays_gone);
	tcase_add_test(rsp, a_failed_end_is_told);
	/* Under valgrind all tests share one process: none may end it. */
	if (getenv("CK_FORK") == NULL) {
		tcase_add_test_raise_signal(rsp,
		    a_line_end_in_a_header_is_a_bug, SIGABRT);
		tcase_add_test_raise_signal(rsp,
		    a_header_after_the_beginning_is_a_bug, SIGABRT);
	}
	tcase_add_test(rsp, every_error_has_a_phrase);
	suite_add_tcase(s, req);
	suite_add_tcase(s, rsp);
	return run_suite(s);
}
