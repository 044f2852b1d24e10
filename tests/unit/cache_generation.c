/*
 * Generations: who learns of a change, and when; and that nothing invents one.
 */

#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "tests/unit/cache_fake.h"

static const struct csa_scope	 bot = { "acme", "bot" };
static const struct csa_scope	 second = { "acme", "second" };

static struct csa_generation
generation(struct csa_cache *c, const struct csa_scope *scope)
{
	struct csa_generation	 g;

	ck_assert_int_eq(csa_generation_get(c, &ctx, scope, 5, &g), 1);
	ck_assert_uint_eq(g.store, 5);
	ck_assert_uint_eq(strlen(g.token), 32);
	return g;
}

static bool
same(struct csa_generation a, struct csa_generation b)
{
	return strcmp(a.token, b.token) == 0 && a.changed == b.changed;
}

static void
outlive_the_memory(void)
{
	struct timespec	 t = { 0, (CSA_TOKEN_MS + 20) * 1000000 };

	nanosleep(&t, NULL);
}

START_TEST(processes_agree_and_bots_differ)
{
	struct csa_generation	 g = generation(cache, &bot);
	const struct csa_scope	 scopes[] = { { "", "bot" }, { "acme", "bo" },
				    { "acm", "ebot" }, { "bot", "acme" } };

	ck_assert_str_eq(fake.key, "csa:g:afc0e82cb3b046c0f3c658f0aa3b2a58"
	    "2e450e5d6abe179910d147e92b76babb");
	ck_assert(same(g, generation(other, &bot)));
	ck_assert_uint_eq(fake.adds, 1);
	/* For good: no time at which it ends. */
	ck_assert_uint_eq(fake.ttl, 0);
	ck_assert_int_le(llabs(g.changed - csa_wall_ms()), 10000);
	for (size_t i = 0; i < 4; i++)
		ck_assert(!same(g, generation(cache, &scopes[i])));
}
END_TEST

START_TEST(a_change_is_seen_here_at_once_and_there_within_a_second)
{
	struct csa_generation	 old = generation(cache, &bot), new;
	struct csa_generation	 kept = generation(cache, &second);
	int64_t			 began, asked;

	ck_assert(same(old, generation(other, &bot)));
	began = csa_now_ms();
	csa_generation_bump(cache, &ctx, &bot);
	new = generation(cache, &bot);
	ck_assert(!same(old, new));
	ck_assert_int_ge(new.changed, old.changed);
	while (asked = csa_now_ms(), !same(new, generation(other, &bot)))
		ck_assert_int_lt(asked - began, 1000);
	ck_assert(same(kept, generation(cache, &second)));
}
END_TEST

START_TEST(what_was_read_is_believed_for_less_than_a_second)
{
	unsigned	 gets;
	int64_t		 began;

	/* Again, where a busy machine took as long as it is believed. */
	do {
		began = csa_now_ms();
		generation(cache, &bot);
		gets = fake.gets;
		for (int i = 0; i < 100; i++)
			generation(cache, &bot);
	} while (csa_now_ms() - began >= CSA_TOKEN_MS);
	ck_assert_uint_eq(fake.gets, gets);
	outlive_the_memory();
	generation(cache, &bot);
	ck_assert_uint_eq(fake.gets, gets + 1);
	_Static_assert(CSA_TOKEN_MS < 1000, "a second, the way included");
}
END_TEST

/* A thousand bots are remembered; of ten thousand, each is right. */
START_TEST(however_many_bots)
{
	static struct csa_generation	 g[10000];
	char				 name[20];
	const struct csa_scope		 scope = { "", name };
	unsigned			 gets;
	int64_t				 began;

	for (int i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "%d", i);
		g[i] = generation(cache, &scope);
	}
	gets = fake.gets;
	for (int i = 9999; i >= 0; i--) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert(same(g[i], generation(cache, &scope)));
	}
	ck_assert_uint_gt(fake.gets, gets);
	/* Again, where a busy machine took as long as they are remembered. */
	do {
		outlive_the_memory();
		began = csa_now_ms();
		for (int i = 0; i < 600; i++) {
			if (i == 300)
				gets = fake.gets;
			snprintf(name, sizeof(name), "%d", i % 300);
			generation(cache, &scope);
		}
	} while (csa_now_ms() - began >= CSA_TOKEN_MS);
	ck_assert_uint_le(fake.gets, gets + 3);
}
END_TEST

START_TEST(one_that_was_evicted_is_never_made_again)
{
	struct csa_generation	 old = generation(cache, &bot);

	generation(other, &bot);
	ck_assert_int_eq(fake.mem->ops->del(fake.mem, fake.key), 1);
	outlive_the_memory();
	ck_assert(!same(old, generation(other, &bot)));
	ck_assert(same(generation(other, &bot), generation(cache, &bot)));
}
END_TEST

/* Another process makes one between our look and our making. */
static void
make_one(const char *key)
{
	struct csa_generation	 g;

	(void)key;
	fake.before_add = NULL;
	pthread_mutex_unlock(&fake.lock);
	ck_assert_int_eq(csa_generation_get(other, &ctx, &bot, 5, &g), 1);
	pthread_mutex_lock(&fake.lock);
}

START_TEST(of_two_who_make_one_the_first_is_right)
{
	fake.before_add = make_one;
	ck_assert(same(generation(cache, &bot), generation(other, &bot)));
	ck_assert_uint_eq(fake.adds, 2);
	outlive_the_memory();
	ck_assert(same(generation(cache, &bot), generation(other, &bot)));
}
END_TEST

START_TEST(what_is_no_token_is_replaced)
{
	struct csa_generation	 old = generation(cache, &bot), new;

	fake.mem->ops->set(fake.mem, fake.key, "garbage", 7, 0);
	outlive_the_memory();
	new = generation(cache, &bot);
	ck_assert(!same(old, new));
	ck_assert_uint_gt(counted("generation|odd"), 0);
	ck_assert(same(new, generation(other, &bot)));
}
END_TEST

START_TEST(what_cannot_be_read_is_not_known)
{
	struct csa_generation	 g;

	fake.no_get = true;
	ck_assert_int_eq(csa_generation_get(cache, &ctx, &bot, 5, &g), 0);
	ck_assert_uint_eq(fake.adds + fake.sets, 0);
	fake.no_get = false;
	fake.no_set = true;
	ck_assert_int_eq(csa_generation_get(cache, &ctx, &bot, 5, &g), 0);
	fake.no_set = false;
	/* A lie that stays one, in place of what another has made. */
	generation(other, &bot);
	fake.lie = "x";
	fake.lie_len = 1;
	ck_assert_int_eq(csa_generation_get(cache, &ctx, &bot, 5, &g), 0);
	fake.lie = NULL;
	generation(cache, &bot);
	/* Nor what was known, when its time is over. */
	fake.no_get = true;
	generation(cache, &bot);
	outlive_the_memory();
	ck_assert_int_eq(csa_generation_get(cache, &ctx, &bot, 5, &g), 0);
}
END_TEST

/* ---- changes that memcached was not told of ---- */

START_TEST(a_change_that_was_not_told_is_told_by_who_asks_next)
{
	struct csa_generation	 old = generation(cache, &bot), g;

	fake.no_set = true;
	csa_generation_bump(cache, &ctx, &bot);
	/* While it cannot be told, nobody here takes the old one. */
	ck_assert_int_eq(csa_generation_get(cache, &ctx, &bot, 5, &g), 0);
	ck_assert_uint_gt(counted("generation|error"), 0);
	fake.no_set = false;
	ck_assert(!same(old, generation(cache, &bot)));
	ck_assert(same(generation(other, &bot), generation(cache, &bot)));
	/* Once. */
	fake.sets = 0;
	outlive_the_memory();
	generation(cache, &bot);
	ck_assert_uint_eq(fake.sets, 0);
}
END_TEST

START_TEST(it_is_told_by_whoever_asks_for_another_bot)
{
	struct csa_generation	 old = generation(other, &bot);

	fake.no_set = true;
	csa_generation_bump(cache, &ctx, &bot);
	csa_generation_bump(cache, &ctx, &bot);
	fake.no_set = false;
	fake.sets = 0;
	/* A request that only changes something will do, too. */
	csa_generation_bump(cache, &ctx, &second);
	ck_assert_uint_eq(fake.sets, 2);
	outlive_the_memory();
	ck_assert(!same(old, generation(other, &bot)));
}
END_TEST

START_TEST(many_changes_are_told_a_few_at_a_time)
{
	static struct csa_generation	 old[100];
	char				 name[20];
	const struct csa_scope		 scope = { "", name };

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		old[i] = generation(other, &scope);
	}
	fake.no_set = true;
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		csa_generation_bump(cache, &ctx, &scope);
	}
	fake.no_set = false;
	fake.sets = 0;
	generation(cache, &second);
	ck_assert_uint_lt(fake.sets, 30);
	for (int i = 0; i < 10; i++)
		generation(cache, &second);
	ck_assert_uint_eq(fake.sets, 100);
	outlive_the_memory();
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "%d", i);
		ck_assert(!same(old[i], generation(other, &scope)));
	}
}
END_TEST

START_TEST(a_change_is_told_however_little_time_is_left)
{
	struct csa_generation	 old = generation(other, &bot);

	spent = INT64_C(1000000000);
	ctx.spent = &spent;
	csa_generation_bump(cache, &ctx, &bot);
	ctx.spent = NULL;
	outlive_the_memory();
	ck_assert(!same(old, generation(other, &bot)));
}
END_TEST

/* ---- many threads ---- */

static _Atomic unsigned	 changes;

static void *
change_and_look(void *arg)
{
	const bool		 changer = arg != NULL;
	struct csa_ctx		 mine = ctx;
	struct csa_generation	 g;
	unsigned		 before;

	mine.arena = csa_arena_new();
	for (int i = 0; i < 3000; i++) {
		before = changes;
		if (changer && i % 10 == 0) {
			csa_generation_bump(cache, &mine, &bot);
			changes++;
		}
		fake.no_set = i % 7 == 0;
		ck_assert_int_ge(csa_generation_get(cache, &mine,
		    i % 3 == 0 ? &second : &bot, before, &g), 0);
		csa_arena_reset(mine.arena);
	}
	csa_arena_free(mine.arena);
	return NULL;
}

START_TEST(threads_agree_in_the_end)
{
	pthread_t	 t[4];

	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&t[i], NULL, change_and_look,
		    i < 2 ? &t[i] : NULL), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	fake.no_set = false;
	generation(cache, &bot);
	outlive_the_memory();
	ck_assert(same(generation(cache, &bot), generation(other, &bot)));
}
END_TEST

TCase *
generation_tests(void)
{
	TCase	*t = tcase_create("generations");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fake_setup, fake_teardown);
	tcase_add_test(t, processes_agree_and_bots_differ);
	tcase_add_test(t,
	    a_change_is_seen_here_at_once_and_there_within_a_second);
	tcase_add_test(t, what_was_read_is_believed_for_less_than_a_second);
	tcase_add_test(t, however_many_bots);
	tcase_add_test(t, one_that_was_evicted_is_never_made_again);
	tcase_add_test(t, of_two_who_make_one_the_first_is_right);
	tcase_add_test(t, what_is_no_token_is_replaced);
	tcase_add_test(t, what_cannot_be_read_is_not_known);
	tcase_add_test(t, a_change_that_was_not_told_is_told_by_who_asks_next);
	tcase_add_test(t, it_is_told_by_whoever_asks_for_another_bot);
	tcase_add_test(t, many_changes_are_told_a_few_at_a_time);
	tcase_add_test(t, a_change_is_told_however_little_time_is_left);
	tcase_add_test(t, threads_agree_in_the_end);
	return t;
}
