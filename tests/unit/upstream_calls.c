/*
 * upstream_calls: what is tried again, and what is not.
 */

#include "config.h"

#include <sys/socket.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/http_server.h"
#include "tests/unit/upstream_fixture.h"

#define OK	{ REPLY, 200, 0, NULL, NULL }
#define ST(n)	{ REPLY, n, 0, NULL, NULL }

static const char	 settings[] = "retry_wait_ms = 1500\n";
/* Of what is silent: longer than a busy machine keeps a good one waiting. */
static const char	 hasty[] = "first_byte_timeout_ms = 700\n"
    "idle_timeout_ms = 700\n";

static const struct row {
	const char	*name;
	struct step	 step[3];
	int		 requests;	/* that the far end sees */
	int		 status;	/* 0: an error */
	enum csa_errcode code;
	const char	*reason;	/* of the first retry, or NULL */
	int		 after;		/* Retry-After of the status' error */
} rows[] = {
	{ "fine", { OK, OK, OK }, 1, 200, 0, NULL, 0 },
	{ "408", { ST(408), OK, OK }, 2, 200, 0, "408", 0 },
	{ "429", { ST(429), OK, OK }, 2, 200, 0, "429", 0 },
	{ "500", { ST(500), OK, OK }, 2, 200, 0, "500", 0 },
	{ "502", { ST(502), OK, OK }, 2, 200, 0, "502", 0 },
	{ "503", { ST(503), OK, OK }, 2, 200, 0, "503", 0 },
	{ "504", { ST(504), OK, OK }, 2, 200, 0, "504", 0 },
	{ "twice", { ST(500), ST(503), OK }, 3, 200, 0, "503", 0 },
	{ "500 for ever", { ST(500), ST(500), ST(500) }, 3, 500, 0, "500", 0 },
	{ "429 for ever", { ST(429), ST(429), ST(429) }, 3, 429, 0, "429", 0 },
	{ "400", { ST(400), OK, OK }, 1, 400, 0, NULL, 0 },
	{ "401", { ST(401), OK, OK }, 1, 401, 0, NULL, 0 },
	{ "402", { ST(402), OK, OK }, 1, 402, 0, NULL, 0 },
	{ "403", { ST(403), OK, OK }, 1, 403, 0, NULL, 0 },
	{ "404", { ST(404), OK, OK }, 1, 404, 0, NULL, 0 },
	{ "409", { ST(409), OK, OK }, 1, 409, 0, NULL, 0 },
	{ "422", { ST(422), OK, OK }, 1, 422, 0, NULL, 0 },
	{ "302", { ST(302), OK, OK }, 1, 302, 0, NULL, 0 },
	{ "501", { ST(501), OK, OK }, 1, 501, 0, NULL, 0 },
	{ "reset", { { RESET, 0, 0, NULL, NULL }, OK, OK }, 2, 200, 0,
	    "broken", 0 },
	{ "cut", { { CUT, 200, 0, NULL, NULL }, OK, OK }, 2, 200, 0,
	    "broken", 0 },
	{ "silent", { { HANG, 0, 0, NULL, NULL }, OK, OK }, 2, 200, 0,
	    "silent", 0 },
	{ "stalled", { { STALL, 200, 0, NULL, NULL }, OK, OK }, 2, 200, 0,
	    "silent", 0 },
	{ "no HTTP", { { GARBAGE, 0, 0, NULL, NULL }, OK, OK }, 1, 0,
	    CSA_ERR_PROVIDER_ERROR, NULL, 0 },
	{ "too long a wait", { { REPLY, 429, 0, "Retry-After: 2", NULL }, OK,
	    OK }, 1, 429, 0, NULL, 2 },
	{ "so in the body", { { REPLY, 429, 0, NULL, "retry 33" }, OK, OK },
	    1, 429, 0, NULL, 33 },
	{ "so at 503", { { REPLY, 503, 0, "Retry-After: 99", NULL }, OK, OK },
	    1, 503, 0, NULL, 99 },
	{ "a date that is past", { { REPLY, 503, 0,
	    "Retry-After: Sun, 06 Nov 1994 08:49:37 GMT", NULL }, OK, OK },
	    2, 200, 0, "503", 0 },
	{ "nonsense", { { REPLY, 503, 0, "Retry-After: soon", NULL }, OK,
	    OK }, 2, 200, 0, "503", 0 },
};

START_TEST(policy)
{
	const struct row	*r = &rows[_i];
	struct csa_up_call	*c;
	int			 rc;

	far_open(r->reason != NULL && strcmp(r->reason, "silent") == 0 ?
	    hasty : settings, "k1");
	script_set(far_end, r->step, 3);
	c = start(patience(10000));
	rc = csa_up_wait(c, &err);
	ck_assert_msg(rc == (r->status != 0 ? 0 : -1), "%s: %s %s", r->name,
	    err.msg, err.detail);
	if (rc == -1)
		ck_assert_int_eq(err.code, r->code);
	else
		ck_assert_int_eq(csa_up_status(c), r->status);
	ck_assert_msg(far_end->requests == r->requests, "%s: %d requests",
	    r->name, far_end->requests);
	ck_assert_int_eq((int)csa_up_attempts(c), r->requests);
	if (r->reason != NULL)
		ck_assert_uint_ge(retries(r->reason), 1);
	if (r->status >= 400) {
		ck_assert_int_eq(csa_up_status_error(c, &err), -1);
		ck_assert_int_eq(err.retry_after, r->after);
	}
	csa_up_end(c);
	ck_assert_uint_eq(csa_metric_value(CSA_M_key_refused, "gemini"),
	    r->status == 401 || r->status == 403);
}
END_TEST

/* The time named is kept, whether header or body or a date names it. */
START_TEST(waits_as_told)
{
	static char		 date[64];
	static const struct step step[][2] = {
		{ { REPLY, 429, 0, "Retry-After: 1", NULL }, OK },
		{ { REPLY, 429, 0, NULL, "retry 1" }, OK },
		{ { REPLY, 503, 0, "Retry-After: 1", NULL }, OK },
		{ { REPLY, 503, 0, date, NULL }, OK },
	};
	int64_t			 begin = csa_now_ms(), least = 1000;
	time_t			 then = time(NULL) + 2;

	/* A date has no fractions: 2 s from now is anything from 1 s on. */
	strftime(date, sizeof(date), "Retry-After: %a, %d %b %Y %T GMT",
	    gmtime(&then));
	far_open("retry_wait_ms = 2500\n", "k1");
	script_set(far_end, step[_i], 2);
	ck_assert_uint_eq(whole(200), 2);
	ck_assert_int_ge(csa_now_ms() - begin, least);
	ck_assert_int_le(csa_now_ms() - begin, patience(7000));
}
END_TEST

/* No time for what is asked: told at once, and truly. */
START_TEST(hint_beyond_deadline)
{
	static const struct step	 step = { REPLY, 429, 0,
	    "Retry-After: 15", NULL };
	struct csa_up_call		*c;
	int64_t				 begin = csa_now_ms();

	script_set(far_end, &step, 1);
	c = start(8000);
	ck_assert_int_eq(csa_up_wait(c, &err), 0);
	ck_assert_int_lt(csa_now_ms() - begin, 7000);
	ck_assert_int_eq(csa_up_status(c), 429);
	csa_up_status_error(c, &err);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_BUSY);
	ck_assert_int_eq(err.retry_after, 15);
	csa_up_end(c);
	ck_assert_int_eq(far_end->requests, 1);
	/* And who comes now is told the rest of it, unasked. */
	ck_assert_uint_eq(fails(CSA_ERR_PROVIDER_BUSY, 5000), 0);
	ck_assert_int_ge(err.retry_after, 5);
	ck_assert_int_le(err.retry_after, 15);
	ck_assert_int_eq(far_end->requests, 1);
}
END_TEST

START_TEST(own_deadline)
{
	static const struct step	 step = { HANG, 0, 0, NULL, NULL };

	script_set(far_end, &step, 1);
	/* Enough for the request to go out, however busy the machine is. */
	ck_assert_uint_eq(fails(CSA_ERR_DEADLINE, 1500), 1);
	ck_assert_int_eq(far_end->requests, 1);
}
END_TEST

START_TEST(slow_reply)
{
	static const struct step	 step = { REPLY, 200, 400, NULL, NULL };
	struct csa_up_req		 r;
	struct csa_up_call		*c;

	far_open("first_byte_timeout_ms = 200\n", "k1");
	script_set(far_end, &step, 1);
	r = request(patience(10000));
	r.slow = true;
	c = csa_up_start(up, waiter, &r);
	ck_assert_int_eq(csa_up_wait(c, &err), 0);
	ck_assert_uint_eq(csa_up_attempts(c), 1);
	csa_up_end(c);
}
END_TEST

START_TEST(too_large)
{
	struct csa_up_req	 r = request(patience(10000));
	struct csa_up_call	*c;

	r.max_reply = 1;
	c = csa_up_start(up, waiter, &r);
	ck_assert_int_eq(csa_up_wait(c, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	csa_up_end(c);
	ck_assert_int_eq(far_end->requests, 1);
}
END_TEST

static unsigned
attempts_at(const char *url)
{
	struct csa_up_req	 r = request(patience(10000));
	struct csa_up_call	*c;
	unsigned		 n;

	r.url = url;
	c = csa_up_start(up, waiter, &r);
	ck_assert_int_eq(csa_up_wait(c, &err), -1);
	n = csa_up_attempts(c);
	csa_up_end(c);
	return n;
}

START_TEST(no_connection)
{
	/* Its threads outlive the test. */
	static struct server	*srv;
	char			 url[80];

	/* Nobody is there: three times. */
	far_open("breaker_percent = 0\n", "k1");
	script_down(far_end);
	ck_assert_uint_eq(fails(CSA_ERR_PROVIDER_UNAVAILABLE,
	    patience(10000)), 3);
	ck_assert_uint_eq(retries("connect"), 2);
	/* No such name, no trust: once. */
	ck_assert_uint_eq(attempts_at("http://nobody.invalid/"), 1);
	certs_make();
	srv = server_start(certs_tls(CERT_GOOD));
	snprintf(url, sizeof(url), "https://localhost:%d/echo", srv->port);
	ck_assert_uint_eq(attempts_at(url), 1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_uint_eq(srv->received, 0);
	certs_remove();
	/* Nothing that can be sent. */
	ck_assert_uint_eq(attempts_at("http://x\r\ny/"), 1);
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
}
END_TEST

/* Once the far end has been asked. */
static void *
leave_soon(void *fd)
{
	while (atomic_load(&far_end->requests) == 0)
		poll(NULL, 0, 5);
	poll(NULL, 0, 100);
	close(*(int *)fd);
	return NULL;
}

START_TEST(client_leaves_meanwhile)
{
	static const struct step	 step = { REPLY, 503, 0,
	    "Retry-After: 9", NULL };
	int64_t				 begin;
	int				 fd[2];
	pthread_t			 t;

	script_set(far_end, &step, 1);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	csa_waiter_watch(waiter, fd[0]);
	begin = csa_now_ms();
	pthread_create(&t, NULL, leave_soon, &fd[1]);
	ck_assert_uint_eq(fails(CSA_ERR_CANCELLED, patience(15000)), 1);
	ck_assert_int_lt(csa_now_ms() - begin, patience(7000));
	ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
	pthread_join(t, NULL);
	csa_waiter_watch(waiter, -1);
	close(fd[0]);
	ck_assert_int_eq(far_end->requests, 1);
}
END_TEST

/*
 * Each of several tries again on its own; a second later, so that the failures
 * are one for each of them however slowly they start.
 */
START_TEST(several_at_once)
{
#define LATER(n)	{ REPLY, n, 0, "Retry-After: 1", NULL }
	static const struct step	 step[] = { LATER(503), LATER(503),
	    LATER(429), LATER(429), LATER(503), OK };
#undef LATER
	struct csa_up_call		*c[5];
	unsigned			 n = 0;

	script_set(far_end, step, 6);
	for (size_t i = 0; i < CSA_NITEMS(c); i++)
		c[i] = start(patience(10000));
	for (size_t i = 0; i < CSA_NITEMS(c); i++) {
		ck_assert_int_eq(csa_up_wait(c[i], &err), 0);
		ck_assert_int_eq(csa_up_status(c[i]), 200);
		n += csa_up_attempts(c[i]);
	}
	ck_assert_uint_eq(n, 10);
	for (size_t i = 0; i < CSA_NITEMS(c); i++)
		csa_up_end(c[i]);
	/* Ended before it began to wait, or while it waits to try again. */
	csa_up_end(start(1000));
	csa_up_end(NULL);
}
END_TEST

TCase *
calls_case(void)
{
	TCase	*tc = tcase_create("calls");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, policy, 0, CSA_NITEMS(rows));
	tcase_add_loop_test(tc, waits_as_told, 0, 4);
	tcase_add_test(tc, hint_beyond_deadline);
	tcase_add_test(tc, own_deadline);
	tcase_add_test(tc, slow_reply);
	tcase_add_test(tc, too_large);
	tcase_add_test(tc, no_connection);
	tcase_add_test(tc, client_leaves_meanwhile);
	tcase_add_test(tc, several_at_once);
	return tc;
}
