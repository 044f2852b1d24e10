/*
 * The same question at the same time: one call, over threads and hosts.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/cached.h"
#include "tests/unit/cache_fixture.h"
#include "tests/unit/test_embed_cache.h"

#define HOSTS	2
#define ASKERS	12	/* on each */
#define DIM	16

static struct host		 hosts[HOSTS];
static struct csa_embedder	*cached[HOSTS];
static struct watched		 up;		/* behind all of them */
static const char		 question[] = "What is the capital of Peru?";

static void
open_all(bool memcached)
{
	watched_init(&up, DIM);
	up.records = false;
	up.delay_ms = patience(400);
	for (int i = 0; i < HOSTS; i++) {
		host_open(&hosts[i], memcached);
		cached[i] = csa_embedder_cached_open(&up.embedder,
		    hosts[i].cache, &mc_config);
		ck_assert_ptr_ne(cached[i], &up.embedder);
	}
}

static void
close_all(void)
{
	for (int i = 0; i < HOSTS; i++) {
		cached[i]->ops->close(cached[i]);
		host_close(&hosts[i]);
	}
	watched_fini(&up);
}

static void
setup(void)
{
	mc_start();
	mc_config.embedding_ttl_s = 1000;
	open_all(true);
}

static void
teardown(void)
{
	close_all();
	mc_stop();
}

struct asker {
	pthread_t		 thread;
	int			 host;
	int64_t			 ms;		/* deadline */
	enum csa_embed_kind	 kind;
	bool			 gives_up;	/* before the end */
	bool			 is_awaited;	/* at the far end, see up */
	int			 rc;
	struct csa_err		 err;
	float			 f[DIM];
	int64_t			 took;
};

static void *
run_asker(void *arg)
{
	struct csa_text		 t = { question, sizeof(question) - 1 };
	struct asker		*a = arg;
	struct csa_embedder	*e = cached[a->host];
	struct csa_embed_job	*job;
	struct csa_vec		 v;
	struct who		 w;
	int64_t			 begin = csa_now_ms();

	who_open(&w, &hosts[a->host], a->ms);
	job = e->ops->start(e, &w.ctx, a->kind, &t, 1);
	if (a->is_awaited)
		atomic_fetch_sub(&up.awaited, 1);
	if (a->gives_up)
		a->rc = csa_waiter_pause(w.ctx.waiter, csa_now_ms() + 100,
		    &a->err);
	else
		a->rc = e->ops->finish(job, &v, &a->err);
	if (a->rc == 0 && !a->gives_up) {
		ck_assert_uint_eq(v.dim, DIM);
		memcpy(a->f, csa_vec_floats(w.arena, &v, 0), sizeof(a->f));
	}
	e->ops->end(job);
	who_close(&w);
	a->took = csa_now_ms() - begin;
	return NULL;
}

static void
start_asker(struct asker *a, int host, int64_t ms)
{
	a->host = host;
	a->ms = ms;
	ck_assert_int_eq(pthread_create(&a->thread, NULL, run_asker, a), 0);
}

/* At the same time, however late a thread begins. */
static void
all_ask(struct asker *a, int64_t ms)
{
	atomic_store(&up.awaited, HOSTS * ASKERS);
	for (int i = 0; i < HOSTS * ASKERS; i++) {
		a[i].is_awaited = true;
		start_asker(&a[i], i % HOSTS, ms);
	}
	for (int i = 0; i < HOSTS * ASKERS; i++)
		pthread_join(a[i].thread, NULL);
}

/* One who has called the far end already, which takes so long. */
static void
start_leader(struct asker *a, int64_t ms, int64_t takes)
{
	up.delay_ms = (long)patience(takes);
	start_asker(a, 0, ms);
	for (int i = 0; i < 1000 && atomic_load(&up.calls) == 0; i++)
		nap(5);
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
}

static void
is_right(const struct asker *a)
{
	struct csa_text		 t = { question, sizeof(question) - 1 };
	struct csa_arena	*arena = csa_arena_new();

	ck_assert_int_eq(a->rc, 0);
	ck_assert_mem_eq(a->f, direct(&up, arena, &t), sizeof(a->f));
	csa_arena_free(arena);
}

static void
all_have_it(const struct asker *a)
{
	for (int i = 0; i < HOSTS * ASKERS; i++)
		is_right(&a[i]);
}

START_TEST(one_call)
{
	struct asker	 a[HOSTS * ASKERS] = { { .host = 0 } };
	uint64_t	 saved, usd;

	saved = csa_metric_value(CSA_M_cache_saved_tokens, "embedding");
	usd = csa_metric_value(CSA_M_cache_saved_usd, "embedding");
	all_ask(a, patience(30000));
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
	/* And none later. */
	all_ask(a, patience(30000));
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_tokens,
	    "embedding") - saved, (2 * HOSTS * ASKERS - 1) *
	    ((sizeof(question) - 1 + 3) / 4));
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_usd,
	    "embedding") - usd, (2 * HOSTS * ASKERS - 1) *
	    ((sizeof(question) - 1 + 3) / 4) * WATCHED_NANOS);
}
END_TEST

/* Nothing is kept: one call for those who wait, another one later. */
START_TEST(one_call_each_time)
{
	struct asker	 a[HOSTS * ASKERS] = { { .host = 0 } };

	close_all();
	mc_config.embedding_ttl_s = 0;
	open_all(true);
	all_ask(a, patience(30000));
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
	all_ask(a, patience(30000));
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), 2);
}
END_TEST

START_TEST(one_call_on_each_host)
{
	struct asker	 a[HOSTS * ASKERS] = { { .host = 0 } };

	close_all();
	open_all(false);
	all_ask(a, patience(30000));
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), HOSTS);
}
END_TEST

/* As a question and as a passage it is not the same. */
START_TEST(kinds_differ)
{
	struct asker	 a[2] = { { .kind = CSA_EMBED_QUERY },
			    { .kind = CSA_EMBED_PASSAGE } };

	for (int i = 0; i < 2; i++)
		start_asker(&a[i], 0, patience(30000));
	for (int i = 0; i < 2; i++) {
		pthread_join(a[i].thread, NULL);
		is_right(&a[i]);
	}
	ck_assert_uint_eq(atomic_load(&up.calls), 2);
}
END_TEST

/* What the provider refused one, it need not refuse all in turn. */
START_TEST(one_failure)
{
	struct asker	 a[HOSTS * ASKERS] = { { .host = 0 } };

	up.error = CSA_ERR_PROVIDER_BUSY;
	all_ask(a, patience(30000));
	for (int i = 0; i < HOSTS * ASKERS; i++) {
		ck_assert_int_eq(a[i].rc, -1);
		ck_assert_int_eq(a[i].err.code, CSA_ERR_PROVIDER_BUSY);
		ck_assert_int_eq(a[i].err.source, CSA_SRC_OPENAI);
	}
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
	/* It is not kept. */
	up.error = CSA_OK;
	all_ask(a, patience(30000));
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), 2);
}
END_TEST

/* Whose time ends, or who cancels, is nobody else's business: i. */
START_TEST(leader_ends)
{
	struct asker	 a[3] = { { .gives_up = _i == 1 } };

	start_leader(&a[0], 900, 1500);
	for (int i = 1; i < 3; i++)
		start_asker(&a[i], i - 1, patience(30000));
	for (int i = 0; i < 3; i++)
		pthread_join(a[i].thread, NULL);
	if (_i == 0) {
		ck_assert_int_eq(a[0].rc, -1);
		ck_assert_int_eq(a[0].err.code, CSA_ERR_DEADLINE);
	}
	for (int i = 1; i < 3; i++)
		is_right(&a[i]);
	ck_assert_uint_eq(atomic_load(&up.calls), 2);
}
END_TEST

START_TEST(follower_ends)
{
	struct asker	 a[2] = { { .host = 0 } };

	start_leader(&a[0], patience(30000), 2500);
	start_asker(&a[1], _i, 900);
	for (int i = 0; i < 2; i++)
		pthread_join(a[i].thread, NULL);
	is_right(&a[0]);
	ck_assert_int_eq(a[1].rc, -1);
	ck_assert_int_eq(a[1].err.code, CSA_ERR_DEADLINE);
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
}
END_TEST

/* memcached hangs: an answer all the same, and little later. */
START_TEST(hung)
{
	struct asker	 a[HOSTS * ASKERS] = { { .host = 0 } };

	close_all();
	mc_config.memcached_timeout_ms = 50;
	mc_config.cache_budget_ms = 100;
	open_all(true);
	mc_hang(true);
	all_ask(a, patience(30000));
	mc_hang(false);
	all_have_it(a);
	ck_assert_uint_eq(atomic_load(&up.calls), HOSTS);
	for (int i = 0; i < HOSTS * ASKERS; i++)
		ck_assert_int_lt(a[i].took, up.delay_ms + patience(7000));
}
END_TEST

START_TEST(nothing_to_do)
{
	struct host	 h;

	mc_config.single_flight = false;
	mc_config.embedding_ttl_s = 0;
	host_open(&h, true);
	ck_assert_ptr_eq(csa_embedder_cached_open(&up.embedder, h.cache,
	    &mc_config), &up.embedder);
	host_close(&h);
}
END_TEST

TCase *
embed_shared_case(void)
{
	TCase	*t = tcase_create("shared");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_call);
	tcase_add_test(t, one_call_each_time);
	tcase_add_test(t, one_call_on_each_host);
	tcase_add_test(t, kinds_differ);
	tcase_add_test(t, one_failure);
	tcase_add_loop_test(t, leader_ends, 0, 2);
	tcase_add_loop_test(t, follower_ends, 0, 2);
	tcase_add_test(t, hung);
	tcase_add_test(t, nothing_to_do);
	return t;
}
