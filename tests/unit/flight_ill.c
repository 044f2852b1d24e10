/*
 * Flights where memcached is away, or slow, or not wanted.
 */

#include "config.h"

#include <string.h>

#include "lib/base/clock.h"
#include "tests/unit/test_flight.h"

START_TEST(without)
{
	struct follower	 f = { .host = 0 };

	flight_teardown();
	mc_start();
	open_hosts(false);
	take_the_lead();
	start_follower(&f, REMOTE, patience(30000));
	ck_assert(f.leads);
	close_follower(&f);
	start_follower(&f, LOCAL, patience(30000));
	ck_assert(!f.leads);
	csa_flight_land(flight, "v", 1);
	csa_flight_leave(flight);
	end_follower(&f);
	has(&f, "v");
	close_follower(&f);
}
END_TEST

#define OPERATION_MS	900	/* longer than a busy machine takes for one */

static void
reopen_with_limits(void)
{
	flight_teardown();
	mc_start();
	mc_config.memcached_timeout_ms = (long)patience(OPERATION_MS);
	mc_config.cache_budget_ms = (long)patience(2 * OPERATION_MS);
	open_hosts(true);
}

/* It hangs from the start: who boards leads, and pays one operation. */
START_TEST(hung)
{
	struct follower	 f = { .host = 0 };
	int64_t		 begin;

	reopen_with_limits();
	mc_hang(true);
	begin = csa_now_ms();
	take_the_lead();
	ck_assert_int_lt(csa_now_ms() - begin, patience(2 * OPERATION_MS));
	start_follower(&f, LOCAL, patience(30000));
	ck_assert(!f.leads);
	begin = csa_now_ms();
	csa_flight_tell(flight, "v", 1);
	csa_flight_land(flight, "vv", 2);
	csa_flight_leave(flight);
	/* One more: then its budget is spent. */
	ck_assert_int_lt(csa_now_ms() - begin, patience(2 * OPERATION_MS));
	end_follower(&f);
	has(&f, "vv");
	close_follower(&f);
	mc_hang(false);
}
END_TEST

/* It hangs while one leads: the others lead, and he lands in his process. */
START_TEST(hung_later)
{
	struct follower	 f[2] = { { .host = 0 } };

	reopen_with_limits();
	take_the_lead();
	for (int i = 0; i < 2; i++) {
		start_follower(&f[i], i, patience(30000));
		ck_assert(!f[i].leads);
	}
	pause_ms(&leader, 100);
	mc_hang(true);
	ck_assert_int_eq(end_follower(&f[REMOTE]), 0);
	/* For a value it would have waited in vain. */
	ck_assert_int_lt(f[REMOTE].took, patience(15000));
	csa_flight_land(flight, "v", 1);
	csa_flight_leave(flight);
	end_follower(&f[LOCAL]);
	has(&f[LOCAL], "v");
	for (int i = 0; i < 2; i++)
		close_follower(&f[i]);
	mc_hang(false);
}
END_TEST

/* No time left for caches: lead. */
START_TEST(over_budget)
{
	struct follower	 f = { .host = 0 };

	take_the_lead();
	f.who.spent = 0;
	who_open(&f.who, &hosts[REMOTE], patience(30000));
	f.who.spent = (int64_t)mc_config.cache_budget_ms * 1000000;
	f.flight = flight_board(&f.who, REMOTE);
	ck_assert(csa_flight_leads(f.flight));
	close_follower(&f);
	csa_flight_leave(flight);
}
END_TEST

START_TEST(switched_off)
{
	struct follower	 f = { .host = 0 };

	flight_teardown();
	mc_start();
	mc_config.single_flight = false;
	open_hosts(true);
	take_the_lead();
	start_follower(&f, LOCAL, patience(30000));
	ck_assert(f.leads);
	csa_flight_tell(flight, "x", 1);
	csa_flight_land(flight, "x", 1);
	csa_flight_leave(flight);
	close_follower(&f);
}
END_TEST

TCase *
ill_case(void)
{
	TCase	*t = tcase_create("ill");

	tcase_add_checked_fixture(t, flight_setup, flight_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, without);
	tcase_add_test(t, hung);
	tcase_add_test(t, hung_later);
	tcase_add_test(t, over_budget);
	tcase_add_test(t, switched_off);
	return t;
}
