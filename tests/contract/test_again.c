/*
 * What comes back after a fault of the provider's that passes: the drivers
 * through lib/upstream, against the emulator.  (The other contract tests make
 * one request of one call; the policy itself is tests/unit/test_upstream's.)
 */

#include "config.h"

#include <check.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/vector/vector.h"
#include "tests/contract/emu_client.h"
#include "tests/contract/model_fixture.h"
#include "tests/suite.h"

#define DIM	8		/* of the index */
#define CHUNKS	1200		/* more than one request */

static struct csa_scope	 scope = { "", "b" };

static void
setup(void)
{
	emu_setup();
	emu_config.retry_attempts = 3;
	emu_config.retry_base_ms = 5;
	emu_config.breaker_percent = 50;
	emu_ctx.deadline = csa_now_ms() + 20000;
}

/* Faults that pass, each for one request. */
static const char *const passing[] = {
	"\"kind\":\"status\",\"status\":503",
	"\"kind\":\"status\",\"status\":500",
	"\"kind\":\"plain429\"",
	"\"kind\":\"html\"",
	"\"kind\":\"reset\"",
	"\"kind\":\"close\"",
	"\"kind\":\"truncate\"",
	/* It has done it, and nobody is told. */
	"\"kind\":\"reset\",\"after\":true",
	"\"kind\":\"status\",\"status\":504,\"after\":true",
};
#define NPASSING	((int)CSA_NITEMS(passing))

static void
arrange(const char *match, const char *fault, unsigned skip)
{
	char	 rule[200];

	snprintf(rule, sizeof(rule), "\"match\":\"%s\",%s,\"count\":1,"
	    "\"skip\":%u", match, fault, skip);
	emu_fault(rule);
}

static size_t
seen(const char *op)
{
	struct json_object	*log = emu_log(op);
	size_t			 n = json_object_array_length(log);

	json_object_put(log);
	return n;
}

START_TEST(a_model_answers_after_all)
{
	int			 which = _i / NPASSING % 2;
	bool			 streamed = _i / NPASSING / 2;
	struct csa_model	*m = open_model(which);

	arrange(streamed ? models[which].stream_op : models[which].op,
	    passing[_i % NPASSING], 0);
	/* A stream that broke in its middle is not begun again. */
	if (streamed && strstr(passing[_i % NPASSING], "truncate") != NULL) {
		(void)ask(m, "EMU:len=200", true);
		ck_assert_uint_eq(calls(which), 1);
	} else {
		ck_assert_msg(ask(m, "x", streamed) == 0, "%s: %s %s",
		    passing[_i % NPASSING], err.msg, err.detail);
		ck_assert_uint_eq(calls(which), 2);
	}
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(keeps_geminis_pause)
{
	struct csa_model	*m = open_model(GEMINI);
	int64_t			 start = csa_now_ms();

	arrange("gemini.*", "\"kind\":\"retryinfo429\",\"retry_delay\":\"0.7s\"",
	    0);
	ck_assert_int_eq(ask(m, "x", _i == 1), 0);
	ck_assert_int_ge(csa_now_ms() - start, 1000);	/* whole seconds */
	ck_assert_uint_eq(calls(GEMINI), 2);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* Gemini says of a bad key that an argument is invalid. */
START_TEST(takes_the_next_key)
{
	struct csa_model	*m;

	emu_config.google_api_key = "wrong-secret, gk-secret";
	emu_config.openai_api_key = "wrong-secret,ok-secret";
	m = open_model(_i / 2);
	for (int i = 0; i < 2; i++) {
		ck_assert_msg(ask(m, "x", _i % 2) == 0, "%s %s", err.msg,
		    err.detail);
		csa_buf_fini(&heard);
	}
	/* The first is not asked again. */
	ck_assert_uint_eq(calls(_i / 2), 3);
	m->ops->close(m);
}
END_TEST

START_TEST(embeds_after_all)
{
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_text		 texts[25];
	struct csa_vec		 vecs[25];
	const char		*op = _i % 2 == 0 ? "gemini.embed" :
				    "openai.embed";

	emu_config.embedding_batch = 10;
	e = _i % 2 == 0 ?
	    csa_embedder_gemini_open(&emu_config, emu_http, &err) :
	    csa_embedder_openai_open(&emu_config, emu_http, &err);
	ck_assert_ptr_nonnull(e);
	for (size_t i = 0; i < CSA_NITEMS(texts); i++) {
		texts[i].s = csa_arena_printf(emu_ctx.arena, "text %zu", i);
		texts[i].n = strlen(texts[i].s);
	}
	/* One of the three batches. */
	arrange(op, passing[_i / 2], (unsigned)_i % 3);
	job = e->ops->start(e, &emu_ctx, CSA_EMBED_PASSAGE, texts,
	    CSA_NITEMS(texts));
	ck_assert_msg(e->ops->finish(job, vecs, &err) == 0, "%s %s %s",
	    passing[_i / 2], err.msg, err.detail);
	e->ops->end(job);
	ck_assert_uint_eq(seen(op), 4);
	e->ops->close(e);
}
END_TEST

/* ---- the index (V-01, V-02) ---- */

static int
put(struct csa_vectors *pc, size_t n)
{
	struct csa_chunk *c = csa_arena_array(emu_ctx.arena, n,
			    struct csa_chunk);
	struct csa_vec	*v = csa_arena_array(emu_ctx.arena, n, struct csa_vec);
	float		*f = csa_arena_array(emu_ctx.arena, DIM, float);

	f[0] = 1;
	for (size_t i = 0; i < n; i++) {
		c[i].id = csa_arena_printf(emu_ctx.arena, "d-%zu", i);
		c[i].text = "t";
		c[i].len = 1;
		c[i].title = "";
		v[i] = (struct csa_vec){ .f = f, .dim = DIM };
	}
	return pc->ops->put(pc, &emu_ctx, &scope, "d", c, v, n, NULL, &err);
}

static size_t
find(struct csa_vectors *pc, int *rc)
{
	float			*f = csa_arena_array(emu_ctx.arena, DIM, float);
	struct csa_vec		 v = { .f = f, .dim = DIM };
	struct csa_vec_hit	*hits;
	size_t			 n;

	f[0] = 1;
	*rc = pc->ops->finish(pc->ops->query(pc, &emu_ctx, &scope, &v, 10000),
	    &hits, &n, &err);
	return n;
}

START_TEST(resends_the_batch_that_failed)
{
	struct csa_vectors	*pc;
	size_t			 batches;
	int			 rc;

	emu_config.pinecone_index_name = "cos";
	pc = csa_vectors_pinecone_open(&emu_config, emu_http, &err);
	ck_assert_ptr_nonnull(pc);
	ck_assert_int_eq(put(pc, CHUNKS), 0);
	batches = seen("pinecone.upsert");
	ck_assert_uint_ge(batches, 2);
	arrange("pinecone.upsert", passing[_i], (unsigned)_i % 2);
	ck_assert_msg(put(pc, CHUNKS) == 0, "%s: %s %s", passing[_i], err.msg,
	    err.detail);
	ck_assert_uint_eq(seen("pinecone.upsert"), 2 * batches + 1);
	/* None twice, none missing. */
	arrange("pinecone.query", passing[_i], 0);
	ck_assert_uint_eq(find(pc, &rc), CHUNKS);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(seen("pinecone.query"), 2);
	pc->ops->close(pc);
}
END_TEST

/*
 * What the first attempt may have stored is taken back, although the second was
 * refused.
 */
START_TEST(takes_back_what_the_first_attempt_stored)
{
	struct csa_vectors	*pc;
	int			 rc;

	emu_config.pinecone_index_name = "cos";
	pc = csa_vectors_pinecone_open(&emu_config, emu_http, &err);
	ck_assert_ptr_nonnull(pc);
	arrange("pinecone.upsert", "\"kind\":\"reset\",\"after\":true", 0);
	arrange("pinecone.upsert", "\"kind\":\"status\",\"status\":400", 0);
	ck_assert_int_eq(put(pc, 5), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	ck_assert_uint_eq(seen("pinecone.upsert"), 2);
	ck_assert_uint_eq(find(pc, &rc), 0);
	ck_assert_int_eq(rc, 0);
	pc->ops->close(pc);
}
END_TEST

/* Nobody is asked any more, and what was asked last is not believed stored. */
START_TEST(stops_asking)
{
	struct csa_vectors	*pc;
	int64_t			 start;
	int			 rc;

	emu_config.pinecone_index_name = "cos";
	pc = csa_vectors_pinecone_open(&emu_config, emu_http, &err);
	ck_assert_ptr_nonnull(pc);
	ck_assert_int_eq(put(pc, 1), 0);
	emu_fault("\"match\":\"pinecone.query\",\"kind\":\"status\","
	    "\"status\":503");
	for (int i = 0; i < 20; i++) {
		(void)find(pc, &rc);
		ck_assert_int_eq(rc, -1);
	}
	start = csa_now_ms();
	(void)find(pc, &rc);
	ck_assert_int_eq(rc, -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(err.detail, "circuit open"));
	/* Waiting for anything would be until then. */
	ck_assert_int_lt(csa_now_ms() - start, 4000);
	ck_assert_uint_le(seen("pinecone.query"), 22);
	/* Storing is another operation. */
	ck_assert_int_eq(put(pc, 1), 0);
	pc->ops->close(pc);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("again");
	TCase	*tc = tcase_create("again");
	int	 failed;

	if (emu_start(DIM) == -1)
		return 77;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, emu_teardown);
	tcase_add_loop_test(tc, a_model_answers_after_all, 0,
	    2 * 2 * NPASSING);
	tcase_add_loop_test(tc, keeps_geminis_pause, 0, 2);
	tcase_add_loop_test(tc, takes_the_next_key, 0, 4);
	tcase_add_loop_test(tc, embeds_after_all, 0, 2 * NPASSING);
	tcase_add_loop_test(tc, resends_the_batch_that_failed, 0, NPASSING);
	tcase_add_test(tc, takes_back_what_the_first_attempt_stored);
	tcase_add_test(tc, stops_asking);
	suite_add_tcase(s, tc);
	failed = run_suite(s);
	emu_stop();
	return failed;
}
