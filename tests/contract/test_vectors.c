#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/vector/vector.h"
#include "tests/contract/store_fixture.h"
#include "tests/suite.h"

/* The search inside the process, over a store that keeps the vectors. */

#define DIM	40			/* no multiple of a register */
#define MODEL	"model-a"

static struct csa_vectors	*vectors;

static void
setup(void)
{
	fx_setup();
	vectors = csa_vectors_local_open(store, MODEL);
	ck_assert_str_eq(vectors->name, "local");
	ck_assert(!vectors->remote);
	srand(4711);
}

static void
teardown(void)
{
	vectors->ops->close(vectors);
	fx_teardown();
}

/* The store again, and whatever was in memory gone. */
static void
reopen(void)
{
	vectors->ops->close(vectors);
	fx_reopen();
	vectors = csa_vectors_local_open(store, MODEL);
}

static void
random_vec(float *v, size_t dim)
{
	for (size_t i = 0; i < dim; i++)
		v[i] = (float)rand() / (float)RAND_MAX - .5f;
}

/* Store n chunks "DOC-I" with these vectors of dim numbers each. */
static void
put_vecs(const struct csa_scope *scope, const char *doc, const char *model,
    const float *v, size_t dim, size_t n)
{
	struct csa_chunk	*c;

	c = csa_arena_array(ctx.arena, n, struct csa_chunk);
	for (size_t i = 0; i < n; i++) {
		c[i].id = csa_arena_printf(ctx.arena, "%s-%zu", doc, i);
		c[i].text = c[i].id;
		c[i].len = strlen(c[i].text);
		c[i].vec = v + i * dim;
		c[i].dim = dim;
	}
	ck_assert_msg(store->ops->put_document(store, &ctx, scope, doc, NULL,
	    model, c, n, NULL, &err) == 0, "%s", err.detail);
}

static int
ask(const struct csa_scope *scope, const float *f, size_t dim, size_t k,
    struct csa_vec_hit **hits, size_t *n)
{
	struct csa_vec	 v = { .f = f, .dim = dim };

	return vectors->ops->finish(vectors->ops->query(vectors, &ctx, scope,
	    &v, k), hits, n, &err);
}

static double
cosine(const float *a, const float *b)
{
	double	 ab = 0, aa = 0, bb = 0;

	for (int i = 0; i < DIM; i++) {
		ab += (double)a[i] * b[i];
		aa += (double)a[i] * a[i];
		bb += (double)b[i] * b[i];
	}
	return ab / sqrt(aa) / sqrt(bb);
}

static int
falling(const void *a, const void *b)
{
	const double	*x = a, *y = b;

	return (*x < *y) - (*x > *y);
}

/* The answer is what comparing with each of the n vectors gives. */
static void
assert_exact(const struct csa_scope *scope, const float *all, size_t n,
    size_t k)
{
	struct csa_vec_hit	*hits;
	double			*score = csa_new_array(n, double);
	float			 q[DIM];
	size_t			 got;

	random_vec(q, DIM);
	for (size_t i = 0; i < n; i++)
		score[i] = cosine(q, all + i * DIM);
	qsort(score, n, sizeof(*score), falling);
	ck_assert_int_eq(ask(scope, q, DIM, k, &hits, &got), 0);
	ck_assert_uint_eq(got, k < n ? k : n);
	for (size_t i = 0; i < got; i++) {
		const char	*id = hits[i].chunk.id;
		size_t		 at = strtoul(strrchr(id, '-') + 1, NULL, 10);

		ck_assert_double_eq_tol(hits[i].score, score[i], 1e-6);
		ck_assert_double_eq_tol(hits[i].score,
		    cosine(q, all + at * DIM), 1e-6);
		ck_assert_str_eq(hits[i].chunk.text, id);
		ck_assert_uint_eq(hits[i].chunk.dim, DIM);
		ck_assert_mem_eq(hits[i].chunk.vec, all + at * DIM,
		    DIM * sizeof(*all));
	}
	free(score);
}

START_TEST(finds_the_nearest_of_all)
{
	size_t	 n = 3000;
	float	*v = csa_new_array(n * DIM, float);

	random_vec(v, n * DIM);
	put_vecs(&one, "d", MODEL, v, DIM, n);
	for (int i = 0; i < 20; i++) {
		assert_exact(&one, v, n, 10);
		assert_exact(&one, v, n, 1);
	}
	assert_exact(&one, v, n, n + 5);
	reopen();
	assert_exact(&one, v, n, 10);
	free(v);
}
END_TEST

/* Lengths as far apart as floats allow say nothing about direction. */
START_TEST(looks_at_directions_alone)
{
	float			 v[3][DIM] = { { 0 } }, q[DIM] = { 1 };
	struct csa_vec_hit	*hits;
	size_t			 n;

	v[0][0] = 1e-20f;			/* the very direction */
	v[1][0] = v[1][1] = 1e18f;
	v[2][1] = 1;
	put_vecs(&one, "d", MODEL, v[0], DIM, 3);
	ck_assert_int_eq(ask(&one, q, DIM, 3, &hits, &n), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(hits[0].chunk.id, "d-0");
	ck_assert_double_eq_tol(hits[0].score, 1, 1e-6);
	ck_assert_double_eq_tol(hits[1].score, sqrt(.5), 1e-6);
	ck_assert_double_eq_tol(hits[2].score, 0, 1e-6);
}
END_TEST

START_TEST(sees_every_change)
{
	float	*v = csa_new_array(60 * DIM, float);

	for (int round = 0; round < 10; round++) {
		/* Fewer and other vectors under the same document. */
		size_t	 n = (size_t)(60 - round * 5);

		random_vec(v, n * DIM);
		put_vecs(&one, "d", MODEL, v, DIM, n);
		assert_exact(&one, v, n, n);
	}
	put_vecs(&one, "d", MODEL, v, DIM, 0);
	ck_assert_uint_eq(fx_count(&one, "d"), 0);
	{
		struct csa_vec_hit	*hits;
		size_t			 n;

		ck_assert_int_eq(ask(&one, v, DIM, 5, &hits, &n), 0);
		ck_assert_uint_eq(n, 0);
	}
	free(v);
}
END_TEST

START_TEST(adds_what_is_new_to_what_it_has)
{
	float			 v[2][DIM];
	struct csa_vec_hit	*hits;
	size_t			 n;

	random_vec(v[0], DIM);
	random_vec(v[1], DIM);
	put_vecs(&one, "a", MODEL, v[0], DIM, 1);
	ck_assert_int_eq(ask(&one, v[0], DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 1);
	put_vecs(&one, "b", MODEL, v[1], DIM, 1);
	ck_assert_int_eq(ask(&one, v[1], DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert_str_eq(hits[0].chunk.document_id, "b");
}
END_TEST

START_TEST(notices_a_file_made_anew)
{
	float			 v[5 * DIM], w[7 * DIM];
	struct csa_vec_hit	*hits;
	size_t			 n;

	random_vec(v, 5 * DIM);
	random_vec(w, 7 * DIM);
	put_vecs(&one, "d", MODEL, v, DIM, 5);
	assert_exact(&one, v, 5, 5);
	for (size_t more = 3; more <= 7; more += 2) {
		unlink(fx_path("one", ""));
		unlink(fx_path("one", "-wal"));
		unlink(fx_path("one", "-shm"));
		ck_assert_int_eq(ask(&one, v, DIM, 5, &hits, &n), 0);
		ck_assert_uint_eq(n, 0);
		random_vec(w, more * DIM);
		put_vecs(&one, "d", MODEL, w, DIM, more);
		assert_exact(&one, w, more, 7);
	}
}
END_TEST

START_TEST(bots_tenants_and_models_never_meet)
{
	const struct csa_scope	 s[] = { { "", "one" }, { "", "two" },
	    { "two", "one" } };
	float			 v[DIM];
	struct csa_vec_hit	*hits;
	size_t			 n;

	random_vec(v, DIM);
	for (int i = 0; i < 3; i++)
		put_vecs(&s[i], (const char *const[]){ "x", "y", "z" }[i],
		    MODEL, v, DIM, 1);
	put_vecs(&one, "w", "model-b", v, DIM, 1);
	for (int round = 0; round < 2; round++)
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(ask(&s[i], v, DIM, 9, &hits, &n), 0);
			ck_assert_uint_eq(n, 1);
			ck_assert_int_eq(*hits[0].chunk.id, "xyz"[i]);
		}
}
END_TEST

START_TEST(another_dimension_is_an_error_that_says_so)
{
	float			 v[2 * DIM] = { 1 };
	struct csa_vec_hit	*hits;
	size_t			 n;

	put_vecs(&one, "d", MODEL, v, DIM, 1);
	ck_assert_int_eq(ask(&one, v, 2 * DIM, 5, &hits, &n), -1);
	ck_assert_int_eq(err.code, CSA_ERR_CONFLICT);
	ck_assert_ptr_nonnull(strstr(err.msg, "40"));
	ck_assert_ptr_nonnull(strstr(err.msg, "80"));
	/* Where there is some of both, each finds its own. */
	put_vecs(&one, "e", MODEL, v, 2 * DIM, 1);
	ck_assert_int_eq(ask(&one, v, 2 * DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(hits[0].chunk.document_id, "e");
	ck_assert_int_eq(ask(&one, v, DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(hits[0].chunk.document_id, "d");
	ck_assert_int_eq(ask(&one, v, 70000, 5, &hits, &n), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
}
END_TEST

START_TEST(nothing_is_near_to_nothing)
{
	float			 v[4][DIM] = { { 0 } }, zero[DIM] = { 0 };
	struct csa_vec_hit	*hits;
	size_t			 n;

	ck_assert_int_eq(ask(&one, zero, DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 0);
	v[0][3] = 1;
	v[2][3] = NAN;
	v[3][3] = INFINITY;			/* v[1] is zero throughout */
	put_vecs(&one, "d", MODEL, v[0], DIM, 4);
	ck_assert_int_eq(ask(&one, v[0], DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(hits[0].chunk.id, "d-0");
	ck_assert_int_eq(ask(&one, zero, DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(ask(&one, v[0], DIM, 0, &hits, &n), 0);
	ck_assert_uint_eq(n, 0);
	ck_assert_int_eq(ask(&one, v[0], 0, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(takes_a_question_as_text_too)
{
	const char		*text = "[0,0,1e0,0]";
	struct csa_vec		 q = { .json = { text, 11, 4 }, .dim = 4 };
	float			 v[2][4] = { { 1, 0, 0, 0 }, { 0, 0, 2, 0 } };
	struct csa_vec_hit	*hits;
	size_t			 n;

	put_vecs(&one, "d", MODEL, v[0], 4, 2);
	ck_assert_int_eq(vectors->ops->finish(vectors->ops->query(vectors,
	    &ctx, &one, &q, 1), &hits, &n, &err), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(hits[0].chunk.id, "d-1");
}
END_TEST

START_TEST(ends_with_the_deadline)
{
	float			 v[DIM] = { 1 };
	struct csa_vec_hit	*hits;
	size_t			 n;

	put_vecs(&one, "d", MODEL, v, DIM, 1);
	ctx.deadline = csa_now_ms();
	ck_assert_int_eq(ask(&one, v, DIM, 5, &hits, &n), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ctx.deadline = csa_now_ms() + 60000;
	ck_assert_int_eq(ask(&one, v, DIM, 5, &hits, &n), 0);
	ck_assert_uint_eq(n, 1);
}
END_TEST

START_TEST(tells_when_the_store_fails)
{
	struct csa_store	*bad = csa_store_fail_open();
	struct csa_vec_hit	*hits;
	float			 v[DIM] = { 1 };
	size_t			 n;

	vectors->ops->close(vectors);
	vectors = csa_vectors_local_open(bad, MODEL);
	ck_assert_int_eq(ask(&one, v, DIM, 5, &hits, &n), -1);
	ck_assert_int_eq(err.code, CSA_ERR_STORE_UNAVAILABLE);
	bad->ops->close(bad);
}
END_TEST

START_TEST(writing_is_the_store_s_business)
{
	struct csa_ids	 ids = { NULL, 0 };

	ck_assert_int_eq(vectors->ops->put(vectors, &ctx, &one, "d", NULL, NULL,
	    0, &ids, &err), 0);
	ck_assert_int_eq(vectors->ops->del(vectors, &ctx, &one, &ids, &err), 0);
	ck_assert_int_eq(vectors->ops->probe(vectors, 10), 0);
}
END_TEST

/* One thread stores all the time, the others ask; nobody sees half of it. */
struct asker {
	pthread_t	 thread;
	int		 failed;
};

static _Atomic int	 writing;

static void *
keep_asking(void *arg)
{
	struct asker		*a = arg;
	struct csa_ctx		 c = { csa_arena_new(), NULL,
				    csa_now_ms() + 60000, "", NULL };
	float			 f[DIM] = { 1, .5f };
	struct csa_vec		 v = { .f = f, .dim = DIM };
	struct csa_vec_hit	*hits;
	struct csa_err		 e;
	size_t			 n;

	while (writing) {
		if (vectors->ops->finish(vectors->ops->query(vectors, &c, &one,
		    &v, 8), &hits, &n, &e) == -1 || n > 8)
			a->failed++;
		csa_arena_reset(c.arena);
	}
	csa_arena_free(c.arena);
	return NULL;
}

START_TEST(serves_many_threads)
{
	struct asker	 a[6] = { { 0 } };
	float		 v[50 * DIM];

	random_vec(v, 50 * DIM);
	put_vecs(&one, "d", MODEL, v, DIM, 50);
	writing = 1;
	for (int i = 0; i < 6; i++)
		ck_assert_int_eq(pthread_create(&a[i].thread, NULL, keep_asking,
		    &a[i]), 0);
	for (size_t i = 0; i < 40; i++) {
		random_vec(v, 50 * DIM);
		put_vecs(&one, "d", MODEL, v, DIM, 10 + i);
	}
	writing = 0;
	for (int i = 0; i < 6; i++) {
		pthread_join(a[i].thread, NULL);
		ck_assert_int_eq(a[i].failed, 0);
	}
	assert_exact(&one, v, 49, 49);
}
END_TEST

START_TEST(the_failing_one_fails)
{
	struct csa_vectors	*bad = csa_vectors_fail_open();
	struct csa_vec		 v = { .dim = 0 };
	struct csa_vec_hit	*hits;
	size_t			 n;

	ck_assert_int_eq(bad->ops->finish(bad->ops->query(bad, &ctx, &one, &v,
	    5), &hits, &n, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	bad->ops->cancel(bad->ops->query(bad, &ctx, &one, &v, 5));
	ck_assert_int_eq(bad->ops->put(bad, &ctx, &one, "d", NULL, NULL, 0,
	    NULL, &err), -1);
	ck_assert_int_eq(bad->ops->del(bad, &ctx, &one, NULL, &err), -1);
	ck_assert_int_eq(bad->ops->probe(bad, 10), -1);
	bad->ops->close(bad);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("vectors");
	TCase	*tc = tcase_create("local");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, finds_the_nearest_of_all);
	tcase_add_test(tc, looks_at_directions_alone);
	tcase_add_test(tc, sees_every_change);
	tcase_add_test(tc, adds_what_is_new_to_what_it_has);
	tcase_add_test(tc, notices_a_file_made_anew);
	tcase_add_test(tc, bots_tenants_and_models_never_meet);
	tcase_add_test(tc, another_dimension_is_an_error_that_says_so);
	tcase_add_test(tc, nothing_is_near_to_nothing);
	tcase_add_test(tc, takes_a_question_as_text_too);
	tcase_add_test(tc, ends_with_the_deadline);
	tcase_add_test(tc, tells_when_the_store_fails);
	tcase_add_test(tc, writing_is_the_store_s_business);
	tcase_add_test(tc, serves_many_threads);
	tcase_add_test(tc, the_failing_one_fails);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
