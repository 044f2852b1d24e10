/*
 * The same with memcached as it is: many threads, and one that says nothing.
 */

#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/cache_fake.h"
#include "tests/unit/cache_fixture.h"

static struct host	 host;

static void
setup(void)
{
	struct csa_err	 err;

	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	mc_start();
}

static void
teardown(void)
{
	host_close(&host);
	mc_stop();
	csa_metrics_close();
}

#define THREADS	6
#define TEXTS	400
#define BATCH	120
#define VECTOR	3072

/* A vector that says whose it is, all over. */
static void
make_vector(unsigned text, char *v)
{
	for (size_t i = 0; i < VECTOR; i += sizeof(text))
		memcpy(v + i, &text, sizeof(text));
}

static void *
embed(void *arg)
{
	static __thread struct csa_cache_key	 key[BATCH];
	static __thread struct csa_cached	 out[BATCH];
	static __thread char			 v[BATCH][VECTOR];
	struct csa_ctx	 mine = { .arena = csa_arena_new() };
	unsigned	 seed = *(unsigned *)arg, text[BATCH];
	char		 name[20], want[VECTOR];
	size_t		 found = 0;

	for (int round = 0; round < 25; round++) {
		for (size_t i = 0; i < BATCH; i++) {
			seed = seed * 1103515245 + 12345;
			text[i] = seed / 65536 % TEXTS;
			snprintf(name, sizeof(name), "%u", text[i]);
			key[i] = key_of(CSA_CACHE_EMBEDDING, name);
		}
		found += csa_cache_get_many(host.cache, &mine, key, BATCH, out);
		for (size_t i = 0; i < BATCH; i++) {
			make_vector(text[i], want);
			ck_assert(out[i].data == NULL ||
			    (out[i].len == VECTOR &&
			    memcmp(out[i].data, want, VECTOR) == 0));
			memcpy(v[i], want, VECTOR);
			out[i] = (struct csa_cached){ v[i], VECTOR };
		}
		csa_cache_put_many(host.cache, &mine, key, out, BATCH, 60);
		csa_arena_reset(mine.arena);
	}
	csa_arena_free(mine.arena);
	ck_assert_uint_gt(found, 0);
	return NULL;
}

START_TEST(vectors_are_never_mixed_up)
{
	pthread_t	 t[THREADS];
	unsigned	 seed[THREADS];

	host_open(&host, true);
	for (unsigned i = 0; i < THREADS; i++) {
		seed[i] = i + 1;
		ck_assert_int_eq(pthread_create(&t[i], NULL, embed, &seed[i]),
		    0);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);
	ck_assert_uint_eq(counted("embedding|odd"), 0);
	ck_assert_uint_eq(counted("embedding|error"), 0);
	/* All texts are there by now. */
	ck_assert_uint_gt(counted("embedding|hit"), THREADS * 15 * BATCH);
}
END_TEST

static uint64_t
alone(void)
{
	return csa_metric_value(CSA_M_cache_breaker_open, mc_socket);
}

#define OPERATION_MS	600	/* longer than a busy machine takes for one */

START_TEST(a_silent_memcached_is_paid_for_three_times)
{
	struct csa_cache_key	 key = key_of(CSA_CACHE_ANSWER, "q");
	struct csa_cached	 got;
	const char		*name;
	bool			 left;
	int64_t			 t, request;

	mc_config.memcached_timeout_ms = (long)patience(OPERATION_MS);
	mc_config.cache_budget_ms = (long)patience(2 * OPERATION_MS);
	host_open(&host, true);
	csa_cache_put(host.cache, &ctx, &key, "v", 1, 600);
	mc_hang(true);
	t = csa_now_ms();
	for (int i = 0; i < 200; i++) {
		/* Each of them a request of its own. */
		spent = 0;
		ctx.spent = &spent;
		request = csa_now_ms();
		for (int k = 0; k < 4; k++)
			(void)csa_cache_get(host.cache, &ctx, &key, &got);
		/* Two, and what a busy machine needs beside. */
		ck_assert_int_lt(spent, patience(3 * OPERATION_MS) * 1000000);
		ck_assert_int_lt(csa_now_ms() - request,
		    patience(3 * OPERATION_MS));
	}
	/* Two hundred that waited would take minutes. */
	ck_assert_int_le(csa_now_ms() - t, patience(4500));
	ck_assert_uint_eq(alone(), 1);
	ck_assert_int_eq(csa_kv_pool_state(host.pool, 0, &name, &left), 1);
	ck_assert_str_eq(name, mc_socket);
	ck_assert(left);
	ck_assert_int_eq(csa_kv_pool_state(host.pool, 1, &name, &left), 0);
	mc_hang(false);
	ctx.spent = NULL;
	while (csa_cache_get(host.cache, &ctx, &key, &got) == 0) {
		ck_assert_int_le(csa_now_ms() - t, patience(20000));
		nap(20);
	}
	ck_assert_int_ge(csa_now_ms() - t, 4900);
	ck_assert_str_eq(got.data, "v");
	ck_assert_uint_eq(alone(), 0);
}
END_TEST

START_TEST(generations_on_two_hosts)
{
	const struct csa_scope	 scope = { "t", "b" };
	struct host		 there;
	struct csa_generation	 a, b;
	int64_t			 began, asked;

	host_open(&host, true);
	host_open(&there, true);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(csa_generation_get(there.cache, &ctx, &scope,
		    1, &b), 1);
		began = csa_now_ms();
		csa_generation_bump(host.cache, &ctx, &scope);
		ck_assert_int_eq(csa_generation_get(host.cache, &ctx, &scope,
		    1, &a), 1);
		ck_assert_str_ne(a.token, b.token);
		do {
			asked = csa_now_ms();
			ck_assert_int_eq(csa_generation_get(there.cache, &ctx,
			    &scope, 1, &b), 1);
			ck_assert(strcmp(a.token, b.token) == 0 ||
			    asked - began < 1000);
		} while (strcmp(a.token, b.token) != 0);
	}
	host_close(&there);
}
END_TEST

TCase *
memcached_tests(void)
{
	TCase	*t = tcase_create("memcached");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, fake_setup, fake_teardown);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, vectors_are_never_mixed_up);
	tcase_add_test(t, a_silent_memcached_is_paid_for_three_times);
	tcase_add_test(t, generations_on_two_hosts);
	return t;
}
