/*
 * What was found, written and read again; and what is none of it.
 */

#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "tests/unit/test_retrieve_cache.h"

static struct csa_passage	 some_passages[] = {
	{ { .id = "d-0", .document_id = "d", .text = "plum", .len = 4,
	    .title = "" }, 1 },
	{ { .id = "f\xc3\xa9-1", .document_id = "far", .text = "a\0b",
	    .len = 3, .title = "T", .metadata = "{\"p\":1}" }, .5 },
	{ { .id = "x", .document_id = "far", .text = "y", .len = 1,
	    .title = "" }, 0 },
};
static const bool		 some_elsewhere[] = { false, true, true };
static struct csa_text_hit	 some_hits[] = {
	{ { .id = "d-0" }, 3, 2 }, { { .id = "gone" }, 2, 2 },
};
static struct csa_term		 some_terms[] = {
	{ "plum", 1.5, 3, false }, { "\xe5\x9b\xbe", .1, 1000000, true },
};
static const struct csa_found	 some_found = {
	.passages = some_passages, .n = 3, .elsewhere = some_elsewhere,
	.text = { .hits = some_hits, .nhits = 2, .terms = some_terms,
	    .nterms = 2, .ideal = 4.4 },
};

static struct csa_buf
encoded(const struct csa_found *f)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 1 << 20);
	csa_found_encode(&b, f);
	ck_assert(!b.failed);
	return b;
}

static int
decode(const void *data, size_t n, struct csa_found *f)
{
	const uint32_t	*of;

	return csa_found_decode(arena, data, n, 5, f, &of);
}

START_TEST(what_was_kept_is_read)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	const uint32_t		*of;

	ck_assert_int_eq(csa_found_decode(arena, b.data, b.len, 3, &got, &of),
	    1);
	ck_assert_uint_eq(got.n, 3);
	ck_assert_str_eq(got.passages[0].chunk.id, "d-0");
	ck_assert_ptr_null(got.passages[0].chunk.text);
	ck_assert_double_eq(got.passages[0].score, 1);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(got.elsewhere[i], some_elsewhere[i]);
	for (size_t i = 1; i < 3; i++) {
		const struct csa_chunk *c = &got.passages[i].chunk;
		const struct csa_chunk *o = &some_passages[i].chunk;

		ck_assert_str_eq(c->id, o->id);
		ck_assert_str_eq(c->document_id, o->document_id);
		ck_assert_str_eq(c->title, o->title);
		ck_assert_uint_eq(c->len, o->len);
		ck_assert_mem_eq(c->text, o->text, o->len + 1);
		ck_assert_pstr_eq(c->metadata, o->metadata);
	}
	/* The hit of what is no passage is nobody's business. */
	ck_assert_uint_eq(got.text.nhits, 1);
	ck_assert_uint_eq(of[0], 0);
	ck_assert_double_eq(got.text.hits[0].score, 3);
	ck_assert_double_eq(got.text.hits[0].bm25, 2);
	ck_assert_double_eq(got.text.ideal, 4.4);
	ck_assert_uint_eq(got.text.nterms, 2);
	ck_assert_str_eq(got.text.terms[1].text, "\xe5\x9b\xbe");
	ck_assert_double_eq(got.text.terms[1].idf, .1);
	ck_assert_uint_eq(got.text.terms[1].df, 1000000);
	ck_assert(got.text.terms[1].prefix && !got.text.terms[0].prefix);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(nothing_found_is_worth_keeping)
{
	const struct csa_found	 nothing = { .n = 0 };
	struct csa_buf		 b = encoded(&nothing);
	struct csa_found	 got;

	ck_assert_int_eq(decode(b.data, b.len, &got), 1);
	ck_assert_uint_eq(got.n, 0);
	ck_assert_uint_eq(got.text.nhits, 0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(cut_or_longer_it_is_none)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	void			*copy;

	for (size_t n = 0; n < b.len; n++) {
		/* Of its own size, so that a read behind it is seen. */
		copy = csa_malloc(n + 1);
		memcpy(copy, b.data, n);
		ck_assert_int_eq(decode(copy, n, &got), 0);
		free(copy);
	}
	csa_buf_putc(&b, '\0');
	ck_assert_int_eq(decode(b.data, b.len, &got), 0);
	csa_buf_fini(&b);
}
END_TEST

/* Whatever a byte becomes, what is read is sound. */
static void
assert_sound(const struct csa_found *f, const uint32_t *of)
{
	ck_assert_uint_le(f->n, 5);
	for (size_t i = 0; i < f->n; i++) {
		ck_assert(isfinite(f->passages[i].score));
		ck_assert(i == 0 || f->passages[i].score <=
		    f->passages[i - 1].score);
		ck_assert_str_ne(f->passages[i].chunk.id, "");
		ck_assert_int_eq(f->passages[i].chunk.text != NULL,
		    f->elsewhere[i]);
	}
	ck_assert_uint_le(f->text.nhits, f->n);
	for (size_t i = 0; i < f->text.nhits; i++)
		ck_assert(of[i] < f->n && isfinite(f->text.hits[i].bm25));
	for (size_t i = 0; i < f->text.nterms; i++)
		ck_assert_str_ne(f->text.terms[i].text, "");
}

START_TEST(any_byte_may_be_wrong)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	const uint32_t		*of;
	unsigned char		*p = (unsigned char *)b.data;

	for (size_t i = 0; i < b.len; i++)
		for (int v = 0; v < 256; v++) {
			unsigned char	 was = p[i];

			p[i] = (unsigned char)v;
			if (csa_found_decode(arena, b.data, b.len, 5, &got,
			    &of) == 1)
				assert_sound(&got, of);
			p[i] = was;
			csa_arena_reset(arena);
		}
	csa_buf_fini(&b);
}
END_TEST

START_TEST(no_more_than_was_asked_for)
{
	struct csa_buf		 b = encoded(&some_found);
	struct csa_found	 got;
	const uint32_t		*of;

	ck_assert_int_eq(csa_found_decode(arena, b.data, b.len, 2, &got, &of),
	    0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(no_passage_twice)
{
	struct csa_passage	 p[3];
	struct csa_found	 f = some_found, got;
	struct csa_buf		 b;

	memcpy(p, some_passages, sizeof(p));
	f.passages = p;
	p[2].chunk.id = "d-0";
	b = encoded(&f);
	ck_assert_int_eq(decode(b.data, b.len, &got), 0);
	csa_buf_fini(&b);
}
END_TEST

static const double	 no_scores[] = { NAN, INFINITY, -1 };

START_TEST(scores_are_numbers_that_fall)
{
	struct csa_passage	 p[3];
	struct csa_found	 f = some_found, got;
	struct csa_buf		 b;

	memcpy(p, some_passages, sizeof(p));
	f.passages = p;
	p[0].score = _i < 3 ? no_scores[_i] : .4;
	b = encoded(&f);
	ck_assert_int_eq(decode(b.data, b.len, &got), 0);
	csa_buf_fini(&b);
}
END_TEST

TCase *
retrieve_values_case(void)
{
	TCase	*tc = tcase_create("values");

	tcase_add_checked_fixture(tc, arena_setup, arena_teardown);
	tcase_add_test(tc, what_was_kept_is_read);
	tcase_add_test(tc, nothing_found_is_worth_keeping);
	tcase_add_test(tc, cut_or_longer_it_is_none);
	tcase_add_test(tc, any_byte_may_be_wrong);
	tcase_add_test(tc, no_more_than_was_asked_for);
	tcase_add_test(tc, no_passage_twice);
	tcase_add_loop_test(tc, scores_are_numbers_that_fall, 0, 4);
	return tc;
}
