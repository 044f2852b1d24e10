/*
 * The Pinecone driver against the emulator: the requests it sends, what it
 * makes of the replies, and that nothing is left behind of what was refused.
 */

#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/vector/vector.h"
#include "lib/vector/vector_script.h"
#include "tests/contract/emu_client.h"
#include "tests/suite.h"

#define DIM	8

static struct csa_err		 err;
static struct csa_vectors	*pc;
static struct csa_scope		 scope = { "", "b" };
static struct csa_vec_hit	*hits;
static size_t			 nhits;

static void
open_index(const char *name)
{
	emu_config.pinecone_index_name = name;
	pc = csa_vectors_pinecone_open(&emu_config, emu_http, &err);
	ck_assert_msg(pc != NULL, "%s", err.msg);
	ck_assert(pc->remote);
	ck_assert_str_eq(pc->name, "pinecone");
}

static void
setup(void)
{
	emu_setup();
	open_index("cos");
	scope = (struct csa_scope){ "", "b" };
}

static void
teardown(void)
{
	pc->ops->close(pc);
	emu_teardown();
}

/* A vector that points mostly along axis i, of a length that varies. */
static struct csa_vec
axis(size_t i, float length)
{
	float	*f = csa_arena_array(emu_ctx.arena, DIM, float);

	for (size_t k = 0; k < DIM; k++)
		f[k] = length * (k == i % DIM ? 1 : .01f * (float)(k + 1));
	return (struct csa_vec){ .f = f, .dim = DIM };
}

static struct csa_chunk
chunk(const char *document, size_t i)
{
	struct csa_chunk	 c = { .title = "", .document_id = document };

	c.id = csa_arena_printf(emu_ctx.arena, "%s-chunk-%zu", document, i);
	c.text = csa_arena_printf(emu_ctx.arena, "text %zu of %s", i,
	    document);
	c.len = strlen(c.text);
	return c;
}

static int
put_old(const char *document, size_t n, const struct csa_ids *old)
{
	struct csa_chunk *c = csa_arena_array(emu_ctx.arena, n,
			    struct csa_chunk);
	struct csa_vec	*v = csa_arena_array(emu_ctx.arena, n, struct csa_vec);

	for (size_t i = 0; i < n; i++) {
		c[i] = chunk(document, i);
		v[i] = axis(i, 1 + (float)(i % 3));
	}
	return pc->ops->put(pc, &emu_ctx, &scope, document, c, v, n, old,
	    &err);
}

static int
put(const char *document, size_t n)
{
	static const struct csa_ids	 none = { NULL, 0 };

	return put_old(document, n, &none);
}

static int
query(size_t along, size_t k)
{
	struct csa_vec	 v = axis(along, 1);

	return pc->ops->finish(pc->ops->query(pc, &emu_ctx, &scope, &v, k),
	    &hits, &nhits, &err);
}

/* How many vectors the bot has, as a search for all of them sees it. */
static size_t
stored(void)
{
	emu_ctx.deadline = csa_now_ms() + 10000;
	ck_assert_msg(query(0, 10000) == 0, "%s: %s", err.msg, err.detail);
	return nhits;
}

static size_t
calls(const char *op)
{
	struct json_object	*log = emu_log(op);
	size_t			 n = json_object_array_length(log);

	json_object_put(log);
	return n;
}

/* ---- reading and writing ---- */

static const char *const indexes[] = { "cos", "dot", "euc" };

START_TEST(finds_what_was_put)
{
	pc->ops->close(pc);
	open_index(indexes[_i]);
	ck_assert_msg(put("d", 5) == 0, "%s: %s", err.msg, err.detail);
	ck_assert_int_eq(query(3, 3), 0);
	ck_assert_uint_eq(nhits, 3);
	ck_assert_str_eq(hits[0].chunk.id, "d-chunk-3");
	ck_assert_str_eq(hits[0].chunk.document_id, "d");
	ck_assert_str_eq(hits[0].chunk.text, "text 3 of d");
	ck_assert_uint_eq(hits[0].chunk.len, strlen("text 3 of d"));
	ck_assert_str_eq(hits[0].chunk.title, "");
	ck_assert(hits[0].score >= hits[1].score &&
	    hits[1].score >= hits[2].score);
	ck_assert(hits[0].score > 0);
}
END_TEST

/* A dotproduct index sees vectors of length 1, whatever the embedder gave. */
START_TEST(normalizes_for_a_dotproduct_index)
{
	pc->ops->close(pc);
	open_index("dot");
	ck_assert_int_eq(put("d", 3), 0);
	/* d-chunk-2 is three times as long as d-chunk-0. */
	for (size_t i = 0; i < 3; i++) {
		ck_assert_int_eq(query(i, 1), 0);
		ck_assert_str_eq(hits[0].chunk.id, chunk("d", i).id);
		ck_assert(fabs(hits[0].score - 1) < 1e-3);
	}
}
END_TEST

/* With the address configured the index itself is asked for its metric. */
START_TEST(learns_the_metric_where_only_the_host_is_known)
{
	char	 host[128];

	pc->ops->close(pc);
	snprintf(host, sizeof(host), "%s/_ix/dot/", emu_url());
	emu_config.pinecone_index_host = host;
	emu_config.pinecone_controller_host = "http://127.0.0.1:1";
	open_index("");
	ck_assert_msg(put("d", 3) == 0, "%s: %s", err.msg, err.detail);
	ck_assert_int_eq(query(2, 1), 0);
	ck_assert(fabs(hits[0].score - 1) < 1e-3);
	ck_assert_uint_eq(calls("pinecone.stats"), 1);
	ck_assert_uint_eq(calls("pinecone.index"), 0);
}
END_TEST

/* And does without, where the index does not answer that. */
START_TEST(does_without_the_metric)
{
	char	 host[128];

	pc->ops->close(pc);
	snprintf(host, sizeof(host), "%s/_ix/cos", emu_url());
	emu_config.pinecone_index_host = host;
	open_index("");
	emu_fault("\"match\":\"pinecone.stats\",\"kind\":\"status\","
	    "\"status\":404");
	ck_assert_int_eq(put("d", 3), 0);
	ck_assert_int_eq(query(2, 1), 0);
	ck_assert_uint_eq(nhits, 1);
	ck_assert_uint_eq(calls("pinecone.stats"), 1);
}
END_TEST

START_TEST(asks_once_where_the_index_is)
{
	ck_assert_int_eq(put("d", 3), 0);
	ck_assert_int_eq(query(0, 1), 0);
	ck_assert_int_eq(query(0, 1), 0);
	ck_assert_uint_eq(calls("pinecone.index"), 1);
}
END_TEST

START_TEST(understands_the_newer_description)
{
	pc->ops->close(pc);
	emu_config.pinecone_api_version = "2026-07";
	open_index("euc");
	ck_assert_msg(put("d", 3) == 0, "%s: %s", err.msg, err.detail);
	ck_assert_int_eq(query(1, 3), 0);
	ck_assert_uint_eq(nhits, 3);
	ck_assert_str_eq(hits[0].chunk.id, "d-chunk-1");
}
END_TEST

START_TEST(asks_again_after_a_failure)
{
	emu_fault("\"match\":\"pinecone.index\",\"kind\":\"status\","
	    "\"status\":500,\"count\":1");
	ck_assert_int_eq(query(0, 1), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_FAULT);
	ck_assert_int_eq(err.source, CSA_SRC_PINECONE);
	/* Not at once: a crowd would all ask in vain. */
	ck_assert_int_eq(query(0, 1), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_FAULT);
	ck_assert_uint_eq(calls("pinecone.index"), 1);
	while (query(0, 1) == -1)
		ck_assert_int_gt(csa_left_ms(emu_ctx.deadline), 0);
	ck_assert_uint_eq(calls("pinecone.index"), 2);
}
END_TEST

START_TEST(an_index_that_does_not_exist_is_an_error)
{
	pc->ops->close(pc);
	open_index("nowhere");
	ck_assert_int_eq(query(0, 1), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	ck_assert_int_eq(put("d", 1), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
}
END_TEST

START_TEST(bots_and_tenants_never_meet)
{
	static const struct csa_scope	 scopes[] = {
		{ "", "b" }, { "", "c" }, { "t", "b" }, { "u", "b" },
	};

	for (size_t i = 0; i < CSA_NITEMS(scopes); i++) {
		scope = scopes[i];
		ck_assert_int_eq(put("d", i + 1), 0);
	}
	for (size_t i = 0; i < CSA_NITEMS(scopes); i++) {
		scope = scopes[i];
		ck_assert_uint_eq(stored(), i + 1);
	}
	scope = (struct csa_scope){ "t", "c" };
	ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(puts_again_without_doubling)
{
	ck_assert_int_eq(put("d", 4), 0);
	ck_assert_int_eq(put("d", 4), 0);
	ck_assert_uint_eq(stored(), 4);
}
END_TEST

START_TEST(deletes_by_id_in_batches)
{
	struct csa_ids	 ids = { csa_arena_array(emu_ctx.arena, 2100,
			    const char *), 2100 };

	ck_assert_int_eq(put("d", 5), 0);
	for (size_t i = 0; i < 2100; i++)
		ids.id[i] = chunk("d", i).id;
	ids.n = 0;
	ck_assert_int_eq(pc->ops->del(pc, &emu_ctx, &scope, &ids, &err), 0);
	ck_assert_uint_eq(calls("pinecone.delete"), 0);
	ids.n = 2100;
	ck_assert_int_eq(pc->ops->del(pc, &emu_ctx, &scope, &ids, &err), 0);
	ck_assert_uint_eq(calls("pinecone.delete"), 3);
	ck_assert_uint_eq(stored(), 0);
	/* Of a namespace that never was. */
	scope.bot = "never";
	ck_assert_int_eq(pc->ops->del(pc, &emu_ctx, &scope, &ids, &err), 0);
}
END_TEST

/* 2,500 records are three calls at least, none above 1,000 or 2 MB. */
START_TEST(keeps_to_the_limits_of_a_request)
{
	struct json_object	*log, *o, *bytes;

	ck_assert_msg(put("d", 2500) == 0, "%s: %s", err.msg, err.detail);
	ck_assert_uint_eq(stored(), 2500);
	log = emu_log("pinecone.upsert");
	ck_assert_uint_eq(json_object_array_length(log), 3);
	for (size_t i = 0; i < 3; i++) {
		o = json_object_array_get_idx(log, i);
		ck_assert(json_object_object_get_ex(o, "body_bytes", &bytes));
		ck_assert_int_le(json_object_get_int(bytes), 2000000);
	}
	json_object_put(log);

	/* 30 kB of text each: the bytes are the limit. */
	ck_assert_int_eq(query(0, 1), 0);
	{
		struct csa_chunk c[100];
		struct csa_vec	 v[100];
		char		*text = csa_malloc(30001);

		memset(text, 'x', 30000);
		text[30000] = '\0';
		for (size_t i = 0; i < 100; i++) {
			c[i] = chunk("big", i);
			c[i].text = text;
			c[i].len = 30000;
			v[i] = axis(i, 1);
		}
		scope.bot = "big";
		ck_assert_msg(pc->ops->put(pc, &emu_ctx, &scope, "big", c, v,
		    100, NULL, &err) == 0, "%s: %s", err.msg, err.detail);
		free(text);
	}
	log = emu_log("pinecone.upsert");
	ck_assert_uint_eq(json_object_array_length(log), 5);
	for (size_t i = 3; i < 5; i++) {
		o = json_object_array_get_idx(log, i);
		ck_assert(json_object_object_get_ex(o, "body_bytes", &bytes));
		ck_assert_int_le(json_object_get_int(bytes), 2000000);
	}
	json_object_put(log);
}
END_TEST

START_TEST(keeps_ids_that_are_not_ascii)
{
	static const char *const odd[] = { "größe 1", "文档#1", "a%20b",
	    "100%", "a/b?c&d" };
	struct csa_chunk	 c[CSA_NITEMS(odd)];
	struct csa_vec		 v[CSA_NITEMS(odd)];
	struct csa_ids		 ids = { csa_arena_array(emu_ctx.arena,
				    CSA_NITEMS(odd), const char *),
				    CSA_NITEMS(odd) };

	for (size_t i = 0; i < CSA_NITEMS(odd); i++) {
		c[i] = chunk("d", i);
		c[i].id = ids.id[i] = odd[i];
		v[i] = axis(i, 1);
	}
	ck_assert_msg(pc->ops->put(pc, &emu_ctx, &scope, "d", c, v,
	    CSA_NITEMS(odd), NULL, &err) == 0, "%s", err.detail);
	for (size_t i = 0; i < CSA_NITEMS(odd); i++) {
		ck_assert_int_eq(query(i, 1), 0);
		ck_assert_str_eq(hits[0].chunk.id, odd[i]);
	}
	ck_assert_int_eq(pc->ops->del(pc, &emu_ctx, &scope, &ids, &err), 0);
	ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(keeps_metadata)
{
	struct csa_chunk	 c = chunk("d", 0);
	struct csa_vec		 v = axis(0, 1);

	c.title = "The \"title\"";
	c.metadata = "{\"page\":3,\"lang\":\"de\",\"tags\":[\"a\",\"b\"],"
	    "\"gone\":null,\"ok\":true}";
	ck_assert_int_eq(pc->ops->put(pc, &emu_ctx, &scope, "d", &c, &v, 1,
	    NULL, &err), 0);
	ck_assert_int_eq(query(0, 1), 0);
	ck_assert_str_eq(hits[0].chunk.title, "The \"title\"");
	ck_assert_ptr_nonnull(strstr(hits[0].chunk.metadata,
	    "\"lang\":\"de\""));
	ck_assert_ptr_null(strstr(hits[0].chunk.metadata, "gone"));
	ck_assert_ptr_null(strstr(hits[0].chunk.metadata, "bot_id"));

	c.metadata = "{\"a\":{\"b\":1}}";
	ck_assert_int_eq(pc->ops->put(pc, &emu_ctx, &scope, "d", &c, &v, 1,
	    NULL, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
}
END_TEST

START_TEST(takes_the_largest_text)
{
	struct csa_chunk	 c = chunk("d", 0);
	struct csa_vec		 v = axis(0, 1);
	char			*text = csa_malloc(32001);

	/* Worst to write down: every byte needs an escape. */
	memset(text, '\\', 32000);
	text[32000] = '\0';
	c.text = text;
	c.len = 32000;
	ck_assert_msg(pc->ops->put(pc, &emu_ctx, &scope, "d", &c, &v, 1, NULL,
	    &err) == 0, "%s", err.detail);
	ck_assert_int_eq(query(0, 1), 0);
	ck_assert_uint_gt(hits[0].chunk.len, 15000);
	ck_assert_uint_lt(hits[0].chunk.len, 32000);
	ck_assert(memcmp(hits[0].chunk.text, text, hits[0].chunk.len) == 0);
	free(text);
}
END_TEST

/* ---- what is sent ---- */

START_TEST(sends_what_the_vendors_sdk_sends)
{
	static const char	 json[] = "[0.5,-0.25, 1,0,0,0,0,2]";
	struct csa_chunk	 c = chunk("d", 0);
	struct csa_vec		 v = { .json = { json, sizeof(json) - 1, 8 },
				    .dim = 8 };
	struct csa_ids		 ids = { &c.id, 1 };
	struct json_object	*log, *o;

	scope = (struct csa_scope){ "t", "b" };
	ck_assert_int_eq(pc->ops->put(pc, &emu_ctx, &scope, "d", &c, &v, 1,
	    NULL, &err), 0);
	ck_assert_int_eq(pc->ops->finish(pc->ops->query(pc, &emu_ctx, &scope,
	    &v, 2), &hits, &nhits, &err), 0);
	ck_assert_int_eq(pc->ops->del(pc, &emu_ctx, &scope, &ids, &err), 0);
	log = emu_log("pinecone.*");
	ck_assert_uint_eq(json_object_array_length(log), 4);
	ck_assert_str_eq(emu_target(log, 0), "/indexes/cos");
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(emu_sent_header(log, i, "api-key"),
		    "pk-secret");
		ck_assert_str_eq(emu_sent_header(log, i,
		    "x-pinecone-api-version"), "2025-10");
	}
	ck_assert_str_eq(emu_target(log, 1), "/vectors/upsert");
	o = emu_request(log, 1);
	ck_assert(emu_same(o, "{\"vectors\":[{\"id\":\"d-chunk-0\",\"values\":"
	    "[0.5,-0.25,1,0,0,0,0,2],\"metadata\":{\"bot_id\":\"b\","
	    "\"document_id\":\"d\",\"chunk_id\":\"d-chunk-0\",\"text\":"
	    "\"text 0 of d\"}}],\"namespace\":\"t.b\"}"));
	json_object_put(o);
	ck_assert_str_eq(emu_target(log, 2), "/query");
	o = emu_request(log, 2);
	ck_assert(emu_same(o, "{\"namespace\":\"t.b\",\"topK\":2,"
	    "\"includeMetadata\":true,\"vector\":[0.5,-0.25,1,0,0,0,0,2]}"));
	json_object_put(o);
	ck_assert_str_eq(emu_target(log, 3), "/vectors/delete");
	o = emu_request(log, 3);
	ck_assert(emu_same(o, "{\"ids\":[\"d-chunk-0\"],\"namespace\":\"t.b\"}"
	    ));
	json_object_put(o);
	json_object_put(log);
}
END_TEST

/* ---- faults ---- */

static const struct {
	const char	*rule;
	enum csa_errcode code;
	long		 ms;
} faults[] = {
	{ "\"kind\":\"plain429\"", CSA_ERR_PROVIDER_BUSY, 0 },
	{ "\"kind\":\"retry_after\",\"retry_after\":7", CSA_ERR_PROVIDER_BUSY,
	  0 },
	{ "\"kind\":\"status\",\"status\":503", CSA_ERR_PROVIDER_BUSY, 0 },
	{ "\"kind\":\"status\",\"status\":500", CSA_ERR_PROVIDER_FAULT, 0 },
	{ "\"kind\":\"status\",\"status\":400", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"status\",\"status\":401", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"html\"", CSA_ERR_PROVIDER_UNAVAILABLE, 0 },
	{ "\"kind\":\"html\",\"status\":200", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"garbage\"", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"wrong_type\"", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"empty\"", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"empty_object\"", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"big\",\"size\":100000000", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"deep\"", CSA_ERR_PROVIDER_ERROR, 0 },
	{ "\"kind\":\"reset\"", CSA_ERR_PROVIDER_UNAVAILABLE, 0 },
	{ "\"kind\":\"close\"", CSA_ERR_PROVIDER_UNAVAILABLE, 0 },
	{ "\"kind\":\"truncate\"", CSA_ERR_PROVIDER_UNAVAILABLE, 0 },
	{ "\"kind\":\"hang\"", CSA_ERR_DEADLINE, 700 },
};
#define NFAULTS	((int)CSA_NITEMS(faults))

static int64_t
arrange(int i, const char *op)
{
	char	 rule[200];

	snprintf(rule, sizeof(rule), "\"match\":\"%s\",%s", op,
	    faults[i].rule);
	emu_fault(rule);
	if (faults[i].ms > 0)
		emu_ctx.deadline = csa_now_ms() + faults[i].ms;
	return csa_now_ms();
}

static void
check_failure(int i)
{
	ck_assert_msg(err.code == faults[i].code, "%s gave %s (%s)",
	    faults[i].rule, csa_errinfo(err.code)->code, err.detail);
	if (err.code != CSA_ERR_DEADLINE)
		ck_assert_int_eq(err.source, CSA_SRC_PINECONE);
	ck_assert_ptr_null(strstr(err.msg, "secret"));
	ck_assert_ptr_null(strstr(err.msg, "127.0.0.1"));
	ck_assert_ptr_null(strstr(err.detail, "secret"));
}

START_TEST(a_query_fails_as_it_should)
{
	int64_t	 start;

	ck_assert_int_eq(put("d", 1), 0);
	start = arrange(_i, "pinecone.query");
	ck_assert_int_eq(query(0, 1), -1);
	ck_assert_uint_eq(nhits, 0);
	check_failure(_i);
	if (faults[_i].ms > 0)
		ck_assert_int_lt(csa_now_ms() - start, faults[_i].ms + 5000);
}
END_TEST

START_TEST(a_put_fails_as_it_should_and_leaves_nothing)
{
	ck_assert_int_eq(query(0, 1), 0);
	arrange(_i, "pinecone.upsert");
	ck_assert_int_eq(put("d", 3), -1);
	check_failure(_i);
	ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(a_deletion_fails_as_it_should)
{
	const char	*id = "d-chunk-0";
	struct csa_ids	 ids = { &id, 1 };

	/* Any object is a deletion's reply. */
	if (strstr(faults[_i].rule, "wrong_type") != NULL ||
	    strstr(faults[_i].rule, "empty_object") != NULL)
		return;
	ck_assert_int_eq(put("d", 1), 0);
	arrange(_i, "pinecone.delete");
	ck_assert_int_eq(pc->ops->del(pc, &emu_ctx, &scope, &ids, &err), -1);
	check_failure(_i);
}
END_TEST

/* Stored in part, stored without a word, stored and the answer lost. */
static const char *const partial[] = {
	"\"kind\":\"partial_upsert\"", "\"kind\":\"no_count\"",
	"\"kind\":\"reset\",\"after\":true",
	"\"kind\":\"status\",\"status\":500,\"after\":true",
	"\"kind\":\"truncate\"",
};

START_TEST(takes_back_what_may_have_been_stored)
{
	const char	*old_id[] = { "d-chunk-0", "d-chunk-1" };
	struct csa_ids	 old = { old_id, 2 };
	char		 rule[200];

	ck_assert_int_eq(put("d", 2), 0);
	snprintf(rule, sizeof(rule), "\"match\":\"pinecone.upsert\",%s",
	    partial[_i]);
	emu_fault(rule);
	ck_assert_int_eq(put_old("d", 6, &old), -1);
	ck_assert_int_eq(err.source, CSA_SRC_PINECONE);
	ck_assert_ptr_nonnull(strstr(err.msg, "6 of 6 chunks"));
	ck_assert_ptr_nonnull(strstr(err.detail, "d-chunk-0..d-chunk-5"));
	/* The old version's vectors stay. */
	ck_assert_uint_eq(stored(), 2);
}
END_TEST

/* The second of three batches is refused for good (V-03). */
START_TEST(names_the_batch_that_failed)
{
	emu_fault("\"match\":\"pinecone.upsert\",\"contains\":"
	    "\"d-chunk-1500\",\"kind\":\"status\",\"status\":400");
	ck_assert_int_eq(put("d", 2500), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	ck_assert_ptr_nonnull(strstr(err.msg, "1000 of 2500 chunks"));
	ck_assert_ptr_nonnull(strstr(err.detail,
	    "d-chunk-1000..d-chunk-1999"));
	ck_assert_uint_eq(stored(), 0);
}
END_TEST

START_TEST(takes_back_although_the_time_is_up)
{
	ck_assert_int_eq(query(0, 1), 0);
	emu_fault("\"match\":\"pinecone.upsert\",\"kind\":\"hang_midbody\"");
	emu_ctx.deadline = csa_now_ms() + 200;
	ck_assert_int_eq(put("d", 3), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert_uint_eq(stored(), 0);
}
END_TEST

/* V-06: matches of every other namespace in the answer. */
START_TEST(shows_nobody_anothers_text)
{
	scope.bot = "other";
	ck_assert_int_eq(put("secret", 3), 0);
	scope.bot = "b";
	ck_assert_int_eq(put("d", 2), 0);
	emu_fault("\"match\":\"pinecone.query\",\"kind\":\"foreign\"");
	ck_assert_int_eq(query(0, 10), 0);
	for (size_t i = 0; i < nhits; i++)
		ck_assert_ptr_null(strstr(hits[i].chunk.text, "secret"));
}
END_TEST

START_TEST(a_query_can_be_left_alone)
{
	struct csa_vec	 v = axis(0, 1);

	/* Before and after the address is known. */
	pc->ops->cancel(pc->ops->query(pc, &emu_ctx, &scope, &v, 1));
	ck_assert_int_eq(query(0, 1), 0);
	emu_fault("\"match\":\"pinecone.query\",\"kind\":\"hang\"");
	pc->ops->cancel(pc->ops->query(pc, &emu_ctx, &scope, &v, 1));
	pc->ops->cancel(NULL);
}
END_TEST

START_TEST(knows_whether_anybody_is_there)
{
	ck_assert_int_eq(pc->ops->probe(pc, 1000), 0);
	ck_assert_int_eq(query(0, 1), 0);
	ck_assert_int_eq(pc->ops->probe(pc, 1000), 0);
	pc->ops->close(pc);
	emu_config.pinecone_controller_host = "http://127.0.0.1:1";
	open_index("cos");
	ck_assert_int_eq(pc->ops->probe(pc, 200), -1);
	ck_assert_int_eq(query(0, 1), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
}
END_TEST

START_TEST(refuses_a_configuration_that_cannot_work)
{
	static const char *const bad[] = { "", "a/b", "a?b", "a b", ".." };

	for (size_t i = 0; i < CSA_NITEMS(bad); i++) {
		emu_config.pinecone_index_name = bad[i];
		ck_assert_ptr_null(csa_vectors_pinecone_open(&emu_config,
		    emu_http, &err));
	}
	emu_config.pinecone_index_name = "i";
	emu_config.pinecone_api_key = "a\r\nb";
	ck_assert_ptr_null(csa_vectors_pinecone_open(&emu_config, emu_http,
	    &err));
}
END_TEST

/* ---- the scripted one ---- */

START_TEST(the_scripted_index_does_as_told)
{
	struct csa_vec_hit		 h[2] = { { .score = 2 },
	    { .score = 1 } };
	struct csa_vectors_script	 s = { .hits = h, .nhits = 2,
	    .fail_at = 2 };
	struct csa_vectors		*v = csa_vectors_script_open(&s);
	struct csa_vec			 q = axis(0, 1);
	const char			*id = "x";
	struct csa_ids			 ids = { &id, 1 };

	ck_assert_int_eq(v->ops->finish(v->ops->query(v, &emu_ctx, &scope, &q,
	    1), &hits, &nhits, &err), 0);
	ck_assert_uint_eq(nhits, 1);
	ck_assert_int_eq(v->ops->finish(v->ops->query(v, &emu_ctx, &scope, &q,
	    1), &hits, &nhits, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_int_eq(v->ops->del(v, &emu_ctx, &scope, &ids, &err), 0);
	ck_assert_str_eq(s.last_del, "x ");
	v->ops->close(v);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pinecone");
	TCase	*tc = tcase_create("pinecone");
	int	 failed;

	if (emu_start(DIM) == -1)
		return 77;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, finds_what_was_put, 0, CSA_NITEMS(indexes));
	tcase_add_test(tc, normalizes_for_a_dotproduct_index);
	tcase_add_test(tc, learns_the_metric_where_only_the_host_is_known);
	tcase_add_test(tc, does_without_the_metric);
	tcase_add_test(tc, asks_once_where_the_index_is);
	tcase_add_test(tc, understands_the_newer_description);
	tcase_add_test(tc, asks_again_after_a_failure);
	tcase_add_test(tc, an_index_that_does_not_exist_is_an_error);
	tcase_add_test(tc, bots_and_tenants_never_meet);
	tcase_add_test(tc, puts_again_without_doubling);
	tcase_add_test(tc, deletes_by_id_in_batches);
	tcase_add_test(tc, keeps_to_the_limits_of_a_request);
	tcase_add_test(tc, keeps_ids_that_are_not_ascii);
	tcase_add_test(tc, keeps_metadata);
	tcase_add_test(tc, takes_the_largest_text);
	tcase_add_test(tc, sends_what_the_vendors_sdk_sends);
	tcase_add_loop_test(tc, a_query_fails_as_it_should, 0, NFAULTS);
	tcase_add_loop_test(tc, a_put_fails_as_it_should_and_leaves_nothing, 0,
	    NFAULTS);
	tcase_add_loop_test(tc, a_deletion_fails_as_it_should, 0, NFAULTS);
	tcase_add_loop_test(tc, takes_back_what_may_have_been_stored, 0,
	    CSA_NITEMS(partial));
	tcase_add_test(tc, names_the_batch_that_failed);
	tcase_add_test(tc, takes_back_although_the_time_is_up);
	tcase_add_test(tc, shows_nobody_anothers_text);
	tcase_add_test(tc, a_query_can_be_left_alone);
	tcase_add_test(tc, knows_whether_anybody_is_there);
	tcase_add_test(tc, refuses_a_configuration_that_cannot_work);
	tcase_add_test(tc, the_scripted_index_does_as_told);
	suite_add_tcase(s, tc);
	failed = run_suite(s);
	emu_stop();
	return failed;
}
