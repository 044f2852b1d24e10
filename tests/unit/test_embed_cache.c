/*
 * Whatever is in the cache and whatever is not, every text gets its own vector.
 */

#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/cached.h"
#include "tests/suite.h"
#include "tests/unit/cache_fixture.h"
#include "tests/unit/test_embed_cache.h"

#define DIM		64
#define TEXTS		300
#define MAX_BATCH	40
#define STEPS		4000

static struct host		 host;
static struct who		 who;
static struct watched		 up;
static struct csa_embedder	*cached;
static struct csa_err		 err;

static void
setup(void)
{
	mc_start();
	mc_config.embedding_ttl_s = 1000;
	mc_config.single_flight = true;
	host_open(&host, true);
	who_open(&who, &host, patience(60000));
	watched_init(&up, DIM);
	cached = csa_embedder_cached_open(&up.embedder, host.cache,
	    &mc_config);
}

static void
teardown(void)
{
	cached->ops->close(cached);
	watched_fini(&up);
	who_close(&who);
	host_close(&host);
	mc_stop();
}

static int
embed(enum csa_embed_kind kind, const struct csa_text *t, size_t n,
    struct csa_vec *v)
{
	struct csa_embed_job	*job;
	int			 rc;

	up.nasked = 0;
	job = cached->ops->start(cached, &who.ctx, kind, t, n);
	rc = cached->ops->finish(job, v, &err);
	/* The vectors are in the arena here. */
	cached->ops->end(job);
	return rc;
}

static void
same(struct csa_vec *v, const struct csa_text *t)
{
	const float	*f = direct(&up, who.arena, t);

	ck_assert_uint_eq(v->dim, up.dim);
	ck_assert_mem_eq(csa_vec_floats(who.arena, v, 0), f,
	    up.dim * sizeof(*f));
}

static struct csa_cache_key
key_of(enum csa_embed_kind kind, const struct csa_text *t)
{
	struct csa_digest	 space;
	struct csa_cache_key	 key;

	csa_embed_space(&up.embedder, &mc_config, kind, &space);
	csa_embed_key(&space, t, &key);
	return key;
}

/* ---- any mix of what is there and what is not ---- */

static struct csa_text	 texts[TEXTS];
static bool		 kept[2][TEXTS];	/* by kind: as it should be */
static uint32_t		 seed;

static size_t
below(size_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void
make_texts(void)
{
	static char	 long_one[40000], some[TEXTS][80];

	for (size_t i = 0; i + 1 < sizeof(long_one); i++)
		long_one[i] = i % 7 == 6 ? ' ' : (char)('a' + i * i % 23);
	for (size_t i = 0; i < TEXTS; i++) {
		snprintf(some[i], sizeof(some[i]), "text w%zu of x%zu and y%zu",
		    i, i * 7, i / 3);
		texts[i] = (struct csa_text){ some[i], strlen(some[i]) };
	}
	texts[0] = (struct csa_text){ "", 0 };
	/* They differ by a byte, by one more, by one that ends a C string. */
	texts[1] = (struct csa_text){ "alpha beta\0gamma", 16 };
	texts[2] = (struct csa_text){ "alpha beta\0delta", 16 };
	texts[3] = (struct csa_text){ "alpha beta", 10 };
	texts[4] = (struct csa_text){ "alpha beta\0", 11 };
	texts[5] = (struct csa_text){ long_one, 39999 };
	texts[6] = (struct csa_text){ long_one, 39998 };
	texts[7] = (struct csa_text){ long_one, 20000 };
	texts[8] = (struct csa_text){ long_one + 1, 39998 };
}

/* What the embedder may be asked: each that is not kept, once, in order. */
static void
asked_right(enum csa_embed_kind kind, const size_t *of, size_t n)
{
	bool	 seen[TEXTS] = { false };
	size_t	 k = 0;

	for (size_t i = 0; i < n; i++) {
		const struct csa_text	*t = &texts[of[i]];

		if (kept[kind][of[i]] || seen[of[i]])
			continue;
		seen[of[i]] = true;
		ck_assert_uint_lt(k, up.nasked);
		ck_assert_uint_eq(up.asked[k].n, t->n);
		ck_assert_mem_eq(up.asked[k].s, t->s, t->n);
		k++;
	}
	ck_assert_uint_eq(k, up.nasked);
}

/* memcached forgets one, or has it wrong. */
static void
lose_one(void)
{
	enum csa_embed_kind	 kind = (enum csa_embed_kind)below(2);
	size_t			 i = below(TEXTS);
	struct csa_cache_key	 key = key_of(kind, &texts[i]);
	struct csa_kv		*kv = csa_kv_take(host.pool);
	char			*val;
	void			*was;
	size_t			 n;

	if (below(2) == 0)
		ck_assert_int_ge(kv->ops->del(kv, key.name), 0);
	else if (kv->ops->get(kv, key.name, &was, &n) == 1) {
		val = was;
		val[below(n)] ^= (char)(1 << below(8));
		ck_assert_int_eq(kv->ops->set(kv, key.name, val, n, 0), 0);
		free(was);
	}
	csa_kv_give(host.pool, kv);
	kept[kind][i] = false;
}

static void
one_step(void)
{
	enum csa_embed_kind	 kind = (enum csa_embed_kind)below(2);
	struct csa_text		 t[MAX_BATCH];
	struct csa_vec		 v[MAX_BATCH];
	size_t			 n = below(4) == 0 ? 1 : below(MAX_BATCH + 1);
	size_t			 of[MAX_BATCH], from = below(TEXTS);
	bool			 fails = below(20) == 0;

	/* Often near each other, so that many are equal. */
	for (size_t i = 0; i < n; i++) {
		of[i] = below(2) == 0 ? below(TEXTS) :
		    (from + below(8)) % TEXTS;
		t[i] = texts[of[i]];
	}
	up.error = fails ? CSA_ERR_PROVIDER_UNAVAILABLE : CSA_OK;
	up.as_text = below(2) == 0;
	if (embed(kind, t, n, v) == -1) {
		ck_assert(fails && up.nasked > 0);
		ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
		asked_right(kind, of, n);
		return;
	}
	ck_assert(!fails || up.nasked == 0);
	asked_right(kind, of, n);
	for (size_t i = 0; i < n; i++) {
		same(&v[i], &t[i]);
		kept[kind][of[i]] = true;
	}
}

START_TEST(any_mix)
{
	int	 steps = getenv("CSA_VALGRIND") != NULL ? STEPS / 10 : STEPS;

	seed = 20 + (uint32_t)_i;
	memset(kept, 0, sizeof(kept));
	make_texts();
	for (int i = 0; i < steps; i++) {
		csa_arena_reset(who.arena);
		who.ctx.deadline = INT64_MAX;
		who.spent = 0;
		if (below(3) == 0)
			lose_one();
		one_step();
	}
}
END_TEST

/* ---- what is kept of another kind of vector ---- */

static const struct csa_text	 abc[] = { { "a one", 5 }, { "b two", 5 },
				    { "c three", 7 }, { "d four", 6 } };

static void
plant(const struct csa_text *t, const float *f, size_t dim)
{
	struct csa_cache_key	 key = key_of(CSA_EMBED_QUERY, t);
	struct csa_buf		 b;

	csa_buf_init(&b, 100000);
	csa_embed_pack(&b, f, dim);
	csa_cache_put(host.cache, &who.ctx, &key, b.data, b.len, 100);
	csa_buf_fini(&b);
}

static void
all_are_right(void)
{
	struct csa_vec	 v[4];

	ck_assert_int_eq(embed(CSA_EMBED_QUERY, abc, 4, v), 0);
	for (int i = 0; i < 4; i++)
		same(&v[i], &abc[i]);
}

/* One was kept with other dimensions than those that come: i of them. */
START_TEST(other_dimensions)
{
	static const float	 f[DIM] = { 1, 2, 3 };

	for (int i = 0; i < _i; i++)
		plant(&abc[i], f, DIM / 2);
	all_are_right();
	/* All four; those of the first round came once more. */
	ck_assert_uint_eq(atomic_load(&up.calls), _i == 0 ? 1 : 2);
	ck_assert_uint_eq(up.nasked, 4);
	/* What is kept now is right. */
	all_are_right();
	ck_assert_uint_eq(up.nasked, 0);
}
END_TEST

/* Those that were kept do not agree among themselves. */
START_TEST(kept_in_two_dimensions)
{
	static const float	 f[DIM] = { 1, 2, 3 };

	plant(&abc[0], f, DIM);
	plant(&abc[1], f, DIM / 2);
	all_are_right();
	ck_assert_uint_eq(up.nasked, 4);
	ck_assert_uint_eq(atomic_load(&up.calls), 1);
}
END_TEST

START_TEST(unsound)
{
	float	 f[DIM] = { 1, NAN };

	plant(&abc[0], f, DIM);
	f[1] = INFINITY;
	plant(&abc[1], f, DIM);
	memset(f, 0, sizeof(f));
	plant(&abc[2], f, DIM);
	all_are_right();
	ck_assert_uint_eq(up.nasked, 4);
}
END_TEST

/* All come from the cache, in the wrong size, and one is configured. */
START_TEST(configured_dimensions)
{
	static const float	 f[DIM] = { 1, 2, 3 };

	cached->ops->close(cached);
	mc_config.embedding_dimensions = DIM;
	cached = csa_embedder_cached_open(&up.embedder, host.cache,
	    &mc_config);
	for (int i = 0; i < 4; i++)
		plant(&abc[i], f, DIM / 2);
	all_are_right();
	ck_assert_uint_eq(up.nasked, 4);
}
END_TEST

/* ---- the rest ---- */

/* Numbers that came as text go on as that text, and are kept as floats. */
START_TEST(text_goes_on)
{
	struct csa_vec	 v[4];

	up.as_text = true;
	ck_assert_int_eq(embed(CSA_EMBED_PASSAGE, abc, 4, v), 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_ptr_nonnull(v[i].json.s);
		ck_assert_int_eq(v[i].json.s[0], '[');
		ck_assert_uint_eq(v[i].json.count, DIM);
		same(&v[i], &abc[i]);
	}
	ck_assert_int_eq(embed(CSA_EMBED_PASSAGE, abc, 4, v), 0);
	ck_assert_uint_eq(up.nasked, 0);
	for (int i = 0; i < 4; i++) {
		ck_assert_ptr_null(v[i].json.s);
		same(&v[i], &abc[i]);
	}
}
END_TEST

/* What failed, or was given up, leaves nothing behind. */
START_TEST(nothing_of_failures)
{
	struct csa_embed_job	*job;
	struct csa_vec		 v[4];

	for (size_t n = 1; n <= 4; n += 3) {
		up.error = CSA_ERR_PROVIDER_FAULT;
		ck_assert_int_eq(embed(CSA_EMBED_QUERY, abc, n, v), -1);
		ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_FAULT);
		up.error = CSA_OK;
		job = cached->ops->start(cached, &who.ctx, CSA_EMBED_QUERY,
		    abc, n);
		cached->ops->end(job);
		for (size_t i = 0; i < n; i++)
			ck_assert(!mc_has(key_of(CSA_EMBED_QUERY,
			    &abc[i]).name));
	}
	cached->ops->end(NULL);
	all_are_right();
	ck_assert_uint_eq(up.nasked, 4);
}
END_TEST

/* Without memcached all goes through as it is. */
START_TEST(passing_through)
{
	struct csa_text	 twice[] = { abc[0], abc[0], abc[1] };
	struct csa_vec	 v[3];

	who_close(&who);
	cached->ops->close(cached);
	host_close(&host);
	host_open(&host, false);
	who_open(&who, &host, patience(60000));
	cached = csa_embedder_cached_open(&up.embedder, host.cache,
	    &mc_config);
	for (int round = 0; round < 2; round++) {
		ck_assert_int_eq(embed(CSA_EMBED_QUERY, twice, 3, v), 0);
		ck_assert_uint_eq(up.nasked, 3);
		for (int i = 0; i < 3; i++)
			same(&v[i], &twice[i]);
		ck_assert_int_eq(embed(CSA_EMBED_QUERY, twice, 1, v), 0);
		ck_assert_uint_eq(up.nasked, 1);
		ck_assert_int_eq(embed(CSA_EMBED_QUERY, twice, 0, v), 0);
	}
}
END_TEST

START_TEST(who_it_is)
{
	ck_assert_str_eq(cached->name, "openai");
	ck_assert_str_eq(cached->model, "script");
	ck_assert_int_eq(cached->ops->probe(cached, 77), -1);
	ck_assert_int_eq(cached->ops->probe(cached, 78), 0);
}
END_TEST

static TCase *
batches_case(void)
{
	TCase	*t = tcase_create("batches");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, any_mix, 0, 2);
	tcase_add_loop_test(t, other_dimensions, 0, 4);
	tcase_add_test(t, kept_in_two_dimensions);
	tcase_add_test(t, unsound);
	tcase_add_test(t, configured_dimensions);
	tcase_add_test(t, text_goes_on);
	tcase_add_test(t, nothing_of_failures);
	tcase_add_test(t, passing_through);
	tcase_add_test(t, who_it_is);
	return t;
}

int
main(void)
{
	Suite	*s = suite_create("embed_cache");
	int	 failed;

	if (csa_metrics_open(NULL, &err) == -1)
		return 1;
	suite_add_tcase(s, batches_case());
	suite_add_tcase(s, embed_keys_case());
	suite_add_tcase(s, embed_shared_case());
	failed = run_suite(s);
	csa_metrics_close();
	return failed;
}
