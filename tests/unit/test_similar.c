/*
 * The ring of the last questions: its bytes, its vectors, who is found in it.
 */
#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/provider/provider_script.h"
#include "lib/rag/rag.h"
#include "lib/rag/similar.h"
#include "tests/suite.h"
#include "tests/unit/cache_fake.h"

#define DIM	64

static struct csa_rag		 rag;
static struct csa_cache_key	 ring, like;

static void
setup(void)
{
	fake_setup();
	rag = (struct csa_rag){ .cache = cache,
	    .embedder = csa_embedder_script_open(DIM, 0) };
	ring = key_of(CSA_CACHE_SIMILAR, "ring");
	like = key_of(CSA_CACHE_ANSWER, "like");
}

static void
teardown(void)
{
	rag.embedder->ops->close(rag.embedder);
	fake_teardown();
}

/* ---- vectors ---- */

static unsigned	 seed;

/* Of normally distributed numbers, as embedders' nearly are; of length 1. */
static void
some_unit(float *v, size_t dim)
{
	double	 length = 0;

	for (size_t i = 0; i < dim; i++) {
		double	 x = 0;

		for (int k = 0; k < 12; k++)
			x += (double)rand_r(&seed) / RAND_MAX;
		v[i] = (float)(x - 6);
		length += (double)v[i] * (double)v[i];
	}
	for (size_t i = 0; i < dim; i++)
		v[i] = (float)((double)v[i] / sqrt(length));
}

/* A vector that is near to v: their cosine is about c. */
static void
near(const float *v, float *out, size_t dim, double c)
{
	double	 length = 0;

	some_unit(out, dim);
	for (size_t i = 0; i < dim; i++) {
		out[i] = (float)(c * (double)v[i] + sqrt(1 - c * c) *
		    (double)out[i]);
		length += (double)out[i] * (double)out[i];
	}
	for (size_t i = 0; i < dim; i++)
		out[i] = (float)((double)out[i] / sqrt(length));
}

static const size_t	 dims[] = { 256, 384, 768, 1536, 3072 };

START_TEST(a_byte_a_number_is_exact_enough)
{
	struct csa_similar_entry e = { .len = 0 };
	static float	 a[3072], b[3072];
	static int8_t	 packed[3072];
	double		 worst = 0, cosine, off;
	size_t		 dim = dims[_i];

	seed = 20261124;
	for (int round = 0; round < 300; round++) {
		some_unit(a, dim);
		near(a, b, dim, .8 + .2 * (round % 100) / 100);
		cosine = 0;
		for (size_t i = 0; i < dim; i++)
			cosine += (double)a[i] * (double)b[i];
		e.scale = csa_similar_pack(b, dim, packed);
		e.v = packed;
		off = fabs(csa_similar_cosine(a, dim, &e) - cosine);
		worst = off > worst ? off : worst;
	}
	ck_assert_msg(worst < .002, "%zu numbers: off by %g", dim, worst);
	/* It is not exact either: the test sees what it looks for. */
	ck_assert_double_gt(worst, 1e-6);
}
END_TEST

START_TEST(the_largest_number_fits)
{
	float	 v[5] = { -1, 0, 0, 0, 0 };
	int8_t	 packed[5];

	ck_assert_float_eq_tol(csa_similar_pack(v, 5, packed), 1.f / 127,
	    1e-9f);
	ck_assert_int_eq(packed[0], -127);
	ck_assert_int_eq(packed[4], 0);
}
END_TEST

/* ---- bytes ---- */

static struct csa_buf
a_ring(size_t n)
{
	static int8_t		 v[] = { 1, -127, 127, 0, 5 };
	struct csa_similar_ring	 r = { .dim = 5, .n = n };
	struct csa_buf		 b;

	for (size_t i = 0; i < n; i++) {
		memset(r.e[i].answer.b, (int)i + 1, CSA_DIGEST);
		r.e[i].text = "What is it?";
		r.e[i].len = i % 11;
		r.e[i].scale = .01f;
		r.e[i].v = v;
	}
	csa_buf_init(&b, 1 << 20);
	csa_similar_write(&b, &r);
	ck_assert(!b.failed);
	return b;
}

START_TEST(a_ring_comes_back_as_it_was)
{
	struct csa_similar_ring	 r;

	for (size_t n = 0; n <= CSA_SIMILAR_MAX; n++) {
		struct csa_buf	 b = a_ring(n), again;

		ck_assert_int_eq(csa_similar_read(b.data, b.len, &r), 0);
		ck_assert_uint_eq(r.n, n);
		csa_buf_init(&again, 1 << 20);
		csa_similar_write(&again, &r);
		ck_assert_uint_eq(again.len, b.len);
		ck_assert_mem_eq(again.data, b.data, b.len);
		csa_buf_fini(&again);
		csa_buf_fini(&b);
	}
}
END_TEST

START_TEST(no_part_of_a_ring_is_one)
{
	struct csa_similar_ring	 r;
	struct csa_buf		 b = a_ring(3);
	char			*copy;

	for (size_t n = 0; n < b.len; n++) {
		copy = csa_malloc(n + (n == 0));
		memcpy(copy, b.data, n);
		ck_assert_int_eq(csa_similar_read(copy, n, &r), -1);
		free(copy);
	}
	csa_buf_putc(&b, '\0');
	ck_assert_int_eq(csa_similar_read(b.data, b.len, &r), -1);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(flipped_bytes_are_refused_or_sound)
{
	struct csa_similar_ring	 r;
	struct csa_buf		 b = a_ring(4), again;

	for (size_t i = 0; i < b.len; i++)
		for (int bit = 0; bit < 8; bit++) {
			b.data[i] = (char)(b.data[i] ^ 1 << bit);
			if (csa_similar_read(b.data, b.len, &r) == 0) {
				csa_buf_init(&again, 1 << 20);
				csa_similar_write(&again, &r);
				ck_assert_mem_eq(again.data, b.data, b.len);
				csa_buf_fini(&again);
			}
			b.data[i] = (char)(b.data[i] ^ 1 << bit);
		}
	csa_buf_fini(&b);
}
END_TEST

/* ---- who is found ---- */

static struct csa_similar
of(const char *question)
{
	return (struct csa_similar){ .rag = &rag, .cache = cache,
	    .ring = &ring, .question = question, .threshold = .5 };
}

static void
add(const char *question, const char *answer)
{
	struct csa_similar	 s = of(question);
	struct csa_cache_key	 key = key_of(CSA_CACHE_ANSWER, answer);

	csa_similar_add(&s, &ctx, &key, 60);
}

/* NULL: is anything found?  Else, this one? */
static bool
finds(const char *question, const char *answer)
{
	struct csa_similar	 s = of(question);
	struct csa_cache_key	 key, want;

	if (csa_similar_find(&s, &ctx, &like, &key) == 0)
		return false;
	ck_assert_int_eq(key.kind, CSA_CACHE_ANSWER);
	if (answer == NULL)
		return true;
	want = key_of(CSA_CACHE_ANSWER, answer);
	ck_assert_str_eq(key.name, want.name);
	ck_assert(csa_digest_eq(&key.digest, &want.digest));
	return true;
}

START_TEST(finds_the_same_in_other_words)
{
	ck_assert(!finds("How do I open the door?", NULL));
	add("How do I open the door?", "door");
	add("How do I open the window?", "window");
	ck_assert(finds("How can I open the door?", "door"));
	ck_assert(finds("How to open the window", "window"));
	ck_assert(finds("  How do I \n open the door? ", "door"));
	/* As near as they come, but not the same. */
	ck_assert(!finds("How do I not open the door?", NULL));
	ck_assert(!finds("How do I open the second door?", NULL));
	ck_assert(!finds("Why do I open the door?", NULL));
}
END_TEST

START_TEST(the_same_must_be_near_as_well)
{
	struct csa_similar	 s = of("How can I open the door?");
	struct csa_cache_key	 key;

	add("How do I open the door?", "door");
	s.threshold = .999;
	ck_assert_int_eq(csa_similar_find(&s, &ctx, &like, &key), 0);
	/* What it was looked for with is there for adding. */
	ck_assert_ptr_nonnull(s.unit);
	ck_assert_uint_eq(s.dim, DIM);
}
END_TEST

START_TEST(the_newest_stay)
{
	char	 q[80], a[16];

	for (int i = 0; i < CSA_SIMILAR_MAX + 10; i++) {
		snprintf(q, sizeof(q), "How do I open the door number %d?", i);
		snprintf(a, sizeof(a), "%d", i);
		add(q, a);
	}
	for (int i = 0; i < CSA_SIMILAR_MAX + 10; i++) {
		snprintf(q, sizeof(q), "How can I open the door number %d?", i);
		snprintf(a, sizeof(a), "%d", i);
		ck_assert_int_eq(finds(q, a), i >= 10);
	}
	/* What is added again is the newest, and there once. */
	add("How do I open the door number 10?", "10");
	add("How do I open the gate?", "gate");
	ck_assert(finds("How can I open the door number 10?", "10"));
	ck_assert(!finds("How can I open the door number 11?", NULL));
	ck_assert(finds("How can I open the door number 12?", "12"));
}
END_TEST

START_TEST(long_questions_are_left_out)
{
	char	 q[CSA_SIMILAR_BYTES + 2];

	memset(q, 'a', sizeof(q));
	q[CSA_SIMILAR_BYTES + 1] = '\0';
	add(q, "long");
	ck_assert_uint_eq(fake.sets, 0);
	q[CSA_SIMILAR_BYTES] = '\0';
	add(q, "long");
	ck_assert_uint_eq(fake.sets, 1);
	ck_assert(finds(q, "long"));
}
END_TEST

START_TEST(without_a_vector_nobody_is_found)
{
	add("How do I open the door?", "door");
	rag.embedder->ops->close(rag.embedder);
	rag.embedder = csa_embedder_script_open(DIM, 1);
	ck_assert(!finds("How can I open the door?", NULL));
	ck_assert(finds("How can I open the door?", "door"));
	/* Of another space than those in the ring: it begins anew. */
	rag.embedder->ops->close(rag.embedder);
	rag.embedder = csa_embedder_script_open(DIM / 2, 0);
	ck_assert(!finds("How can I open the door?", NULL));
	add("How do I open the gate?", "gate");
	ck_assert(finds("How can I open the gate?", "gate"));
}
END_TEST

START_TEST(a_lie_is_an_empty_ring)
{
	add("How do I open the door?", "door");
	fake.lie = "S\1not a ring at all";
	fake.lie_len = 18;
	ck_assert(!finds("How can I open the door?", NULL));
	fake.lie = NULL;
	ck_assert(finds("How can I open the door?", "door"));
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("similar");
	TCase	*t = tcase_create("similar");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, a_byte_a_number_is_exact_enough, 0,
	    (int)CSA_NITEMS(dims));
	tcase_add_test(t, the_largest_number_fits);
	tcase_add_test(t, a_ring_comes_back_as_it_was);
	tcase_add_test(t, no_part_of_a_ring_is_one);
	tcase_add_test(t, flipped_bytes_are_refused_or_sound);
	tcase_add_test(t, finds_the_same_in_other_words);
	tcase_add_test(t, the_same_must_be_near_as_well);
	tcase_add_test(t, the_newest_stay);
	tcase_add_test(t, long_questions_are_left_out);
	tcase_add_test(t, without_a_vector_nobody_is_found);
	tcase_add_test(t, a_lie_is_an_empty_ring);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return run_suite(s);
}
