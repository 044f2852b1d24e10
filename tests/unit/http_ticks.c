/*
 * What a thread does while it waits, and how another one ends its waiting.
 */

#include "config.h"

#include <poll.h>
#include <pthread.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "tests/unit/http_fixture.h"

static int
count_tick(void *count)
{
	++*(int *)count;
	return 0;
}

/* Several things to do while waiting keep each their own time. */
START_TEST(several_ticks)
{
	int		 fast = 0, slow = 0, beats = 0;
	int64_t		 now = csa_now_ms();
	struct csa_tick	 a = { .at = now + 20, .every_ms = 20,
	    .call = count_tick, .arg = &fast };
	struct csa_tick	 b = { .at = now + 100, .every_ms = 100,
	    .call = count_tick, .arg = &slow };

	csa_waiter_tick(waiter, &a);
	csa_waiter_beat(waiter, now + 50, 50, count_tick, &beats);
	csa_waiter_tick(waiter, &b);
	ck_assert_int_eq(csa_waiter_pause(waiter, now + 1520, &err), 0);
	csa_waiter_untick(waiter, &a);
	csa_waiter_beat(waiter, 0, 0, NULL, NULL);
	/* Never too often, and not much more seldom. */
	ck_assert_int_le(fast, 76);
	ck_assert_int_le(beats, 30);
	ck_assert_int_le(slow, 15);
	ck_assert_int_ge(slow, 1);
	ck_assert_int_ge(beats, slow);
	ck_assert_int_ge(fast, beats);
	fast = beats = 0;
	ck_assert_int_eq(csa_waiter_pause(waiter, csa_now_ms() + 250, &err),
	    0);
	ck_assert_int_eq(fast + beats, 0);
	csa_waiter_untick(waiter, &b);
}
END_TEST

static void *
wake_soon(void *w)
{
	poll(NULL, 0, 100);
	csa_waiter_wake(w);
	return NULL;
}

static void *
drive_for_all(void *w)
{
	struct csa_err	 e;

	CSA_MUST(csa_waiter_nap(w, csa_now_ms() + patience(10000), &e) == 0);
	return NULL;
}

/* i: it drives; or somebody else does. */
START_TEST(waking)
{
	struct csa_waiter	*other = csa_waiter_new(http);
	pthread_t		 driver, waker;
	int64_t			 begin;

	if (_i == 1) {
		ck_assert_int_eq(pthread_create(&driver, NULL, drive_for_all,
		    other), 0);
		poll(NULL, 0, 50);
	}
	begin = csa_now_ms();
	ck_assert_int_eq(pthread_create(&waker, NULL, wake_soon, waiter), 0);
	ck_assert_int_eq(csa_waiter_nap(waiter, begin + patience(10000), &err),
	    0);
	took(begin, 100);
	pthread_join(waker, NULL);
	/* One that came early is not lost, and is used up. */
	csa_waiter_wake(waiter);
	begin = csa_now_ms();
	ck_assert_int_eq(csa_waiter_pause(waiter, begin + 50, &err), 0);
	took(begin, 50);
	begin = csa_now_ms();
	ck_assert_int_eq(csa_waiter_nap(waiter, begin + patience(10000), &err),
	    0);
	took(begin, 0);
	begin = csa_now_ms();
	ck_assert_int_eq(csa_waiter_nap(waiter, begin + 50, &err), 0);
	took(begin, 50);
	csa_waiter_wake(other);
	if (_i == 1)
		pthread_join(driver, NULL);
	csa_waiter_free(other);
}
END_TEST

TCase *
ticks_case(void)
{
	TCase	*t = tcase_create("ticks");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, several_ticks);
	tcase_add_loop_test(t, waking, 0, 2);
	return t;
}
