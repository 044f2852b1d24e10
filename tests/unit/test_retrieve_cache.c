/*
 * What a question has found, kept and found again: what storing, replacing and
 * deleting do to it, with a memcached of the test's own.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/cache/cache.h"
#include "tests/suite.h"
#include "tests/unit/test_retrieve_cache.h"

START_TEST(asked_again_it_is_the_same)
{
	struct csa_found	 first;

	put(&one, "d", "a ripe plum");
	put(&one, "e", "a plum tree");
	ask(&one, "where is a ripe plum?", 5);
	assert_found(false, "a ripe plum");
	first = found;
	ask(&one, "where is a ripe plum?", 5);
	assert_found(true, "a ripe plum");
	ck_assert_uint_eq(found.n, first.n);
	for (size_t i = 0; i < found.n; i++) {
		ck_assert_str_eq(found.passages[i].chunk.id,
		    first.passages[i].chunk.id);
		ck_assert_str_eq(found.passages[i].chunk.document_id,
		    first.passages[i].chunk.document_id);
		ck_assert_double_eq(found.passages[i].score,
		    first.passages[i].score);
		ck_assert_str_eq(found.text.hits[i].chunk.id,
		    first.text.hits[i].chunk.id);
		ck_assert_double_eq(found.text.hits[i].bm25,
		    first.text.hits[i].bm25);
	}
	ck_assert_uint_eq(found.text.nterms, first.text.nterms);
	ck_assert_str_eq(found.text.terms[0].text, first.text.terms[0].text);
	ck_assert_double_eq(found.text.ideal, first.text.ideal);
	/* White space is nothing; all else is another question. */
	ask(&one, "  where is\na ripe   plum?", 5);
	assert_found(true, "a ripe plum");
	ask(&one, "Where is a ripe plum?", 5);
	assert_found(false, "a ripe plum");
	ask(&one, "where is a ripe plum?", 1);
	assert_found(false, "a ripe plum");
	ask(&other, "where is a ripe plum?", 5);
	assert_found(false, NULL);
	ask(&other, "where is a ripe plum?", 5);
	assert_found(true, NULL);
	rag.retrieval_ttl = 0;
	ask(&one, "where is a ripe plum?", 5);
	assert_found(false, "a ripe plum");
}
END_TEST

START_TEST(a_change_is_seen_at_once)
{
	struct csa_ids	 gone;

	put(&one, "d", "the plum is red");
	put(&other, "d", "the plum is blue");
	for (int i = 0; i < 2; i++) {
		ask(&one, "plum?", 5);
		assert_found(i > 0, "the plum is red");
		ask(&other, "plum?", 5);
		assert_found(i > 0, "the plum is blue");
	}
	put(&one, "d", "the plum is green");
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is green");
	/* The other tenant's is untouched. */
	ask(&other, "plum?", 5);
	assert_found(true, "the plum is blue");
	ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "d", &gone, &err), 1);
	ask(&one, "plum?", 5);
	assert_found(false, NULL);
	ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "d", &gone, &err), 0);
	ask(&one, "plum?", 5);
	assert_found(true, NULL);
	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
}
END_TEST

/* Either part of the generation alone. */
START_TEST(flushed_it_is_searched_anew)
{
	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
	if (_i == 0)
		ck_assert_int_eq(store->ops->touch(store, &ctx, &one, &err),
		    1);
	else
		csa_generation_bump(rag.cache, &ctx, &one);
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
}
END_TEST

/* That this passage was found. */
static void
keep(const struct csa_cache_key *key, struct csa_passage *p)
{
	struct csa_found	 f = { .passages = p, .n = 1 };
	struct csa_buf		 b;

	csa_buf_init(&b, 1 << 20);
	csa_found_encode(&b, &f);
	csa_cache_put(rag.cache, &ctx, key, b.data, b.len, 60);
	csa_buf_fini(&b);
}

/* What an old key still names may be gone: then all of it is searched for. */
START_TEST(an_id_that_is_gone_is_a_miss)
{
	struct csa_generation	 g;
	struct csa_cache_key	 key;
	struct csa_passage	 p = { { .id = "d-0", .document_id = "d",
				    .text = "plum", .len = 4, .title = "" },
				    1 };

	put(&one, "d", "the plum is red");
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	csa_lookup_key(&rag, &one, &g, "plum?", 5, &key);
	keep(&key, &p);
	/* It is there, under the score 1 ... */
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
	ck_assert_double_eq(found.passages[0].score, 1);
	/* ... and this one is not. */
	p.chunk.id = "e-0";
	keep(&key, &p);
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
}
END_TEST

/* A caller who has read the generation says so, and it is believed. */
START_TEST(the_generation_is_read_once)
{
	struct csa_generation	 g;

	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	ck_assert_uint_gt(g.store, 0);
	ck_assert_uint_eq(strlen(g.token), 32);
	rag.generation = &g;
	ask(&one, "plum?", 5);
	assert_found(true, "the plum is red");
	/* Not known: no cache. */
	memset(&g, 0, sizeof(g));
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is red");
}
END_TEST

START_TEST(without_memcached_it_is_searched)
{
	struct csa_generation	 g;

	host_close(&host);
	mc_config.memcached_timeout_ms = 50;
	host_open(&host, true);
	rag.cache = host.cache;
	put(&one, "d", "the plum is red");
	ask(&one, "plum?", 5);
	mc_hang(true);
	for (int i = 0; i < 5; i++) {
		ask(&one, "plum?", 5);
		assert_found(false, "the plum is red");
	}
	put(&one, "d", "the plum is green");
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is green");
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 0);
	ck_assert_str_eq(g.token, "");
	ck_assert_uint_gt(g.store, 0);
	ck_assert(!csa_rag_may_keep(&rag, &g));
	rag.cache = NULL;
	ask(&one, "plum?", 5);
	assert_found(false, "the plum is green");
	mc_hang(false);
}
END_TEST

START_TEST(nothing_is_kept_for_a_minute)
{
	struct csa_cache_key	 key;
	struct csa_generation	 g;

	put(&one, "d", "the plum is red");
	for (int i = 0; i < 2; i++) {
		ask(&one, "submarine?", 5);
		assert_found(i == 1, NULL);
	}
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	csa_lookup_key(&rag, &one, &g, "submarine?", 5, &key);
	ck_assert_int_gt(mc_ttl(key.name), 0);
	ck_assert_int_le(mc_ttl(key.name), 66);
	ask(&one, "plum?", 5);
	csa_lookup_key(&rag, &one, &g, "plum?", 5, &key);
	ck_assert_int_gt(mc_ttl(key.name), 500);
}
END_TEST

static TCase *
together(void)
{
	TCase	*tc = tcase_create("together");

	tcase_add_checked_fixture(tc, service_setup, service_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, asked_again_it_is_the_same);
	tcase_add_test(tc, a_change_is_seen_at_once);
	tcase_add_loop_test(tc, flushed_it_is_searched_anew, 0, 2);
	tcase_add_test(tc, an_id_that_is_gone_is_a_miss);
	tcase_add_test(tc, the_generation_is_read_once);
	tcase_add_test(tc, without_memcached_it_is_searched);
	tcase_add_test(tc, nothing_is_kept_for_a_minute);
	return tc;
}

int
main(void)
{
	Suite	*s = suite_create("retrieve_cache");

	suite_add_tcase(s, retrieve_keys_case());
	suite_add_tcase(s, retrieve_values_case());
	if (system("command -v memcached >/dev/null 2>&1") == 0) {
		suite_add_tcase(s, together());
		suite_add_tcase(s, retrieve_remote_case());
	} else
		fprintf(stderr, "memcached is not here: skipped in part\n");
	return run_suite(s);
}
