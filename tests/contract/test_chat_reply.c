/*
 * The answers and errors of providers, well and badly, against the readers
 * alone.  The shapes are those of the vendors' documents and of recorded
 * replies, not of our emulators.  Streams: test_chat_stream.
 */

#include "config.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/reply.h"
#include "tests/contract/fixture.h"
#include "tests/suite.h"

static const char	*why;

typedef int chat_fn(struct csa_answer *, const char *, size_t, const char **);

static const struct chat_case {
	chat_fn		*fn;
	const char	*reply;
	int		 rc;
	const char	*text;
	enum csa_ending	 ending;
	long		 prompt, completion, total;
	const char	*model;
	long		 cached, thoughts;
} chats[] = {
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"role\":"
	  "\"model\",\"parts\":[{\"text\":\"hel\"},{\"text\":\"lo\"}]},"
	  "\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{"
	  "\"promptTokenCount\":2,\"candidatesTokenCount\":1,"
	  "\"thoughtsTokenCount\":7,\"totalTokenCount\":10},\"modelVersion\":"
	  "\"gemini-3.8-flash\",\"responseId\":\"x\"}",
	  0, "hello", CSA_END_STOP, 2, 8, 10, "gemini-3.8-flash", 0, 7 },
	/* Thoughts are not the answer. */
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":["
	  "{\"text\":\"hm\",\"thought\":true},{\"text\":\"yes\","
	  "\"thoughtSignature\":\"AA==\"}]},\"finishReason\":\"STOP\"}]}",
	  0, "yes", CSA_END_STOP, 0, 0, 0, "", 0, 0 },
	/* The four shapes without text. */
	{ csa_gemini_chat_reply, "{\"promptFeedback\":{\"blockReason\":"
	  "\"SAFETY\",\"safetyRatings\":[]},\"usageMetadata\":{"
	  "\"promptTokenCount\":4,\"totalTokenCount\":4}}",
	  0, "", CSA_END_FILTER, 4, 0, 4, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"finishReason\":\"SAFETY\""
	  ",\"index\":0,\"safetyRatings\":[{\"category\":"
	  "\"HARM_CATEGORY_HARASSMENT\",\"probability\":\"HIGH\",\"blocked\":"
	  "true}]}]}", 0, "", CSA_END_FILTER, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"role\":"
	  "\"model\"},\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{"
	  "\"promptTokenCount\":5,\"thoughtsTokenCount\":63,"
	  "\"totalTokenCount\":68}}", 0, "", CSA_END_LENGTH, 5, 63, 68, "",
	  0, 63 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},\"finishReason\":"
	  "\"STOP\"}]}", 0, "", CSA_END_STOP, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"cut\"}]},\"finishReason\":\"MAX_TOKENS\"}]}",
	  0, "cut", CSA_END_LENGTH, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"x\"}]},\"finishReason\":\"BRAND_NEW\"}]}",
	  0, "x", CSA_END_OTHER, 0, 0, 0, "", 0, 0 },
	/* Parts of the counts, which can be no more than the whole. */
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"x\"}]}}],\"usageMetadata\":{\"promptTokenCount\":40,"
	  "\"cachedContentTokenCount\":16,\"toolUsePromptTokenCount\":2,"
	  "\"candidatesTokenCount\":3,\"thoughtsTokenCount\":5,"
	  "\"totalTokenCount\":50}}", 0, "x", CSA_END_NONE, 42, 8, 50, "", 16,
	  5 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":"
	  "\"x\"}}],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":8,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":16},"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":5}}}", 0, "x",
	  CSA_END_NONE, 40, 8, 48, "", 16, 5 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":"
	  "\"x\"}}],\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":8,"
	  "\"prompt_tokens_details\":{\"cached_tokens\":16},"
	  "\"completion_tokens_details\":{\"reasoning_tokens\":50}}}", 0, "x",
	  CSA_END_NONE, 4, 8, 12, "", 4, 8 },
	/* The second of several answers is not glued to the first. */
	{ csa_openai_chat_reply, "{\"choices\":[{\"index\":0,\"message\":{"
	  "\"content\":\"x\"}},{\"index\":1,\"message\":{\"content\":\"y\"}}"
	  "]}", 0, "x", CSA_END_NONE, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[]}", 0, "", CSA_END_OTHER,
	  0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{}", 0, "", CSA_END_OTHER, 0, 0, 0, "", 0,
	  0 },
	/* Counts that are none. */
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"x\"}]}}],\"usageMetadata\":{\"promptTokenCount\":-5,"
	  "\"candidatesTokenCount\":\"3\",\"totalTokenCount\":1e18}}",
	  0, "x", CSA_END_NONE, 0, 0, 0, "", 0, 0 },
	/* Nonsense. */
	{ csa_gemini_chat_reply, "{\"candidates\":\"x\"}", -1, "", 0, 0, 0, 0,
	  "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[7]}", -1, "", 0, 0, 0, 0,
	  "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[null]}", -1, "", 0, 0, 0,
	  0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "{}}}]}", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[1]}}]}", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[{\"text\":1}]}}]}", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"error\":{\"code\":500}}", -1, "", 0, 0, 0,
	  0, "", 0, 0 },
	{ csa_gemini_chat_reply, "[]", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "\xef\xbb\xbf{}", -1, "", 0, 0, 0, 0, "", 0,
	  0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[{\"text\":\"\\ud800\"}]}}]}", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[{\"text\":\"\xc0\xaf\"}]}}]}", -1, "", 0, 0, 0, 0, "", 0, 0 },

	{ csa_openai_chat_reply, "{\"id\":\"chatcmpl-1\",\"object\":"
	  "\"chat.completion\",\"created\":1,\"model\":\"m-2026\",\"choices\":["
	  "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\","
	  "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
	  "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,"
	  "\"total_tokens\":7}}", 0, "hi", CSA_END_STOP, 3, 4, 7, "m-2026",
	  0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":"
	  "\"hi\"},\"finish_reason\":\"length\"}],\"usage\":null}",
	  0, "hi", CSA_END_LENGTH, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":"
	  "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":"
	  "\"b\"}]},\"finish_reason\":null}]}",
	  0, "ab", CSA_END_NONE, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":null"
	  ",\"tool_calls\":[]},\"finish_reason\":\"tool_calls\"}]}",
	  0, "", CSA_END_OTHER, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":\"\""
	  "},\"finish_reason\":\"content_filter\"}]}",
	  0, "", CSA_END_FILTER, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":null"
	  ",\"refusal\":\"I can't.\"},\"finish_reason\":\"stop\"}]}",
	  0, "I can't.", CSA_END_FILTER, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[]}", 0, "", CSA_END_NONE, 0, 0,
	  0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"delta\":{\"content\":\"d\"}"
	  "}]}", 0, "d", CSA_END_NONE, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{}", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{}]}", -1, "", 0, 0, 0, 0, "",
	  0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":\"x\"}]}", -1, "",
	  0, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":5}}]"
	  "}", -1, "", 0, 0, 0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"choices\":{\"message\":1}}", -1, "", 0, 0,
	  0, 0, "", 0, 0 },
	{ csa_openai_chat_reply, "{\"error\":\"overloaded\"}", -1, "", 0, 0, 0,
	  0, "", 0, 0 },
	{ csa_openai_chat_reply, "not json", -1, "", 0, 0, 0, 0, "", 0, 0 },
};

START_TEST(reads_answers_or_refuses)
{
	const struct chat_case	*c = &chats[_i];
	struct csa_answer	 a;
	size_t			 len = strlen(c->reply);
	char			*s = exact(c->reply, len);

	csa_answer_init(&a, 1 << 20);
	ck_assert_msg(c->fn(&a, s, len, &why) == c->rc, "%s", c->reply);
	if (c->rc == 0) {
		ck_assert_str_eq(a.text.len > 0 ? a.text.data : "", c->text);
		ck_assert_msg(a.ending == c->ending, "%s", c->reply);
		ck_assert_int_eq(a.prompt_tokens, c->prompt);
		ck_assert_int_eq(a.completion_tokens, c->completion);
		ck_assert_int_eq(a.total_tokens, c->total);
		ck_assert_int_eq(a.cached_tokens, c->cached);
		ck_assert_int_eq(a.thought_tokens, c->thoughts);
		ck_assert_str_eq(a.model, c->model);
	} else
		ck_assert_ptr_nonnull(why);
	csa_answer_fini(&a);
	free(s);
}
END_TEST

START_TEST(refuses_an_answer_over_its_ceiling)
{
	static const char	 reply[] = "{\"choices\":[{\"message\":"
	    "{\"content\":\"0123456789\"}}]}";
	struct csa_answer	 a;

	csa_answer_init(&a, 9);
	ck_assert_int_eq(csa_openai_chat_reply(&a, reply, sizeof(reply) - 1,
	    &why), -1);
	csa_answer_fini(&a);
}
END_TEST

/* ---- errors ---- */

static const struct error_case {
	const char	*body, *message;
	long		 retry_s;
	enum csa_errcode code;
} errors[] = {
	{ "{\"error\":{\"code\":429,\"message\":\"Quota\\nexceeded\",\"status\""
	  ":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis."
	  "com/google.rpc.RetryInfo\",\"retryDelay\":\"38.804097346s\"}]}}",
	  "Quota exceeded", 39, CSA_ERR_PROVIDER_BUSY },
	/* A daily quota's hint is none. */
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"violations\":[{"
	  "\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel-FreeTier\"}]}"
	  ",{\"retryDelay\":\"2s\"}]}}", "q", 3600, 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"x\"}]}"
	  "}", "q", 0, 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"-3s\"}"
	  "]}}", "q", 0, 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"nans\""
	  "}]}}", "q", 0, 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"1e9s\""
	  "}]}}", "q", 86400, 0 },
	/* vLLM and llama-server: code is a number. */
	{ "{\"error\":{\"code\":401,\"message\":\"Invalid API Key\",\"type\":"
	  "\"authentication_error\"}}", "Invalid API Key", 0,
	  CSA_ERR_PROVIDER_ERROR },
	/* TEI: flat, or error as text. */
	{ "{\"message\":\"too long\",\"code\":422,\"type\":\"Validation\"}",
	  "too long", 0, CSA_ERR_PROVIDER_ERROR },
	{ "{\"error\":\"text\",\"error_type\":\"Validation\"}", "text", 0, 0 },
	{ "{\"error\":null}", "", 0, 0 },
	{ "{}", "", 0, 0 },
	{ "[]", "", 0, 0 },
	{ "", "", 0, 0 },
	{ "Unauthorized", "Unauthorized", 0, 0 },
	{ "<html>\r\n502</html>", "<html>  502</html>", 0, 0 },
	{ "bad \xff byte", "bad ", 0, 0 },
	/* Nobody's log has a key in it. */
	{ "{\"error\":{\"message\":\"Incorrect key: sk-secret!\"}}",
	  "(not shown: it repeats the key)", 0, 0 },
	{ "no such key sk-secret", "(not shown: it repeats the key)", 0, 0 },
	/* What kind it is, where there is no status. */
	{ "{\"error\":{\"code\":\"rate_limit_exceeded\",\"message\":\"m\"}}",
	  "m", 0, CSA_ERR_PROVIDER_BUSY },
	{ "{\"error\":{\"code\":null,\"type\":\"server_error\",\"message\":"
	  "\"m\"}}", "m", 0, CSA_ERR_PROVIDER_FAULT },
	{ "{\"error\":{\"status\":\"DEADLINE_EXCEEDED\"}}", "", 0,
	  CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "{\"error\":{\"code\":504,\"message\":\"m\"}}", "m", 0,
	  CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "{\"error\":{\"code\":13,\"status\":\"INTERNAL\"}}", "", 0,
	  CSA_ERR_PROVIDER_FAULT },
	{ "[{\"error\":{\"code\":503,\"message\":\"m\"}}]", "m", 0,
	  CSA_ERR_PROVIDER_BUSY },
	{ "{\"detail\":[{\"loc\":[],\"msg\":\"field required\"}]}",
	  "field required", 0, 0 },
	{ "{\"detail\":\"no\"}", "no", 0, 0 },
	{ "{\"error\":{\"message\":7,\"details\":{},\"code\":[]}}", "", 0,
	  0 },
};

START_TEST(reads_any_shape_of_error)
{
	const struct error_case		*c = &errors[_i];
	struct csa_provider_error	 e;
	size_t				 len = strlen(c->body);
	char				*s = exact(c->body, len);

	csa_provider_error_read(&e, s, len, "sk-secret");
	ck_assert_str_eq(e.message, c->message);
	ck_assert_int_eq(e.retry_s, c->retry_s);
	ck_assert_msg(e.code == c->code, "%s: %s", c->body,
	    csa_errinfo(e.code)->code);
	free(s);
}
END_TEST

START_TEST(shortens_a_long_error)
{
	struct csa_provider_error	 e;
	char				 s[5000];

	for (size_t i = 0; i + 2 < sizeof(s); i += 2)
		memcpy(s + i, "\xc3\xa9", 2);
	csa_provider_error_read(&e, s, sizeof(s) - 2, "");
	ck_assert_uint_eq(strlen(e.message), 158);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("chat reply");
	TCase	*tc = tcase_create("chat reply");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, reads_answers_or_refuses, 0,
	    CSA_NITEMS(chats));
	tcase_add_test(tc, refuses_an_answer_over_its_ceiling);
	tcase_add_loop_test(tc, reads_any_shape_of_error, 0,
	    CSA_NITEMS(errors));
	tcase_add_test(tc, shortens_a_long_error);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
