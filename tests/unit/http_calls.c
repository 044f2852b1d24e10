#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/http_fixture.h"

START_TEST(reuse)
{
	for (int i = 0; i < 50; i++)
		whole(start("/echo"), 200, "hello");
	ck_assert_int_eq(atomic_load(&srv->connections), 1);
	ck_assert_int_eq(atomic_load(&srv->requests), 50);
	ck_assert_uint_eq(counted("gemini|test|ok"), 50);
	ck_assert_uint_eq(csa_metric_value(CSA_M_upstream_connections,
	    "gemini"), 1);
}
END_TEST

START_TEST(parallel)
{
	run_parallel();
}
END_TEST

static void *
thread_main(void *arg)
{
	struct csa_waiter	*w = csa_waiter_new(http);
	struct csa_http_call	*c;
	struct csa_http_req	 r;
	struct csa_err		 e;
	char			 url[128], body[32];
	size_t			 n;

	for (int i = 0; i < 20; i++) {
		r = request(url, i % 5 == 4 ? "/slow?5" : "/echo");
		snprintf(body, sizeof(body), "%p/%d", arg, i);
		r.body = body;
		r.len = strlen(body);
		c = csa_http_start(http, w, &r);
		/* Some are given up right away, at whatever moment that is. */
		if (i % 7 == 6) {
			csa_http_end(c);
			continue;
		}
		CSA_MUST(csa_http_wait(c, &e) == 0);
		CSA_MUST(memcmp(csa_http_body(c, &n), body, r.len) == 0 &&
		    n == r.len);
		csa_http_end(c);
	}
	csa_waiter_free(w);
	return NULL;
}

START_TEST(threads)
{
	pthread_t	 t[MANY];
	int		 n = many(MANY);

	for (intptr_t i = 0; i < n; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, thread_main,
		    (void *)i), 0);
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(counted("gemini|test|ok") +
	    counted("gemini|test|cancelled"), 20 * (uint64_t)n);
}
END_TEST

START_TEST(request_head)
{
	const char *const	 headers[] = { "Content-Type: application/json",
		"X-Key: secret" };
	char			 url[128];
	struct csa_http_req	 r = request(url, "/head");
	struct csa_http_call	*c;
	const char		*head;
	size_t			 n;

	r.headers = headers;
	r.nheaders = 2;
	c = csa_http_start(http, waiter, &r);
	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	head = csa_http_body(c, &n);
	ck_assert_msg(strncmp(head, "POST /head HTTP/1.1\r\n", 21) == 0, "%s",
	    head);
	ck_assert_ptr_nonnull(strstr(head, "\r\nX-Key: secret\r\n"));
	ck_assert_ptr_nonnull(strstr(head,
	    "\r\nContent-Type: application/json\r\n"));
	ck_assert_ptr_null(strcasestr(head, "expect:"));
	ck_assert_ptr_null(strcasestr(head, "accept-encoding:"));
	csa_http_end(c);

	/* A handle that has posted gets without a body. */
	r.method = "GET";
	r.nheaders = 0;
	c = csa_http_start(http, waiter, &r);
	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	head = csa_http_body(c, &n);
	ck_assert_msg(strncmp(head, "GET /head HTTP/1.1\r\n", 20) == 0, "%s",
	    head);
	ck_assert_ptr_null(strcasestr(head, "content-"));
	ck_assert_ptr_null(strcasestr(head, "x-key:"));
	csa_http_end(c);
}
END_TEST

START_TEST(header_injection)
{
	const char *const	 headers[] = { "X-Key: a\r\nX-Evil: b" };
	char			 url[128];
	struct csa_http_req	 r = request(url, "/head");
	struct csa_http_call	*c;

	r.headers = headers;
	r.nheaders = 1;
	c = csa_http_start(http, waiter, &r);
	ck_assert_int_eq(csa_http_wait(c, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	csa_http_end(c);
	ck_assert_int_eq(atomic_load(&srv->connections), 0);
}
END_TEST

START_TEST(large_request)
{
	size_t			 n = 3 << 20, got;
	char			 url[128], *body = csa_malloc(n);
	struct csa_http_req	 r = request(url, "/echo");
	struct csa_http_call	*c;

	for (size_t i = 0; i < n; i++)
		body[i] = (char)(i % 253);
	r.body = body;
	r.len = r.max_reply = n;
	c = csa_http_start(http, waiter, &r);
	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	ck_assert_int_eq(memcmp(csa_http_body(c, &got), body, n), 0);
	ck_assert_uint_eq(got, n);
	csa_http_end(c);
	free(body);
}
END_TEST

START_TEST(kept_headers)
{
	struct csa_http_call	*c = start("/busy");

	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	ck_assert_int_eq(csa_http_status(c), 429);
	ck_assert_str_eq(csa_http_header(c, "retry-after"), "7");
	ck_assert_str_eq(csa_http_header(c, "x-pinecone-request-id"), "abc");
	ck_assert_ptr_null(csa_http_header(c, "x-other"));
	ck_assert_ptr_null(csa_http_header(c, "content-type"));
	ck_assert_int_eq(csa_http_status_error(c, 99, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_BUSY);
	ck_assert_int_eq(err.retry_after, 7);
	ck_assert_int_eq(err.source, CSA_SRC_GEMINI);
	csa_http_end(c);
	ck_assert_uint_eq(counted("gemini|test|provider_busy"), 1);

	/* Interim replies leave nothing behind. */
	c = start("/interim");
	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	ck_assert_int_eq(csa_http_status(c), 200);
	ck_assert_ptr_null(csa_http_header(c, "retry-after"));
	ck_assert_str_eq(csa_http_header(c, "content-type"), "text/plain");
	csa_http_end(c);
}
END_TEST

static const struct {
	int			 status;
	enum csa_errcode	 code;
	int			 retry_after;	/* with a hint of 5 */
} statuses[] = {
	{ 301, CSA_ERR_PROVIDER_ERROR, 0 },
	{ 400, CSA_ERR_PROVIDER_ERROR, 0 },
	{ 401, CSA_ERR_PROVIDER_ERROR, 0 },
	{ 404, CSA_ERR_PROVIDER_ERROR, 0 },
	{ 429, CSA_ERR_PROVIDER_BUSY, 5 },
	{ 500, CSA_ERR_PROVIDER_FAULT, 0 },
	{ 502, CSA_ERR_PROVIDER_UNAVAILABLE, 0 },
	{ 503, CSA_ERR_PROVIDER_BUSY, 5 },
	{ 504, CSA_ERR_PROVIDER_UNAVAILABLE, 0 },
};

START_TEST(status_errors)
{
	struct csa_http_call	*c;
	char			 path[32];

	snprintf(path, sizeof(path), "/status?%d", statuses[_i].status);
	c = start(path);
	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	ck_assert_int_eq(csa_http_status(c), statuses[_i].status);
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(csa_http_status_error(c, 5, &err), -1);
	ck_assert_int_eq(err.code, statuses[_i].code);
	ck_assert_int_eq(err.retry_after, statuses[_i].retry_after);
	csa_http_end(c);
}
END_TEST

START_TEST(refused)
{
	char	 url[64];

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", dead_port());
	fails(start_at(url, 5000), CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_uint_eq(counted("gemini|test|provider_unavailable"), 1);
}
END_TEST

/* Give up connecting after 300 ms. */
static void
hasty(void)
{
	csa_waiter_free(waiter);
	csa_http_free(http);
	http = engine(NULL, 300);
	waiter = csa_waiter_new(http);
}

START_TEST(connect_timeout)
{
	int64_t	 begin;
	char	 url[64];

	/* The one of the two that is first by far. */
	begin = csa_now_ms();
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", silent_port());
	fails(start_at(url, 100), CSA_ERR_DEADLINE);
	took(begin, 100);
	hasty();
	begin = csa_now_ms();
	fails(start_at(url, 5000), CSA_ERR_PROVIDER_UNAVAILABLE);
	took(begin, 300);
}
END_TEST

static const char *const	 silences[] = { "/no-headers", "/half-body" };

START_TEST(deadline)
{
	char			 url[128];
	struct csa_http_req	 r = request(url, silences[_i]);
	int64_t			 begin = csa_now_ms();
	struct csa_http_call	*c;

	r.deadline = begin + 150;
	c = csa_http_start(http, waiter, &r);
	ck_assert_int_eq(csa_http_wait(c, &err), -1);
	took(begin, 150);
	/* What was said once stays. */
	ck_assert_int_eq(csa_http_wait(c, &err), -1);
	fails(c, CSA_ERR_DEADLINE);
	await_open(0);
	ck_assert_uint_eq(counted("gemini|test|deadline_exceeded"), 1);
	whole(start("/echo"), 200, "hello");
}
END_TEST

START_TEST(deadline_passed)
{
	char			 url[128];
	struct csa_http_req	 r = request(url, "/no-headers");

	r.deadline = csa_now_ms() - 1;
	fails(csa_http_start(http, waiter, &r), CSA_ERR_DEADLINE);
}
END_TEST

static const struct {
	const char		*path;
	enum csa_errcode	 code;
} broken[] = {
	{ "/truncated", CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "/bad-chunk", CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "/cut-chunks", CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "/reset", CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "/big?1048577", CSA_ERR_PROVIDER_ERROR },
	{ "/big-chunked?1050624", CSA_ERR_PROVIDER_ERROR },
	{ "/garbage", CSA_ERR_PROVIDER_ERROR },
	{ "/long-header", CSA_ERR_PROVIDER_ERROR },
	{ "/many-headers", CSA_ERR_PROVIDER_ERROR },
};

START_TEST(broken_reply)
{
	fails(start(broken[_i].path), broken[_i].code);
	whole(start("/echo"), 200, "hello");
}
END_TEST

START_TEST(largest_reply)
{
	struct csa_http_call	*c;
	size_t			 n;

	c = start(_i ? "/big-chunked?1048576" : "/big?1048576");
	ck_assert_int_eq(csa_http_wait(c, &err), 0);
	csa_http_body(c, &n);
	ck_assert_uint_eq(n, 1048576);
	/* Trailers are no headers. */
	ck_assert_ptr_null(csa_http_header(c, "x-pinecone-late"));
	csa_http_end(c);
}
END_TEST

static const char *const	 deaths[] = { "/last", "/last-fin",
	"/last-reset" };

START_TEST(dead_connection)
{
	/*
	 * The second finds the kept connection dead and makes another.  More
	 * often than curl's handle (all use the same) is willing to.
	 */
	for (int i = 0; i < 20; i++)
		whole(start(deaths[_i]), 200, "hello");
	ck_assert_int_eq(atomic_load(&srv->requests), 20);
	ck_assert_int_eq(atomic_load(&srv->connections), 20);
	ck_assert_uint_eq(counted("gemini|test|ok"), 20);
	ck_assert_uint_eq(csa_metric_value(CSA_M_upstream_connections,
	    "gemini"), 20);
}
END_TEST

/* The connection dies while a body is being sent. */
START_TEST(dead_while_sending)
{
	size_t			 n = 8 << 20, got;
	char			 url[128], *body = csa_calloc(1, n);
	struct csa_http_req	 r = request(url, "/echo");
	struct csa_http_call	*c;

	r.body = body;
	r.len = r.max_reply = n;
	for (int i = 0; i < 8; i++) {
		whole(start(deaths[1 + _i]), 200, "hello");
		body[0] = (char)i;
		c = csa_http_start(http, waiter, &r);
		ck_assert_msg(csa_http_wait(c, &err) == 0, "%s", err.detail);
		ck_assert_int_eq(memcmp(csa_http_body(c, &got), body, n), 0);
		ck_assert_uint_eq(got, n);
		csa_http_end(c);
	}
	free(body);
}
END_TEST

/* A connection of its own is not tried twice, nor what has been answered. */
START_TEST(no_second_try)
{
	fails(start("/reset"), CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_int_eq(atomic_load(&srv->requests), 1);
	whole(start("/echo"), 200, "hello");
	fails(start("/truncated"), CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_int_eq(atomic_load(&srv->requests), 3);
	/* Whatever curl's count is, one try on the kept one, one on a new. */
	for (int i = 0; i < 7; i++) {
		whole(start("/echo"), 200, "hello");
		fails(start("/reset"), CSA_ERR_PROVIDER_UNAVAILABLE);
		ck_assert_int_eq(atomic_load(&srv->requests), 6 + 3 * i);
	}
}
END_TEST

START_TEST(no_redirect)
{
	whole(start("/redirect"), 302, "");
	ck_assert_int_eq(atomic_load(&srv->requests), 1);
}
END_TEST

START_TEST(no_proxy)
{
	char	 proxy[64];

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", dead_port());
	setenv("http_proxy", proxy, 1);
	setenv("https_proxy", proxy, 1);
	setenv("all_proxy", proxy, 1);
	setenv("ALL_PROXY", proxy, 1);
	whole(start("/echo"), 200, "hello");
}
END_TEST

START_TEST(no_other_protocol)
{
	struct csa_http_call	*c = start_at("file:///etc/passwd", 1000);

	ck_assert_int_eq(csa_http_wait(c, &err), -1);
	csa_http_end(c);
}
END_TEST

START_TEST(names)
{
	char	 url[64];
	int64_t	 begin;

	fails(start_at("http://missing.test/", 5000),
	    CSA_ERR_PROVIDER_UNAVAILABLE);
	snprintf(url, sizeof(url), "http://good.test:%d/echo", srv->port);
	whole(start_at(url, 5000), 200, "");

	/* A name server that hangs delays neither waiting nor ending. */
	begin = csa_now_ms();
	fails(start_at("http://hang.test/", 100), CSA_ERR_DEADLINE);
	took(begin, 100);
	hasty();
	begin = csa_now_ms();
	fails(start_at("http://hang.test/", 5000),
	    CSA_ERR_PROVIDER_UNAVAILABLE);
	took(begin, 300);
}
END_TEST

START_TEST(probe)
{
	char	 url[64];
	int64_t	 begin;

	snprintf(url, sizeof(url), "http://127.0.0.1:%d/a/b?c=d", srv->port);
	ck_assert_int_eq(csa_http_probe(url, (long)patience(5000)), 0);
	snprintf(url, sizeof(url), "https://user@127.0.0.1:%d", srv->port);
	ck_assert_int_eq(csa_http_probe(url, (long)patience(5000)), 0);
	await_open(0);
	ck_assert_uint_eq(atomic_load(&srv->received), 0);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", dead_port());
	ck_assert_int_eq(csa_http_probe(url, (long)patience(5000)), -1);
	ck_assert_int_eq(csa_http_probe("ftp://127.0.0.1", 5000), -1);
	ck_assert_int_eq(csa_http_probe("", (long)patience(5000)), -1);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d", silent_port());
	begin = csa_now_ms();
	ck_assert_int_eq(csa_http_probe(url, 150), -1);
	took(begin, 150);
	begin = csa_now_ms();
	ck_assert_int_eq(csa_http_probe("https://hang.test", 150), -1);
	took(begin, 150);
}
END_TEST

TCase *
calls_case(void)
{
	TCase	*t = tcase_create("calls");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, reuse);
	tcase_add_test(t, parallel);
	tcase_add_test(t, threads);
	tcase_add_test(t, request_head);
	tcase_add_test(t, header_injection);
	tcase_add_test(t, large_request);
	tcase_add_test(t, kept_headers);
	tcase_add_loop_test(t, status_errors, 0, CSA_NITEMS(statuses));
	tcase_add_test(t, refused);
	tcase_add_test(t, connect_timeout);
	tcase_add_loop_test(t, deadline, 0, CSA_NITEMS(silences));
	tcase_add_test(t, deadline_passed);
	tcase_add_loop_test(t, broken_reply, 0, CSA_NITEMS(broken));
	tcase_add_loop_test(t, largest_reply, 0, 2);
	tcase_add_loop_test(t, dead_connection, 0, CSA_NITEMS(deaths));
	tcase_add_loop_test(t, dead_while_sending, 0, 2);
	tcase_add_test(t, no_second_try);
	tcase_add_test(t, no_redirect);
	tcase_add_test(t, no_proxy);
	tcase_add_test(t, no_other_protocol);
	tcase_add_test(t, names);
	tcase_add_test(t, probe);
	return t;
}
