/*
 * Answers given again, through the endpoints: when, to whom, and what is said of
 * it.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/cache/cache.h"
#include "lib/config/bots.h"
#include "lib/config/config.h"
#include "lib/kv/kv_pool.h"
#include "lib/metrics/metrics.h"
#include "lib/store/store.h"
#include "lib/text/json.h"
#include "tests/path_int.h"
#include "tests/unit/test_answer_cache.h"
#include "tests/unit/v1_fixture.h"

/* ---- what the fixture lacks ---- */

static struct csa_model	*inner;
static unsigned		 calls;

static int
generate(struct csa_model *m, struct csa_ctx *ctx, const struct csa_chat_req *r,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	int	 rc;

	(void)m;
	calls++;
	rc = inner->ops->generate(inner, ctx, r, delta, arg, res, err);
	if (rc == 0)
		res->cost_usd = .5;
	return rc;
}

static const struct csa_model_ops	 model_ops = { .generate = generate };
static struct csa_model	 model = { &model_ops, "gemini", "fake-model" };

static uint64_t		 number;	/* the store's */
static bool		 lost;		/* it cannot be read */
static const char	*text_now;	/* of the passage; NULL: it is gone */

static int
generation(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, uint64_t *g, struct csa_err *err)
{
	(void)s;
	(void)ctx;
	(void)scope;
	if (lost)
		return csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE,
		    NULL);
	*g = number;
	return 0;
}

/* As the fixture's search finds it. */
static int
chunks(struct csa_store *s, struct csa_ctx *ctx, const struct csa_scope *scope,
    const char *const *id, size_t n, struct csa_chunk *out,
    struct csa_err *err)
{
	(void)s;
	(void)ctx;
	(void)scope;
	(void)err;
	memset(out, 0, n * sizeof(*out));
	for (size_t i = 0; i < n; i++)
		if (strcmp(id[i], "d-chunk-0") == 0 && text_now != NULL)
			out[i] = (struct csa_chunk){ .id = "d-chunk-0",
			    .document_id = "d", .text = text_now,
			    .len = strlen(text_now), .title = "The\nmanual" };
	return 0;
}

static struct csa_store_ops	 store_ops;
static struct csa_store		 store = { &store_ops };

static struct csa_kv		*kv;
static struct csa_kv_pool	*pool;
static void			(*close_kv)(struct csa_kv *);
static struct csa_kv_ops	 kv_ops;

static struct csa_kv *
hand_out(void *arg)
{
	return arg;
}

static void
stay_open(struct csa_kv *k)
{
	(void)k;
}

static struct csa_config	*config;
static const char		*answer_cache;	/* as it was */

static void
setup(void)
{
	v1_setup();
	inner = app.model;
	app.model = &model;
	calls = 0;
	store_ops = *app.store->ops;
	store_ops.generation = generation;
	store_ops.chunks = chunks;
	app.store = &store;
	number = 7;
	lost = false;
	text_now = "one";
	kv = csa_kv_mem_open();
	kv_ops = *kv->ops;
	close_kv = kv_ops.close;
	kv_ops.close = stay_open;
	kv->ops = &kv_ops;
	pool = csa_kv_pool_of(hand_out, kv);
	config = (struct csa_config *)(uintptr_t)app.config;
	answer_cache = config->answer_cache;
	app.cache = csa_cache_new(pool, config);
}

static void
teardown(void)
{
	config->answer_cache = answer_cache;
	csa_cache_free(app.cache);
	csa_kv_pool_free(pool);
	close_kv(kv);
	csa_bots_free(app.bots);
	v1_teardown();
}

/* Ask b and say what it came from, by all that tells. */
static const char *
ask_as(const char *key, const char *bot, const char *message,
    const char *params)
{
	static char	 cache[32];
	char		 text[600];
	const char	*header;

	snprintf(text, sizeof(text), "{\"bot_id\":\"%s\",\"message\":\"%s\","
	    "\"config_params\":{%s}}", bot, message, params);
	ck_assert_int_eq(v1_ask(key, "POST", "/chat", text), 200);
	snprintf(cache, sizeof(cache), "%s", v1_str("metadata.cache"));
	header = v1_header("X-Cache");
	ck_assert_ptr_nonnull(header);
	ck_assert_str_eq(header, cache);
	return cache;
}

static const char *
ask(const char *message, const char *params)
{
	return ask_as(KEY, "b", message, params);
}

#define EXACT		"\"cache\":true"
#define SEMANTIC	"\"cache\":\"semantic\""
#define Q		"is it so?"

static bool
is_kept(const char *params)
{
	(void)ask(Q, params);
	return strcmp(ask(Q, params), "answer") == 0;
}

/* ---- when ---- */

START_TEST(off_unless_it_is_wanted)
{
	ck_assert_str_eq(ask(Q, ""), "miss");
	/* What was found is known, what was said is not. */
	ck_assert_str_eq(ask(Q, ""), "retrieval");
	ck_assert_uint_eq(calls, 2);
	ck_assert_str_eq(v1_str("metadata.cache_match"), "(missing)");
	/* Nor was it kept for who wants it. */
	ck_assert_str_eq(ask(Q, EXACT), "retrieval");
	ck_assert_uint_eq(calls, 3);
}
END_TEST

START_TEST(the_second_one_is_not_asked_of_anybody)
{
	(void)ask(Q, EXACT);
	ck_assert_double_eq(json_object_get_double(csa_json_path(body,
	    "metadata.cost_usd")), .5);
	ck_assert_str_eq(ask(Q, EXACT), "answer");
	ck_assert_uint_eq(calls, 1);
	ck_assert_str_eq(v1_str("response"), "It is so [1].");
	ck_assert_str_eq(v1_str("metadata.cache_match"), "exact");
	ck_assert_str_eq(v1_str("metadata.model"), "fake-model");
	ck_assert_str_eq(v1_str("metadata.finish_reason"), "stop");
	ck_assert_str_eq(v1_str("metadata.sources[0].chunk_id"), "d-chunk-0");
	ck_assert_str_eq(v1_str("metadata.sources[0].text"), "one");
	ck_assert(json_object_get_boolean(csa_json_path(body,
	    "metadata.sources[0].cited")));
	ck_assert_int_eq(path_int(body, "metadata.tokens_used.total"), 0);
	ck_assert_double_eq(json_object_get_double(csa_json_path(body,
	    "metadata.cost_usd")), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_tokens, "answer"),
	    12);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_usd, "answer"),
	    500000000);
	/* One look for each, and one hit. */
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_requests, "answer|miss"),
	    1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_requests, "answer|hit"),
	    1);
}
END_TEST

START_TEST(the_request_decides_then_the_bot_then_the_setting)
{
	char		 path[] = "/tmp/csa-turn-XXXXXX";
	struct csa_err	 err;
	int		 fd = mkstemp(path);

	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(dprintf(fd, "a cache=exact\nb cache=off\n"), 26);
	close(fd);
	app.bots = csa_bots_load(path, &err);
	unlink(path);
	ck_assert_ptr_nonnull(app.bots);
	config->answer_cache = "exact";
	ck_assert(!is_kept(""));
	ck_assert(is_kept(EXACT));
	(void)ask_as(KEY, "a", Q, "");
	ck_assert_str_eq(ask_as(KEY, "a", Q, ""), "answer");
	(void)ask_as(KEY, "empty", Q, "");
	ck_assert_str_eq(ask_as(KEY, "empty", Q, ""), "answer");
	calls = 0;
	ck_assert_str_ne(ask_as(KEY, "a", Q, "\"cache\":false"), "answer");
	ck_assert_uint_eq(calls, 1);
}
END_TEST

START_TEST(a_request_that_says_false_has_nothing_to_do_with_it)
{
	uint64_t	 looks;

	(void)ask(Q, EXACT);
	looks = csa_metric_value(CSA_M_cache_requests, "answer|miss");
	/* The passages neither: it wants to know. */
	ck_assert_str_eq(ask(Q, "\"cache\":false"), "miss");
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_requests, "answer|miss"),
	    looks);
	ck_assert_uint_eq(csa_metric_value(CSA_M_flights, "lead"), 1);
	ck_assert_uint_eq(calls, 2);
}
END_TEST

static const struct { const char *value; int status; } values[] = {
	{ "true", 200 }, { "false", 200 }, { "null", 200 },
	{ "\"exact\"", 200 }, { "\"semantic\"", 200 },
	{ "\"off\"", 422 }, { "\"\"", 422 }, { "\"Exact\"", 422 },
	{ "1", 400 }, { "{}", 400 }, { "[]", 400 },
};

START_TEST(the_member_is_checked)
{
	char	 text[300];

	snprintf(text, sizeof(text), "{\"bot_id\":\"b\",\"message\":\"x\","
	    "\"config_params\":{\"cache\":%s}}", values[_i].value);
	ck_assert_int_eq(v1_ask(KEY, "POST", "/chat", text),
	    values[_i].status);
	if (values[_i].status != 200)
		ck_assert_ptr_nonnull(strstr(v1_str("error_message"),
		    "config_params.cache"));
	snprintf(text, sizeof(text), "{\"model\":\"b\",\"messages\":[{"
	    "\"role\":\"user\",\"content\":\"x\"}],\"chatsphere\":{"
	    "\"cache\":%s}}", values[_i].value);
	ck_assert_int_eq(v1_chat(text), values[_i].status);
}
END_TEST

START_TEST(what_is_for_tools_is_for_nobody_else)
{
	(void)ask(Q, EXACT);
	ck_assert_str_eq(ask(Q, EXACT ",\"tools\":[]"), "answer");
	ck_assert_str_eq(ask(Q, EXACT ",\"agent_type\":\"rag\""), "answer");
	ck_assert_uint_eq(calls, 1);
	ck_assert_str_ne(ask(Q, EXACT ",\"tools\":[{}]"), "answer");
	ck_assert_str_ne(ask(Q, EXACT ",\"agent_type\":\"crew\""), "answer");
	ck_assert_uint_eq(calls, 3);
}
END_TEST

/* ---- what ---- */

START_TEST(only_good_answers_are_kept)
{
	says.finish = CSA_FINISH_LENGTH;
	ck_assert(!is_kept(EXACT));
	says.finish = CSA_FINISH_FILTER;
	ck_assert(!is_kept(EXACT));
	says.finish = CSA_FINISH_STOP;
	says.degraded = "model_unavailable";
	ck_assert(!is_kept(EXACT));
	says.degraded = NULL;
	says.text = "I don't know.";
	ck_assert(!is_kept(EXACT));
	/* Who cites has found something to say. */
	says.text = "I don't know who, but it is so [1].";
	ck_assert(is_kept(EXACT));
}
END_TEST

START_TEST(nothing_from_no_documents)
{
	passages = 0;
	ck_assert(!is_kept(EXACT));
}
END_TEST

START_TEST(errors_are_not_kept)
{
	says.error = CSA_ERR_PROVIDER_BUSY;
	ck_assert_int_eq(v1_ask(KEY, "POST", "/chat", "{\"bot_id\":\"b\","
	    "\"message\":\"" Q "\",\"config_params\":{" EXACT "}}"), 503);
	says.error = CSA_OK;
	ck_assert(is_kept(EXACT));
}
END_TEST

START_TEST(a_change_of_the_documents_ends_it)
{
	ck_assert(is_kept(EXACT));
	number++;
	ck_assert_str_eq(ask(Q, EXACT), "miss");
	ck_assert_str_eq(ask(Q, EXACT), "answer");
	/* In a state that nobody knows nothing is taken or kept. */
	lost = true;
	ck_assert_str_eq(ask(Q, EXACT), "miss");
	ck_assert_str_eq(ask(Q, EXACT), "miss");
	lost = false;
	ck_assert_str_eq(ask(Q, EXACT), "answer");
}
END_TEST

/* Should ever a generation be wrong. */
START_TEST(what_the_store_says_otherwise_is_not_quoted)
{
	ck_assert(is_kept(EXACT));
	text_now = "two";
	ck_assert_str_ne(ask(Q, EXACT), "answer");
	text_now = NULL;
	ck_assert_str_ne(ask(Q, EXACT), "answer");
	text_now = "one";
	ck_assert_str_eq(ask(Q, EXACT), "answer");
}
END_TEST

START_TEST(another_tenant_another_bot_another_question)
{
	ck_assert(is_kept(EXACT));
	ck_assert_str_eq(ask_as(TENANT, "b", Q, EXACT), "miss");
	ck_assert_str_eq(ask_as(KEY, "a", Q, EXACT), "miss");
	ck_assert_str_eq(ask("is it so", EXACT), "miss");
	ck_assert_str_ne(ask(Q, EXACT ",\"temperature\":0.1"), "answer");
	ck_assert_str_ne(ask(Q, EXACT ",\"system_prompt\":\"x\""), "answer");
	/* Another key of the same tenant may. */
	ck_assert_str_eq(ask_as(LESSER, "b", Q, EXACT), "answer");
	ck_assert_str_eq(ask("  is it so?  ", EXACT), "answer");
}
END_TEST

START_TEST(the_right_to_the_bot_comes_first)
{
	ck_assert_str_eq(ask_as(KEY, "a", Q, EXACT), "miss");
	ck_assert_int_eq(v1_ask(LESSER, "POST", "/chat", "{\"bot_id\":\"a\","
	    "\"message\":\"" Q "\",\"config_params\":{" EXACT "}}"), 403);
}
END_TEST

/* Only what the model sees of the history counts. */
START_TEST(history_is_part_of_the_question)
{
	static const char	 form[] = "{\"bot_id\":\"b\",\"message\":\"" Q
	    "\",\"history\":[{\"role\":\"user\",\"content\":\"%s\"},"
	    "{\"role\":\"user\",\"content\":\"%s\"}],\"config_params\":{" EXACT
	    ",\"chat_history_length\":1}}";
	static const struct { const char *one, *two, *cache; } turns[] = {
		{ "a", "b", "miss" }, { "a", "c", "retrieval" },
		{ "x", "b", "answer" },
	};
	char			 text[400];

	for (size_t i = 0; i < CSA_NITEMS(turns); i++) {
		snprintf(text, sizeof(text), form, turns[i].one, turns[i].two);
		ck_assert_int_eq(v1_ask(KEY, "POST", "/chat", text), 200);
		ck_assert_str_eq(v1_str("metadata.cache"), turns[i].cache);
	}
}
END_TEST

/* ---- as a stream, and in the OpenAI face ---- */

#define LONG	"Some words that are said [1]. "

static char	 long_text[1600];

static void
say_much(void)
{
	long_text[0] = '\0';
	while (strlen(long_text) + sizeof(LONG) < sizeof(long_text) - 8)
		strcat(long_text, LONG);
	/* Not cut inside of a character. */
	strcat(long_text, "\xe2\x82\xac");
	says.text = long_text;
	says.piece = 40;
}

static void
stream(char *out, size_t size, char *meta, size_t nmeta)
{
	const char	*data;
	size_t		 n = 0;

	ck_assert_int_eq(v1_ask(KEY, "POST", "/chat", "{\"bot_id\":\"b\","
	    "\"message\":\"" Q "\",\"stream\":true,\"config_params\":{" EXACT
	    "}}"), 200);
	out[0] = '\0';
	for (size_t i = 0; (data = v1_event(i)) != NULL; i++) {
		v1_read_event(i);
		if (i == 0) {
			snprintf(meta, nmeta, "%s", strstr(v1_event(0),
			    "\"model\""));
			ck_assert_ptr_null(csa_json_path(body, "text"));
		} else
			n += (size_t)snprintf(out + n, size - n, "%s",
			    csa_json_path_str(body, "text", ""));
	}
	/* body is the last one: done. */
	ck_assert_str_eq(v1_str("finish_reason"), "stop");
}

START_TEST(a_stream_is_given_as_a_stream)
{
	char	 first[2000], second[2000], m1[600], m2[600];
	size_t	 events = 0;

	say_much();
	stream(first, sizeof(first), m1, sizeof(m1));
	ck_assert_str_eq(v1_str("cache"), "miss");
	ck_assert_str_eq(first, long_text);
	stream(second, sizeof(second), m2, sizeof(m2));
	ck_assert_str_eq(v1_str("cache"), "answer");
	ck_assert_str_eq(v1_str("cache_match"), "exact");
	ck_assert_str_eq(v1_header("X-Cache"), "answer");
	ck_assert_str_eq(second, long_text);
	ck_assert_str_eq(m1, m2);
	ck_assert_uint_eq(calls, 1);
	ck_assert_int_eq(path_int(body, "cited[0]"), 1);
	while (v1_event(events) != NULL)
		events++;
	/* In pieces, but not in as many as it was written in. */
	ck_assert_uint_ge(events, 5);
	ck_assert_uint_le(events, 12);
	/* And plainly to who asks so. */
	ck_assert_str_eq(ask(Q, EXACT), "answer");
	ck_assert_str_eq(v1_str("response"), long_text);
}
END_TEST

#define V1	"{\"model\":\"b\",\"messages\":[{\"role\":\"user\"," \
	"\"content\":\"" Q "\"}],\"chatsphere\":{" EXACT "}%s}"

START_TEST(both_faces_share)
{
	char	 text[300];

	ck_assert_str_eq(ask(Q, EXACT), "miss");
	snprintf(text, sizeof(text), V1, "");
	ck_assert_int_eq(v1_chat(text), 200);
	ck_assert_str_eq(v1_str("chatsphere.cache"), "answer");
	ck_assert_str_eq(v1_str("chatsphere.cache_match"), "exact");
	ck_assert_str_eq(v1_header("X-Cache"), "answer");
	ck_assert_str_eq(v1_str("choices[0].message.content"),
	    "It is so [1].");
	ck_assert_int_eq(path_int(body, "usage.total_tokens"), 0);
	snprintf(text, sizeof(text), V1, ",\"stream\":true");
	ck_assert_int_eq(v1_chat(text), 200);
	ck_assert_str_eq(v1_header("X-Cache"), "answer");
	ck_assert_str_eq(v1_stream_text(), "It is so [1].");
	snprintf(text, sizeof(text), V1, ",\"tools\":[{\"type\":\"function\"}]");
	ck_assert_int_eq(v1_chat(text), 200);
	ck_assert_str_ne(v1_str("chatsphere.cache"), "answer");
	ck_assert_uint_eq(calls, 2);
}
END_TEST

/* A client that leaves in the middle of a kept answer costs nobody anything. */
START_TEST(who_leaves_changes_nothing)
{
	say_much();
	ck_assert(is_kept(EXACT));
	client_gone = true;
	(void)v1_ask(KEY, "POST", "/chat", "{\"bot_id\":\"b\",\"message\":\"" Q
	    "\",\"stream\":true,\"config_params\":{" EXACT "}}");
	client_gone = false;
	ck_assert_str_eq(ask(Q, EXACT), "answer");
	ck_assert_uint_eq(calls, 1);
}
END_TEST

/* ---- in other words ---- */

START_TEST(other_words_where_that_is_wanted)
{
	config->semantic_threshold = .5;
	ck_assert_str_eq(ask("How do I enable dark mode?", SEMANTIC), "miss");
	ck_assert_str_eq(ask("How can I enable dark mode?", SEMANTIC),
	    "answer");
	ck_assert_str_eq(v1_str("metadata.cache_match"), "semantic");
	ck_assert_str_eq(ask("How do I enable dark mode?", SEMANTIC),
	    "answer");
	ck_assert_str_eq(v1_str("metadata.cache_match"), "exact");
	ck_assert_uint_eq(calls, 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_cache_saved_tokens,
	    "similar"), 12);
	/* However near the vectors. */
	ck_assert_str_eq(ask("How do I disable dark mode?", SEMANTIC), "miss");
	ck_assert_str_eq(ask("How do I not enable dark mode?", SEMANTIC),
	    "miss");
	/* Not where only the same question is wanted. */
	ck_assert_str_eq(ask("How can I enable dark mode?", EXACT), "miss");
}
END_TEST

START_TEST(other_words_but_nothing_else)
{
	config->semantic_threshold = .5;
	ck_assert_str_eq(ask("How do I enable dark mode?", SEMANTIC), "miss");
	ck_assert_str_eq(ask_as(TENANT, "b", "How can I enable dark mode?",
	    SEMANTIC), "miss");
	ck_assert_str_eq(ask_as(KEY, "a", "How can I enable dark mode?",
	    SEMANTIC), "miss");
	ck_assert_str_eq(ask("How can I enable dark mode?",
	    SEMANTIC ",\"temperature\":0"), "miss");
	number++;
	ck_assert_str_eq(ask("How to enable dark mode?", SEMANTIC), "miss");
}
END_TEST

START_TEST(a_conversation_has_no_other_words)
{
	static const char	 form[] = "{\"bot_id\":\"b\",\"message\":\"%s\","
	    "\"history\":[{\"role\":\"user\",\"content\":\"hi\"}],"
	    "\"config_params\":{" SEMANTIC "}}";
	static const char *const	 q[] = { "How do I enable dark mode?",
		"How can I enable dark mode?" };
	char			 text[400];

	config->semantic_threshold = .5;
	for (size_t i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), form, q[i]);
		ck_assert_int_eq(v1_ask(KEY, "POST", "/chat", text), 200);
		ck_assert_str_eq(v1_str("metadata.cache"), "miss");
	}
}
END_TEST

START_TEST(a_threshold_that_is_not_reached)
{
	config->semantic_threshold = 1;
	ck_assert_str_eq(ask("How do I enable dark mode?", SEMANTIC), "miss");
	ck_assert_str_eq(ask("How can we enable dark mode?", SEMANTIC),
	    "miss");
}
END_TEST

TCase *
turns_case(void)
{
	TCase	*t = tcase_create("turns");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, off_unless_it_is_wanted);
	tcase_add_test(t, the_second_one_is_not_asked_of_anybody);
	tcase_add_test(t, the_request_decides_then_the_bot_then_the_setting);
	tcase_add_test(t, a_request_that_says_false_has_nothing_to_do_with_it);
	tcase_add_loop_test(t, the_member_is_checked, 0,
	    (int)CSA_NITEMS(values));
	tcase_add_test(t, what_is_for_tools_is_for_nobody_else);
	tcase_add_test(t, only_good_answers_are_kept);
	tcase_add_test(t, nothing_from_no_documents);
	tcase_add_test(t, errors_are_not_kept);
	tcase_add_test(t, a_change_of_the_documents_ends_it);
	tcase_add_test(t, what_the_store_says_otherwise_is_not_quoted);
	tcase_add_test(t, another_tenant_another_bot_another_question);
	tcase_add_test(t, the_right_to_the_bot_comes_first);
	tcase_add_test(t, history_is_part_of_the_question);
	tcase_add_test(t, a_stream_is_given_as_a_stream);
	tcase_add_test(t, both_faces_share);
	tcase_add_test(t, who_leaves_changes_nothing);
	tcase_add_test(t, other_words_where_that_is_wanted);
	tcase_add_test(t, other_words_but_nothing_else);
	tcase_add_test(t, a_conversation_has_no_other_words);
	tcase_add_test(t, a_threshold_that_is_not_reached);
	return t;
}
