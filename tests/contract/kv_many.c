/*
 * Many keys at once: what get_many and set_many promise, of any driver.
 */

#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/contract/kv_fixture.h"

#define KEYS	350		/* of which some groups are made */
#define BATCH	260

/* What was found, of each of a batch. */
struct finds {
	char	*val[BATCH];
	size_t	 len[BATCH];
	size_t	 n;
};

static void
find(void *arg, size_t i, const void *val, size_t len)
{
	struct finds	*f = arg;

	ck_assert_uint_lt(i, f->n);
	/* Told of each once. */
	ck_assert_ptr_null(f->val[i]);
	f->val[i] = csa_malloc(len + 1);
	memcpy(f->val[i], val, len);
	f->len[i] = len;
}

static size_t
get_many(struct csa_kv *kv, const char *const *key, size_t n, struct finds *f)
{
	memset(f, 0, sizeof(*f));
	f->n = n;
	return kv->ops->get_many(kv, key, n, find, f);
}

static void
let_go(struct finds *f)
{
	for (size_t i = 0; i < f->n; i++)
		free(f->val[i]);
}

/* Says whose it is, and is of another length for each version. */
static size_t
value_of(unsigned key, unsigned version, char *val)
{
	size_t	 n = 16 + (key * 131 + version * 17) % 4000;

	memset(val, 'a' + (int)(key % 26), n);
	memcpy(val, &key, sizeof(key));
	memcpy(val + 8, &version, sizeof(version));
	return n;
}

/* A thousand batches of what is there, and is not, some of it twice. */
static void
check_batches(struct csa_kv *kv)
{
	static char		 name[KEYS][12], val[BATCH][4100];
	unsigned		 version[KEYS] = { 0 }, key[BATCH];
	const char		*keys[BATCH];
	struct csa_kv_item	 item[BATCH];
	struct finds		 f;
	size_t			 n;
	char			 want[4100];

	srand(5);
	for (unsigned i = 0; i < KEYS; i++)
		snprintf(name[i], sizeof(name[i]), "many-%u", i);
	for (unsigned round = 1; round <= 60; round++) {
		n = (size_t)rand() % (BATCH + 1);
		for (size_t i = 0; i < n; i++) {
			key[i] = (unsigned)rand() % KEYS;
			keys[i] = name[key[i]];
		}
		ck_assert_uint_eq(get_many(kv, keys, n, &f), 0);
		for (size_t i = 0; i < n; i++) {
			size_t	 len = value_of(key[i], version[key[i]], want);

			ck_assert_int_eq(f.val[i] != NULL,
			    version[key[i]] != 0);
			if (f.val[i] == NULL)
				continue;
			ck_assert_uint_eq(f.len[i], len);
			ck_assert_int_eq(memcmp(f.val[i], want, len), 0);
		}
		let_go(&f);
		n = (size_t)rand() % (n + 1);
		for (size_t i = 0; i < n; i++) {
			version[key[i]] = round;
			item[i] = (struct csa_kv_item){ keys[i], val[i],
			    value_of(key[i], round, val[i]), 600 };
		}
		ck_assert_uint_eq(kv->ops->set_many(kv, item, n), 0);
		for (int i = 0; i < 10; i++) {
			unsigned	 gone = (unsigned)rand() % KEYS;

			ck_assert_int_eq(kv->ops->del(kv, name[gone]),
			    version[gone] != 0);
			version[gone] = 0;
		}
	}
}

static void
check_bad_ones(struct csa_kv *kv)
{
	static char		 big[CSA_KV_VALMAX + 1];
	const char *const	 key[] = { "good-1", "a b", "good-2", "",
		"x\r\nset y 0 0 1", "good-1" };
	const struct csa_kv_item item[] = {
		{ "good-1", "one", 3, 0 }, { "a b", "x", 1, 0 },
		{ "good-2", NULL, 0, 0 }, { "too-big", big, sizeof(big), 0 },
		{ "y z", "x", 1, 0 },
	};
	struct finds		 f;

	ck_assert_uint_eq(kv->ops->set_many(kv, item, CSA_NITEMS(item)), 3);
	ck_assert_uint_eq(get_many(kv, key, CSA_NITEMS(key), &f), 3);
	ck_assert_uint_eq(f.len[0], 3);
	ck_assert_int_eq(memcmp(f.val[0], "one", 3), 0);
	ck_assert_ptr_null(f.val[1]);
	ck_assert_ptr_nonnull(f.val[2]);
	ck_assert_uint_eq(f.len[2], 0);
	ck_assert_ptr_null(f.val[3]);
	ck_assert_ptr_null(f.val[4]);
	ck_assert_int_eq(memcmp(f.val[5], "one", 3), 0);
	let_go(&f);
	lacks(kv, "too-big");
	ck_assert_uint_eq(get_many(kv, key, 0, &f), 0);
	ck_assert_uint_eq(kv->ops->set_many(kv, item, 0), 0);
}

/* Together far more than a socket takes in before it is read. */
static void
check_large_ones(struct csa_kv *kv)
{
	struct csa_kv_item	 item[12];
	const char		*key[12];
	static char		 name[12][12];
	struct finds		 f;
	size_t			 n = 300 * 1000;

	for (unsigned i = 0; i < 12; i++) {
		snprintf(name[i], sizeof(name[i]), "large-%u", i);
		item[i] = (struct csa_kv_item){ name[i], csa_malloc(n), n, 0 };
		memset((char *)(uintptr_t)item[i].val, 'a' + (int)i, n);
		key[i] = name[i];
	}
	ck_assert_uint_eq(kv->ops->set_many(kv, item, 12), 0);
	ck_assert_uint_eq(get_many(kv, key, 12, &f), 0);
	for (size_t i = 0; i < 12; i++) {
		ck_assert_ptr_nonnull(f.val[i]);
		ck_assert_uint_eq(f.len[i], n);
		ck_assert_int_eq(memcmp(f.val[i], item[i].val, n), 0);
		free((void *)(uintptr_t)item[i].val);
		ck_assert_int_eq(kv->ops->del(kv, name[i]), 1);
	}
	let_go(&f);
}

void
check_get_many(struct csa_kv *kv)
{
	check_batches(kv);
	check_bad_ones(kv);
	check_large_ones(kv);
}
