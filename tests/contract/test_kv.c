#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/contract/kv_fixture.h"
#include "tests/suite.h"

/* ---- what every driver that works does ---- */

static struct csa_kv *
open_mem(void)
{
	return csa_kv_mem_open();
}

static struct csa_kv *
open_tcp(void)
{
	start_tcp(servers, sizeof(servers));
	return csa_kv_memcached_open(servers, TIMEOUT_MS, &err);
}

static struct csa_kv *
open_unix(void)
{
	start_unix(servers, sizeof(servers));
	return csa_kv_memcached_open(servers, TIMEOUT_MS, &err);
}

static struct csa_kv *
open_both(void)
{
	char	 a[128], b[128];

	start_tcp(a, sizeof(a));
	start_unix(b, sizeof(b));
	snprintf(servers, sizeof(servers), " %s , %s ", a, b);
	return csa_kv_memcached_open(servers, TIMEOUT_MS, &err);
}

static struct csa_kv *(*const openers[])(void) = {
	open_mem, open_tcp, open_unix, open_both,
};

void
holds(struct csa_kv *kv, const char *key, const void *val, size_t n)
{
	void	*got;
	size_t	 len;

	ck_assert_int_eq(kv->ops->get(kv, key, &got, &len), 1);
	ck_assert_uint_eq(len, n);
	ck_assert_ptr_nonnull(got);
	ck_assert(n == 0 || memcmp(got, val, n) == 0);
	free(got);
}

void
lacks(struct csa_kv *kv, const char *key)
{
	void	*got = &got;
	size_t	 len = 9;

	ck_assert_int_eq(kv->ops->get(kv, key, &got, &len), 0);
	ck_assert_ptr_null(got);
	ck_assert_uint_eq(len, 0);
}

static void
check_values(struct csa_kv *kv)
{
	static char	 big[CSA_KV_VALMAX + 1];
	static const char bytes[] = "\0\r\nEND\r\n\xff";

	lacks(kv, "a");
	ck_assert_int_eq(kv->ops->set(kv, "a", "one", 3, 0), 0);
	holds(kv, "a", "one", 3);
	ck_assert_int_eq(kv->ops->set(kv, "a", bytes, sizeof(bytes), 60), 0);
	holds(kv, "a", bytes, sizeof(bytes));
	ck_assert_int_eq(kv->ops->set(kv, "a", NULL, 0, 60), 0);
	holds(kv, "a", "", 0);
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(kv->ops->set(kv, "big", big, CSA_KV_VALMAX, 0), 0);
	holds(kv, "big", big, CSA_KV_VALMAX);
	ck_assert_int_eq(kv->ops->set(kv, "big", big, CSA_KV_VALMAX + 1, 0),
	    -1);
	ck_assert_int_eq(kv->ops->add(kv, "b2", big, CSA_KV_VALMAX + 1, 0), -1);
	lacks(kv, "b2");
	ck_assert_int_eq(kv->ops->del(kv, "big"), 1);
	ck_assert_int_eq(kv->ops->del(kv, "big"), 0);
	lacks(kv, "big");
}

static void
check_add(struct csa_kv *kv)
{
	ck_assert_int_eq(kv->ops->add(kv, "lock", "me", 2, 10), 0);
	ck_assert_int_eq(kv->ops->add(kv, "lock", "you", 3, 10), 1);
	holds(kv, "lock", "me", 2);
	ck_assert_int_eq(kv->ops->del(kv, "lock"), 1);
	ck_assert_int_eq(kv->ops->add(kv, "lock", "you", 3, 10), 0);
	holds(kv, "lock", "you", 3);
}

static void
check_keys(struct csa_kv *kv)
{
	static const char *const bad[] = { "", " ", "a b", "a\r\nset x 0 0 1",
		"a\tb", "\x7f", "gr\xc3\xbc\xc3\x9f" };
	char	 key[CSA_KV_KEYMAX + 2];
	void	*got;
	size_t	 len;

	memset(key, '~', sizeof(key));
	key[CSA_KV_KEYMAX + 1] = '\0';
	ck_assert_int_eq(kv->ops->get(kv, key, &got, &len), -1);
	ck_assert_int_eq(kv->ops->set(kv, key, "x", 1, 0), -1);
	key[CSA_KV_KEYMAX] = '\0';
	ck_assert_int_eq(kv->ops->set(kv, key, "x", 1, 0), 0);
	holds(kv, key, "x", 1);
	for (size_t i = 0; i < CSA_NITEMS(bad); i++) {
		ck_assert_int_eq(kv->ops->get(kv, bad[i], &got, &len), -1);
		ck_assert_ptr_null(got);
		ck_assert_int_eq(kv->ops->set(kv, bad[i], "x", 1, 0), -1);
		ck_assert_int_eq(kv->ops->add(kv, bad[i], "x", 1, 0), -1);
		ck_assert_int_eq(kv->ops->del(kv, bad[i]), -1);
	}
	/* The caller's slips say nothing about the server. */
	ck_assert_int_eq(kv->ops->set(kv, "!", "x", 1, 0), 0);
	holds(kv, "!", "x", 1);
}

static void
check_many(struct csa_kv *kv)
{
	char	 key[20], val[20];

	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		snprintf(val, sizeof(val), "val-%d", i);
		ck_assert_int_eq(kv->ops->set(kv, key, val, strlen(val), 0), 0);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		snprintf(val, sizeof(val), "val-%d", i);
		holds(kv, key, val, strlen(val));
	}
}

static void
check_ttl(struct csa_kv *kv)
{
	ck_assert_int_eq(kv->ops->set(kv, "t", "x", 1, 1), 0);
	/* More than a month is no date in 1970. */
	ck_assert_int_eq(kv->ops->set(kv, "u", "x", 1, 40 * 86400), 0);
	holds(kv, "u", "x", 1);
	nap(2200);
	lacks(kv, "t");
	holds(kv, "u", "x", 1);
	ck_assert_int_eq(kv->ops->add(kv, "t", "y", 1, 0), 0);
	holds(kv, "t", "y", 1);
}

START_TEST(drivers_keep_the_contract)
{
	struct csa_kv	*kv = openers[_i]();

	ck_assert_ptr_nonnull(kv);
	ck_assert_int_eq(kv->ops->ping(kv), 0);
	check_values(kv);
	check_add(kv);
	check_keys(kv);
	check_many(kv);
	check_get_many(kv);
	check_ttl(kv);
	ck_assert_int_eq(kv->ops->ping(kv), 0);
	kv->ops->close(kv);
}
END_TEST

START_TEST(fail_fails)
{
	struct csa_kv	*kv = csa_kv_fail_open();
	void		*got = &got;
	size_t		 len;

	ck_assert_int_eq(kv->ops->get(kv, "a", &got, &len), -1);
	ck_assert_ptr_null(got);
	ck_assert_int_eq(kv->ops->set(kv, "a", "x", 1, 0), -1);
	ck_assert_int_eq(kv->ops->add(kv, "a", "x", 1, 0), -1);
	ck_assert_int_eq(kv->ops->del(kv, "a"), -1);
	ck_assert_uint_eq(kv->ops->get_many(kv, (const char *[]){ "a", "b" },
	    2, NULL, NULL), 2);
	ck_assert_uint_eq(kv->ops->set_many(kv, &(struct csa_kv_item){ "a",
	    "x", 1, 0 }, 1), 1);
	ck_assert_int_eq(kv->ops->ping(kv), -1);
	kv->ops->close(kv);
}
END_TEST

START_TEST(mem_is_bounded)
{
	struct csa_kv	*kv = csa_kv_mem_open();
	char		 key[20];

	for (int i = 0; i < 80000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(kv->ops->set(kv, key, key, 1, 0), 0);
	}
	holds(kv, "79999", "7", 1);
	kv->ops->close(kv);
}
END_TEST

static const char *const	 not_servers[] = {
	"", "host", "host:", ":11211", "host:0", "host:65536", "host:1x",
	"127.0.0.1:1,", ",127.0.0.1:1", "a b:1", "[::1]", "host:99999999999",
};

START_TEST(servers_that_make_no_sense)
{
	ck_assert_ptr_null(csa_kv_memcached_open(not_servers[_i], 50, &err));
	ck_assert_int_eq(err.source, CSA_SRC_MEMCACHED);
}
END_TEST

static void
add_tests(Suite *s, const char *name, void (*add)(TCase *))
{
	TCase	*t = tcase_create(name);

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	add(t);
	suite_add_tcase(s, t);
}

int
main(void)
{
	Suite	*s = suite_create("kv");
	TCase	*t = tcase_create("kv");

	if (system("command -v memcached >/dev/null 2>&1") != 0) {
		fprintf(stderr, "memcached is not here: skipped\n");
		return 77;
	}
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, drivers_keep_the_contract, 0,
	    (int)CSA_NITEMS(openers));
	tcase_add_test(t, fail_fails);
	tcase_add_test(t, mem_is_bounded);
	tcase_add_loop_test(t, servers_that_make_no_sense, 0,
	    (int)CSA_NITEMS(not_servers));
	suite_add_tcase(s, t);
	add_tests(s, "ill", add_ill_tests);
	add_tests(s, "pool", add_pool_tests);
	add_tests(s, "lying", add_lying_tests);
	return run_suite(s);
}
