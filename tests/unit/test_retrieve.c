/*
 * One search failing leaves the other: every fault of embedder, index and
 * store, with a request that may be degraded and one that may not.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "lib/rag/rag.h"
#include "tests/suite.h"

/* ---- an embedder and an index that do as they are told ---- */

static enum csa_errcode	 embed_error, query_error, search_error, chunks_error;
static bool		 embed_hangs, query_hangs;
static unsigned		 begun, ended, queries, finished, cancelled, searched;

struct csa_embed_job { struct csa_ctx *ctx; };
struct csa_vec_query { struct csa_ctx *ctx; };

static enum csa_errcode
hang(struct csa_ctx *ctx)
{
	while (csa_left_ms(ctx->deadline) > 0)
		usleep(1000);
	return CSA_ERR_DEADLINE;
}

static struct csa_embed_job *
start(struct csa_embedder *e, struct csa_ctx *ctx, enum csa_embed_kind kind,
    const struct csa_text *texts, size_t n)
{
	struct csa_embed_job	*job = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*job));

	(void)e, (void)kind, (void)texts, (void)n;
	job->ctx = ctx;
	begun++;
	return job;
}

static int
finish(struct csa_embed_job *job, struct csa_vec *vecs, struct csa_err *err)
{
	static const float	 f[2] = { 1, 0 };

	if (embed_hangs)
		embed_error = hang(job->ctx);
	if (embed_error != CSA_OK)
		return csa_fail(err, embed_error, CSA_SRC_GEMINI, "embedding");
	vecs[0] = (struct csa_vec){ .f = f, .dim = 2 };
	return 0;
}

static void
end(struct csa_embed_job *job)
{
	ended += job != NULL;
}

static const struct csa_embedder_ops embedder_ops = {
	.start = start, .finish = finish, .end = end
};
static struct csa_embedder embedder = { &embedder_ops, "gemini", "m" };

static struct csa_vec_query *
query(struct csa_vectors *v, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_vec *vec, size_t k)
{
	struct csa_vec_query	*q = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*q));

	(void)v, (void)scope, (void)vec, (void)k;
	q->ctx = ctx;
	queries++;
	return q;
}

static const char	*vector_text;		/* beside the vectors */
static size_t		 vector_hits;

static int
finish_query(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	finished++;
	if (query_hangs)
		query_error = hang(q->ctx);
	*hits = NULL;
	*n = 0;
	if (query_error != CSA_OK)
		return csa_fail(err, query_error, CSA_SRC_PINECONE, "vectors");
	*n = vector_hits;
	*hits = csa_arena_array(q->ctx->arena, 2, struct csa_vec_hit);
	for (size_t i = 0; i < *n; i++) {
		(*hits)[i].chunk = (struct csa_chunk){ .id = i == 0 ? "v0" :
		    "v1", .document_id = "d", .title = "",
		    .text = vector_text,
		    .len = vector_text != NULL ? strlen(vector_text) : 0 };
		(*hits)[i].score = .9 - (double)i / 10;
	}
	return 0;
}

static void
cancel(struct csa_vec_query *q)
{
	(void)q;
	cancelled++;
}

static const struct csa_vectors_ops vectors_ops = {
	.query = query, .finish = finish_query, .cancel = cancel
};
static struct csa_vectors vectors = { &vectors_ops, "fake", true };

static int
search(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_text_result *res, struct csa_err *err)
{
	(void)s, (void)scope, (void)question, (void)k;
	searched++;
	/* What a failed search leaves must not be believed. */
	memset(res, 0xee, sizeof(*res));
	if (search_error != CSA_OK)
		return csa_fail(err, search_error, CSA_SRC_STORE, "store");
	memset(res, 0, sizeof(*res));
	res->hits = csa_arena_array(ctx->arena, 1, struct csa_text_hit);
	res->hits[0].chunk = (struct csa_chunk){ .id = "t0",
	    .document_id = "d", .text = "by text", .len = 7, .title = "" };
	res->hits[0].score = res->hits[0].bm25 = 2;
	res->nhits = 1;
	res->ideal = 4;
	return 0;
}

static int
chunks(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *const *id, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope;
	if (chunks_error != CSA_OK)
		return csa_fail(err, chunks_error, CSA_SRC_STORE, "chunks");
	for (size_t i = 0; i < n; i++)
		out[i] = (struct csa_chunk){ .id = id[i], .document_id = "d",
		    .text = "by vector", .len = 9, .title = "" };
	return 0;
}

static const struct csa_store_ops store_ops = {
	.search = search, .chunks = chunks
};
static struct csa_store	 store = { &store_ops };

/* ---- fixtures ---- */

static struct csa_rag		 rag;
static struct csa_ctx		 ctx;
static const struct csa_scope	 scope = { "", "b" };
static struct csa_found		 found;
static struct csa_timings	 t;
static struct csa_err		 err;

static void
setup(void)
{
	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	embed_error = query_error = search_error = chunks_error = CSA_OK;
	embed_hangs = query_hangs = false;
	begun = ended = queries = finished = cancelled = searched = 0;
	vector_text = NULL;
	vector_hits = 2;
	vectors.remote = true;
	rag = (struct csa_rag){ .store = &store, .embedder = &embedder,
	    .vectors = &vectors, .text_weight = .6, .may_degrade = true,
	    .retrieve_ms = 10000 };
	memset(&ctx, 0, sizeof(ctx));
	ctx.arena = csa_arena_new();
	ctx.deadline = csa_now_ms() + 60000;
	memset(&t, 0, sizeof(t));
	memset(&err, 0, sizeof(err));
}

static void
teardown(void)
{
	/* Whatever happened, nothing is left under way. */
	ck_assert_uint_eq(ended, begun);
	ck_assert_uint_eq(finished + cancelled, queries);
	csa_arena_free(ctx.arena);
	csa_metrics_close();
}

static int
retrieve(void)
{
	return csa_retrieve(&rag, &ctx, &scope, "q", 5, &found, &t, &err);
}

static bool
has(const char *id)
{
	for (size_t i = 0; i < found.n; i++)
		if (strcmp(found.passages[i].chunk.id, id) == 0)
			return true;
	return false;
}

/* ---- who fails, and what is found then ---- */

enum part { NOBODY, EMBED, QUERY, CHUNKS, SEARCH };

static const struct {
	enum part	 part;
	enum csa_errcode code;
	const char	*text;		/* beside the vectors */
	const char	*degraded;	/* NULL: it fails, or nothing does */
} cases[] = {
	{ NOBODY, CSA_OK, NULL, NULL },
	{ EMBED, CSA_ERR_PROVIDER_ERROR, NULL, "embedding_unavailable" },
	{ EMBED, CSA_ERR_PROVIDER_FAULT, NULL, "embedding_unavailable" },
	{ EMBED, CSA_ERR_PROVIDER_BUSY, NULL, "embedding_unavailable" },
	{ EMBED, CSA_ERR_PROVIDER_UNAVAILABLE, NULL, "embedding_unavailable" },
	{ EMBED, CSA_ERR_DEADLINE, NULL, "embedding_unavailable" },
	{ EMBED, CSA_ERR_CANCELLED, NULL, NULL },
	{ EMBED, CSA_ERR_OVERLOADED, NULL, NULL },
	{ EMBED, CSA_ERR_INTERNAL, NULL, NULL },
	{ QUERY, CSA_ERR_PROVIDER_ERROR, NULL, "vectors_unavailable" },
	{ QUERY, CSA_ERR_PROVIDER_BUSY, NULL, "vectors_unavailable" },
	{ QUERY, CSA_ERR_PROVIDER_UNAVAILABLE, NULL, "vectors_unavailable" },
	{ QUERY, CSA_ERR_DEADLINE, NULL, "vectors_unavailable" },
	{ QUERY, CSA_ERR_STORE_UNAVAILABLE, NULL, "vectors_unavailable" },
	{ QUERY, CSA_ERR_CANCELLED, NULL, NULL },
	{ QUERY, CSA_ERR_OVERLOADED, NULL, NULL },
	{ CHUNKS, CSA_ERR_STORE_UNAVAILABLE, NULL, "vectors_unavailable" },
	{ SEARCH, CSA_ERR_STORE_UNAVAILABLE, "here", "store_unavailable" },
	{ SEARCH, CSA_ERR_STORE_UNAVAILABLE, NULL, NULL },
	{ SEARCH, CSA_ERR_CANCELLED, "here", NULL },
};

static void
break_part(enum part part, enum csa_errcode code)
{
	embed_error = part == EMBED ? code : CSA_OK;
	query_error = part == QUERY ? code : CSA_OK;
	chunks_error = part == CHUNKS || part == SEARCH ? code : CSA_OK;
	search_error = part == SEARCH ? code : CSA_OK;
}

START_TEST(one_search_failing_leaves_the_other)
{
	enum part	 part = cases[_i / 2].part;
	const char	*degraded = cases[_i / 2].degraded;

	vectors.remote = _i % 2 == 0;
	vector_text = cases[_i / 2].text;
	break_part(part, cases[_i / 2].code);
	if (part != NOBODY && degraded == NULL) {
		ck_assert_int_eq(retrieve(), -1);
		ck_assert_int_eq(err.code, cases[_i / 2].code);
		return;
	}
	ck_assert_int_eq(retrieve(), 0);
	ck_assert_int_eq(err.code, CSA_OK);
	if (degraded == NULL) {
		ck_assert_ptr_null(found.degraded);
		ck_assert(has("t0") && has("v0") && has("v1"));
		return;
	}
	ck_assert_str_eq(found.degraded, degraded);
	ck_assert_int_eq(has("t0"), part != SEARCH);
	ck_assert_int_eq(has("v0"), part == SEARCH);
	ck_assert_uint_eq(found.n, part == SEARCH ? 2 : 1);
	ck_assert_double_eq_tol(found.passages[0].score,
	    part == SEARCH ? 1 : .5, 1e-9);
	ck_assert_uint_eq(found.text.nhits, part == SEARCH ? 0 : 1);
}
END_TEST

START_TEST(fails_where_it_must_not_degrade)
{
	enum part	 part = cases[_i / 2].part;

	if (part == NOBODY)
		return;
	vectors.remote = _i % 2 == 0;
	vector_text = cases[_i / 2].text;
	rag.may_degrade = false;
	break_part(part, cases[_i / 2].code);
	ck_assert_int_eq(retrieve(), -1);
	ck_assert_int_eq(err.code, cases[_i / 2].code);
	ck_assert_int_eq(err.source, part == EMBED ? CSA_SRC_GEMINI :
	    part == QUERY ? CSA_SRC_PINECONE : CSA_SRC_STORE);
}
END_TEST

START_TEST(both_failing_is_a_failure)
{
	vectors.remote = _i % 2 == 0;
	vector_text = "here";
	if (_i < 2)
		embed_error = CSA_ERR_PROVIDER_BUSY;
	else
		query_error = CSA_ERR_PROVIDER_BUSY;
	search_error = CSA_ERR_STORE_UNAVAILABLE;
	ck_assert_int_eq(retrieve(), -1);
	ck_assert_int_eq(err.code, CSA_ERR_STORE_UNAVAILABLE);
}
END_TEST

/* Nothing found by vectors is no proof that there is nothing. */
START_TEST(no_vectors_and_no_store_is_a_failure)
{
	vector_hits = 0;
	search_error = CSA_ERR_STORE_UNAVAILABLE;
	ck_assert_int_eq(retrieve(), -1);
	ck_assert_int_eq(err.code, CSA_ERR_STORE_UNAVAILABLE);
}
END_TEST

START_TEST(what_hangs_leaves_half_of_the_time)
{
	int64_t	 left;

	vectors.remote = _i % 2 == 0;
	embed_hangs = _i < 2;
	query_hangs = _i >= 2;
	ctx.deadline = csa_now_ms() + 2000;
	ck_assert_int_eq(retrieve(), 0);
	left = csa_left_ms(ctx.deadline);
	ck_assert_int_gt(left, 200);
	ck_assert_int_le(left, 1001);
	ck_assert_str_eq(found.degraded, embed_hangs ?
	    "embedding_unavailable" : "vectors_unavailable");
	ck_assert(has("t0"));
	/* Embedding's time is what it took, whatever came of it. */
	ck_assert_int_eq(t.embed > 900000000, embed_hangs);
}
END_TEST

START_TEST(what_hangs_gets_no_more_than_the_setting)
{
	embed_hangs = true;
	rag.retrieve_ms = 50;
	ck_assert_int_eq(retrieve(), 0);
	ck_assert_int_gt(csa_left_ms(ctx.deadline), 50000);
}
END_TEST

START_TEST(all_the_time_where_nothing_else_will_do)
{
	embed_hangs = true;
	rag.may_degrade = false;
	rag.retrieve_ms = 10;
	ctx.deadline = csa_now_ms() + 100;
	ck_assert_int_eq(retrieve(), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert_int_eq(csa_left_ms(ctx.deadline), 0);
}
END_TEST

START_TEST(nothing_is_mended_when_the_time_is_over)
{
	vectors.remote = _i % 2 == 0;
	embed_error = CSA_ERR_DEADLINE;
	ctx.deadline = csa_now_ms();
	ck_assert_int_eq(retrieve(), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
}
END_TEST

START_TEST(fallbacks_are_counted)
{
	embed_error = CSA_ERR_PROVIDER_BUSY;
	ck_assert_int_eq(retrieve(), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_fallbacks,
	    "embedding|full_text|provider_busy"), 1);
	embed_error = CSA_OK;
	query_error = CSA_ERR_DEADLINE;
	ck_assert_int_eq(retrieve(), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_fallbacks,
	    "vectors|full_text|deadline_exceeded"), 1);
	query_error = CSA_OK;
	search_error = CSA_ERR_STORE_UNAVAILABLE;
	vector_text = "here";
	ck_assert_int_eq(retrieve(), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_fallbacks,
	    "full_text|vectors|store_unavailable"), 1);
}
END_TEST

/* ---- with quotes ---- */

/* Full text knew nothing of the words: quoting must do without. */
START_TEST(vectors_alone_can_be_quoted)
{
	FILE			*unread = fopen("/dev/null", "w");
	struct csa_config	*config = csa_config_load(NULL, unread);
	struct csa_model	*m = csa_model_extractive_open(config);
	struct csa_chat_req	 req = { .question = "Who opens the dome?" };
	struct csa_chat_res	 res;

	vector_text = "The keeper opens the dome at nine.";
	search_error = CSA_ERR_STORE_UNAVAILABLE;
	ck_assert_int_eq(retrieve(), 0);
	req.passages = found.passages;
	req.npassages = found.n;
	req.text = &found.text;
	ck_assert_int_eq(m->ops->generate(m, &ctx, &req, NULL, NULL, &res,
	    &err), 0);
	ck_assert_uint_gt(res.len, 0);
	m->ops->close(m);
	csa_config_free(config);
	fclose(unread);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("retrieve");
	TCase	*tc = tcase_create("retrieve");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, one_search_failing_leaves_the_other, 0,
	    2 * (int)CSA_NITEMS(cases));
	tcase_add_loop_test(tc, fails_where_it_must_not_degrade, 0,
	    2 * (int)CSA_NITEMS(cases));
	tcase_add_loop_test(tc, both_failing_is_a_failure, 0, 4);
	tcase_add_test(tc, no_vectors_and_no_store_is_a_failure);
	tcase_add_loop_test(tc, what_hangs_leaves_half_of_the_time, 0, 4);
	tcase_add_test(tc, what_hangs_gets_no_more_than_the_setting);
	tcase_add_test(tc, all_the_time_where_nothing_else_will_do);
	tcase_add_loop_test(tc, nothing_is_mended_when_the_time_is_over, 0, 2);
	tcase_add_test(tc, fallbacks_are_counted);
	tcase_add_test(tc, vectors_alone_can_be_quoted);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
