/*
 * upstream_keys: several keys, and hedges.
 */

#include "config.h"

#include <string.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/upstream_fixture.h"

static const struct step	 fine = { REPLY, 200, 0, NULL, NULL };
static const struct step	 busy = { REPLY, 429, 0, NULL, NULL };
static const struct step	 busy_1s = { REPLY, 429, 0, "Retry-After: 1",
				    NULL };
static const struct step	 busy_60s = { REPLY, 429, 0, "Retry-After: 60",
				    NULL };
static const struct step	 refused = { REPLY, 401, 0, NULL, NULL };
static const struct step	 forbidden = { REPLY, 403, 0, NULL, NULL };
static const struct step	 invalid = { REPLY, 400, 0, NULL, "key" };

static void
keyed(int k1, int k2, int k3)
{
	ck_assert_int_eq(far_end->keyed[0], k1);
	ck_assert_int_eq(far_end->keyed[1], k2);
	ck_assert_int_eq(far_end->keyed[2], k3);
}

/* The next key is tried at once, and the first left alone from then on. */
START_TEST(moves_on)
{
	const struct step	*bad[] = { &busy, &busy_60s, &refused,
				    &forbidden, &invalid };

	/* For a back-off there is no time. */
	far_open("retry_base_ms = 10000\nretry_wait_ms = 0\n",
	    " k1, k2 ,,k3 ");
	script_set(far_end, &fine, 1);
	ck_assert_uint_eq(whole(200), 1);
	keyed(1, 0, 0);
	far_end->of_key[0] = bad[_i];
	ck_assert_uint_eq(whole(200), 2);
	keyed(2, 1, 0);
	for (int i = 0; i < 3; i++)
		ck_assert_uint_eq(whole(200), 1);
	keyed(2, 4, 0);
	ck_assert_uint_eq(retries("429") + retries("key"), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_key_refused, "gemini"),
	    _i >= 2);
}
END_TEST

/* For one model it rests, for another it works; and for another operation. */
START_TEST(rests_for_one_part)
{
	struct csa_up_req	 r;
	struct csa_up_call	*c;

	far_open("", "k1,k2");
	far_end->of_key[0] = &busy;
	ck_assert_uint_eq(whole(200), 2);
	far_end->of_key[0] = NULL;
	for (int i = 0; i < 2; i++) {
		r = request(patience(10000));
		if (i == 0)
			r.part = "another model";
		else
			r.operation = "another operation";
		c = csa_up_start(up, waiter, &r);
		ck_assert_int_eq(csa_up_wait(c, &err), 0);
		ck_assert_str_eq(csa_up_key(c), "k1");
		csa_up_end(c);
	}
	keyed(3, 1, 0);
}
END_TEST

/* Three attempts are three attempts, and all of them refused is no silence. */
START_TEST(all_refused)
{
	far_open("", "k1,k2,k3");
	script_set(far_end, &refused, 1);
	ck_assert_uint_eq(whole(401), 3);
	keyed(1, 1, 1);
	/* The first is asked nevertheless: it may have been put right. */
	ck_assert_uint_eq(whole(401), 1);
	keyed(2, 1, 1);
	script_set(far_end, &fine, 1);
	ck_assert_uint_eq(whole(200), 1);
	keyed(1, 0, 0);
}
END_TEST

/* All busy for a second: the call waits for the first that is not. */
START_TEST(all_busy)
{
	static const struct step	 step[] = {
		{ REPLY, 429, 0, "Retry-After: 1", NULL },
		{ REPLY, 429, 0, "Retry-After: 1", NULL },
		{ REPLY, 200, 0, NULL, NULL } };
	int64_t				 begin = csa_now_ms();

	far_open("", "k1,k2");
	script_set(far_end, step, 3);
	ck_assert_uint_eq(whole(200), 3);
	ck_assert_int_ge(csa_now_ms() - begin, 1000);
	keyed(2, 1, 0);
}
END_TEST

/* The only one is never left alone for a refusal or an unnamed time. */
START_TEST(only_one)
{
	script_set(far_end, &refused, 1);
	for (int i = 1; i <= 3; i++) {
		ck_assert_uint_eq(whole(401), 1);
		keyed(i, 0, 0);
	}
	script_set(far_end, &busy, 1);
	ck_assert_uint_eq(whole(429), 3);
	ck_assert_uint_eq(whole(429), 3);
	ck_assert_uint_eq(csa_metric_value(CSA_M_key_refused, "gemini"), 3);
	ck_assert_int_eq(csa_upstream_is_open(CSA_SRC_GEMINI), 0);
}
END_TEST

/* The pause that one process was told of is kept by another. */
static int
told(void)
{
	struct csa_up_call	*c;
	int			 status;

	far_open("retry_wait_ms = 0\n", "k1");
	c = start(patience(10000));
	ck_assert_int_eq(csa_up_wait(c, &err), 0);
	status = csa_up_status(c);
	csa_up_end(c);
	far_close();
	return status == 429 ? 7 : 1;
}

START_TEST(pause_of_all)
{
	int64_t	 begin = csa_now_ms();

	script_set(far_end, &busy_1s, 1);
	far_close();
	ck_assert_int_eq(in_child(told), 7);
	far_open("", "k1");
	script_set(far_end, &fine, 1);
	ck_assert_uint_eq(whole(200), 1);
	ck_assert_int_ge(csa_now_ms() - begin, 1000);
	keyed(1, 0, 0);
}
END_TEST

START_TEST(bad_keys)
{
	struct csa_upstream_opts o = { CSA_SRC_GEMINI, "https://x.test",
	    "X-Key: ", "a b", NULL };
	static const char	*const lists[] = { "a b", "a,b\tc", "k\n",
	    "1,2,3,4,5,6,7,8,9" };
	struct csa_config	*config;

	config = csa_config_load_stream(NULL, "test", stderr);
	for (size_t i = 0; i < CSA_NITEMS(lists); i++) {
		o.keys = lists[i];
		ck_assert_ptr_null(csa_upstream_open(config, http, &o, &err));
		ck_assert_ptr_null(strstr(err.msg, lists[i]));
	}
	o.keys = "1,2,3,4,5,6,7,8";
	csa_upstream_close(csa_upstream_open(config, http, &o, &err));
	csa_config_free(config);
	/* Without a key none is sent. */
	far_open("", "");
	ck_assert_uint_eq(whole(200), 1);
	keyed(0, 0, 0);
	ck_assert_int_eq(far_end->requests, 1);
}
END_TEST

/* ---- hedges ---- */

static unsigned
hedged(int status, int64_t *took)
{
	struct csa_up_req	 r = request(patience(10000));
	struct csa_up_call	*c;
	int64_t			 begin = csa_now_ms();
	unsigned		 n;

	r.hedge = true;
	c = csa_up_start(up, waiter, &r);
	ck_assert_int_eq(csa_up_wait(c, &err), 0);
	ck_assert_int_eq(csa_up_status(c), status);
	n = csa_up_attempts(c);
	csa_up_end(c);
	*took = csa_now_ms() - begin;
	return n;
}

/* What is late is known after twenty, so none of these has a second one however
 * busy the machine is, and the next call may: it is the twenty-first. */
static void
learn(int already)
{
	int64_t	 ms;

	for (int i = already; i < 20; i++)
		ck_assert_uint_eq(hedged(200, &ms), 1);
}

static uint64_t
hedges(const char *result)
{
	return csa_metric_value(CSA_M_upstream_hedges, result);
}

START_TEST(second_is_first)
{
	static const struct step	 slow = { REPLY, 200, 500, NULL, NULL };
	/* So slow that it is not the first on any machine. */
	static const struct step	 slowest[] = {
		{ REPLY, 200, 9000, NULL, NULL }, { REPLY, 200, 0, NULL, NULL } };
	int64_t				 ms;

	far_open("hedge = yes\n", "k1");
	/* Without a notion of what is late nothing is. */
	script_set(far_end, &slow, 1);
	ck_assert_uint_eq(hedged(200, &ms), 1);
	ck_assert_int_ge(ms, 500);
	script_set(far_end, &fine, 1);
	learn(1);
	script_set(far_end, slowest, 2);
	ck_assert_uint_eq(hedged(200, &ms), 2);
	ck_assert_int_lt(ms, 8500);
	ck_assert_uint_ge(hedges("gemini|test|won"), 1);
}
END_TEST

/*
 * The first that is late has a second one, for which twenty before it have paid;
 * the next ones, late as they are, have none.
 */
START_TEST(one_in_twenty)
{
	static const struct step	 late[] = {
		{ REPLY, 200, 9000, NULL, NULL }, { REPLY, 200, 0, NULL, NULL },
		{ REPLY, 200, 100, NULL, NULL } };
	int64_t				 ms;
	unsigned			 n = 0;

	far_open("hedge = yes\n", "k1");
	learn(0);
	script_set(far_end, late, 3);
	ck_assert_uint_eq(hedged(200, &ms), 2);
	for (int i = 0; i < 18; i++)
		n += hedged(200, &ms);
	ck_assert_uint_eq(n, 18);
}
END_TEST

/* The second fails: the first is waited for. */
START_TEST(second_fails)
{
	static const struct step	 slow[] = {
		{ REPLY, 200, 3000, NULL, NULL },
		{ REPLY, 500, 0, NULL, NULL } };
	static const struct step	 usual = { REPLY, 200, 400, NULL, NULL };
	int64_t				 ms;

	far_open("hedge = yes\nretry_attempts = 2\n", "k1");
	/* What is late is so late that the first one is there first. */
	script_set(far_end, &usual, 1);
	for (int i = 0; i < 2; i++)
		ck_assert_uint_eq(hedged(200, &ms), 1);
	script_set(far_end, &fine, 1);
	learn(2);
	script_set(far_end, slow, 2);
	ck_assert_uint_eq(hedged(200, &ms), 2);
	ck_assert_int_ge(ms, 3000);
	ck_assert_uint_ge(hedges("gemini|test|failed"), 1);
}
END_TEST

/* Switched off, or not allowed for this call. */
START_TEST(no_hedge)
{
	static const struct step	 late = { REPLY, 200, 200, NULL, NULL };
	int64_t				 ms;

	for (int i = 0; i < 60; i++)
		(void)hedged(200, &ms);
	script_set(far_end, &late, 1);
	ck_assert_uint_eq(hedged(200, &ms), 1);
	far_open("hedge = yes\n", "k1");
	ck_assert_uint_eq(whole(200), 1);
}
END_TEST

TCase *
keys_case(void)
{
	TCase	*tc = tcase_create("keys");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, moves_on, 0, 5);
	tcase_add_test(tc, rests_for_one_part);
	tcase_add_test(tc, all_refused);
	tcase_add_test(tc, all_busy);
	tcase_add_test(tc, only_one);
	tcase_add_test(tc, pause_of_all);
	tcase_add_test(tc, bad_keys);
	tcase_add_test(tc, second_is_first);
	tcase_add_test(tc, one_in_twenty);
	tcase_add_test(tc, second_fails);
	tcase_add_test(tc, no_hedge);
	return tc;
}
