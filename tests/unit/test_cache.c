/*
 * What holds for one look-up and many, whoever keeps the values; see the other
 * files of cache_*.c for keys, envelopes, generations and real memcached.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/cache/value.h"
#include "lib/metrics/metrics.h"
#include "tests/suite.h"
#include "tests/unit/cache_fake.h"

static struct csa_cached	 got;

START_TEST(without_memcached_everything_is_a_miss)
{
	struct csa_cache	*none = csa_cache_new(NULL, &config);
	struct csa_cache_key	 key = key_of(CSA_CACHE_ANSWER, "q");
	const struct csa_scope	 scope = { "t", "b" };
	struct csa_generation	 g;

	ck_assert(!csa_cache_is_on(none));
	ck_assert(csa_cache_is_on(cache));
	got.data = "x";
	csa_cache_put(none, &ctx, &key, "v", 1, 60);
	ck_assert_int_eq(csa_cache_get(none, &ctx, &key, &got), 0);
	ck_assert_ptr_null(got.data);
	got.data = "x";
	csa_cache_put_many(none, &ctx, &key, &got, 1, 60);
	ck_assert_uint_eq(csa_cache_get_many(none, &ctx, &key, 1, &got), 0);
	ck_assert_ptr_null(got.data);
	csa_generation_bump(none, &ctx, &scope);
	ck_assert_int_eq(csa_generation_get(none, &ctx, &scope, 1, &g), 0);
	csa_cache_free(none);
	ck_assert_uint_eq(counted("answer|miss"), 0);
}
END_TEST

START_TEST(what_fails_is_a_miss_and_counted)
{
	struct csa_cache_key	 key = key_of(CSA_CACHE_ANSWER, "q");

	csa_cache_put(cache, &ctx, &key, "value", 5, 60);
	ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 1);
	ck_assert_uint_eq(counted("answer|hit"), 1);
	/* It may be used as a string. */
	ck_assert_str_eq(got.data, "value");
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_bytes, "answer|read"),
	    5 + CSA_VALUE_MORE);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_bytes,
	    "answer|written"), 5 + CSA_VALUE_MORE);
	fake.no_get = fake.no_set = true;
	ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 0);
	ck_assert_ptr_null(got.data);
	ck_assert_uint_eq(counted("answer|error"), 1);
	csa_cache_put(cache, &ctx, &key, "other", 5, 60);
	ck_assert_uint_eq(counted("answer|error"), 2);
	fake.no_get = fake.no_set = false;
	ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 1);
	ck_assert_str_eq(got.data, "value");
	key = key_of(CSA_CACHE_ANSWER, "another");
	ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 0);
	ck_assert_uint_eq(counted("answer|miss"), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_duration, "get"), 4);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_duration, "set"), 2);
}
END_TEST

START_TEST(what_was_saved_is_counted)
{
	csa_cache_saved(CSA_CACHE_ANSWER, .25, 100);
	csa_cache_saved(CSA_CACHE_ANSWER, .000001, 11);
	csa_cache_saved(CSA_CACHE_ANSWER, 0, 0);
	csa_cache_saved(CSA_CACHE_ANSWER, -1, -1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_usd, "answer"),
	    250001000);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_tokens, "answer"),
	    111);
}
END_TEST

/* ---- how long, how large ---- */

START_TEST(lives_differ_by_a_tenth)
{
	struct csa_cache_key	 key = key_of(CSA_CACHE_EMBEDDING, "t");
	struct csa_cached	 value = { "v", 1 };
	unsigned		 below = 0, above = 0;

	for (int i = 0; i < 2000; i++) {
		if (i % 2 == 0)
			csa_cache_put(cache, &ctx, &key, "v", 1, 1000);
		else
			csa_cache_put_many(cache, &ctx, &key, &value, 1, 1000);
		ck_assert_uint_ge(fake.ttl, 900);
		ck_assert_uint_le(fake.ttl, 1100);
		below += fake.ttl < 950;
		above += fake.ttl > 1050;
	}
	/* A quarter each; by chance alone never so few. */
	ck_assert_uint_gt(below, 300);
	ck_assert_uint_gt(above, 300);
	for (uint32_t ttl = 1; ttl < 10; ttl++) {
		csa_cache_put(cache, &ctx, &key, "v", 1, ttl);
		ck_assert_uint_eq(fake.ttl, ttl);
	}
	csa_cache_put(cache, &ctx, &key, "v", 1, UINT32_MAX / 2);
	ck_assert_uint_gt(fake.ttl, UINT32_MAX / 3);
}
END_TEST

START_TEST(for_no_time_nothing_is_kept)
{
	struct csa_cache_key	 key = key_of(CSA_CACHE_EMBEDDING, "t");
	struct csa_cached	 value = { "v", 1 };

	csa_cache_put(cache, &ctx, &key, "v", 1, 0);
	csa_cache_put_many(cache, &ctx, &key, &value, 1, 0);
	ck_assert_uint_eq(fake.sets, 0);
}
END_TEST

START_TEST(what_is_too_large_is_not_kept)
{
	struct csa_cache_key	 key[3];
	struct csa_cached	 value[3];
	char			*data = csa_calloc(1, CSA_VALUE_MAX + 1);

	for (int i = 0; i < 3; i++) {
		key[i] = key_of(CSA_CACHE_ANSWER, (const char *[]){ "a", "b",
		    "c" }[i]);
		value[i] = (struct csa_cached){ data, CSA_VALUE_MAX };
	}
	value[1].len++;
	csa_cache_put(cache, &ctx, &key[1], data, CSA_VALUE_MAX + 1, 60);
	csa_cache_put_many(cache, &ctx, key, value, 3, 60);
	ck_assert_uint_eq(counted("answer|large"), 2);
	ck_assert_uint_eq(csa_cache_get_many(cache, &ctx, key, 3, value), 2);
	ck_assert_uint_eq(value[0].len, CSA_VALUE_MAX);
	ck_assert_ptr_null(value[1].data);
	ck_assert_uint_eq(value[2].len, CSA_VALUE_MAX);
	free(data);
}
END_TEST

/* ---- how much time ---- */

START_TEST(a_request_spends_no_more_than_its_budget)
{
	struct csa_cache_key	 key = key_of(CSA_CACHE_ANSWER, "q");
	struct csa_cached	 many[3];
	struct csa_cache_key	 keys[3] = { key, key, key };

	config.memcached_timeout_ms = 1500;
	config.cache_budget_ms = 3000;
	csa_cache_free(cache);
	cache = csa_cache_new(pool, &config);
	ctx.spent = &spent;
	fake.delay_ms = 800;
	for (int i = 0; i < 10; i++)
		ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 0);
	/* After two a third one, of 1.5 s at most, might be too much. */
	ck_assert_uint_eq(fake.gets, 2);
	ck_assert_int_ge(spent, 1600 * INT64_C(1000000));
	ck_assert_int_lt(spent, 3000 * INT64_C(1000000));
	ck_assert_uint_eq(counted("answer|miss"), 2);
	ck_assert_uint_eq(counted("answer|skipped"), 8);
	csa_cache_put(cache, &ctx, &key, "v", 1, 60);
	many[0] = many[1] = many[2] = (struct csa_cached){ "v", 1 };
	csa_cache_put_many(cache, &ctx, keys, many, 3, 60);
	ck_assert_uint_eq(csa_cache_get_many(cache, &ctx, keys, 3, many), 0);
	ck_assert_ptr_null(many[2].data);
	ck_assert_uint_eq(fake.gets + fake.sets, 2);
	ck_assert_uint_eq(counted("answer|skipped"), 8 + 1 + 3 + 3);
	/* Another request. */
	spent = 0;
	fake.delay_ms = 0;
	csa_cache_put(cache, &ctx, &key, "v", 1, 60);
	ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 1);
}
END_TEST

START_TEST(a_budget_below_the_timeout_still_lets_two_begin)
{
	struct csa_cache	*poor;
	struct csa_cache_key	 key = key_of(CSA_CACHE_ANSWER, "q");

	config.memcached_timeout_ms = 50000;
	config.cache_budget_ms = 5000;
	poor = csa_cache_new(pool, &config);
	ctx.spent = &spent;
	csa_cache_put(poor, &ctx, &key, "v", 1, 60);
	ck_assert_int_eq(csa_cache_get(poor, &ctx, &key, &got), 1);
	csa_cache_free(poor);
}
END_TEST

/* ---- many ---- */

#define UNIVERSE	150

/* Of each text there is what says whose it is, in sizes of all sorts. */
static size_t
value_of(unsigned text, char *value)
{
	size_t	 n = (size_t)text * 37 % 500;

	memset(value, 'a' + (int)(text % 26), n + 8);
	memcpy(value, &text, sizeof(text));
	return n + 8;
}

START_TEST(each_of_a_batch_gets_its_own)
{
	static struct csa_cache_key	 key[300];
	static struct csa_cached	 out[300];
	static char			 block[300][520];
	bool				 has[UNIVERSE] = { false };
	unsigned			 text[300];
	char				 name[20], want[520];
	size_t				 n, hits, len;

	srand(4);
	for (int round = 0; round < 300; round++) {
		/* What is missing is put, as who looks up does. */
		n = (size_t)rand() % 300;
		hits = 0;
		for (size_t i = 0; i < n; i++) {
			text[i] = (unsigned)rand() % UNIVERSE;
			snprintf(name, sizeof(name), "%u", text[i]);
			key[i] = key_of(CSA_CACHE_EMBEDDING, name);
			hits += has[text[i]];
		}
		ck_assert_uint_eq(csa_cache_get_many(cache, &ctx, key, n,
		    out), hits);
		for (size_t i = 0; i < n; i++) {
			len = value_of(text[i], want);
			ck_assert_int_eq(out[i].data != NULL, has[text[i]]);
			if (out[i].data == NULL)
				continue;
			ck_assert_uint_eq(out[i].len, len);
			ck_assert_int_eq(memcmp(out[i].data, want, len), 0);
		}
		/* Some of the batch, then some that go. */
		n = (size_t)rand() % (n / 2 + 1);
		for (size_t i = 0; i < n; i++) {
			out[i].data = block[i];
			out[i].len = value_of(text[i], block[i]);
			has[text[i]] = true;
		}
		csa_cache_put_many(cache, &ctx, key, out, n, 600);
		for (int i = 0; i < 20; i++) {
			unsigned		 gone;
			struct csa_cache_key	 k;

			gone = (unsigned)rand() % UNIVERSE;

			snprintf(name, sizeof(name), "%u", gone);
			k = key_of(CSA_CACHE_EMBEDDING, name);
			fake.mem->ops->del(fake.mem, k.name);
			has[gone] = false;
		}
		csa_arena_reset(ctx.arena);
	}
	ck_assert_uint_eq(counted("embedding|odd"), 0);
	ck_assert_uint_gt(counted("embedding|hit"), 10000);
	ck_assert_uint_gt(counted("embedding|miss"), 10000);
}
END_TEST

START_TEST(one_odd_value_of_a_batch_spoils_no_other)
{
	struct csa_cache_key	 key[3];
	struct csa_cached	 out[3];
	uint8_t			 v[1 + CSA_VALUE_MORE];

	for (int i = 0; i < 3; i++) {
		key[i] = key_of(CSA_CACHE_EMBEDDING, (const char *[]){ "a",
		    "b", "c" }[i]);
		csa_cache_put(cache, &ctx, &key[i], "v", 1, 60);
	}
	csa_value_seal(&key[0], "w", 1, v);
	fake.mem->ops->set(fake.mem, key[1].name, v, sizeof(v), 60);
	ck_assert_uint_eq(csa_cache_get_many(cache, &ctx, key, 3, out), 2);
	ck_assert_str_eq(out[0].data, "v");
	ck_assert_ptr_null(out[1].data);
	ck_assert_str_eq(out[2].data, "v");
	ck_assert_uint_eq(counted("embedding|odd"), 1);
	ck_assert_uint_eq(counted("embedding|hit"), 2);
	fake.no_get = true;
	ck_assert_uint_eq(csa_cache_get_many(cache, &ctx, key, 3, out), 0);
	ck_assert_ptr_null(out[0].data);
	ck_assert_uint_eq(counted("embedding|error"), 3);
	ck_assert_uint_eq(csa_cache_get_many(cache, &ctx, key, 0, out), 0);
}
END_TEST

TCase *
cache_tests(void)
{
	TCase	*t = tcase_create("cache");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fake_setup, fake_teardown);
	tcase_add_test(t, without_memcached_everything_is_a_miss);
	tcase_add_test(t, what_fails_is_a_miss_and_counted);
	tcase_add_test(t, what_was_saved_is_counted);
	tcase_add_test(t, lives_differ_by_a_tenth);
	tcase_add_test(t, for_no_time_nothing_is_kept);
	tcase_add_test(t, what_is_too_large_is_not_kept);
	tcase_add_test(t, a_request_spends_no_more_than_its_budget);
	tcase_add_test(t, a_budget_below_the_timeout_still_lets_two_begin);
	tcase_add_test(t, each_of_a_batch_gets_its_own);
	tcase_add_test(t, one_odd_value_of_a_batch_spoils_no_other);
	return t;
}

int
main(void)
{
	Suite	*s = suite_create("cache");

	suite_add_tcase(s, key_tests());
	suite_add_tcase(s, value_tests());
	suite_add_tcase(s, cache_tests());
	suite_add_tcase(s, generation_tests());
	if (system("command -v memcached >/dev/null 2>&1") == 0)
		suite_add_tcase(s, memcached_tests());
	else
		fprintf(stderr, "memcached is not here: its part skipped\n");
	return run_suite(s);
}
