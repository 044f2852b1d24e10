/*
 * The OpenAI face: what its clients send, and what they must get.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/v1_cite.h"
#include "handlers/v1_error.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/text/json.h"
#include "tests/path_int.h"
#include "tests/suite.h"
#include "tests/unit/v1_fixture.h"

#define ASK(more)	"{\"model\":\"b\",\"messages\":[{\"role\":\"user\"," \
	"\"content\":\"is it so?\"}]" more "}"
#define ASKED(messages)	"{\"model\":\"b\",\"messages\":[" messages "]}"
#define USER(text)	"{\"role\":\"user\",\"content\":\"" text "\"}"
#define STREAM		",\"stream\":true"
#define USAGE		",\"stream_options\":{\"include_usage\":true}"
#define OURS(members)	",\"chatsphere\":{" members "}"

static int64_t
num(const char *path)
{
	return path_int(body, path);
}

/* Present and null, where json-c has no object. */
static bool
is_null(const char *at, const char *name)
{
	struct json_object	*o = *at != '\0' ? csa_json_path(body, at) :
				    body, *v;

	return o != NULL && json_object_object_get_ex(o, name, &v) &&
	    v == NULL;
}

/* ---- chat ---- */

START_TEST(answers_as_a_model_of_theirs)
{
	ck_assert_int_eq(v1_chat(ASK("")), 200);
	ck_assert_int_eq(strncmp(v1_str("id"), "chatcmpl-", 9), 0);
	ck_assert_str_eq(v1_str("object"), "chat.completion");
	ck_assert_int_gt(num("created"), 1700000000);
	ck_assert_str_eq(v1_str("model"), "b");
	ck_assert_str_eq(v1_str("choices[0].message.role"), "assistant");
	ck_assert_str_eq(v1_str("choices[0].message.content"), says.text);
	ck_assert(is_null("choices[0].message", "refusal"));
	ck_assert_str_eq(v1_str("choices[0].finish_reason"), "stop");
	ck_assert_int_eq(num("choices[0].index"), 0);
	ck_assert_int_eq(num("usage.prompt_tokens"), 7);
	ck_assert_int_eq(num("usage.completion_tokens"), 5);
	ck_assert_int_eq(num("usage.total_tokens"), 12);
	ck_assert_int_eq(num("usage.prompt_tokens_details.cached_tokens"), 3);
	ck_assert_int_eq(num(
	    "usage.completion_tokens_details.reasoning_tokens"), 2);
	ck_assert_str_eq(v1_str("chatsphere.model"), "fake-model");
	ck_assert_str_eq(v1_str("chatsphere.sources[0].chunk_id"),
	    "d-chunk-0");
	ck_assert(json_object_get_boolean(csa_json_path(body,
	    "chatsphere.sources[0].cited")));
	ck_assert_str_eq(v1_str("chatsphere.request_id"), v1_str("id") + 9);
	ck_assert_str_eq(v1_header("X-Request-Id"), v1_str("id") + 9);
}
END_TEST

static const struct { enum csa_finish finish; const char *name; } ends[] = {
	{ CSA_FINISH_STOP, "stop" }, { CSA_FINISH_LENGTH, "length" },
	{ CSA_FINISH_FILTER, "content_filter" },
};

START_TEST(says_why_it_ended)
{
	says.finish = ends[_i].finish;
	says.degraded = "model_unavailable";
	ck_assert_int_eq(v1_chat(ASK("")), 200);
	ck_assert_str_eq(v1_str("choices[0].finish_reason"), ends[_i].name);
	ck_assert_str_eq(v1_str("chatsphere.degraded_reason"),
	    "model_unavailable");
}
END_TEST

START_TEST(hands_the_conversation_on)
{
	ck_assert_int_eq(v1_chat(ASKED(
	    "{\"role\":\"system\",\"content\":\"Be brief.\"},"
	    USER("one") ",{\"role\":\"assistant\",\"content\":\"two\"},"
	    "{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[]},"
	    "{\"role\":\"tool\",\"tool_call_id\":\"x\",\"content\":\"sun\"},"
	    "{\"role\":\"developer\",\"content\":[{\"type\":\"text\","
	    "\"text\":\"Be polite.\"}]},"
	    "{\"role\":\"user\",\"name\":\"Eve\",\"content\":["
	    "{\"type\":\"text\",\"text\":\"three\"},"
	    "{\"type\":\"text\",\"text\":\"four\"}]},"
	    "{\"role\":\"assistant\",\"content\":\"I beg\"}")), 200);
	ck_assert_str_eq(asked_messages,
	    "user:one|assistant:two|three\nfour");
	ck_assert_ptr_nonnull(strstr(asked_system,
	    "Be brief.\n\nBe polite."));
}
END_TEST

START_TEST(only_what_the_model_will_see_has_limits)
{
	char		*long_text = csa_malloc(40001);
	struct csa_buf	 b;

	memset(long_text, 'x', 40000);
	long_text[40000] = '\0';
	csa_buf_init(&b, 1 << 20);
	csa_buf_addf(&b, "{\"model\":\"b\",\"messages\":[{\"role\":\"user\","
	    "\"content\":\"%s\"}", long_text);
	for (int i = 0; i < 300; i++)
		csa_buf_addf(&b, "," USER("m%d"), i);
	csa_buf_puts(&b, "]" OURS("\"chat_history_length\":2") "}");
	ck_assert_int_eq(v1_chat(b.data), 200);
	ck_assert_str_eq(asked_messages, "user:m297|user:m298|m299");
	csa_buf_reset(&b);
	csa_buf_addf(&b, "{\"model\":\"b\",\"messages\":[{\"role\":\"user\","
	    "\"content\":\"%s\"}," USER("m") "]}", long_text);
	ck_assert_int_eq(v1_chat(b.data), 422);
	ck_assert_str_eq(v1_str("error.param"), "messages[0].content");
	csa_buf_fini(&b);
	free(long_text);
}
END_TEST

START_TEST(parameters_reach_the_model)
{
	ck_assert_int_eq(v1_chat(ASK(",\"temperature\":0.25,\"max_tokens\":9"
	    OURS("\"retriever_k\":7,\"llm_model\":\"m-2\""))), 200);
	ck_assert_double_eq(asked_temperature, .25);
	ck_assert_int_eq(asked_tokens, 9);
	ck_assert_uint_ge(asked_k, 7);
	ck_assert_str_eq(asked_model, "m-2");
	ck_assert_int_eq(v1_chat(ASK(",\"max_completion_tokens\":12,"
	    "\"temperature\":null,\"max_tokens\":null,\"stream\":null,"
	    "\"stream_options\":null,\"n\":1,\"chatsphere\":null,"
	    "\"response_format\":{\"type\":\"text\"}")), 200);
	ck_assert_int_eq(asked_tokens, 12);
	/* Never more than the operator allows. */
	ck_assert_int_eq(v1_chat(ASK(",\"max_tokens\":9999999")), 200);
	ck_assert_int_lt(asked_tokens, 9999999);
	/* What has no effect is no error. */
	ck_assert_int_eq(v1_chat(ASK(",\"top_p\":1,\"stop\":[\"x\"],\"seed\":1,"
	    "\"presence_penalty\":0,\"frequency_penalty\":0,\"user\":\"u\","
	    "\"tools\":[{}],\"tool_choice\":\"auto\",\"logprobs\":true,"
	    "\"metadata\":{},\"reasoning_effort\":\"low\"")), 200);
}
END_TEST

static const struct {
	const char	*body;
	int		 status;
	const char	*param, *code;
} wrong[] = {
	{ "[]", 400, NULL, "bad_request" },
	{ "{\"messages\":[]}", 400, "model", "bad_request" },
	{ "{\"model\":7,\"messages\":[]}", 400, "model", "bad_request" },
	{ "{\"model\":\"a/b\",\"messages\":[" USER("x") "]}", 422, "model",
	  "invalid_value" },
	{ "{\"model\":\"b\"}", 400, "messages", "bad_request" },
	{ ASKED(""), 400, "messages", "bad_request" },
	{ ASKED("{\"role\":\"system\",\"content\":\"x\"}"), 400, "messages",
	  "bad_request" },
	{ ASKED("\"x\""), 400, "messages[0]", "bad_request" },
	{ ASKED("null"), 400, "messages[0]", "bad_request" },
	{ ASKED("{\"content\":\"x\"}"), 400, "messages[0].role",
	  "bad_request" },
	{ ASKED("{\"role\":\"boss\",\"content\":\"x\"}"), 422,
	  "messages[0].role", "invalid_value" },
	{ ASKED("{\"role\":\"user\"}"), 400, "messages[0].content",
	  "bad_request" },
	{ ASKED("{\"role\":\"user\",\"content\":5}"), 400,
	  "messages[0].content", "bad_request" },
	{ ASKED(USER(" ")), 422, "messages[0].content", "invalid_value" },
	{ ASKED("{\"role\":\"user\",\"content\":[]}"), 422,
	  "messages[0].content", "invalid_value" },
	{ ASKED(USER("x") ",{\"role\":\"user\",\"content\":[{\"type\":"
	  "\"text\",\"text\":\"x\"},{\"type\":\"image_url\",\"image_url\":"
	  "{\"url\":\"data:\"}}]}"), 400, "messages[1].content[1]",
	  "bad_request" },
	{ ASKED("{\"role\":\"user\",\"content\":[7]}"), 400,
	  "messages[0].content[0]", "bad_request" },
	{ ASK(",\"n\":2"), 400, "n", "bad_request" },
	{ ASK(",\"n\":0"), 422, "n", "invalid_value" },
	{ ASK(",\"n\":\"1\""), 400, "n", "bad_request" },
	{ ASK(",\"temperature\":2.1"), 422, "temperature", "invalid_value" },
	{ ASK(",\"temperature\":\"x\""), 400, "temperature", "bad_request" },
	{ ASK(",\"max_tokens\":0"), 422, "max_tokens", "invalid_value" },
	{ ASK(",\"max_completion_tokens\":1.5"), 400, "max_completion_tokens",
	  "bad_request" },
	{ ASK(",\"stream\":1"), 400, "stream", "bad_request" },
	{ ASK(",\"stream_options\":{\"include_usage\":1}"), 400,
	  "stream_options.include_usage", "bad_request" },
	{ ASK(",\"response_format\":{\"type\":\"json_object\"}"), 400,
	  "response_format.type", "bad_request" },
	{ ASK(",\"response_format\":{}"), 400, "response_format.type",
	  "bad_request" },
	{ ASK(OURS("\"retriever_k\":0")), 422, "chatsphere.retriever_k",
	  "invalid_value" },
	{ ASK(OURS("\"fallback\":\"x\"")), 422, "chatsphere.fallback",
	  "invalid_value" },
	{ ASK(OURS("\"citations\":true")), 400, "chatsphere.citations",
	  "bad_request" },
	{ ASK(OURS("\"citations\":\"x\"")), 422, "chatsphere.citations",
	  "invalid_value" },
	{ ASK(OURS("\"llm_model\":\"../x\"")), 422, "chatsphere.llm_model",
	  "invalid_value" },
};

START_TEST(names_what_is_wrong)
{
	ck_assert_int_eq(v1_chat(wrong[_i].body), wrong[_i].status);
	ck_assert_str_eq(v1_str("error.code"), wrong[_i].code);
	ck_assert_str_eq(v1_str("error.type"), "invalid_request_error");
	if (wrong[_i].param == NULL)
		ck_assert(is_null("error", "param"));
	else
		ck_assert_str_eq(v1_str("error.param"), wrong[_i].param);
	ck_assert_str_eq(v1_header("X-Should-Retry"), "false");
}
END_TEST

/* ---- errors ---- */

static const struct {
	const char	*key, *method, *target;
	int		 status;
	const char	*code;
} refused[] = {
	{ NULL, "POST", "/v1/chat/completions", 401, "invalid_api_key" },
	{ "wrong", "GET", "/v1/models", 401, "invalid_api_key" },
	{ STORER, "GET", "/v1/models", 403, "forbidden" },
	{ LESSER, "POST", "/v1/embeddings", 403, "forbidden" },
	{ KEY, "GET", "/v1/chat/completions", 405, "method_not_allowed" },
	{ KEY, "DELETE", "/v1/models/b", 405, "method_not_allowed" },
	{ KEY, "POST", "/v1/responses", 404, "not_found" },
	{ KEY, "GET", "/v1", 404, "not_found" },
	{ KEY, "GET", "/v1/", 404, "not_found" },
	{ KEY, "GET", "/v1/models/a%2fb", 404, "not_found" },
	{ KEY, "GET", "/v1/../chat", 404, "not_found" },
	{ KEY, "GET", "/v1/models/", 404, "not_found" },
	{ KEY, "GET", "/v1/models/a/b", 404, "not_found" },
};

START_TEST(refuses_in_their_shape)
{
	ck_assert_int_eq(v1_ask(refused[_i].key, refused[_i].method,
	    refused[_i].target, ASK("")), refused[_i].status);
	ck_assert_str_eq(v1_str("error.code"), refused[_i].code);
	ck_assert_str_eq(v1_str("error.request_id"),
	    v1_header("X-Request-Id"));
	ck_assert_ptr_null(csa_json_path(body, "status"));
	ck_assert(is_null("error", "param"));
	if (refused[_i].status == 405)
		ck_assert_ptr_nonnull(v1_header("Allow"));
}
END_TEST

START_TEST(others_keep_their_shape)
{
	static const char *const	 paths[] = { "/v1x", "/nothing",
		"/x/v1/models" };

	for (size_t i = 0; i < CSA_NITEMS(paths); i++) {
		ck_assert_int_eq(v1_ask(KEY, "GET", paths[i], NULL), 404);
		ck_assert_str_eq(v1_str("status"), "error");
	}
	url_prefix = "/agent";
	ck_assert_int_eq(v1_ask(KEY, "GET", "/agent/v1/x", NULL), 404);
	ck_assert_ptr_null(csa_json_path(body, "status"));
	ck_assert_int_eq(v1_ask(KEY, "GET", "/agent/v1/a%2fb", NULL), 404);
	ck_assert_ptr_null(csa_json_path(body, "status"));
	ck_assert_int_eq(v1_ask(KEY, "GET", "/agent/v1/models/b", NULL), 200);
}
END_TEST

static const struct {
	enum csa_errcode code;
	int		 status;
	const char	*name, *type, *retry;
} faults[] = {
	{ CSA_ERR_PROVIDER_ERROR, 502, "provider_error", "server_error",
	  "false" },
	{ CSA_ERR_PROVIDER_FAULT, 502, "provider_fault", "server_error",
	  "true" },
	{ CSA_ERR_PROVIDER_BUSY, 503, "provider_busy", "server_error",
	  "true" },
	{ CSA_ERR_DEADLINE, 504, "deadline_exceeded", "server_error",
	  "true" },
	{ CSA_ERR_RATE_LIMITED, 429, "rate_limited", "rate_limit_error",
	  "true" },
};

START_TEST(tells_whose_fault_it_is)
{
	says.error = faults[_i].code;
	ck_assert_int_eq(v1_chat(ASK("")), faults[_i].status);
	ck_assert_str_eq(v1_str("error.code"), faults[_i].name);
	ck_assert_str_eq(v1_str("error.type"), faults[_i].type);
	ck_assert_str_eq(v1_str("error.source"), "gemini");
	ck_assert_str_eq(v1_header("X-Should-Retry"), faults[_i].retry);
	ck_assert_int_eq(v1_header("Retry-After") != NULL,
	    strcmp(faults[_i].retry, "true") == 0);
}
END_TEST

START_TEST(a_field_has_its_name_here)
{
	static const char	 said[] = "{\"error\":{\"message\":"
	    "\"chatsphere.llm_model: the provider knows no such model\","
	    "\"type\":\"invalid_request_error\","
	    "\"param\":\"chatsphere.llm_model\",";
	struct csa_err		 err;
	struct csa_buf		 b;

	csa_fail(&err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "config_params.llm_model: the provider knows no such model");
	csa_buf_init(&b, 4096);
	csa_v1_error_json(&b, &err, "r");
	ck_assert_int_eq(strncmp(b.data, said, sizeof(said) - 1), 0);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_bot_of_somebody_else)
{
	ck_assert_int_eq(v1_ask(LESSER, "POST", "/v1/chat/completions",
	    ASK("")), 200);
	ck_assert_int_eq(v1_ask(LESSER, "POST", "/v1/chat/completions",
	    "{\"model\":\"a\",\"messages\":[" USER("x") "]}"), 403);
	ck_assert_str_eq(v1_str("error.type"), "permission_error");
}
END_TEST

/* ---- streams ---- */

START_TEST(streams_the_same_answer)
{
	const char	*id, *data;
	char		 first[80];
	size_t		 n = 0;

	ck_assert_int_eq(v1_chat(ASK(STREAM)), 200);
	ck_assert_int_eq(strncmp(v1_header("Content-Type"),
	    "text/event-stream", 17), 0);
	/* Role and sources first. */
	v1_read_event(0);
	ck_assert_str_eq(v1_str("choices[0].delta.role"), "assistant");
	ck_assert_str_eq(v1_str("choices[0].delta.content"), "");
	ck_assert_str_eq(v1_str("chatsphere.sources[0].chunk_id"),
	    "d-chunk-0");
	ck_assert_str_eq(v1_str("chatsphere.model"), "fake-model");
	strcpy(first, v1_str("id"));
	for (; (data = v1_event(n)) != NULL && data[0] == '{'; n++) {
		v1_read_event(n);
		ck_assert_str_eq(v1_str("object"), "chat.completion.chunk");
		ck_assert_str_eq(id = v1_str("id"), first);
		ck_assert_str_eq(v1_str("model"), "b");
		ck_assert_ptr_null(csa_json_path(body, "usage"));
		ck_assert(!is_null("", "usage"));
	}
	/* One for each piece, role, finish. */
	ck_assert_uint_eq(n, (strlen(says.text) + 2) / 3 + 2);
	ck_assert_str_eq(v1_event(n), "[DONE]");
	ck_assert_ptr_null(v1_event(n + 1));
	ck_assert_str_eq(v1_str("choices[0].finish_reason"), "stop");
	ck_assert_ptr_null(csa_json_path(body, "choices[0].delta.content"));
	ck_assert_int_eq(num("chatsphere.cited[0]"), 1);
	ck_assert_str_eq(v1_str("chatsphere.model"), "fake-model");
	ck_assert_str_eq(v1_stream_text(), says.text);
}
END_TEST

START_TEST(usage_comes_last_where_it_is_wanted)
{
	size_t	 n = 0;

	ck_assert_int_eq(v1_chat(ASK(STREAM USAGE)), 200);
	while (strcmp(v1_event(n), "[DONE]") != 0)
		n++;
	v1_read_event(n - 1);
	ck_assert_uint_eq(json_object_array_length(csa_json_path(body,
	    "choices")), 0);
	ck_assert_int_eq(num("usage.total_tokens"), 12);
	for (size_t i = 0; i + 1 < n; i++) {
		v1_read_event(i);
		ck_assert(is_null("", "usage"));
	}
	/* Nothing of it in a plain answer, where it always is. */
	ck_assert_int_eq(v1_chat(ASK(USAGE)), 200);
	ck_assert_int_eq(num("usage.total_tokens"), 12);
}
END_TEST

START_TEST(a_stream_that_fails_says_so_and_ends)
{
	size_t	 n = 0;

	says.error = CSA_ERR_PROVIDER_UNAVAILABLE;
	says.fail_after = 2;
	ck_assert_int_eq(v1_chat(ASK(STREAM USAGE)), 200);
	while (v1_event(n + 1) != NULL)
		n++;
	ck_assert_uint_eq(n, 3);
	v1_read_event(n);
	ck_assert_str_eq(v1_str("error.code"), "provider_unavailable");
	ck_assert_str_eq(v1_str("error.type"), "server_error");
	ck_assert_ptr_null(strstr(v1_sent(), "[DONE]"));
	/* Before anything was said, it is a status. */
	store_error = CSA_ERR_STORE_UNAVAILABLE;
	ck_assert_int_eq(v1_chat(ASK(STREAM)), 503);
	ck_assert_str_eq(v1_str("error.source"), "store");
	ck_assert_int_eq(strncmp(v1_header("Content-Type"),
	    "application/json", 16), 0);
}
END_TEST

START_TEST(notices_that_nobody_listens)
{
	client_gone = true;
	(void)v1_chat(ASK(STREAM));
	ck_assert_str_eq(v1_sent(), "");
	ck_assert_uint_eq(csa_metric_value(CSA_M_client_gone,
	    "v1_chat|generate"), 1);
}
END_TEST

/* ---- citations ---- */

static const struct { const char *text, *marks, *list, *none; } cites[] = {
	{ "It is so [1].", "It is so [1].",
	  "It is so [1].\n\n- [1] The manual", "It is so." },
	{ "A [1][3] b [2, 3] c [1-2].", "A [1][3] b [2, 3] c [1-2].",
	  "A [1][3] b [2, 3] c [1-2].\n\n- [1] The manual\n- [2] e\n- [3] e",
	  "A b c." },
	{ "In [2024] x[i] [4] [", "In [2024] x[i] [4] [",
	  "In [2024] x[i] [4] [", "In [2024] x[i] [4] [" },
	{ "[1]", "[1]", "[1]\n\n- [1] The manual", "[1]" },
	{ "no  blanks   lost [ 1 ]", "no  blanks   lost [ 1 ]",
	  "no  blanks   lost [ 1 ]\n\n- [1] The manual", "no  blanks   lost" },
	{ "[1111111111111111111111111111111111111111111111111111111] x",
	  "[1111111111111111111111111111111111111111111111111111111] x",
	  "[1111111111111111111111111111111111111111111111111111111] x",
	  "[1111111111111111111111111111111111111111111111111111111] x" },
	{ "\xc3\xa9t\xc3\xa9 [1] \xe2\x98\x83", "\xc3\xa9t\xc3\xa9 [1] "
	  "\xe2\x98\x83", "\xc3\xa9t\xc3\xa9 [1] \xe2\x98\x83\n\n"
	  "- [1] The manual", "\xc3\xa9t\xc3\xa9 \xe2\x98\x83" },
};

static void
assert_text(const char *citations, const char *text)
{
	char	 request[512];

	for (int stream = 0; stream <= 1; stream++) {
		snprintf(request, sizeof(request),
		    ASK(",\"stream\":%s" OURS("\"citations\":\"%s\"")),
		    stream ? "true" : "false", citations);
		ck_assert_int_eq(v1_chat(request), 200);
		ck_assert_str_eq(stream ? v1_stream_text() :
		    v1_str("choices[0].message.content"), text);
	}
}

START_TEST(citations_as_the_client_wants_them)
{
	passages = 3;
	says.text = cites[_i].text;
	/* A fake that cuts anywhere cannot cut characters: whole here. */
	for (says.piece = strlen(says.text); says.piece > 0; says.piece--) {
		if (says.piece < strlen(says.text) &&
		    (unsigned char)says.text[0] >= 0x80)
			break;
		assert_text("marks", cites[_i].marks);
		assert_text("list", cites[_i].list);
		assert_text("none", cites[_i].none);
	}
}
END_TEST

/* ---- models ---- */

START_TEST(lists_bots_with_documents)
{
	ck_assert_int_eq(v1_ask(KEY, "GET", "/v1/models", NULL), 200);
	ck_assert_str_eq(v1_str("object"), "list");
	ck_assert_uint_eq(json_object_array_length(csa_json_path(body,
	    "data")), 2);
	ck_assert_str_eq(v1_str("data[0].id"), "a");
	ck_assert_str_eq(v1_str("data[1].id"), "b");
	ck_assert_str_eq(v1_str("data[0].object"), "model");
	ck_assert_int_eq(num("data[0].created"), 1700000000);
	ck_assert_str_eq(v1_str("data[0].owned_by"), "chatsphere");
	/* Those that the key may use. */
	ck_assert_int_eq(v1_ask(LESSER, "GET", "/v1/models", NULL), 200);
	ck_assert_uint_eq(json_object_array_length(csa_json_path(body,
	    "data")), 1);
	ck_assert_str_eq(v1_str("data[0].id"), "b");
	ck_assert_int_eq(v1_ask(TENANT, "GET", "/v1/models", NULL), 200);
	ck_assert_uint_eq(json_object_array_length(csa_json_path(body,
	    "data")), 1);
	ck_assert_str_eq(v1_str("data[0].id"), "mine");
	store_error = CSA_ERR_STORE_UNAVAILABLE;
	ck_assert_int_eq(v1_ask(KEY, "GET", "/v1/models", NULL), 503);
}
END_TEST

static const struct {
	const char	*key, *target;
	int		 status;
} asked[] = {
	{ KEY, "/v1/models/a", 200 }, { LESSER, "/v1/models/b", 200 },
	{ TENANT, "/v1/models/mine", 200 },
	{ KEY, "/v1/models/empty", 404 }, { KEY, "/v1/models/nobody", 404 },
	{ KEY, "/v1/models/no..bot", 404 }, { KEY, "/v1/models/%20", 404 },
	{ LESSER, "/v1/models/a", 404 }, { TENANT, "/v1/models/a", 404 },
	{ KEY, "/v1/models/mine", 404 },
};

START_TEST(one_bot_by_its_name)
{
	ck_assert_int_eq(v1_ask(asked[_i].key, "GET", asked[_i].target,
	    NULL), asked[_i].status);
	if (asked[_i].status == 200)
		ck_assert_str_eq(v1_str("id"), asked[_i].target + 11);
	else {
		ck_assert_str_eq(v1_str("error.code"), "model_not_found");
		ck_assert_str_eq(v1_str("error.param"), "model");
	}
}
END_TEST

/* ---- embeddings ---- */

#define EMBED(more)	"{\"model\":\"script-4\"" more "}"

static int
embed(const char *text)
{
	return v1_ask(KEY, "POST", "/v1/embeddings", text);
}

START_TEST(embeds_texts_in_their_order)
{
	ck_assert_int_eq(embed(EMBED(",\"input\":[\"one two\",\"three\"],"
	    "\"dimensions\":4,\"encoding_format\":\"float\",\"user\":\"u\"")),
	    200);
	ck_assert_str_eq(v1_str("object"), "list");
	ck_assert_str_eq(v1_str("model"), "script-4");
	for (int i = 0; i < 2; i++) {
		char	 path[40];

		snprintf(path, sizeof(path), "data[%d].index", i);
		ck_assert_int_eq(num(path), i);
		snprintf(path, sizeof(path), "data[%d].embedding", i);
		ck_assert_uint_eq(json_object_array_length(csa_json_path(body,
		    path)), 4);
		snprintf(path, sizeof(path), "data[%d].object", i);
		ck_assert_str_eq(v1_str(path), "embedding");
	}
	ck_assert_int_eq(num("usage.prompt_tokens"), 4);
	ck_assert_int_eq(num("usage.total_tokens"), 4);
	ck_assert_int_eq(embed(EMBED(",\"input\":\"one two\"")), 200);
	ck_assert_uint_eq(json_object_array_length(csa_json_path(body,
	    "data")), 1);
}
END_TEST

START_TEST(base64_holds_the_same_numbers)
{
	static const char	 digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned char		 bytes[18];
	double			 want[4];
	const char		*s;

	ck_assert_int_eq(embed(EMBED(",\"input\":\"one two\"")), 200);
	for (size_t i = 0; i < 4; i++)
		want[i] = json_object_get_double(json_object_array_get_idx(
		    csa_json_path(body, "data[0].embedding"), i));
	ck_assert_int_eq(embed(EMBED(",\"input\":\"one two\","
	    "\"encoding_format\":\"base64\",\"input_type\":\"query\"")), 200);
	s = v1_str("data[0].embedding");
	ck_assert_uint_eq(strlen(s), 24);	/* 16 bytes */
	ck_assert_str_eq(s + 22, "==");
	for (size_t i = 0; i < 24; i += 4) {
		unsigned	 v = 0;

		for (size_t j = i; j < i + 4; j++)
			v = v << 6 | (s[j] == '=' ? 0 :
			    (unsigned)(strchr(digits, s[j]) - digits));
		bytes[i / 4 * 3] = (unsigned char)(v >> 16);
		bytes[i / 4 * 3 + 1] = (unsigned char)(v >> 8);
		bytes[i / 4 * 3 + 2] = (unsigned char)v;
	}
	for (size_t i = 0; i < 4; i++) {
		uint32_t	 bits = bytes[4 * i] |
				    (uint32_t)bytes[4 * i + 1] << 8 |
				    (uint32_t)bytes[4 * i + 2] << 16 |
				    (uint32_t)bytes[4 * i + 3] << 24;
		float		 f;

		memcpy(&f, &bits, sizeof(f));
		ck_assert_double_eq_tol(f, want[i], 1e-6);
	}
}
END_TEST

START_TEST(two_thousand_texts_are_a_batch)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 1 << 20);
	csa_buf_puts(&b, "{\"model\":\"script-4\",\"input\":[\"x\"");
	for (int i = 1; i < 2048; i++)
		csa_buf_puts(&b, ",\"x\"");
	csa_buf_puts(&b, "]}");
	ck_assert_int_eq(embed(b.data), 200);
	ck_assert_int_eq(num("data[2047].index"), 2047);
	b.len -= 2;
	csa_buf_puts(&b, ",\"x\"]}");
	ck_assert_int_eq(embed(b.data), 422);
	ck_assert_str_eq(v1_str("error.param"), "input");
	csa_buf_fini(&b);
}
END_TEST

static const struct {
	const char	*body;
	int		 status;
	const char	*param, *code;
} misembedded[] = {
	{ "7", 400, NULL, "bad_request" },
	{ "{\"input\":\"x\"}", 400, "model", "bad_request" },
	{ "{\"model\":\"other\",\"input\":\"x\"}", 404, "model",
	  "model_not_found" },
	{ EMBED(""), 400, "input", "bad_request" },
	{ EMBED(",\"input\":[]"), 422, "input", "invalid_value" },
	{ EMBED(",\"input\":\"\""), 422, "input", "invalid_value" },
	{ EMBED(",\"input\":[\"x\",\"\"]"), 422, "input[1]",
	  "invalid_value" },
	{ EMBED(",\"input\":[1,2]"), 400, "input[0]", "bad_request" },
	{ EMBED(",\"input\":[[1,2]]"), 400, "input[0]", "bad_request" },
	{ EMBED(",\"input\":5"), 400, "input", "bad_request" },
	{ EMBED(",\"input\":\"x\",\"encoding_format\":\"hex\""), 422,
	  "encoding_format", "invalid_value" },
	{ EMBED(",\"input\":\"x\",\"input_type\":\"x\""), 422, "input_type",
	  "invalid_value" },
	{ EMBED(",\"input\":\"x\",\"dimensions\":5"), 400, "dimensions",
	  "bad_request" },
	{ EMBED(",\"input\":\"x\",\"dimensions\":0"), 422, "dimensions",
	  "invalid_value" },
};

START_TEST(names_what_cannot_be_embedded)
{
	ck_assert_int_eq(embed(misembedded[_i].body), misembedded[_i].status);
	ck_assert_str_eq(v1_str("error.code"), misembedded[_i].code);
	if (misembedded[_i].param != NULL)
		ck_assert_str_eq(v1_str("error.param"),
		    misembedded[_i].param);
}
END_TEST

START_TEST(without_an_embedder_it_is_503)
{
	struct csa_embedder	*e = app.embedder;

	app.embedder = NULL;
	ck_assert_int_eq(embed(EMBED(",\"input\":\"x\"")), 503);
	ck_assert_str_eq(v1_str("error.source"), "agent");
	app.embedder = e;
	ck_assert_int_eq(v1_ask(STORER, "POST", "/v1/embeddings",
	    EMBED(",\"input\":\"x\"")), 200);
}
END_TEST

static Suite *
suite(void)
{
	Suite	*s = suite_create("v1");
	TCase	*tc = tcase_create("v1");

	tcase_add_checked_fixture(tc, v1_setup, v1_teardown);
	tcase_add_test(tc, answers_as_a_model_of_theirs);
	tcase_add_loop_test(tc, says_why_it_ended, 0, CSA_NITEMS(ends));
	tcase_add_test(tc, hands_the_conversation_on);
	tcase_add_test(tc, only_what_the_model_will_see_has_limits);
	tcase_add_test(tc, parameters_reach_the_model);
	tcase_add_loop_test(tc, names_what_is_wrong, 0, CSA_NITEMS(wrong));
	tcase_add_loop_test(tc, refuses_in_their_shape, 0,
	    CSA_NITEMS(refused));
	tcase_add_test(tc, others_keep_their_shape);
	tcase_add_test(tc, a_field_has_its_name_here);
	tcase_add_loop_test(tc, tells_whose_fault_it_is, 0,
	    CSA_NITEMS(faults));
	tcase_add_test(tc, a_bot_of_somebody_else);
	tcase_add_test(tc, streams_the_same_answer);
	tcase_add_test(tc, usage_comes_last_where_it_is_wanted);
	tcase_add_test(tc, a_stream_that_fails_says_so_and_ends);
	tcase_add_test(tc, notices_that_nobody_listens);
	tcase_add_loop_test(tc, citations_as_the_client_wants_them, 0,
	    CSA_NITEMS(cites));
	tcase_add_test(tc, lists_bots_with_documents);
	tcase_add_loop_test(tc, one_bot_by_its_name, 0, CSA_NITEMS(asked));
	tcase_add_test(tc, embeds_texts_in_their_order);
	tcase_add_test(tc, base64_holds_the_same_numbers);
	tcase_add_test(tc, two_thousand_texts_are_a_batch);
	tcase_add_loop_test(tc, names_what_cannot_be_embedded, 0,
	    CSA_NITEMS(misembedded));
	tcase_add_test(tc, without_an_embedder_it_is_503);
	suite_add_tcase(s, tc);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
