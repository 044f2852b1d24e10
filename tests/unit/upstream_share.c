/*
 * upstream_share: what the processes share, with a clock of the test's own.
 */

#include "config.h"

#include <sys/stat.h>

#include <glob.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/upstream/share.h"
#include "tests/unit/upstream_fixture.h"

#define NOW		1000000		/* ms; any time */

START_TEST(window_slides)
{
	struct csa_window	 w = { { 0 } };
	struct csa_share_of	 s;

	csa_window_add(&w, NOW, 1, 4);
	csa_window_add(&w, NOW + 999, 2, 0);
	for (int64_t t = NOW; t < NOW + 11000; t += 1000) {
		s = csa_window_sum(&w, t);
		ck_assert_uint_eq(s.n, 3);
		ck_assert_uint_eq(s.of, 4);
	}
	s = csa_window_sum(&w, NOW + 11000);
	ck_assert_uint_eq(s.n + s.of, 0);
	/* The same place, another time; and the time before a boot. */
	csa_window_add(&w, NOW + 11000, 1, 1);
	s = csa_window_sum(&w, NOW + 12000);
	ck_assert_uint_eq(s.n, 1);
	s = csa_window_sum(&w, NOW - 5000);
	ck_assert_uint_eq(s.n + s.of, 0);
	/* Neither below nothing nor into the neighbor's bits. */
	csa_window_add(&w, NOW + 11000, -5, -5);
	s = csa_window_sum(&w, NOW + 11000);
	ck_assert_uint_eq(s.n + s.of, 0);
	csa_window_add(&w, NOW + 11000, 300000, 7);
	s = csa_window_sum(&w, NOW + 11000);
	ck_assert_uint_eq(s.n, (1 << 18) - 1);
	ck_assert_uint_eq(s.of, 7);
	csa_window_clear(&w);
	s = csa_window_sum(&w, NOW + 11000);
	ck_assert_uint_eq(s.n + s.of, 0);
}
END_TEST

START_TEST(window_limits)
{
	static const struct { int of; unsigned least, taken; } rows[] = {
		{ 0, 10, 10 }, { 99, 10, 10 }, { 109, 10, 10 }, { 110, 10, 11 },
		{ 5000, 10, 500 }, { 0, 0, 0 }, { 50, 0, 5 }, { 9, 0, 0 },
	};

	for (size_t i = 0; i < CSA_NITEMS(rows); i++) {
		struct csa_window	 w = { { 0 } };
		unsigned		 n = 0;

		csa_window_add(&w, NOW, 0, rows[i].of);
		for (int k = 0; k < 1000; k++)
			n += csa_window_take(&w, NOW + k, 10, rows[i].least);
		ck_assert_uint_eq(n, rows[i].taken);
	}
}
END_TEST

/* Others' clocks go on while one's own time is on its way here. */
START_TEST(window_just_begun)
{
	struct csa_window	 w = { { 0 } };

	csa_window_add(&w, NOW, 0, 10);
	ck_assert(csa_window_take(&w, NOW + 1000, 10, 0));
	ck_assert(!csa_window_take(&w, NOW + 999, 10, 0));
	ck_assert_uint_eq(csa_window_sum(&w, NOW).n, 1);
	ck_assert_uint_eq(csa_window_sum(&w, NOW - 1).n, 0);
}
END_TEST

static struct csa_window	 crowded;
static atomic_int		 taken;

static void *
take_many(void *unused)
{
	for (int i = 0; i < 20000; i++) {
		csa_window_add(&crowded, NOW, 0, 1);
		if (csa_window_take(&crowded, NOW, 10, 0))
			atomic_fetch_add(&taken, 1);
	}
	return unused;
}

START_TEST(window_in_a_crowd)
{
	pthread_t	 t[4];

	csa_window_clear(&crowded);
	atomic_store(&taken, 0);
	for (size_t i = 0; i < CSA_NITEMS(t); i++)
		pthread_create(&t[i], NULL, take_many, NULL);
	for (size_t i = 0; i < CSA_NITEMS(t); i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(csa_window_sum(&crowded, NOW).of, 80000);
	ck_assert_int_le(atomic_load(&taken), 8000);
	ck_assert_int_ge(atomic_load(&taken), 7990);
	ck_assert_int_eq((int)csa_window_sum(&crowded, NOW).n,
	    atomic_load(&taken));
}
END_TEST

START_TEST(latency)
{
	struct csa_latency	 l = { { 0 } };

	for (int i = 0; i < 19; i++)
		csa_latency_add(&l, 10);
	ck_assert_int_eq(csa_latency_p95(&l), 0);
	csa_latency_add(&l, 5000);
	ck_assert_int_ge(csa_latency_p95(&l), 10);
	ck_assert_int_le(csa_latency_p95(&l), 12);
	for (int i = 0; i < 5; i++)
		csa_latency_add(&l, 5000);
	ck_assert_int_ge(csa_latency_p95(&l), 5000);
	ck_assert_int_le(csa_latency_p95(&l), 6000);
	/* It forgets, and no number is too large. */
	for (int i = 0; i < 20000; i++)
		csa_latency_add(&l, 100);
	ck_assert_int_ge(csa_latency_p95(&l), 100);
	ck_assert_int_le(csa_latency_p95(&l), 120);
	csa_latency_add(&l, -1);
	csa_latency_add(&l, INT64_MAX);
}
END_TEST

static const struct csa_breaker_opts	 usual = { 50, 20, 5000 };

static int
tell_many(struct csa_breaker *b, int64_t now, int good, int bad)
{
	int	 changes = 0;

	while (good-- > 0)
		changes += csa_breaker_tell(b, &usual, now, 0, CSA_GOOD);
	while (bad-- > 0)
		changes += csa_breaker_tell(b, &usual, now, 0, CSA_BAD);
	return changes;
}

START_TEST(breaker_opens)
{
	static const struct { int good, bad, later, bad_later; bool open; }
	    rows[] = {
		{ 0, 19, 0, 0, false }, { 0, 20, 0, 0, true },
		{ 10, 10, 0, 0, true }, { 11, 9, 0, 0, false },
		{ 11, 10, 0, 0, false }, { 11, 11, 0, 0, true },
		{ 0, 10, 9999, 10, true }, { 0, 10, 12000, 10, false },
		{ 20, 0, 12000, 19, false }, { 20, 0, 12000, 20, true },
	};

	for (size_t i = 0; i < CSA_NITEMS(rows); i++) {
		struct csa_breaker	 b = { .gate = 0 };
		int			 n;

		n = tell_many(&b, NOW, rows[i].good, rows[i].bad);
		n += tell_many(&b, NOW + rows[i].later, 0, rows[i].bad_later);
		ck_assert_msg(n == rows[i].open, "row %zu", i);
		ck_assert_int_eq(csa_breaker_ask(&b, &usual,
		    NOW + rows[i].later), rows[i].open ? 5000 : 0);
	}
}
END_TEST

START_TEST(breaker_half_open)
{
	struct csa_breaker	 b = { .gate = 0 };
	csa_pass		 first, second;
	int64_t			 t = NOW + 5000;

	ck_assert_int_eq(tell_many(&b, NOW, 0, 20), 1);
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, NOW + 4999, &first), 1);
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, t, &first), 0);
	ck_assert_uint_ne(first, 0);
	/* One, until it is back; but it is not waited for for ever. */
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, t + 1, &second), 4999);
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, t + 5000, &second), 0);
	ck_assert_uint_ne(second, first);
	/* The first finds nothing good, but it is the second's turn. */
	csa_breaker_tell(&b, &usual, t + 5001, first, CSA_BAD);
	ck_assert_int_eq(csa_breaker_ask(&b, &usual, t + 5001), 4999);
	/* The second's client left: the next may enter at once. */
	csa_breaker_tell(&b, &usual, t + 5002, second, CSA_NO_VERDICT);
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, t + 5002, &first), 0);
	ck_assert_int_eq(csa_breaker_tell(&b, &usual, t + 5100, first,
	    CSA_BAD), 0);
	ck_assert_int_eq(csa_breaker_ask(&b, &usual, t + 5100), 5000);
	/* Those who were under way when it opened do not matter. */
	ck_assert_int_eq(tell_many(&b, t + 5200, 5, 5), 0);
	ck_assert_int_eq(csa_breaker_ask(&b, &usual, t + 5200), 4900);
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, t + 10100, &first), 0);
	ck_assert_int_eq(csa_breaker_tell(&b, &usual, t + 10200, first,
	    CSA_GOOD), -1);
	ck_assert_int_eq(csa_breaker_enter(&b, &usual, t + 10200, &first), 0);
	ck_assert_uint_eq(first, 0);
	/* It begins with nothing held against it. */
	ck_assert_int_eq(tell_many(&b, t + 10200, 0, 19), 0);
}
END_TEST

START_TEST(breaker_details)
{
	static const struct csa_breaker_opts off = { 0, 1, 5000 };
	struct csa_breaker	 b = { .gate = 0 };
	csa_pass		 pass;
	int			 n = 0;

	/* No connection: five in a row; anything that connects ends a row. */
	for (int i = 0; i < 12; i++)
		n += csa_breaker_tell(&b, &usual, NOW, 0, i % 4 == 3 ?
		    CSA_BAD : CSA_NO_CONNECTION);
	ck_assert_int_eq(n, 0);
	csa_window_clear(&b.window);
	for (int i = 0; i < 4; i++)
		n += csa_breaker_tell(&b, &usual, NOW, 0, CSA_NO_CONNECTION);
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(csa_breaker_tell(&b, &usual, NOW, 0,
	    CSA_NO_CONNECTION), 1);
	/* A time of before the boot; a breaker that is switched off. */
	ck_assert_int_eq(csa_breaker_ask(&b, &usual, NOW - 1), 0);
	ck_assert_int_eq(csa_breaker_ask(&b, &off, NOW), 0);
	ck_assert_int_eq(csa_breaker_enter(&b, &off, NOW, &pass), 0);
	ck_assert_uint_eq(pass, 0);
	/* No verdict is none. */
	memset(&b, 0, sizeof(b));
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(csa_breaker_tell(&b, &usual, NOW, 0,
		    CSA_NO_VERDICT), 0);
	for (int i = 0; i < 50; i++)
		ck_assert_int_eq(csa_breaker_tell(&b, &off, NOW, 0, CSA_BAD),
		    0);
	ck_assert_int_eq(csa_breaker_ask(&b, &usual, NOW), 0);
}
END_TEST

START_TEST(slots)
{
	struct csa_circuit	*c, *again;
	size_t			 n = 0;

	c = csa_share_circuit(77, NOW);
	ck_assert_ptr_nonnull(c);
	c->breaker.gate = 1;
	c->label = 5;
	ck_assert_ptr_eq(csa_share_circuit(77, NOW), c);
	ck_assert_int_eq((int)csa_share_count_open(5), 1);
	ck_assert_int_eq((int)csa_share_count_open(6), 0);
	/* More than there is room for: no slot is taken that is in use. */
	for (uint64_t id = 1000; id < 3000; id++)
		n += csa_share_circuit(id, NOW + 1000) != NULL;
	ck_assert_uint_ge(n, 480);
	ck_assert_uint_lt(n, 512);
	ck_assert_ptr_eq(csa_share_circuit(77, NOW + 50000), c);
	ck_assert_ptr_null(csa_share_circuit(3001, NOW + 50000));
	/* After a minute it is, and begins empty. */
	again = csa_share_circuit(77 + 512, NOW + 50001);
	ck_assert_ptr_null(again);
	again = csa_share_circuit(77 + 512, NOW + 70000);
	ck_assert_ptr_nonnull(again);
	ck_assert_ptr_ne(again, c);
	ck_assert_uint_eq(again->breaker.gate, 0);
	for (uint64_t id = 5000; id < 5512; id++)
		ck_assert_ptr_nonnull(csa_share_circuit(id, NOW + 200000));
	ck_assert_int_eq((int)csa_share_count_open(5), 0);
	/* What was used in the future was so before a boot. */
	ck_assert_ptr_nonnull(csa_share_rest(9, NOW));
	ck_assert_ptr_nonnull(csa_share_rest(9, 10));
	ck_assert_ptr_nonnull(csa_share_far(9, NOW));
}
END_TEST

START_TEST(file)
{
	char		 pattern[64];
	struct stat	 st;
	glob_t		 g;

	/* setup has made it. */
	snprintf(pattern, sizeof(pattern), "%s/upstream-*", run_dir);
	ck_assert_int_eq(glob(pattern, 0, NULL, &g), 0);
	ck_assert_uint_eq(g.gl_pathc, 1);
	ck_assert_int_eq(stat(g.gl_pathv[0], &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
	/* What is no such file is made anew. */
	ck_assert_int_eq(truncate(g.gl_pathv[0], 100), 0);
	csa_upstream_unshare();
	ck_assert_int_eq(csa_upstream_share(run_dir, &err), 0);
	csa_share_far(7, NOW)->retries.part[0] = 42;
	csa_upstream_unshare();
	ck_assert_uint_eq(csa_share_far(7, NOW)->retries.part[0], 0);
	ck_assert_int_eq(csa_upstream_share(run_dir, &err), 0);
	ck_assert_uint_eq(csa_share_far(7, NOW)->retries.part[0], 42);
	globfree(&g);
	/* Nowhere to be made: said, and everything works. */
	ck_assert_int_eq(csa_upstream_share("/nonexistent", &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	ck_assert_uint_eq(whole(200), 1);
}
END_TEST

TCase *
share_case(void)
{
	TCase	*tc = tcase_create("share");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_test(tc, window_slides);
	tcase_add_test(tc, window_limits);
	tcase_add_test(tc, window_just_begun);
	tcase_add_test(tc, window_in_a_crowd);
	tcase_add_test(tc, latency);
	tcase_add_test(tc, breaker_opens);
	tcase_add_test(tc, breaker_half_open);
	tcase_add_test(tc, breaker_details);
	tcase_add_test(tc, slots);
	tcase_add_test(tc, file);
	return tc;
}
