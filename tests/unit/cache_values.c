/*
 * What memcached says may be anything (reliability.md, M-03): of more than ten
 * thousand values that are not to the last bit what was put none is taken, and
 * each is counted.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/cache/cache_internal.h"
#include "lib/cache/value.h"
#include "lib/text/digest.h"
#include "tests/unit/cache_fake.h"

static uint64_t	 lies;

/* Nothing is found, and it is counted as odd, once. */
static void
is_odd(const struct csa_cache_key *key, const void *lie, size_t n)
{
	struct csa_cached	 got = { "x", 1 };
	char			 label[40];
	uint64_t		 before;

	snprintf(label, sizeof(label), "%s|odd", csa_cache_label(key->kind));
	before = counted(label);
	fake.lie = lie;
	fake.lie_len = n;
	ck_assert_int_eq(csa_cache_get(cache, &ctx, key, &got), 0);
	ck_assert_ptr_null(got.data);
	ck_assert_uint_eq(got.len, 0);
	ck_assert_uint_eq(counted(label), before + 1);
	lies++;
}

static void
is_taken(const struct csa_cache_key *key, const void *envelope, size_t n,
    const void *want, size_t len)
{
	struct csa_cached	 got;

	fake.lie = envelope;
	fake.lie_len = n;
	ck_assert_int_eq(csa_cache_get(cache, &ctx, key, &got), 1);
	ck_assert_uint_eq(got.len, len);
	ck_assert_int_eq(memcmp(got.data, want, len), 0);
}

/* What is changed by somebody who also makes the checksum right. */
static void
reseal(uint8_t *v, size_t n)
{
	struct csa_digest	 d;

	csa_sha256(v, n - CSA_VALUE_TAIL, &d);
	memcpy(v + n - CSA_VALUE_TAIL, d.b, CSA_VALUE_TAIL);
}

#define LEN	150
#define WHOLE	(LEN + CSA_VALUE_MORE)

static uint8_t			 value[LEN], good[WHOLE], v[2 * WHOLE];
static struct csa_cache_key	 key;

static void
setup(void)
{
	fake_setup();
	srand(3);
	for (size_t i = 0; i < LEN; i++)
		value[i] = (uint8_t)rand();
	key = key_of(CSA_CACHE_ANSWER, "question");
	csa_value_seal(&key, value, LEN, good);
	is_taken(&key, good, WHOLE, value, LEN);
	lies = 0;
}

START_TEST(every_bit_counts)
{
	for (size_t i = 0; i < WHOLE * 8; i++) {
		memcpy(v, good, WHOLE);
		v[i / 8] ^= (uint8_t)(1 << i % 8);
		is_odd(&key, v, WHOLE);
	}
	/* Of the head also where the checksum was made right. */
	for (size_t i = 0; i < CSA_VALUE_HEAD * 8; i++) {
		memcpy(v, good, WHOLE);
		v[i / 8] ^= (uint8_t)(1 << i % 8);
		reseal(v, WHOLE);
		is_odd(&key, v, WHOLE);
	}
	ck_assert_uint_eq(lies, (WHOLE + CSA_VALUE_HEAD) * 8);
}
END_TEST

START_TEST(neither_less_nor_more)
{
	for (size_t n = 0; n < WHOLE; n++) {
		is_odd(&key, good, n);
		memcpy(v, good, n);
		if (n >= CSA_VALUE_TAIL)
			reseal(v, n);
		is_odd(&key, v, n);
	}
	memcpy(v, good, WHOLE);
	for (size_t n = WHOLE + 1; n <= 2 * WHOLE; n++) {
		v[n - 1] = (uint8_t)n;
		is_odd(&key, v, n);
	}
	/* What begins before, or after, where it ought to. */
	for (size_t n = 1; n < WHOLE; n++) {
		memset(v, 0, WHOLE);
		memcpy(v, good + n, WHOLE - n);
		is_odd(&key, v, WHOLE);
		memset(v, 0, n);
		memcpy(v + n, good, WHOLE - n);
		is_odd(&key, v, WHOLE);
	}
}
END_TEST

START_TEST(lengths_are_not_believed)
{
	static const uint64_t	 lengths[] = { 0, 1, LEN - 1, LEN + 1, 255,
		65536, UINT32_MAX, UINT64_MAX, UINT64_MAX - CSA_VALUE_MORE,
		(uint64_t)INT64_MAX + 1, CSA_VALUE_MAX, CSA_VALUE_MAX + 1 };

	for (size_t i = 0; i < CSA_NITEMS(lengths); i++) {
		memcpy(v, good, WHOLE);
		for (int k = 0; k < 8; k++)
			v[40 + k] = (uint8_t)(lengths[i] >> 8 * k);
		is_odd(&key, v, WHOLE);
		reseal(v, WHOLE);
		is_odd(&key, v, WHOLE);
	}
}
END_TEST

/* Well made, but of another key, kind or version. */
START_TEST(what_is_another_ones_is_nobodys)
{
	struct csa_cache_key	 theirs;
	char			 name[24];

	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "question%d", i);
		theirs = key_of(CSA_CACHE_ANSWER, name);
		csa_value_seal(&theirs, value, LEN, v);
		is_odd(&key, v, WHOLE);
		is_taken(&theirs, v, WHOLE, value, LEN);
	}
	for (int k = 0; k < CSA_CACHE__MAX; k++) {
		/* The same digest, even. */
		theirs = key;
		theirs.kind = (enum csa_cache_kind)k;
		csa_value_seal(&theirs, value, LEN, v);
		if (k != CSA_CACHE_ANSWER)
			is_odd(&key, v, WHOLE);
	}
	for (int version = 0; version < 256; version++) {
		for (size_t at = 4; at < 8; at++) {
			memcpy(v, good, WHOLE);
			if (v[at] == version)
				continue;
			v[at] = (uint8_t)version;
			reseal(v, WHOLE);
			is_odd(&key, v, WHOLE);
		}
	}
}
END_TEST

START_TEST(noise_is_nothing)
{
	static const char *const texts[] = { "", "\r\n", "END\r\n", "ERROR\r\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n", "VALUE csa:a 0 3\r\nabc\r\n",
		"SERVER_ERROR out of memory\r\n", "csaV", "csaV\1", "null",
		"{\"answer\":\"yes\"}" };
	size_t	 n, at, len;

	for (size_t i = 0; i < CSA_NITEMS(texts); i++)
		is_odd(&key, texts[i], strlen(texts[i]));
	for (int i = 0; i < 3000; i++) {
		n = (size_t)rand() % sizeof(v);
		for (size_t k = 0; k < n; k++)
			v[k] = (uint8_t)rand();
		is_odd(&key, v, n);
		/* And spots of it in what is good. */
		memcpy(v, good, WHOLE);
		at = (size_t)rand() % WHOLE;
		len = 1 + (size_t)rand() % (WHOLE - at);
		memset(v + at, rand(), len);
		if (memcmp(v, good, WHOLE) != 0)
			is_odd(&key, v, WHOLE);
	}
	memset(v, 0, sizeof(v));
	for (n = 0; n < sizeof(v); n++)
		is_odd(&key, v, n);
}
END_TEST

/* Put, and got again: nothing, a little, and all that an item takes. */
START_TEST(values_come_back_as_they_were)
{
	static const size_t	 sizes[] = { 0, 1, 2, 63, 64, 65, 3072, 99999,
		CSA_VALUE_MAX };
	uint8_t			*data = csa_malloc(CSA_VALUE_MAX);
	struct csa_cached	 got;

	for (size_t i = 0; i < CSA_VALUE_MAX; i++)
		data[i] = (uint8_t)rand();
	fake.lie = NULL;
	for (size_t i = 0; i < CSA_NITEMS(sizes); i++) {
		csa_cache_put(cache, &ctx, &key, data, sizes[i], 60);
		ck_assert_int_eq(csa_cache_get(cache, &ctx, &key, &got), 1);
		ck_assert_uint_eq(got.len, sizes[i]);
		ck_assert_int_eq(memcmp(got.data, data, sizes[i]), 0);
	}
	free(data);
}
END_TEST

TCase *
value_tests(void)
{
	TCase	*t = tcase_create("values");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, fake_teardown);
	tcase_add_test(t, every_bit_counts);
	tcase_add_test(t, neither_less_nor_more);
	tcase_add_test(t, lengths_are_not_believed);
	tcase_add_test(t, what_is_another_ones_is_nobodys);
	tcase_add_test(t, noise_is_nothing);
	tcase_add_test(t, values_come_back_as_they_were);
	return t;
}
