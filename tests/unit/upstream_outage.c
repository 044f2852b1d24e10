/*
 * upstream_outage: budgets and breakers, over several processes.
 */

#include "config.h"

#include <sys/mman.h>

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/upstream_fixture.h"

#define CALLS		500
#define FLOOR		10	/* retries in 10 s that are always allowed */
#define OPEN_MS		1500	/* longer than a busy machine takes to look */

static const struct step	 broken = { REPLY, 503, 0, NULL, NULL };
static const struct step	 fine = { REPLY, 200, 0, NULL, NULL };
static const struct step	 silent = { HANG, 0, 0, NULL, NULL };

/* Shared by the processes of a test. */
static atomic_int	*attempts;

static unsigned
call(int64_t ms, int *rc)
{
	struct csa_up_call	*c = start(ms);
	unsigned		 n;

	*rc = csa_up_wait(c, &err);
	n = csa_up_attempts(c);
	csa_up_end(c);
	return n;
}

/* The most retries of CALLS calls, begun then.  Each 10 s allow some more. */
static unsigned
most(int64_t begin)
{
	return CALLS / 10 + FLOOR * (unsigned)((csa_now_ms() - begin) / 10000);
}

/* Without breakers, so that the budget alone is seen. */
START_TEST(amplification)
{
	static const char	 without[] = "breaker_percent = 0\n";
	int64_t			 begin = csa_now_ms();
	unsigned		 n = 0;
	int			 rc;

	if (_i == 0) {
		far_open(without, "k1");
		script_down(far_end);
	} else {
		far_open(without, "k1");
		script_set(far_end, &broken, 1);
	}
	for (int i = 0; i < CALLS; i++)
		n += call(patience(10000), &rc);
	fprintf(stderr, "%d calls to a far end that %s: %u attempts\n", CALLS,
	    _i == 0 ? "is away" : "says 503", n);
	ck_assert_uint_le(n - CALLS, most(begin));
	ck_assert_uint_ge(n - CALLS, FLOOR);
	ck_assert_uint_ge(csa_metric_value(CSA_M_retry_budget_exhausted,
	    "gemini"), CALLS / 2);
	if (_i == 1)
		ck_assert_int_eq(far_end->requests, (int)n);
}
END_TEST

static int
some_calls(void)
{
	int	 rc;

	far_open("breaker_percent = 0\n", "k1");
	for (int i = 0; i < CALLS / 2; i++)
		atomic_fetch_add(attempts, (int)call(patience(10000), &rc));
	far_close();
	return 0;
}

/* Two processes at the same time have one budget. */
START_TEST(budget_of_all)
{
	int64_t	 begin = csa_now_ms();
	pid_t	 pid[2];

	attempts = mmap(NULL, sizeof(*attempts), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert(attempts != MAP_FAILED);
	far_close();
	script_set(far_end, &broken, 1);
	for (int i = 0; i < 2; i++)
		if ((pid[i] = fork()) == 0)
			_exit(some_calls());
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(wait_for(pid[i]), 0);
	ck_assert_int_le(*attempts, CALLS + (int)most(begin));
	ck_assert_int_ge(*attempts, CALLS + FLOOR);
	munmap(attempts, sizeof(*attempts));
}
END_TEST

static void
expect_open(void)
{
	int64_t	 begin = csa_now_ms();
	int	 before = far_end->requests;

	/* Waiting for anything would be as long as that. */
	ck_assert_uint_eq(fails(CSA_ERR_PROVIDER_UNAVAILABLE, 5000), 0);
	ck_assert_int_lt(csa_now_ms() - begin, 4000);
	ck_assert_ptr_nonnull(strstr(err.detail, "circuit open"));
	ck_assert_int_ge(err.retry_after, 1);
	ck_assert_int_eq(far_end->requests, before);
	ck_assert(csa_upstream_is_open(CSA_SRC_GEMINI));
	ck_assert(!csa_upstream_is_open(CSA_SRC_OPENAI));
	ck_assert_int_eq((int)csa_metric_value(CSA_M_breaker_open,
	    "gemini|test"), 1);
}

static void
open_it(void)
{
	int	 rc;

	script_set(far_end, &broken, 1);
	for (int i = 0; i < 20 && !csa_upstream_is_open(CSA_SRC_GEMINI); i++)
		(void)call(patience(10000), &rc);
	ck_assert_int_ge(far_end->requests, 20);
	ck_assert_int_le(far_end->requests, 22);
}

static void
open_briefly(void)
{
	char	 text[64];

	snprintf(text, sizeof(text), "breaker_open_ms = %d\n",
	    (int)patience(OPEN_MS));
	far_open(text, "k1");
}

static void
outlive_it(void)
{
	poll(NULL, 0, (int)patience(OPEN_MS) + 20);
}

START_TEST(opens_and_closes)
{
	int64_t	 begin;
	int	 rc;

	open_briefly();
	open_it();
	expect_open();
	/* One is let through, finds it no better, and it stays open. */
	outlive_it();
	script_set(far_end, &broken, 1);
	ck_assert_uint_eq(whole(503), 1);
	ck_assert_int_eq(far_end->requests, 1);
	expect_open();
	/* Well again: noticed within the time. */
	script_set(far_end, &fine, 1);
	begin = csa_now_ms();
	while (call(patience(5000), &rc) == 0)
		poll(NULL, 0, 10);
	ck_assert_int_eq(rc, 0);
	ck_assert_int_le(csa_now_ms() - begin, patience(OPEN_MS + 5000));
	ck_assert(!csa_upstream_is_open(CSA_SRC_GEMINI));
	ck_assert_int_eq((int)csa_metric_value(CSA_M_breaker_open,
	    "gemini|test"), 0);
	for (int i = 0; i < 10; i++)
		ck_assert_uint_eq(whole(200), 1);
	/* What happened before does not count any more. */
	script_set(far_end, &broken, 1);
	for (int i = 0; i < 3; i++)
		(void)call(patience(5000), &rc);
	ck_assert(!csa_upstream_is_open(CSA_SRC_GEMINI));
}
END_TEST

/* A part and an operation of their own stay closed. */
START_TEST(opens_alone)
{
	struct csa_up_req	 r;
	struct csa_up_call	*c;

	far_open("breaker_open_ms = 5000\n", "k1");
	open_it();
	expect_open();
	script_set(far_end, &fine, 1);
	for (int i = 0; i < 2; i++) {
		r = request(patience(5000));
		if (i == 0)
			r.part = "another model";
		else
			r.operation = "embed";
		c = csa_up_start(up, waiter, &r);
		ck_assert_int_eq(csa_up_wait(c, &err), 0);
		csa_up_end(c);
	}
	expect_open();
}
END_TEST

/* Where nobody listens five in a row will do. */
START_TEST(opens_on_no_connection)
{
	unsigned	 n = 0;
	int		 rc;

	script_down(far_end);
	for (int i = 0; i < 10 && !csa_upstream_is_open(CSA_SRC_GEMINI); i++)
		n += call(patience(5000), &rc);
	ck_assert_uint_eq(n, 5);
	expect_open();
}
END_TEST

/* None of this says that the far end is down. */
START_TEST(stays_closed)
{
	static const struct step	 steps[] = {
		{ REPLY, 429, 0, NULL, NULL }, { REPLY, 400, 0, NULL, NULL },
		{ REPLY, 401, 0, NULL, NULL }, { REPLY, 404, 0, NULL, NULL },
		{ HANG, 0, 0, NULL, NULL } };
	int				 rc;

	script_set(far_end, &steps[_i], 1);
	for (int i = 0; i < 30; i++)
		(void)call(steps[_i].what == HANG ? 30 : patience(5000), &rc);
	ck_assert(!csa_upstream_is_open(CSA_SRC_GEMINI));
}
END_TEST

/* But that nothing came in a second does.  A third of them may begin late. */
START_TEST(opens_on_silence)
{
	struct csa_up_call	*c[30];

	script_set(far_end, &silent, 1);
	for (size_t i = 0; i < CSA_NITEMS(c); i++)
		c[i] = start(2500);
	for (size_t i = 0; i < CSA_NITEMS(c); i++) {
		ck_assert_int_eq(csa_up_wait(c[i], &err), -1);
		ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
		csa_up_end(c[i]);
	}
	ck_assert(csa_upstream_is_open(CSA_SRC_GEMINI));
}
END_TEST

/* ---- several processes ---- */

static int
open_in_child(void)
{
	int	 rc;

	open_briefly();
	for (int i = 0; i < 10; i++)
		(void)call(patience(10000), &rc);
	far_close();
	return 0;
}

/* Let through, and killed while it waits. */
static void
die_as_probe(void)
{
	pid_t	 pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		open_briefly();
		_exit(csa_up_wait(start(30000), &err) == 0 ? 2 : 1);
	}
	for (int i = 0; i < 2000 && far_end->requests == 0; i++)
		poll(NULL, 0, 5);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(wait_for(pid), -SIGKILL);
	ck_assert_int_eq(far_end->requests, 1);
}

START_TEST(breaker_of_all)
{
	int64_t	 begin;

	script_set(far_end, &broken, 1);
	far_close();
	/* Ten calls of each: neither sees twenty. */
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(in_child(open_in_child), 0);
	open_briefly();
	ck_assert_uint_eq(fails(CSA_ERR_PROVIDER_UNAVAILABLE, 5000), 0);
	ck_assert(csa_upstream_is_open(CSA_SRC_GEMINI));
	outlive_it();
	/* Who dies while it is let through blocks nobody for ever. */
	script_set(far_end, &silent, 1);
	far_close();
	die_as_probe();
	open_briefly();
	script_set(far_end, &fine, 1);
	ck_assert_uint_eq(fails(CSA_ERR_PROVIDER_UNAVAILABLE, 5000), 0);
	begin = csa_now_ms();
	outlive_it();
	ck_assert_uint_eq(whole(200), 1);
	ck_assert_int_le(csa_now_ms() - begin, patience(OPEN_MS + 5000));
	ck_assert(!csa_upstream_is_open(CSA_SRC_GEMINI));
}
END_TEST

/* Flapping: half of all fail, and the budget keeps what is sent in bounds. */
START_TEST(flapping)
{
	static struct step	 steps[2000];
	int64_t			 begin = csa_now_ms();
	unsigned		 n = 0;
	int			 rc;

	for (size_t i = 0; i < CSA_NITEMS(steps); i++)
		steps[i] = i % 2 == 0 ? fine : broken;
	far_open("breaker_percent = 60\n", "k1");
	script_set(far_end, steps, CSA_NITEMS(steps));
	for (int i = 0; i < CALLS; i++)
		n += call(patience(10000), &rc);
	ck_assert_uint_le(n, CALLS + most(begin));
	ck_assert(!csa_upstream_is_open(CSA_SRC_GEMINI));
}
END_TEST

TCase *
outage_case(void)
{
	TCase	*tc = tcase_create("outage");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, amplification, 0, 2);
	tcase_add_test(tc, budget_of_all);
	tcase_add_test(tc, opens_and_closes);
	tcase_add_test(tc, opens_alone);
	tcase_add_test(tc, opens_on_no_connection);
	tcase_add_loop_test(tc, stays_closed, 0, 5);
	tcase_add_test(tc, opens_on_silence);
	tcase_add_test(tc, breaker_of_all);
	tcase_add_test(tc, flapping);
	return tc;
}
