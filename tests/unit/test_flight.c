/*
 * Flights in one process, over one or two hosts' caches: flight.h.
 */

#include "config.h"

#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "tests/suite.h"
#include "tests/unit/test_flight.h"

/* ms.  A lease that nobody renews may end after two seconds. */
#define SOON	1900

/* i: LOCAL and REMOTE; a value may be empty. */
START_TEST(follower_has_the_value)
{
	static const char *const	 values[] = { "a value", "" };
	struct follower			 f = { .host = 0 };

	for (size_t i = 0; i < CSA_NITEMS(values); i++) {
		take_the_lead();
		start_follower(&f, _i, patience(30000));
		ck_assert(!f.leads);
		pause_ms(&leader, 100);
		ck_assert_uint_eq(csa_flight_followers(flight),
		    _i == LOCAL ? 1 : 0);
		csa_flight_land(flight, values[i], strlen(values[i]));
		csa_flight_leave(flight);
		end_follower(&f);
		has(&f, values[i]);
		close_follower(&f);
	}
}
END_TEST

/* It never is a cache: who comes after the landing begins a new one. */
START_TEST(after_landing)
{
	struct csa_flight	*again;
	struct who		 w;

	take_the_lead();
	csa_flight_land(flight, "old", 3);
	/* The first has not even left. */
	who_open(&w, &hosts[_i], patience(30000));
	again = flight_board(&w, _i);
	ck_assert(csa_flight_leads(again));
	csa_flight_leave(flight);
	csa_flight_leave(again);
	who_close(&w);
}
END_TEST

/* A new flight takes nothing from those who still wait for the old one. */
START_TEST(late_look)
{
	struct follower	 f = { .host = 0 };

	take_the_lead();
	start_follower(&f, REMOTE, patience(30000));
	pause_ms(&leader, 300);		/* it looks every 50 ms by now */
	csa_flight_land(flight, "old", 3);
	csa_flight_leave(flight);
	take_the_lead();
	ck_assert_int_eq(end_follower(&f), 1);
	has(&f, "old");
	close_follower(&f);
	csa_flight_leave(flight);
}
END_TEST

START_TEST(giving_up)
{
	struct follower	 f = { .host = 0 };

	take_the_lead();
	start_follower(&f, _i, patience(30000));
	pause_ms(&leader, 100);
	csa_flight_leave(flight);
	ck_assert_int_eq(end_follower(&f), 0);
	ck_assert(csa_flight_leads(f.flight));
	/* Not when the lease would have ended. */
	ck_assert_int_lt(f.took, patience(SOON));
	csa_flight_land(f.flight, "mine", 4);
	close_follower(&f);
}
END_TEST

/* Who comes after one that gave up, although nobody waited for it, leads. */
START_TEST(after_giving_up)
{
	struct follower	 f = { .host = 0 };

	take_the_lead();
	csa_flight_leave(flight);
	start_follower(&f, _i, patience(30000));
	ck_assert_int_eq(end_follower(&f), 0);
	ck_assert_int_lt(f.took, patience(SOON));
	csa_flight_land(f.flight, "v", 1);
	close_follower(&f);
}
END_TEST

/*
 * The heir has done all of its work while a follower did not look: what it has
 * landed is found.
 */
START_TEST(swift_heir)
{
	struct follower		 f = { .host = 0 };
	struct csa_cached	 value;
	struct csa_err		 err;
	struct who		 w;
	int			 rc = 0;

	take_the_lead();
	start_follower(&f, REMOTE, patience(30000));
	pause_ms(&leader, 400);
	/*
	 * It looks every 50 ms by now, so it will hardly be quicker.  If it is,
	 * this ends before its lease.
	 */
	who_open(&w, &hosts[0], 1500);
	for (int i = 0; i < 2 && rc == 0; i++) {
		csa_flight_leave(flight);
		flight = flight_board(&w, 0);
		rc = csa_flight_follow(flight, NULL, &value, &err);
	}
	if (rc == 0) {
		csa_flight_land(flight, "swift", 5);
		ck_assert_int_eq(end_follower(&f), 1);
		has(&f, "swift");
	} else
		ck_assert_int_eq(end_follower(&f), 0);
	csa_flight_leave(flight);
	who_close(&w);
	close_follower(&f);
}
END_TEST

/* The flight has landed, and more, before a follower looks for the first time. */
START_TEST(late_first_look)
{
	struct csa_flight	*f;
	struct csa_cached	 value;
	struct csa_err		 err;
	struct who		 w;

	who_open(&w, &hosts[REMOTE], patience(30000));
	take_the_lead();
	f = flight_board(&w, REMOTE);
	ck_assert(!csa_flight_leads(f));
	/* i: it gives up first, and an heir lands. */
	if (_i == 1) {
		csa_flight_leave(flight);
		flight = flight_board(&leader, LOCAL);
		ck_assert_int_eq(csa_flight_follow(flight, NULL, &value,
		    &err), 0);
	}
	csa_flight_land(flight, "first", 5);
	csa_flight_leave(flight);
	take_the_lead();
	ck_assert_int_eq(csa_flight_follow(f, NULL, &value, &err), 1);
	ck_assert_uint_eq(value.len, 5);
	ck_assert_mem_eq(value.data, "first", 5);
	csa_flight_leave(flight);
	csa_flight_leave(f);
	who_close(&w);
}
END_TEST

/* The one of so many that has taken over by now; else NULL. */
static struct follower *
took_over(struct follower *f, size_t n)
{
	struct follower	*who = NULL;

	for (size_t i = 0; i < n; i++)
		if (f[i].flight != NULL &&
		    pthread_tryjoin_np(f[i].thread, NULL) == 0) {
			ck_assert_ptr_null(who);
			who = &f[i];
		}
	return who;
}

/* Where all fail, nobody stands in line for more than three of them. */
START_TEST(patience_ends)
{
	struct follower	 f[8] = { { .host = 0 } }, *who;
	unsigned	 left = 8;

	take_the_lead();
	for (size_t i = 0; i < CSA_NITEMS(f); i++)
		start_follower(&f[i], LOCAL, patience(30000));
	pause_ms(&leader, 100);
	csa_flight_leave(flight);
	/* One takes over each time, and we play its part: it fails. */
	for (int round = 0; round < 2; round++) {
		who = NULL;
		for (int i = 0; i < 30 && who == NULL; i++) {
			pause_ms(&leader, 300);
			who = took_over(f, CSA_NITEMS(f));
		}
		ck_assert_ptr_nonnull(who);
		ck_assert_int_eq(who->rc, 0);
		close_follower(who);
		who->flight = NULL;
		left--;
	}
	for (size_t i = 0; i < CSA_NITEMS(f); i++) {
		if (f[i].flight == NULL)
			continue;
		ck_assert_int_eq(end_follower(&f[i]), 0);
		ck_assert(csa_flight_leads(f[i].flight));
		left--;
	}
	ck_assert_uint_eq(left, 0);
	for (size_t i = 0; i < CSA_NITEMS(f); i++)
		if (f[i].flight != NULL)
			close_follower(&f[i]);
}
END_TEST

START_TEST(followers_deadline)
{
	struct follower	 f = { .host = 0 };
	int64_t		 begin = csa_now_ms();

	take_the_lead();
	start_follower(&f, _i, 900);
	ck_assert_int_eq(end_follower(&f), -1);
	ck_assert_int_eq(f.err.code, CSA_ERR_DEADLINE);
	ck_assert_int_ge(csa_now_ms() - begin, 890);
	ck_assert_int_lt(f.took, patience(5000));
	close_follower(&f);
	csa_flight_land(flight, "late", 4);
	csa_flight_leave(flight);
}
END_TEST

START_TEST(followers_client_leaves)
{
	struct follower	 f = { .host = 0 };
	int		 fd[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), 0);
	take_the_lead();
	start_follower(&f, _i, patience(30000));
	csa_waiter_watch(f.who.ctx.waiter, fd[0]);
	pause_ms(&leader, 50);
	close(fd[1]);
	ck_assert_int_eq(end_follower(&f), -1);
	ck_assert_int_eq(f.err.code, CSA_ERR_CANCELLED);
	ck_assert_int_lt(f.took, patience(10000));
	csa_waiter_watch(f.who.ctx.waiter, -1);
	close(fd[0]);
	close_follower(&f);
	csa_flight_leave(flight);
}
END_TEST

START_TEST(followers_end)
{
	struct follower	 f = { .host = 0 };

	take_the_lead();
	start_follower(&f, REMOTE, patience(30000));
	pause_ms(&leader, 50);
	csa_http_drain(hosts[REMOTE].http, csa_now_ms());
	ck_assert_int_eq(end_follower(&f), -1);
	ck_assert_int_eq(f.err.code, CSA_ERR_OVERLOADED);
	close_follower(&f);
	csa_flight_leave(flight);
}
END_TEST

/* More than an item takes: in the process it lands, others need not wait. */
START_TEST(too_large)
{
	struct follower	 f[2] = { { .host = LOCAL }, { .host = REMOTE } };
	size_t		 n = 2 * 1024 * 1024;
	char		*value = csa_malloc(n);

	memset(value, 'x', n);
	take_the_lead();
	start_follower(&f[LOCAL], LOCAL, patience(30000));
	start_follower(&f[REMOTE], REMOTE, patience(30000));
	csa_flight_tell(flight, value, n - 1);
	pause_ms(&leader, 100);
	csa_flight_land(flight, value, n);
	csa_flight_leave(flight);
	ck_assert_int_eq(end_follower(&f[LOCAL]), 1);
	ck_assert_uint_eq(f[LOCAL].value.len, n);
	ck_assert_mem_eq(f[LOCAL].value.data, value, n);
	ck_assert_int_eq(end_follower(&f[REMOTE]), 0);
	ck_assert_int_lt(f[REMOTE].took, patience(SOON));
	for (int i = 0; i < 2; i++)
		close_follower(&f[i]);
	free(value);
}
END_TEST

START_TEST(nothing_is_left)
{
	struct csa_cache_key	 key = flight_key("one"), lease;

	csa_key_derive(&key, CSA_CACHE_FLIGHT, &lease);
	take_the_lead();
	ck_assert(mc_has(lease.name));
	csa_flight_land(flight, "v", 1);
	ck_assert(!mc_has(lease.name));
	csa_flight_leave(flight);
	/* What was reserved of the budget has been given back. */
	ck_assert_int_ge(leader.spent, 0);
	ck_assert_int_lt(leader.spent,
	    mc_config.memcached_timeout_ms * INT64_C(1000000));
}
END_TEST

/* Everything is flushed while one leads: at most one more does. */
START_TEST(flushed)
{
	struct follower	 f[3] = { { .host = 0 } };

	take_the_lead();
	start_follower(&f[0], REMOTE, patience(30000));
	pause_ms(&leader, 100);
	mc_say("flush_all\r\n");
	ck_assert_int_eq(end_follower(&f[0]), 0);
	/* The first renews, sees another's name, and lets it be. */
	pause_ms(&leader, 2000);
	start_follower(&f[1], REMOTE, patience(30000));
	start_follower(&f[2], LOCAL, patience(30000));
	pause_ms(&leader, 200);
	csa_flight_land(flight, "first", 5);
	csa_flight_land(f[0].flight, "second", 6);
	csa_flight_leave(flight);
	for (int i = 1; i < 3; i++)
		ck_assert_int_eq(end_follower(&f[i]), 1);
	has(&f[1], "second");
	has(&f[2], "first");
	for (int i = 0; i < 3; i++)
		close_follower(&f[i]);
}
END_TEST

/* What nobody can read stands where the lease should: it stops nobody. */
START_TEST(garbage)
{
	struct csa_cache_key	 key = flight_key("one"), lease;
	struct follower		 f = { .host = 0 };

	csa_key_derive(&key, CSA_CACHE_FLIGHT, &lease);
	mc_put(lease.name, "garbage", 7);
	start_follower(&f, REMOTE, patience(30000));
	ck_assert(!f.leads);
	ck_assert_int_eq(end_follower(&f), 0);
	ck_assert_int_lt(f.took, patience(10000));
	close_follower(&f);
	ck_assert(!mc_has(lease.name));
}
END_TEST

/* A flight of two in one thread: both are renewed. */
START_TEST(one_in_another)
{
	struct csa_cache_key	 key = flight_key("inner"), lease[2];
	struct csa_flight	*inner;

	csa_key_derive(&key, CSA_CACHE_FLIGHT, &lease[0]);
	take_the_lead();
	inner = csa_flight_board(hosts[0].cache, &leader.ctx, &key);
	ck_assert(csa_flight_leads(inner));
	key = flight_key("one");
	csa_key_derive(&key, CSA_CACHE_FLIGHT, &lease[1]);
	pause_ms(&leader, 1000 * CSA_LEASE_S + 1500);
	ck_assert(mc_has(lease[0].name) && mc_has(lease[1].name));
	csa_flight_leave(inner);
	csa_flight_leave(flight);
}
END_TEST

START_TEST(roles_are_counted)
{
	struct follower	 f = { .host = 0 };
	uint64_t	 lead = csa_metric_value(CSA_M_flights, "lead");
	uint64_t	 followed = csa_metric_value(CSA_M_flights, "follow");
	uint64_t	 over = csa_metric_value(CSA_M_flights, "takeover");

	take_the_lead();
	start_follower(&f, REMOTE, patience(30000));
	csa_flight_leave(flight);
	ck_assert_int_eq(end_follower(&f), 0);
	close_follower(&f);
	ck_assert_uint_eq(csa_metric_value(CSA_M_flights, "lead"), lead + 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_flights, "follow"),
	    followed + 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_flights, "takeover"),
	    over + 1);
}
END_TEST

static TCase *
flights_case(void)
{
	TCase	*t = tcase_create("flights");

	tcase_add_checked_fixture(t, flight_setup, flight_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, follower_has_the_value, 0, 2);
	tcase_add_loop_test(t, after_landing, 0, 2);
	tcase_add_test(t, late_look);
	tcase_add_loop_test(t, giving_up, 0, 2);
	tcase_add_loop_test(t, after_giving_up, 0, 2);
	tcase_add_test(t, swift_heir);
	tcase_add_loop_test(t, late_first_look, 0, 2);
	tcase_add_test(t, patience_ends);
	tcase_add_loop_test(t, followers_deadline, 0, 2);
	tcase_add_loop_test(t, followers_client_leaves, 0, 2);
	tcase_add_test(t, followers_end);
	tcase_add_test(t, too_large);
	tcase_add_test(t, nothing_is_left);
	tcase_add_test(t, flushed);
	tcase_add_test(t, garbage);
	tcase_add_test(t, one_in_another);
	tcase_add_test(t, roles_are_counted);
	return t;
}

int
main(void)
{
	Suite		*s = suite_create("flight");
	struct csa_err	 err;
	int		 failed;

	if (csa_metrics_open(NULL, &err) == -1)
		return 1;
	suite_add_tcase(s, flights_case());
	suite_add_tcase(s, told_case());
	suite_add_tcase(s, ill_case());
	suite_add_tcase(s, peers_case());
	suite_add_tcase(s, crews_case());
	failed = run_suite(s);
	csa_metrics_close();
	return failed;
}
