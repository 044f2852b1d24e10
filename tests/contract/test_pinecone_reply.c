/*
 * What Pinecone answers, well and badly, and what goes into it as metadata,
 * against the readers and writers alone.
 */

#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/vector/pinecone_reply.h"
#include "tests/contract/fixture.h"
#include "tests/suite.h"

static struct csa_arena	*arena;
static const char	*why;

static void
setup(void)
{
	arena = csa_arena_new();
	why = NULL;
}

static void
teardown(void)
{
	csa_arena_free(arena);
}

#define MATCHES(m)	"{\"matches\":[" m "],\"namespace\":\"t.b\"," \
			"\"usage\":{\"readUnits\":1}}"

static const struct match_case {
	const char	*reply;
	int		 rc;
	size_t		 n, dropped;
	const char	*id, *document, *text, *metadata;	/* of #1 */
} matches[] = {
	{ MATCHES("{\"id\":\"a\",\"score\":0.9,\"values\":[],\"metadata\":{"
	  "\"bot_id\":\"b\",\"document_id\":\"d\",\"chunk_id\":\"a\",\"text\":"
	  "\"hi\",\"title\":\"T\",\"page\":3,\"tags\":[\"x\"]}}"), 0, 1, 0,
	  "a", "d", "hi", "{\"page\":3,\"tags\":[\"x\"]}" },
	/* What LangChain's PineconeVectorStore leaves. */
	{ MATCHES("{\"id\":\"6b1e\",\"score\":0.9,\"metadata\":{\"text\":\"hi\""
	  ",\"source\":\"/a.pdf\"}}"), 0, 1, 0, "6b1e", "/a.pdf", "hi",
	  "{\"source\":\"/a.pdf\"}" },
	{ MATCHES("{\"id\":\"x\",\"score\":1}"), 0, 1, 0, "x", "", NULL,
	  NULL },
	/* An id that had to be written in ASCII is the chunk's own again. */
	{ MATCHES("{\"id\":\"%C3%A9\",\"score\":1,\"metadata\":{\"chunk_id\":"
	  "\"é\",\"document_id\":7.0}}"), 0, 1, 0, "é", "7", NULL, NULL },
	/* A chunk_id that this vector was not made of is not believed. */
	{ MATCHES("{\"id\":\"v\",\"score\":1,\"metadata\":{\"chunk_id\":\"w\"}"
	  "}"), 0, 1, 0, "v", "", NULL, NULL },
	/* Best first, whatever the order was; an id once. */
	{ MATCHES("{\"id\":\"a\",\"score\":0.1},{\"id\":\"b\",\"score\":0.9},"
	  "{\"id\":\"b\",\"score\":0.5}"), 0, 2, 0, "b", "", NULL, NULL },
	/* Somebody else's (V-06). */
	{ MATCHES("{\"id\":\"a\",\"score\":1,\"metadata\":{\"bot_id\":\"c\","
	  "\"text\":\"secret\"}},{\"id\":\"b\",\"score\":0.5,\"metadata\":{"
	  "\"bot_id\":\"b\"}}"), 0, 1, 1, "b", "", NULL, NULL },
	{ MATCHES("{\"id\":\"a\",\"score\":1,\"namespace\":\"other\"}"), 0, 0,
	  1, NULL, NULL, NULL, NULL },
	{ "{\"matches\":[{\"id\":\"a\",\"score\":1}],\"namespace\":\"t.c\"}",
	  0, 0, 1, NULL, NULL, NULL, NULL },
	/* Not usable (V-07). */
	{ MATCHES("{\"id\":\"a\",\"score\":null},{\"id\":\"b\"},{\"score\":1},"
	  "{\"id\":\"\",\"score\":1},{\"id\":7,\"score\":1},null,5,{\"id\":"
	  "\"c\",\"score\":\"NaN\"}"), 0, 0, 0, NULL, NULL, NULL, NULL },
	{ MATCHES("{\"id\":\"a\",\"score\":1,\"metadata\":{\"text\":\""
	  "0123456789012345678901234567890123456789\"}}"), 0, 0, 0, NULL,
	  NULL, NULL, NULL },
	{ MATCHES("{\"id\":\"a\",\"score\":1,\"metadata\":{\"text\":\" \"}}"),
	  0, 1, 0, "a", "", NULL, NULL },
	{ MATCHES("{\"id\":\"a\",\"score\":1,\"metadata\":\"x\"}"), 0, 1, 0,
	  "a", "", NULL, NULL },
	{ MATCHES(""), 0, 0, 0, NULL, NULL, NULL, NULL },
	{ "{\"matches\":[]}", 0, 0, 0, NULL, NULL, NULL, NULL },
	{ "{}", -1, 0, 0, NULL, NULL, NULL, NULL },
	{ "{\"matches\":{}}", -1, 0, 0, NULL, NULL, NULL, NULL },
	{ "[]", -1, 0, 0, NULL, NULL, NULL, NULL },
	{ "", -1, 0, 0, NULL, NULL, NULL, NULL },
	{ MATCHES("{\"id\":\"a\",\"score\":NaN}"), -1, 0, 0, NULL, NULL, NULL,
	  NULL },
};

static int
read_matches(const char *s, size_t len, enum csa_metric metric,
    struct csa_vec_hit **hits, size_t *n, size_t *dropped)
{
	struct csa_match_want	 want = { .arena = arena, .ns = "t.b",
	    .bot = "b", .k = 10, .max_text = 39, .metric = metric };

	return csa_pinecone_matches(&want, s, len, hits, n, dropped, &why);
}

START_TEST(reads_matches_and_drops_what_is_not_ours)
{
	const struct match_case	*c = &matches[_i];
	struct csa_vec_hit	*hits;
	size_t			 n, dropped, len = strlen(c->reply);
	char			*s = exact(c->reply, len);

	ck_assert_int_eq(read_matches(s, len, CSA_METRIC_COSINE, &hits, &n,
	    &dropped), c->rc);
	free(s);
	ck_assert_msg(n == c->n && dropped == c->dropped, "%s: %zu %zu",
	    c->reply, n, dropped);
	if (n == 0)
		return;
	ck_assert_str_eq(hits[0].chunk.id, c->id);
	ck_assert_str_eq(hits[0].chunk.document_id, c->document);
	ck_assert_pstr_eq(hits[0].chunk.text, c->text);
	ck_assert_pstr_eq(hits[0].chunk.metadata, c->metadata);
	if (c->text != NULL)
		ck_assert_uint_eq(hits[0].chunk.len, strlen(c->text));
}
END_TEST

START_TEST(turns_distances_into_similarities)
{
	static const char	 reply[] = MATCHES("{\"id\":\"near\",\"score\":"
	    "0.25},{\"id\":\"far\",\"score\":3},{\"id\":\"here\",\"score\":0}");
	struct csa_vec_hit	*hits;
	size_t			 n, dropped;

	ck_assert_int_eq(read_matches(reply, sizeof(reply) - 1,
	    CSA_METRIC_EUCLIDEAN, &hits, &n, &dropped), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_str_eq(hits[0].chunk.id, "here");
	ck_assert_str_eq(hits[1].chunk.id, "near");
	ck_assert(hits[0].score == 1 && hits[1].score == .8 &&
	    hits[2].score == .25);
}
END_TEST

START_TEST(takes_no_more_than_k)
{
	struct csa_buf		 b;
	struct csa_vec_hit	*hits;
	size_t			 n, dropped;

	csa_buf_init(&b, 1 << 20);
	csa_buf_puts(&b, "{\"matches\":[");
	for (int i = 0; i < 50; i++)
		csa_buf_addf(&b, "%s{\"id\":\"i%d\",\"score\":1}",
		    i > 0 ? "," : "", i);
	csa_buf_puts(&b, "]}");
	ck_assert_int_eq(read_matches(b.data, b.len, CSA_METRIC_COSINE, &hits,
	    &n, &dropped), 0);
	ck_assert_uint_eq(n, 10);
	csa_buf_fini(&b);
}
END_TEST

static const struct { const char *reply; long n; } counts[] = {
	{ "{\"upsertedCount\":3}", 3 }, { "{\"upsertedCount\":0}", 0 },
	{ "{}", -1 }, { "", -1 }, { "null", -1 }, { "[]", -1 },
	{ "{\"upsertedCount\":\"3\"}", -1 }, { "{\"upsertedCount\":3.5}", -1 },
	{ "{\"upsertedCount\":-1}", -1 }, { "{\"upserted_count\":3}", -1 },
	{ "{\"upsertedCount\":99999999999999999999}", -1 },
	{ "ok", -1 },
};

START_TEST(takes_only_a_count_for_an_acknowledgement)
{
	ck_assert_int_eq(csa_pinecone_upserted(counts[_i].reply,
	    strlen(counts[_i].reply)), counts[_i].n);
}
END_TEST

static const struct {
	const char	*reply;
	int		 rc;
	const char	*host;
	enum csa_metric	 metric;
} indexes[] = {
	{ "{\"name\":\"i\",\"dimension\":3,\"metric\":\"dotproduct\",\"host\":"
	  "\"i-x.svc.pinecone.io\",\"spec\":{\"serverless\":{\"cloud\":\"aws\","
	  "\"region\":\"us-east-1\"}},\"status\":{\"ready\":true,\"state\":"
	  "\"Ready\"},\"vector_type\":\"dense\"}", 0, "i-x.svc.pinecone.io",
	  CSA_METRIC_DOTPRODUCT },
	{ "{\"name\":\"i\",\"host\":\"http://127.0.0.1:1\",\"status\":{"
	  "\"ready\":true},\"deployment\":{\"deployment_type\":\"managed\"},"
	  "\"schema\":{\"fields\":{\"_values\":{\"type\":\"dense_vector\","
	  "\"dimension\":3,\"metric\":\"euclidean\"}}}}", 0,
	  "http://127.0.0.1:1", CSA_METRIC_EUCLIDEAN },
	{ "{\"namespaces\":{},\"dimension\":3,\"metric\":\"cosine\"}", 0, NULL,
	  CSA_METRIC_COSINE },
	{ "{\"host\":7,\"schema\":5}", 0, "7", CSA_METRIC_UNKNOWN },
	{ "{\"metric\":\"manhattan\"}", 0, NULL, CSA_METRIC_UNKNOWN },
	{ "[]", -1, NULL, 0 }, { "", -1, NULL, 0 }, { "<", -1, NULL, 0 },
};

START_TEST(reads_both_descriptions_of_an_index)
{
	struct csa_index_info	 info;

	ck_assert_int_eq(csa_pinecone_index(arena, indexes[_i].reply,
	    strlen(indexes[_i].reply), &info), indexes[_i].rc);
	if (indexes[_i].rc == -1)
		return;
	ck_assert_pstr_eq(info.host, indexes[_i].host);
	ck_assert_int_eq(info.metric, indexes[_i].metric);
}
END_TEST

static const struct { const char *body, *message; bool missing; } perrors[] = {
	{ "{\"code\":3,\"message\":\"Vector dimension 1536 does not match the "
	  "dimension of the index 1024\",\"details\":[]}", "Vector dimension "
	  "1536 does not match the dimension of the index 1024", false },
	{ "{\"status\":429,\"error\":{\"code\":\"RESOURCE_EXHAUSTED\","
	  "\"message\":\"slow down\",\"details\":{}}}", "slow down", false },
	{ "{\"code\":5,\"message\":\"Namespace not found\",\"details\":[]}",
	  "Namespace not found", true },
	{ "Invalid API Key", "Invalid API Key", false },
	{ "Namespace not found", "Namespace not found", false },
	{ "your key pc-secret is bad", "(not shown: it repeats the key)",
	  false },
	{ "", "", false }, { "[1]", "", false }, { "{\"error\":\"x\"}", "",
	  false },
};

START_TEST(reads_both_envelopes_and_plain_text)
{
	char	 out[160];

	ck_assert(csa_pinecone_error(perrors[_i].body,
	    strlen(perrors[_i].body), "pc-secret", out, sizeof(out)) ==
	    perrors[_i].missing);
	ck_assert_str_eq(out, perrors[_i].message);
}
END_TEST

static const struct { const char *chunk, *vector; } ids[] = {
	{ "d1-chunk-0", "d1-chunk-0" }, { "a b/c?d#e", "a b/c?d#e" },
	{ "100%", "100%" }, { "%zz", "%zz" }, { "a%20b", "a%2520b" },
	{ "é", "%C3%A9" }, { "%é", "%%C3%A9" }, { "%4é", "%4%C3%A9" },
	{ "\x7f", "%7F" }, { "文", "%E6%96%87" }, { "%%41", "%%2541" },
};

START_TEST(writes_ids_in_ascii_and_no_two_alike)
{
	char	 out[CSA_VECTOR_ID_MAX + 1];

	ck_assert_int_eq(csa_vector_id(ids[_i].chunk, out), 0);
	ck_assert_str_eq(out, ids[_i].vector);
	for (size_t i = 0; i < CSA_NITEMS(ids); i++)
		ck_assert((int)i == _i || strcmp(ids[i].vector, out) != 0);
}
END_TEST

START_TEST(refuses_ids_that_become_too_long)
{
	char	 id[600], out[CSA_VECTOR_ID_MAX + 1];

	memset(id, 'a', sizeof(id));
	id[512] = '\0';
	ck_assert_int_eq(csa_vector_id(id, out), 0);
	ck_assert_uint_eq(strlen(out), 512);
	memcpy(id + 511, "\xc3\xa9", 3);
	ck_assert_int_eq(csa_vector_id(id, out), -1);
}
END_TEST

static const struct {
	struct csa_chunk chunk;
	const char	*json;		/* NULL: refused */
} metas[] = {
	{ { .id = "c", .document_id = "d", .text = "hi", .len = 2,
	  .title = "" }, "{\"bot_id\":\"b\",\"document_id\":\"d\","
	  "\"chunk_id\":\"c\",\"text\":\"hi\"}" },
	{ { .id = "c", .document_id = "d", .text = "hi", .len = 2,
	  .title = "T", .metadata = "{\"page\":3,\"n\":null,\"t\":[\"x\"],"
	  "\"ok\":true,\"bot_id\":\"evil\",\"text\":\"x\",\"title\":\"y\"}" },
	  "{\"page\":3,\"t\":[\"x\"],\"ok\":true,\"bot_id\":\"b\","
	  "\"document_id\":\"d\",\"chunk_id\":\"c\",\"title\":\"T\",\"text\":"
	  "\"hi\"}" },
	{ { .id = "c", .document_id = "d", .text = "", .len = 0, .title = "",
	  .metadata = "{\"title\":\"own\"}" }, "{\"title\":\"own\",\"bot_id\":"
	  "\"b\",\"document_id\":\"d\",\"chunk_id\":\"c\",\"text\":\"\"}" },
	{ { .id = "c", .document_id = "d", .text = "", .title = "",
	  .metadata = "{\"a\":{\"b\":1}}" }, NULL },
	{ { .id = "c", .document_id = "d", .text = "", .title = "",
	  .metadata = "{\"a\":[1]}" }, NULL },
	{ { .id = "c", .document_id = "d", .text = "", .title = "",
	  .metadata = "[]" }, NULL },
};

START_TEST(flattens_metadata)
{
	struct csa_buf	 b;
	struct csa_err	 err;
	int		 rc;

	csa_buf_init(&b, 1 << 20);
	rc = csa_pinecone_metadata(&b, "b", &metas[_i].chunk, &err);
	if (metas[_i].json == NULL) {
		ck_assert_int_eq(rc, -1);
		ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	} else {
		ck_assert_int_eq(rc, 0);
		ck_assert_str_eq(b.data, metas[_i].json);
	}
	csa_buf_fini(&b);
}
END_TEST

START_TEST(cuts_a_text_to_the_limit_between_characters)
{
	struct csa_buf	 b;
	struct csa_err	 err;
	struct csa_chunk c = { .id = "c", .document_id = "d", .title = "" };
	char		*text = csa_malloc(60001);

	for (size_t i = 0; i < 60000; i += 3)
		memcpy(text + i, "\xe6\x96\x87", 4);
	c.text = text;
	c.len = 60000;
	csa_buf_init(&b, 1 << 20);
	ck_assert_int_eq(csa_pinecone_metadata(&b, "b", &c, &err), 0);
	ck_assert_uint_le(b.len, 40000);
	ck_assert_uint_gt(b.len, 39990);
	ck_assert_ptr_nonnull(strstr(b.data,
	    "\xe6\x96\x87\",\"text_truncated\":true}"));
	csa_buf_fini(&b);

	/* Escapes count, and quotes double the text. */
	memset(text, '"', 60000);
	csa_buf_init(&b, 1 << 20);
	ck_assert_int_eq(csa_pinecone_metadata(&b, "b", &c, &err), 0);
	ck_assert_uint_le(b.len, 40000);
	csa_buf_fini(&b);
	free(text);
}
END_TEST

START_TEST(refuses_metadata_over_the_limit)
{
	struct csa_buf	 b;
	struct csa_err	 err;
	struct csa_chunk c = { .id = "c", .document_id = "d", .title = "",
	    .text = "x", .len = 1 };
	char		*meta = csa_malloc(41001);

	memset(meta, 'x', 41000);
	memcpy(meta, "{\"a\":\"", 6);
	memcpy(meta + 40998, "\"}", 3);
	c.metadata = meta;
	csa_buf_init(&b, 1 << 20);
	ck_assert_int_eq(csa_pinecone_metadata(&b, "b", &c, &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	csa_buf_fini(&b);
	free(meta);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("pinecone reply");
	TCase	*tc = tcase_create("pinecone reply");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_matches_and_drops_what_is_not_ours, 0,
	    CSA_NITEMS(matches));
	tcase_add_test(tc, turns_distances_into_similarities);
	tcase_add_test(tc, takes_no_more_than_k);
	tcase_add_loop_test(tc, takes_only_a_count_for_an_acknowledgement, 0,
	    CSA_NITEMS(counts));
	tcase_add_loop_test(tc, reads_both_descriptions_of_an_index, 0,
	    CSA_NITEMS(indexes));
	tcase_add_loop_test(tc, reads_both_envelopes_and_plain_text, 0,
	    CSA_NITEMS(perrors));
	tcase_add_loop_test(tc, writes_ids_in_ascii_and_no_two_alike, 0,
	    CSA_NITEMS(ids));
	tcase_add_test(tc, refuses_ids_that_become_too_long);
	tcase_add_loop_test(tc, flattens_metadata, 0, CSA_NITEMS(metas));
	tcase_add_test(tc, cuts_a_text_to_the_limit_between_characters);
	tcase_add_test(tc, refuses_metadata_over_the_limit);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
