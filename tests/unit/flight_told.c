/*
 * What a leader tells before it has all.
 */

#include "config.h"

#include <string.h>

#include "lib/base/clock.h"
#include "tests/unit/test_flight.h"

/* What is told comes in order, soon, and is all the same so far. */
START_TEST(told_in_order)
{
	struct follower	 f = { .listens = true };
	char		 text[1000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	take_the_lead();
	csa_flight_tell(flight, text, 10);
	start_follower(&f, _i, patience(30000));
	for (size_t n = 20; n <= sizeof(text); n += 20) {
		csa_flight_tell(flight, text, n);
		pause_ms(&leader, 20);
	}
	csa_flight_land(flight, text, sizeof(text));
	csa_flight_leave(flight);
	ck_assert_int_eq(end_follower(&f), 1);
	ck_assert_uint_eq(f.odd, 0);
	ck_assert_mem_eq(f.heard, text, f.nheard);
	/* In a second: by its process each time, by others every 150 ms. */
	ck_assert_uint_ge(f.times, _i == LOCAL ? 10 : 2);
	ck_assert_uint_ge(f.nheard, 100);
	ck_assert_uint_eq(f.value.len, sizeof(text));
	close_follower(&f);
}
END_TEST

START_TEST(ear_hangs_up)
{
	struct follower	 f = { .listens = true, .ends_at = 2 };

	take_the_lead();
	start_follower(&f, _i, patience(30000));
	csa_flight_tell(flight, "ab", 2);
	ck_assert_int_eq(end_follower(&f), -1);
	ck_assert_int_eq(f.err.code, CSA_ERR_CANCELLED);
	close_follower(&f);
	csa_flight_leave(flight);
}
END_TEST

/*
 * Another one leads in the lost one's place: who has heard the first is not told
 * what the second says, but has the value.
 */
START_TEST(told_by_two)
{
	struct follower		 f = { .listens = true };
	struct csa_cached	 value;
	struct csa_err		 err;
	struct who		 w;

	take_the_lead();
	start_follower(&f, REMOTE, patience(30000));
	csa_flight_tell(flight, "the first", 9);
	for (int i = 0; i < 500 && f.nheard < 9; i++)
		pause_ms(&leader, 20);
	/* It looks every 50 ms by then, so it will hardly be first. */
	pause_ms(&leader, 400);
	csa_flight_leave(flight);
	who_open(&w, &hosts[0], 1500);
	flight = flight_board(&w, 0);
	/* Unless the other one was first after all; on a busy machine even done. */
	if (csa_flight_leads(flight) ||
	    csa_flight_follow(flight, NULL, &value, &err) == 0) {
		csa_flight_tell(flight, "another one", 11);
		pause_ms(&leader, 400);
		csa_flight_land(flight, "another one, whole", 18);
	}
	if (end_follower(&f) == 1)
		has(&f, "another one, whole");
	else
		ck_assert_int_eq(f.rc, 0);
	csa_flight_leave(flight);
	who_close(&w);
	ck_assert_uint_eq(f.odd, 0);
	ck_assert_uint_eq(f.nheard, 9);
	close_follower(&f);
}
END_TEST

TCase *
told_case(void)
{
	TCase	*t = tcase_create("told");

	tcase_add_checked_fixture(t, flight_setup, flight_teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, told_in_order, 0, 2);
	tcase_add_loop_test(t, ear_hangs_up, 0, 2);
	tcase_add_test(t, told_by_two);
	return t;
}
