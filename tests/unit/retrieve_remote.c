/*
 * With an index far away: what is kept when it fails, what only it has the text
 * of, and when a change has come to it.
 */

#include "config.h"

#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/cache/cache.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/test_retrieve_cache.h"

START_TEST(degraded_it_is_not_kept)
{
	rag.embedder = csa_embedder_fail_open();
	rag.vectors = csa_vectors_script_open(&index_script);
	for (int i = 0; i < 2; i++) {
		ask(&one, "plum?", 5);
		ck_assert_str_eq(found.degraded, "embedding_unavailable");
		ck_assert(!found.cached);
	}
}
END_TEST

/* Another host's passage, which only the index has the text of. */
START_TEST(a_text_from_elsewhere_comes_along)
{
	struct csa_vec_hit	 hits[] = { { { .id = "far-0",
	    .document_id = "far", .text = "a plum far away", .len = 15,
	    .title = "Far", .metadata = "{\"p\":1}" }, .9 } };
	struct csa_generation	 g;

	with_vectors();
	index_script.hits = hits;
	index_script.nhits = 1;
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &g), 1);
	/* The token is new: everything of it may be, too. */
	ck_assert(!csa_rag_may_keep(&rag, &g));
	ask(&one, "plum?", 5);
	ask(&one, "plum?", 5);
	assert_found(false, "a plum far away");
	/* In ten seconds' time. */
	g.changed -= CSA_SETTLE_MS;
	ck_assert(csa_rag_may_keep(&rag, &g));
	rag.generation = &g;
	ask(&one, "plum?", 5);
	assert_found(false, "a plum far away");
	ck_assert(found.elsewhere[0]);
	ck_assert_uint_eq(index_script.queries, 3);
	ask(&one, "plum?", 5);
	assert_found(true, "a plum far away");
	ck_assert_str_eq(found.passages[0].chunk.document_id, "far");
	ck_assert_str_eq(found.passages[0].chunk.title, "Far");
	ck_assert_str_eq(found.passages[0].chunk.metadata, "{\"p\":1}");
	ck_assert_uint_eq(index_script.queries, 3);
	ck_assert_uint_gt(csa_metric_value(CSA_M_cache_saved_tokens,
	    "retrieval"), 0);
}
END_TEST

START_TEST(the_far_end_needs_time)
{
	int64_t			 now = csa_wall_ms();
	struct csa_generation	 g = { .token = "x" };
	struct csa_vectors	 remote = { NULL, "pinecone", true };
	static const struct {
		int64_t	 changed, store;	/* ms ago */
		bool	 may;
	} cases[] = {
		{ 60000, 60000, true }, { 9000, 60000, false },
		{ 60000, 9000, false }, { 0, 0, false },
		{ 10500, 10500, true }, { -5000, 60000, false },
		{ 60000, -5000, false },
		/* A clock that is a day ahead tells nothing. */
		{ -86400000, 60000, true }, { 60000, -86400000, true },
	};

	for (size_t i = 0; i < CSA_NITEMS(cases); i++) {
		g.changed = now - cases[i].changed;
		g.store = (uint64_t)(now - cases[i].store);
		rag.vectors = &remote;
		ck_assert_msg(csa_rag_may_keep(&rag, &g) == cases[i].may,
		    "case %zu", i);
		rag.vectors = NULL;
		ck_assert(csa_rag_may_keep(&rag, &g));
	}
	g.token[0] = '\0';
	ck_assert(!csa_rag_may_keep(&rag, &g));
}
END_TEST

/* All hosts learn of what was begun at the far end, however it ended. */
START_TEST(a_failure_half_way_is_told_too)
{
	struct csa_generation	 before, after;
	struct csa_chunk	 c = { .id = "d-0", .text = "plum", .len = 4,
				    .title = "" };
	struct csa_ids		 gone;

	with_vectors();
	put(&one, "d", "plum");
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &before), 1);
	index_script.fail_at = index_script.calls + 1;
	if (_i == 0)
		ck_assert_int_eq(csa_ingest(&rag, &ctx, &one, "d", NULL, &c,
		    1, &err), -1);
	else
		ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "d", &gone,
		    &err), -1);
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &after), 1);
	ck_assert_uint_eq(after.store, before.store);
	ck_assert_str_ne(after.token, before.token);
	/* What changes nothing anywhere tells nobody. */
	ck_assert_int_eq(csa_forget(&rag, &ctx, &one, "e", &gone, &err), 0);
	ck_assert_int_eq(csa_rag_generation(&rag, &ctx, &one, &before), 1);
	ck_assert_str_eq(after.token, before.token);
}
END_TEST

TCase *
retrieve_remote_case(void)
{
	TCase	*tc = tcase_create("remote");

	tcase_add_checked_fixture(tc, service_setup, service_teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, degraded_it_is_not_kept);
	tcase_add_test(tc, a_text_from_elsewhere_comes_along);
	tcase_add_test(tc, the_far_end_needs_time);
	tcase_add_loop_test(tc, a_failure_half_way_is_told_too, 0, 2);
	return tc;
}
