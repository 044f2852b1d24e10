/*
 * The same claims against every embedder.  The remote ones talk to the
 * emulator; what it answers says nothing of the real services (see test_reply
 * for recorded shapes).
 */

#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/provider.h"
#include "lib/provider/provider_script.h"
#include "tests/contract/emu_client.h"
#include "tests/contract/provider_faults.h"
#include "tests/suite.h"

static struct csa_err	 err;

static struct csa_embedder *
open_gemini(void)
{
	return csa_embedder_gemini_open(&emu_config, emu_http, &err);
}

static struct csa_embedder *
open_gemini2(void)
{
	emu_config.embedding_model_name = "gemini-embedding-2";
	return csa_embedder_gemini_open(&emu_config, emu_http, &err);
}

static struct csa_embedder *
open_openai(void)
{
	emu_config.embedding_model_name = "text-embedding-3-small";
	return csa_embedder_openai_open(&emu_config, emu_http, &err);
}

static struct csa_embedder *
open_openai_floats(void)
{
	emu_config.embedding_query_body = emu_config.embedding_passage_body =
	    "{\"encoding_format\":\"float\"}";
	emu_config.embedding_dimensions = 256;
	return open_openai();
}

static struct csa_embedder *
open_script(void)
{
	return csa_embedder_script_open(256, 0);
}

static const struct {
	struct csa_embedder *(*open)(void);
	enum csa_source	 source;
	bool		 remote;
	size_t		 dim;		/* 0: the model's own */
	const char	*op, *model;
} embedders[] = {
	{ open_gemini, CSA_SRC_GEMINI, true, 768, "gemini.embed",
	  "gemini-embedding-001#768" },
	{ open_gemini2, CSA_SRC_GEMINI, true, 768, "gemini.embed",
	  "gemini-embedding-2#768" },
	{ open_openai, CSA_SRC_OPENAI, true, 0, "openai.embed",
	  "text-embedding-3-small" },
	{ open_openai_floats, CSA_SRC_OPENAI, true, 256, "openai.embed",
	  "text-embedding-3-small#256" },
	{ open_script, CSA_SRC_AGENT, false, 256, NULL, "script" },
};
#define NEMBEDDERS	((int)CSA_NITEMS(embedders))

static struct csa_embedder *
open_embedder(int i)
{
	struct csa_embedder	*e = embedders[i].open();

	ck_assert_msg(e != NULL, "%s", err.msg);
	return e;
}

static int
embed(struct csa_embedder *e, enum csa_embed_kind kind,
    const struct csa_text *texts, size_t n, struct csa_vec *vecs,
    struct csa_embed_job **job)
{
	*job = e->ops->start(e, &emu_ctx, kind, texts, n);
	ck_assert_ptr_nonnull(*job);
	return e->ops->finish(*job, vecs, &err);
}

/* A unit vector in the arena, from a job that is then ended. */
static const float *
embed_one(struct csa_embedder *e, enum csa_embed_kind kind, const char *s,
    size_t *dim)
{
	struct csa_text		 t = { s, strlen(s) };
	struct csa_embed_job	*job;
	struct csa_vec		 vec;
	const float		*f;
	float			*copy;

	ck_assert_msg(embed(e, kind, &t, 1, &vec, &job) == 0, "%s: %s",
	    err.msg, err.detail);
	f = csa_vec_floats(emu_ctx.arena, &vec, 1);
	ck_assert_ptr_nonnull(f);
	*dim = vec.dim;
	copy = csa_arena_alloc(emu_ctx.arena, vec.dim * sizeof(*copy));
	memcpy(copy, f, vec.dim * sizeof(*copy));
	e->ops->end(job);
	return copy;
}

static double
dot(const float *a, const float *b, size_t n)
{
	double	 d = 0;

	for (size_t i = 0; i < n; i++)
		d += (double)a[i] * (double)b[i];
	return d;
}

START_TEST(embeds_a_question_near_its_passage)
{
	struct csa_embedder	*e = open_embedder(_i);
	size_t			 n, m;
	const float		*q, *near, *far;

	ck_assert_str_eq(e->model, embedders[_i].model);
	q = embed_one(e, CSA_EMBED_QUERY, "what is the refund policy", &n);
	near = embed_one(e, CSA_EMBED_PASSAGE, "the refund policy is simple",
	    &m);
	ck_assert_uint_eq(n, m);
	if (embedders[_i].dim > 0)
		ck_assert_uint_eq(n, embedders[_i].dim);
	far = embed_one(e, CSA_EMBED_PASSAGE, "bananas grow in hot places", &m);
	ck_assert(fabs(dot(q, q, n) - 1) < 1e-3);
	ck_assert(dot(q, near, n) > dot(q, far, n));
	e->ops->close(e);
}
END_TEST

/* 250 texts are three calls; the vectors stand in the order of the texts. */
START_TEST(embeds_many_in_batches_and_in_order)
{
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_text		 t[250];
	struct csa_vec		 v[250];
	char			 text[250][48];
	static const size_t	 look[] = { 0, 99, 100, 137, 200, 249 };
	struct json_object	*log;
	const float		*f, *one;
	size_t			 dim;

	e = open_embedder(_i);
	for (size_t i = 0; i < 250; i++) {
		snprintf(text[i], sizeof(text[i]), "passage %zu of \"%zu\"", i,
		    i * 7919);
		t[i] = (struct csa_text){ text[i], strlen(text[i]) };
	}
	ck_assert_msg(embed(e, CSA_EMBED_PASSAGE, t, 250, v, &job) == 0,
	    "%s: %s", err.msg, err.detail);
	if (embedders[_i].remote) {
		log = emu_log(embedders[_i].op);
		ck_assert_uint_eq(json_object_array_length(log), 3);
		json_object_put(log);
	}
	for (size_t i = 0; i < CSA_NITEMS(look); i++) {
		f = csa_vec_floats(emu_ctx.arena, &v[look[i]], 1);
		one = embed_one(e, CSA_EMBED_PASSAGE, text[look[i]], &dim);
		ck_assert_uint_eq(dim, v[look[i]].dim);
		ck_assert_msg(dot(f, one, dim) > .9999, "text %zu", look[i]);
	}
	e->ops->end(job);
	e->ops->end(NULL);
	e->ops->close(e);
}
END_TEST

/* US dollars a million tokens; 001 and its like do not say how many there were. */
static const struct { const char *model; double price; long tokens; }
    bills[NEMBEDDERS] = {
	{ "gemini-embedding-001", .15, 10 }, { "gemini-embedding-2", .20, 0 },
	{ "text-embedding-3-small", .02, 0 },
	{ "text-embedding-3-small", .02, 0 }, { "script", 0, 0 },
};

START_TEST(counts_what_it_costs)
{
	struct csa_text		 t[2] = { { "a passage of 30 bytes in ASCII", 30 },
				    { "one more", 8 } };
	struct csa_embed_job	*job;
	struct csa_embedder	*e = open_embedder(_i);
	struct csa_vec		 v[2];
	char			 label[80];
	double			 tokens;

	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, t, 2, v, &job), 0);
	e->ops->end(job);
	snprintf(label, sizeof(label), "%s|prompt", bills[_i].model);
	tokens = (double)csa_metric_value(CSA_M_tokens, label);
	ck_assert(embedders[_i].remote ? tokens > 2 : tokens < 1);
	if (bills[_i].tokens > 0 || !embedders[_i].remote)
		ck_assert_int_eq((int)tokens, bills[_i].tokens);
	ck_assert_double_eq_tol((double)csa_metric_value(CSA_M_cost,
	    bills[_i].model), tokens * bills[_i].price * 1e3, .51);
	ck_assert_double_eq_tol(csa_embed_price(e, CSA_EMBED_QUERY, 2000000),
	    2 * bills[_i].price, 1e-9);
	e->ops->close(e);
	csa_metrics_close();
}
END_TEST

/* A question's model may be another one, and has its own price. */
START_TEST(goes_by_the_prices_it_was_given)
{
	struct csa_embedder	*e;

	emu_config.embedding_query_model = "ours-for-questions";
	emu_config.prices = "ours-for-questions=3/0";
	e = open_openai();
	ck_assert_ptr_nonnull(e);
	ck_assert_double_eq_tol(csa_embed_price(e, CSA_EMBED_QUERY, 1000000),
	    3, 1e-9);
	ck_assert_double_eq_tol(csa_embed_price(e, CSA_EMBED_PASSAGE, 1000000),
	    .02, 1e-9);
	e->ops->close(e);
	emu_config.prices = "x";
	ck_assert_ptr_null(open_openai());
	ck_assert_ptr_nonnull(strstr(err.msg, "prices: "));
	ck_assert_ptr_null(open_gemini());
	ck_assert_ptr_nonnull(strstr(err.msg, "prices: "));
}
END_TEST

START_TEST(embeds_any_text)
{
	static const char *const odd[] = {
		"\"quotes\" \\ back\\slashes / and\ttabs\nand lines",
		"日本語のテキスト 和中文", "\xf0\x9f\x98\x80 \xe2\x80\xa8 <&>",
		"\x01\x1f\x7f",
	};
	struct csa_embedder	*e = open_embedder(_i);
	struct json_object	*log, *o;
	size_t			 dim;

	for (size_t i = 0; i < CSA_NITEMS(odd); i++)
		embed_one(e, CSA_EMBED_PASSAGE, odd[i], &dim);
	if (embedders[_i].source == CSA_SRC_OPENAI) {
		log = emu_log("openai.embed");
		for (size_t i = 0; i < CSA_NITEMS(odd); i++) {
			struct json_object	*in;

			o = emu_request(log, i);
			ck_assert(json_object_object_get_ex(o, "input", &in));
			ck_assert_str_eq(json_object_get_string(
			    json_object_array_get_idx(in, 0)), odd[i]);
			json_object_put(o);
		}
		json_object_put(log);
	}
	e->ops->close(e);
}
END_TEST

START_TEST(an_embedder_fails_as_it_should)
{
	const struct fault_case	*c = &faults[_i % NFAULTS];
	int			 which = _i / NFAULTS;
	struct csa_text		 t = { "x", 1 };
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_vec		 v;
	int64_t			 start;

	if (!embedders[which].remote)
		return;
	e = open_embedder(which);
	start = arrange(c);
	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, &t, 1, &v, &job), -1);
	check_failure(c, embedders[which].source, &err, start);
	e->ops->end(job);
	e->ops->close(e);
}
END_TEST

/* Vectors that are not what was asked for, in a batch and for one text. */
static const char *const bad_vectors[] = {
	"\"kind\":\"wrong_dim\"", "\"kind\":\"fewer\"", "\"kind\":\"more\"",
	"\"kind\":\"nan\"",
};

START_TEST(an_embedder_takes_no_bad_vectors)
{
	int			 which = _i / (int)CSA_NITEMS(bad_vectors);
	const char		*rule;
	struct csa_text		 t[3] = { { "a", 1 }, { "b", 1 }, { "c", 1 } };
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_vec		 v[3];

	rule = bad_vectors[_i % (int)CSA_NITEMS(bad_vectors)];
	if (!embedders[which].remote)
		return;
	/* base64, of any dimensions: the emulator cannot spoil it so. */
	if (embedders[which].dim == 0 && (strstr(rule, "wrong_dim") != NULL ||
	    strstr(rule, "nan") != NULL))
		return;
	e = open_embedder(which);
	emu_fault(rule);
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, t, 3, v, &job), -1);
	ck_assert_msg(err.code == CSA_ERR_PROVIDER_ERROR, "%s: %s", rule,
	    err.detail);
	e->ops->end(job);
	e->ops->close(e);
}
END_TEST

/* The second of three calls fails: the whole job does, and nothing is left. */
START_TEST(one_bad_batch_fails_the_job)
{
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_text		 t[250];
	struct csa_vec		 v[250];

	if (!embedders[_i].remote)
		return;
	e = open_embedder(_i);
	for (size_t i = 0; i < 250; i++)
		t[i] = (struct csa_text){ "same", 4 };
	emu_fault("\"kind\":\"status\",\"status\":500,\"skip\":1,\"count\":1");
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, t, 250, v, &job), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_FAULT);
	e->ops->end(job);
	/* And the next one works. */
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, t, 250, v, &job), 0);
	e->ops->end(job);
	e->ops->close(e);
}
END_TEST

START_TEST(a_job_can_be_left_alone)
{
	struct csa_embedder	*e = open_embedder(_i);
	struct csa_text		 t = { "x", 1 };

	if (embedders[_i].remote)
		emu_fault("\"kind\":\"hang\"");
	e->ops->end(e->ops->start(e, &emu_ctx, CSA_EMBED_QUERY, &t, 1));
	e->ops->close(e);
}
END_TEST

/* ---- what is sent ---- */

START_TEST(sends_what_the_vendors_sdk_sends_to_embed)
{
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_text		 t[2] = { { "a", 1 }, { "b", 1 } };
	struct csa_vec		 v[2];
	struct json_object	*log, *o;

	emu_config.embedding_dimensions = 256;
	e = open_gemini();
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, t, 2, v, &job), 0);
	e->ops->end(job);
	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, t, 1, v, &job), 0);
	e->ops->end(job);
	e->ops->close(e);
	log = emu_log("gemini.embed");
	ck_assert_str_eq(emu_target(log, 0),
	    "/v1beta/models/gemini-embedding-001:batchEmbedContents");
	ck_assert_str_eq(emu_sent_header(log, 0, "x-goog-api-key"),
	    "gk-secret");
	ck_assert_str_eq(emu_sent_header(log, 0, "content-type"),
	    "application/json");
	o = emu_request(log, 0);
	ck_assert(emu_same(o, "{\"requests\":[{\"content\":{\"role\":\"user\","
	    "\"parts\":[{\"text\":\"a\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\""
	    ",\"outputDimensionality\":256,\"model\":"
	    "\"models/gemini-embedding-001\"},{\"content\":{\"role\":\"user\","
	    "\"parts\":[{\"text\":\"b\"}]},\"taskType\":\"RETRIEVAL_DOCUMENT\""
	    ",\"outputDimensionality\":256,\"model\":"
	    "\"models/gemini-embedding-001\"}]}"));
	json_object_put(o);
	ck_assert_str_eq(emu_target(log, 1),
	    "/v1beta/models/gemini-embedding-001:embedContent");
	o = emu_request(log, 1);
	ck_assert(emu_same(o, "{\"content\":{\"role\":\"user\",\"parts\":[{"
	    "\"text\":\"a\"}]},\"taskType\":\"RETRIEVAL_QUERY\","
	    "\"outputDimensionality\":256,\"model\":"
	    "\"models/gemini-embedding-001\"}"));
	json_object_put(o);
	json_object_put(log);
}
END_TEST

START_TEST(puts_the_task_into_the_text_for_embedding_2)
{
	struct csa_embedder	*e = open_gemini2();
	struct csa_embed_job	*job;
	struct csa_text		 t = { "a \"b\"", 5 };
	struct csa_vec		 v;
	struct json_object	*log, *o;

	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, &t, 1, &v, &job), 0);
	e->ops->end(job);
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, &t, 1, &v, &job), 0);
	e->ops->end(job);
	e->ops->close(e);
	log = emu_log("gemini.embed");
	o = emu_request(log, 0);
	ck_assert(emu_same(o, "{\"content\":{\"role\":\"user\",\"parts\":[{"
	    "\"text\":\"task: search result | query: a \\\"b\\\"\"}]},"
	    "\"outputDimensionality\":768,\"model\":"
	    "\"models/gemini-embedding-2\"}"));
	json_object_put(o);
	o = emu_request(log, 1);
	ck_assert(emu_same(o, "{\"requests\":[{\"content\":{\"role\":\"user\","
	    "\"parts\":[{\"text\":\"title: none | text: a \\\"b\\\"\"}]},"
	    "\"outputDimensionality\":768,\"model\":"
	    "\"models/gemini-embedding-2\"}]}"));
	json_object_put(o);
	json_object_put(log);
}
END_TEST

START_TEST(sends_what_openai_servers_expect)
{
	struct csa_embedder	*e;
	struct csa_embed_job	*job;
	struct csa_text		 t[2] = { { "a", 1 }, { "b", 1 } };
	struct csa_vec		 v[2];
	struct json_object	*log, *o;

	emu_config.embedding_model_name = "m";
	e = csa_embedder_openai_open(&emu_config, emu_http, &err);
	ck_assert_int_eq(embed(e, CSA_EMBED_PASSAGE, t, 2, v, &job), 0);
	e->ops->end(job);
	e->ops->close(e);

	emu_config.embedding_dimensions = 64;
	emu_config.embedding_query_model = "m-query";
	emu_config.embedding_query_prefix = "query: ";
	emu_config.embedding_query_body = " { \"input_type\" : \"query\" } ";
	e = csa_embedder_openai_open(&emu_config, emu_http, &err);
	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, t, 1, v, &job), 0);
	e->ops->end(job);
	e->ops->close(e);

	log = emu_log("openai.embed");
	ck_assert_str_eq(emu_target(log, 0), "/v1/embeddings");
	ck_assert_str_eq(emu_sent_header(log, 0, "authorization"),
	    "Bearer ok-secret");
	o = emu_request(log, 0);
	ck_assert(emu_same(o, "{\"model\":\"m\",\"input\":[\"a\",\"b\"],"
	    "\"encoding_format\":\"base64\"}"));
	json_object_put(o);
	o = emu_request(log, 1);
	ck_assert(emu_same(o, "{\"model\":\"m-query\",\"input\":[\"query: a\"],"
	    "\"encoding_format\":\"base64\",\"dimensions\":64,\"input_type\":"
	    "\"query\"}"));
	json_object_put(o);
	json_object_put(log);
}
END_TEST

static const char *const bad_bodies[] = {
	"[]", "{", "7", "{\"model\":\"x\"}", "{\"input\":[]}",
	"{\"a\":1,\"a\":2}", "{'a':1}",
};

START_TEST(refuses_extra_members_that_cannot_be)
{
	emu_config.embedding_passage_body = bad_bodies[_i];
	ck_assert_ptr_null(csa_embedder_openai_open(&emu_config, emu_http,
	    &err));
	ck_assert_ptr_nonnull(strstr(err.msg, "embedding_passage_body"));
}
END_TEST

START_TEST(refuses_addresses_and_keys_that_cannot_be)
{
	static const char *const bad[] = { "", "localhost:1", "ftp://x",
	    "http://x y", "http://x?k=1", "http://x\r\nA: b" };

	for (size_t i = 0; i < CSA_NITEMS(bad); i++) {
		emu_config.google_gemini_base_url = bad[i];
		ck_assert_ptr_null(open_gemini());
		ck_assert_ptr_null(csa_model_gemini_open(&emu_config, emu_http,
		    &err));
	}
	emu_config.openai_api_key = "a\nb";
	ck_assert_ptr_null(csa_model_openai_open(&emu_config, emu_http, &err));
	ck_assert_ptr_null(strstr(err.msg, "a\nb"));
}
END_TEST

/* ---- the failing and the scripted one ---- */

START_TEST(the_failing_embedder_fails)
{
	struct csa_embedder	*e = csa_embedder_fail_open();
	struct csa_text		 t = { "x", 1 };
	struct csa_embed_job	*job;
	struct csa_vec		 v;

	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, &t, 1, &v, &job), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	e->ops->end(job);
	ck_assert_int_eq(e->ops->probe(e, 1), -1);
	e->ops->close(e);
}
END_TEST

START_TEST(the_scripted_embedder_fails_when_told)
{
	struct csa_embedder	*e = csa_embedder_script_open(8, 2);
	struct csa_text		 t = { "x", 1 };
	struct csa_embed_job	*job;
	struct csa_vec		 v;

	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, &t, 1, &v, &job), 0);
	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, &t, 1, &v, &job), -1);
	ck_assert_int_eq(embed(e, CSA_EMBED_QUERY, &t, 1, &v, &job), 0);
	e->ops->close(e);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("embedders");
	TCase	*tc = tcase_create("embedders");
	int	 failed;

	if (emu_start(768) == -1)
		return 77;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, emu_setup, emu_teardown);
	tcase_add_loop_test(tc, embeds_a_question_near_its_passage, 0,
	    NEMBEDDERS);
	tcase_add_loop_test(tc, embeds_many_in_batches_and_in_order, 0,
	    NEMBEDDERS);
	tcase_add_loop_test(tc, counts_what_it_costs, 0, NEMBEDDERS);
	tcase_add_test(tc, goes_by_the_prices_it_was_given);
	tcase_add_loop_test(tc, embeds_any_text, 0, NEMBEDDERS);
	tcase_add_loop_test(tc, an_embedder_fails_as_it_should, 0,
	    NEMBEDDERS * NFAULTS);
	tcase_add_loop_test(tc, an_embedder_takes_no_bad_vectors, 0,
	    NEMBEDDERS * (int)CSA_NITEMS(bad_vectors));
	tcase_add_loop_test(tc, one_bad_batch_fails_the_job, 0, NEMBEDDERS);
	tcase_add_loop_test(tc, a_job_can_be_left_alone, 0, NEMBEDDERS);
	tcase_add_test(tc, sends_what_the_vendors_sdk_sends_to_embed);
	tcase_add_test(tc, puts_the_task_into_the_text_for_embedding_2);
	tcase_add_test(tc, sends_what_openai_servers_expect);
	tcase_add_loop_test(tc, refuses_extra_members_that_cannot_be, 0,
	    CSA_NITEMS(bad_bodies));
	tcase_add_test(tc, refuses_addresses_and_keys_that_cannot_be);
	tcase_add_test(tc, the_failing_embedder_fails);
	tcase_add_test(tc, the_scripted_embedder_fails_when_told);
	suite_add_tcase(s, tc);
	failed = run_suite(s);
	emu_stop();
	return failed;
}
