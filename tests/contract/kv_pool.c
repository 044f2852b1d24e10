/*
 * Handles of a pool, which know together what is wrong with servers.
 */

#include "config.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_pool.h"
#include "lib/metrics/metrics.h"
#include "tests/contract/kv_fixture.h"

static struct csa_kv_pool *
open_pool(void)
{
	struct csa_kv_pool	*p = csa_kv_pool_new(servers, TIMEOUT_MS, &err);

	ck_assert_ptr_nonnull(p);
	return p;
}

/* One get; the ms it took, or -1 - that where it failed. */
static int64_t
look(struct csa_kv *kv, const char *key)
{
	int64_t	 t = csa_now_ms();
	void	*val;
	size_t	 n;
	int	 rc = kv->ops->get(kv, key, &val, &n);

	free(val);
	t = csa_now_ms() - t;
	ck_assert_int_le(t, TIMEOUT_MS + SLACK_MS);
	return rc == -1 ? -1 - t : t;
}

static bool
was_slow(int64_t t)
{
	return t < -1 - TIMEOUT_MS / 2;
}

static bool
was_refused(int64_t t)
{
	return t <= -1 && !was_slow(t);
}

static bool
alone(struct csa_kv_pool *p, size_t i)
{
	const char	*name;
	bool		 left;

	ck_assert_int_eq(csa_kv_pool_state(p, i, &name, &left), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_breaker_open, name),
	    left);
	return left;
}

#define HANDLES	8

static atomic_bool	 looks;

static void *
look_alone(void *arg)
{
	static int64_t	 t;

	atomic_store(&looks, true);
	t = look(arg, "k");
	return &t;
}

START_TEST(a_process_pays_three_times_then_one_tries)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv[HANDLES];
	pthread_t		 thread;
	void			*slow;
	int64_t			 began;
	int			 paid = 0;

	start_tcp(servers, sizeof(servers));
	p = open_pool();
	for (int i = 0; i < HANDLES; i++) {
		kv[i] = csa_kv_take(p);
		ck_assert_int_ge(look(kv[i], "k"), 0);
	}
	ck_assert(!alone(p, 0));
	stop_server(0);
	for (int i = 0; i < HANDLES; i++)
		paid += was_slow(look(kv[i], "k"));
	ck_assert_int_eq(paid, 3);
	ck_assert(alone(p, 0));
	began = csa_now_ms();
	while (csa_now_ms() - began < 3500) {
		ck_assert(was_refused(look(kv[0], "k")));
		nap(50);
	}
	nap(1600);
	/* One tries, slowly; the others are refused meanwhile, and after. */
	ck_assert_int_eq(pthread_create(&thread, NULL, look_alone, kv[1]), 0);
	while (!atomic_load(&looks))
		nap(1);
	nap(TIMEOUT_MS / 3);
	for (int i = 2; i < HANDLES; i++)
		ck_assert(was_refused(look(kv[i], "k")));
	pthread_join(thread, &slow);
	ck_assert(was_slow(*(int64_t *)slow));
	for (int i = 0; i < HANDLES; i++)
		ck_assert(was_refused(look(kv[i], "k")));
	kill(pids[0], SIGCONT);
	nap(5100);
	for (int i = 0; i < HANDLES; i++)
		ck_assert_int_ge(look(kv[i], "k"), 0);
	ck_assert(!alone(p, 0));
	for (int i = 0; i < HANDLES; i++)
		csa_kv_give(p, kv[i]);
	csa_kv_pool_free(p);
}
END_TEST

/* Who leaves it open takes it along. */
START_TEST(the_gauge_goes_with_the_pool)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv;

	start_tcp(servers, sizeof(servers));
	p = open_pool();
	stop_server(0);
	kv = csa_kv_take(p);
	for (int i = 0; i < 4; i++)
		look(kv, "k");
	ck_assert(alone(p, 0));
	csa_kv_give(p, kv);
	csa_kv_pool_free(p);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_breaker_open, servers),
	    0);
}
END_TEST

/* Connections that were good before are found out to be none at no cost. */
START_TEST(a_restart_is_not_noticed)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv[HANDLES];
	const struct csa_kv_item item[] = { { "a", "x", 1, 0 },
		{ "b", "y", 1, 0 } };
	const char *const	 keys[] = { "a", "b" };

	if (_i == 0)
		start_unix(servers, sizeof(servers));
	else
		start_tcp(servers, sizeof(servers));
	p = open_pool();
	for (int i = 0; i < HANDLES; i++) {
		kv[i] = csa_kv_take(p);
		ck_assert_int_eq(kv[i]->ops->set(kv[i], "k", "v", 1, 0), 0);
	}
	start_again(0, servers);
	lacks(kv[0], "k");
	ck_assert_int_eq(kv[1]->ops->set(kv[1], "k", "w", 1, 0), 0);
	holds(kv[2], "k", "w", 1);
	ck_assert_uint_eq(kv[3]->ops->set_many(kv[3], item, 2), 0);
	ck_assert_uint_eq(kv[4]->ops->get_many(kv[4], keys, 0, NULL, NULL), 0);
	holds(kv[5], "b", "y", 1);
	ck_assert(!alone(p, 0));
	for (int i = 0; i < HANDLES; i++)
		csa_kv_give(p, kv[i]);
	csa_kv_pool_free(p);
}
END_TEST

/* ---- three servers ---- */

#define KEYS	300

static char	 name[3][128];
static char	 key[KEYS][16];

static void
start_three(void)
{
	for (int i = 0; i < 3; i++)
		start_tcp(name[i], sizeof(name[i]));
	snprintf(servers, sizeof(servers), "%s,%s,%s", name[0], name[1],
	    name[2]);
	for (int i = 0; i < KEYS; i++)
		snprintf(key[i], sizeof(key[i]), "key-%d", i);
}

/* Which of the three, but for the dead one, has the key now; -1: none. */
static int
who_has(const char *k, int dead)
{
	struct csa_kv	*kv;
	void		*val;
	size_t		 n;
	int		 who = -1;

	for (int i = 0; i < 3; i++) {
		if (i == dead)
			continue;
		/* How long it takes is not asked here. */
		kv = csa_kv_memcached_open(name[i], 20 * TIMEOUT_MS, &err);
		if (kv->ops->get(kv, k, &val, &n) == 1) {
			ck_assert_int_eq(who, -1);
			who = i;
			free(val);
		}
		kv->ops->close(kv);
	}
	return who;
}

struct finds {
	bool	 found[KEYS];
};

static void
find(void *arg, size_t i, const void *val, size_t n)
{
	struct finds	*f = arg;

	ck_assert(!f->found[i]);
	f->found[i] = true;
	ck_assert_uint_eq(n, strlen(key[i]));
	ck_assert_int_eq(memcmp(val, key[i], n), 0);
}

/* Every key alone and all at once: what the living have, in no time. */
static void
check_living(struct csa_kv *kv, const int *owner, int dead)
{
	const char	*keys[KEYS];
	struct finds	 f = { { false } };
	int64_t		 t = csa_now_ms();
	size_t		 lost = 0;

	for (int i = 0; i < KEYS; i++) {
		keys[i] = key[i];
		if (owner[i] == dead) {
			ck_assert(was_refused(look(kv, key[i])));
			lost++;
		} else
			holds(kv, key[i], key[i], strlen(key[i]));
	}
	ck_assert_uint_eq(kv->ops->get_many(kv, keys, KEYS, find, &f), lost);
	for (int i = 0; i < KEYS; i++)
		ck_assert_int_eq(f.found[i], owner[i] != dead);
	/* A hundred that waited would take minutes. */
	ck_assert_int_lt(csa_now_ms() - t, 20000);
}

START_TEST(of_three_servers_one_is_dead)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*kv, *second;
	struct csa_kv_item	 item[KEYS];
	int			 owner[KEYS], n[3] = { 0 };

	start_three();
	p = open_pool();
	kv = csa_kv_take(p);
	second = csa_kv_take(p);
	for (int i = 0; i < KEYS; i++)
		item[i] = (struct csa_kv_item){ key[i], key[i], strlen(key[i]),
		    0 };
	ck_assert_uint_eq(kv->ops->set_many(kv, item, KEYS), 0);
	for (int i = 0; i < KEYS; i++) {
		ck_assert_int_ne(owner[i] = who_has(key[i], -1), -1);
		n[owner[i]]++;
	}
	/* A third each, more or less. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_gt(n[i], KEYS / 6);
	check_living(second, owner, -1);
	/* Dead, or as good as dead. */
	if (_i == 0)
		kill(pids[1], SIGKILL);
	else
		stop_server(1);
	for (int i = 0, failed = 0; failed < 3; i++) {
		ck_assert_int_lt(i, KEYS);
		failed += look(kv, key[i]) <= -1;
	}
	ck_assert(!alone(p, 0) && alone(p, 1) && !alone(p, 2));
	check_living(second, owner, 1);
	/* What is put is put where it was, or nowhere. */
	ck_assert_uint_eq(kv->ops->set_many(kv, item, KEYS), (size_t)n[1]);
	check_living(kv, owner, 1);
	for (int i = 0; i < KEYS; i++)
		if (owner[i] != 1)
			ck_assert_int_eq(who_has(key[i], 1), owner[i]);
	csa_kv_give(p, kv);
	csa_kv_give(p, second);
	csa_kv_pool_free(p);
}
END_TEST

/* ---- what does not fit ---- */

START_TEST(one_too_large_of_many_spoils_no_other)
{
	static char		 big[600 * 1000];
	const struct csa_kv_item item[] = {
		{ "a", "1", 1, 0 }, { "b", big, sizeof(big), 0 },
		{ "c", "3", 1, 0 }, { "d", big, sizeof(big), 0 },
		{ "e", "5", 1, 0 },
	};
	struct csa_kv_pool	*p;
	struct csa_kv		*kv;

	memcached_option[0] = "-I";
	memcached_option[1] = "512k";
	start_unix(servers, sizeof(servers));
	p = open_pool();
	kv = csa_kv_take(p);
	for (int i = 0; i < 20; i++) {
		ck_assert_uint_eq(kv->ops->set_many(kv, item, 5), 2);
		holds(kv, "a", "1", 1);
		lacks(kv, "b");
		holds(kv, "c", "3", 1);
		lacks(kv, "d");
		holds(kv, "e", "5", 1);
		/* The first one, so that nothing good came before it. */
		ck_assert_uint_eq(kv->ops->set_many(kv, item + 1, 2), 1);
		holds(kv, "c", "3", 1);
		ck_assert_int_eq(kv->ops->set(kv, "b", big, sizeof(big), 0),
		    -1);
	}
	ck_assert(!alone(p, 0));
	csa_kv_give(p, kv);
	csa_kv_pool_free(p);
}
END_TEST

/* M-05: 2 MB, so that almost all is evicted. */
START_TEST(a_full_memcached_forgets_and_never_lies)
{
	struct csa_kv_item	 item[100];
	static char		 names[100][16], val[100][3000];
	struct csa_kv_pool	*p;
	struct csa_kv		*kv;
	void			*got;
	size_t			 n, found = 0;

	memcached_option[0] = "-m";
	memcached_option[1] = "2";
	start_unix(servers, sizeof(servers));
	p = open_pool();
	kv = csa_kv_take(p);
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned i = 0; i < 100; i++) {
			snprintf(names[i], sizeof(names[i]), "%u",
			    round * 100 + i);
			memset(val[i], (int)(round * 7 + i), sizeof(val[i]));
			item[i] = (struct csa_kv_item){ names[i], val[i],
			    sizeof(val[i]), 0 };
		}
		(void)kv->ops->set_many(kv, item, 100);
		for (unsigned i = 0; i < 100; i += 9) {
			int	 rc = kv->ops->get(kv, names[i], &got, &n);

			ck_assert_int_ne(rc, -1);
			if (rc == 0)
				continue;
			found++;
			ck_assert_uint_eq(n, sizeof(val[i]));
			ck_assert_int_eq(memcmp(got, val[i], n), 0);
			free(got);
		}
	}
	ck_assert_uint_gt(found, 100);
	ck_assert(!alone(p, 0));
	csa_kv_give(p, kv);
	csa_kv_pool_free(p);
}
END_TEST

void
add_pool_tests(TCase *t)
{
	tcase_add_test(t, a_process_pays_three_times_then_one_tries);
	tcase_add_test(t, the_gauge_goes_with_the_pool);
	tcase_add_loop_test(t, a_restart_is_not_noticed, 0, 2);
	tcase_add_loop_test(t, of_three_servers_one_is_dead, 0, 2);
	tcase_add_test(t, one_too_large_of_many_spoils_no_other);
	tcase_add_test(t, a_full_memcached_forgets_and_never_lies);
}
