/*
 * What providers answer, well and badly, against the readers alone.  The
 * shapes are those of the vendors' documents and of recorded replies, not of
 * our emulators.
 */

#include "config.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/reply.h"
#include "lib/vector/pinecone_reply.h"

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

/* A copy without a byte more, for the sanitizers' sake. */
static char *
exact(const char *s, size_t n)
{
	char	*copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s, n);
	return copy;
}

/* ---- embeddings ---- */

typedef int embed_fn(const struct csa_embed_want *, const char *, size_t,
    struct csa_vec *, const char **);

static const struct embed_case {
	embed_fn	*fn;
	const char	*reply;
	size_t		 n, dim;	/* wanted; dim 0: any */
	int		 rc;
	double		 first;		/* of the last vector */
} embeds[] = {
	/* One question, as pretty-printed as the real service does it. */
	{ csa_gemini_embed_reply, "{\n  \"embedding\": {\n    \"values\": [\n"
	  "      0.013168523,\n      -0.008711934\n    ]\n  }\n}\n", 1, 2, 0,
	  0.013168523 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"values\":[3,4]}],\"usageMetadata\":{\"promptTokenCount\":3}}",
	  2, 2, 0, 3 },
	{ csa_openai_embed_reply, "{\"object\":\"list\",\"data\":[{\"object\":"
	  "\"embedding\",\"index\":0,\"embedding\":[1,2]}],\"model\":\"m\","
	  "\"usage\":{\"prompt_tokens\":1,\"total_tokens\":1}}", 1, 0, 0, 1 },
	/* Out of order: index says whose it is. */
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":1,\"embedding\":[3,4]}"
	  ",{\"index\":0,\"embedding\":[1,2]}]}", 2, 0, 0, 3 },
	/* A server that leaves index out means the order of the list. */
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1,2]},"
	  "{\"embedding\":[3,4]}]}", 2, 2, 0, 3 },
	/* base64: 1.0, -2.5 */
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":0,\"embedding\":"
	  "\"AACAPwAAIMA=\"}]}", 1, 2, 0, 1 },

	/* One number too few, one too many. */
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}}", 1, 2,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,2,3]}}", 1, 2,
	  -1, 0 },
	/* Fewer and more vectors than texts; different dimensions. */
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]}]}", 2, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"values\":[1,2]}]}", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"values\":[1,2,3]}]}", 2, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":0,\"embedding\":[1]},"
	  "{\"index\":1,\"embedding\":[1,2]}]}", 2, 0, -1, 0 },
	/* The vector of one text twice, or of one that was not asked. */
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":0,\"embedding\":[1]},"
	  "{\"index\":0,\"embedding\":[1]}]}", 2, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":7,\"embedding\":[1]}]"
	  "}", 1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"index\":-1,\"embedding\":[1]}"
	  "]}", 1, 0, -1, 0 },
	/* No numbers. */
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,NaN]}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,1e999]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,1e200]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,1E+200]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,\"2\"]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1,null]}}", 1,
	  0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[[1]]}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[]}}", 1, 0, -1,
	  0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[0,0.0,0e5]}}",
	  1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":null}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":0}}", 1, 0, -1,
	  0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":{\"a\":1}}}", 1,
	  0, -1, 0 },
	/* base64 of one byte too few; of NaN; of zeros; not base64; escaped. */
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"AACAPwAA\"}]}",
	  1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"AADAfw==\"}]}",
	  1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"AAAAAA==\"}]}",
	  1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"%%%%\"}]}", 1,
	  0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":\"\"}]}", 1, 0,
	  -1, 0 },
	/* The number that a cut-out vector leaves behind can not be forged. */
	{ csa_openai_embed_reply, "{\"data\":[{\"embedding\":[1],\"x\":0},"
	  "{\"embeddin\\u0067\":0}]}", 2, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":[{\"values\":[1,2]},"
	  "{\"v\\u0061lues\":0}]}", 2, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"x\":{\"values\":[1,2]},\"embedding\":"
	  "{\"v\\u0061lues\":[0]}}", 1, 0, -1, 0 },
	/* Wrong shapes, and no JSON at all. */
	{ csa_gemini_embed_reply, "", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{}", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "null", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "[{\"values\":[1]}]", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "{\"embeddings\":{\"values\":[1]}}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":[{\"values\":[1]}]}", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}} x", 1, 0,
	  -1, 0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]}", 1, 0, -1,
	  0 },
	{ csa_gemini_embed_reply, "{\"embedding\":{\"values\":[1]},\"a\":\""
	  "\xff\"}", 1, 0, -1, 0 },
	{ csa_gemini_embed_reply, "<html>502</html>", 1, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"error\":{\"message\":\"no\"}}", 1, 0, -1,
	  0 },
	{ csa_openai_embed_reply, "{\"data\":[[1],[2]]}", 2, 0, -1, 0 },
	{ csa_openai_embed_reply, "{\"data\":null,\"embedding\":[1]}", 1, 0,
	  -1, 0 },
};

START_TEST(reads_embeddings_or_refuses)
{
	const struct embed_case	*c = &embeds[_i];
	struct csa_embed_want	 want = { arena, c->n, c->dim };
	struct csa_vec		 vecs[4];
	size_t			 len = strlen(c->reply);
	char			*s = exact(c->reply, len);
	const float		*f;

	ck_assert_msg(c->fn(&want, s, len, vecs, &why) == c->rc,
	    "%s: %s", c->reply, why != NULL ? why : "taken");
	if (c->rc == 0) {
		f = csa_vec_floats(arena, &vecs[c->n - 1], 0);
		ck_assert_ptr_nonnull(f);
		ck_assert_msg(fabs((double)f[0] - c->first) < 1e-6, "%s: %g",
		    c->reply, (double)f[0]);
		if (c->dim > 0)
			ck_assert_uint_eq(vecs[0].dim, c->dim);
	} else
		ck_assert_ptr_nonnull(why);
	free(s);
}
END_TEST

/* ---- chat ---- */

typedef int chat_fn(struct csa_answer *, const char *, size_t, const char **);

static const struct chat_case {
	chat_fn		*fn;
	const char	*reply;
	int		 rc;
	const char	*text;
	enum csa_ending	 ending;
	long		 prompt, completion, total;
	const char	*model;
} chats[] = {
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"role\":"
	  "\"model\",\"parts\":[{\"text\":\"hel\"},{\"text\":\"lo\"}]},"
	  "\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{"
	  "\"promptTokenCount\":2,\"candidatesTokenCount\":1,"
	  "\"thoughtsTokenCount\":7,\"totalTokenCount\":10},\"modelVersion\":"
	  "\"gemini-3.8-flash\",\"responseId\":\"x\"}",
	  0, "hello", CSA_END_STOP, 2, 8, 10, "gemini-3.8-flash" },
	/* Thoughts are not the answer. */
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":["
	  "{\"text\":\"hm\",\"thought\":true},{\"text\":\"yes\","
	  "\"thoughtSignature\":\"AA==\"}]},\"finishReason\":\"STOP\"}]}",
	  0, "yes", CSA_END_STOP, 0, 0, 0, "" },
	/* The four shapes without text. */
	{ csa_gemini_chat_reply, "{\"promptFeedback\":{\"blockReason\":"
	  "\"SAFETY\",\"safetyRatings\":[]},\"usageMetadata\":{"
	  "\"promptTokenCount\":4,\"totalTokenCount\":4}}",
	  0, "", CSA_END_FILTER, 4, 0, 4, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"finishReason\":\"SAFETY\""
	  ",\"index\":0,\"safetyRatings\":[{\"category\":"
	  "\"HARM_CATEGORY_HARASSMENT\",\"probability\":\"HIGH\",\"blocked\":"
	  "true}]}]}", 0, "", CSA_END_FILTER, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"role\":"
	  "\"model\"},\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{"
	  "\"promptTokenCount\":5,\"thoughtsTokenCount\":63,"
	  "\"totalTokenCount\":68}}", 0, "", CSA_END_LENGTH, 5, 63, 68, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"functionCall\":{\"name\":\"f\",\"args\":{}}}]},\"finishReason\":"
	  "\"STOP\"}]}", 0, "", CSA_END_STOP, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"cut\"}]},\"finishReason\":\"MAX_TOKENS\"}]}",
	  0, "cut", CSA_END_LENGTH, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"x\"}]},\"finishReason\":\"BRAND_NEW\"}]}",
	  0, "x", CSA_END_OTHER, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[]}", 0, "", CSA_END_OTHER,
	  0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{}", 0, "", CSA_END_OTHER, 0, 0, 0, "" },
	/* Counts that are none. */
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"x\"}]}}],\"usageMetadata\":{\"promptTokenCount\":-5,"
	  "\"candidatesTokenCount\":\"3\",\"totalTokenCount\":1e18}}",
	  0, "x", CSA_END_NONE, 0, 0, 0, "" },
	/* Nonsense. */
	{ csa_gemini_chat_reply, "{\"candidates\":\"x\"}", -1, "", 0, 0, 0, 0,
	  "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[7]}", -1, "", 0, 0, 0, 0,
	  "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[null]}", -1, "", 0, 0, 0,
	  0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "{}}}]}", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[1]}}]}", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[{\"text\":1}]}}]}", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"error\":{\"code\":500}}", -1, "", 0, 0, 0,
	  0, "" },
	{ csa_gemini_chat_reply, "[]", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "\xef\xbb\xbf{}", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[{\"text\":\"\\ud800\"}]}}]}", -1, "", 0, 0, 0, 0, "" },
	{ csa_gemini_chat_reply, "{\"candidates\":[{\"content\":{\"parts\":"
	  "[{\"text\":\"\xc0\xaf\"}]}}]}", -1, "", 0, 0, 0, 0, "" },

	{ csa_openai_chat_reply, "{\"id\":\"chatcmpl-1\",\"object\":"
	  "\"chat.completion\",\"created\":1,\"model\":\"m-2026\",\"choices\":["
	  "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"hi\","
	  "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],"
	  "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,"
	  "\"total_tokens\":7}}", 0, "hi", CSA_END_STOP, 3, 4, 7, "m-2026" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":"
	  "\"hi\"},\"finish_reason\":\"length\"}],\"usage\":null}",
	  0, "hi", CSA_END_LENGTH, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":"
	  "[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"text\",\"text\":"
	  "\"b\"}]},\"finish_reason\":null}]}",
	  0, "ab", CSA_END_NONE, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":null"
	  ",\"tool_calls\":[]},\"finish_reason\":\"tool_calls\"}]}",
	  0, "", CSA_END_OTHER, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":\"\""
	  "},\"finish_reason\":\"content_filter\"}]}",
	  0, "", CSA_END_FILTER, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":null"
	  ",\"refusal\":\"I can't.\"},\"finish_reason\":\"stop\"}]}",
	  0, "I can't.", CSA_END_FILTER, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[]}", 0, "", CSA_END_NONE, 0, 0,
	  0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"delta\":{\"content\":\"d\"}"
	  "}]}", 0, "d", CSA_END_NONE, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{}", -1, "", 0, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{}]}", -1, "", 0, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":\"x\"}]}", -1, "",
	  0, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":[{\"message\":{\"content\":5}}]"
	  "}", -1, "", 0, 0, 0, 0, "" },
	{ csa_openai_chat_reply, "{\"choices\":{\"message\":1}}", -1, "", 0, 0,
	  0, 0, "" },
	{ csa_openai_chat_reply, "{\"error\":\"overloaded\"}", -1, "", 0, 0, 0,
	  0, "" },
	{ csa_openai_chat_reply, "not json", -1, "", 0, 0, 0, 0, "" },
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
} errors[] = {
	{ "{\"error\":{\"code\":429,\"message\":\"Quota\\nexceeded\",\"status\""
	  ":\"RESOURCE_EXHAUSTED\",\"details\":[{\"@type\":\"type.googleapis."
	  "com/google.rpc.RetryInfo\",\"retryDelay\":\"38.804097346s\"}]}}",
	  "Quota exceeded", 39 },
	/* A daily quota's hint is none. */
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"violations\":[{"
	  "\"quotaId\":\"GenerateRequestsPerDayPerProjectPerModel-FreeTier\"}]}"
	  ",{\"retryDelay\":\"2s\"}]}}", "q", 3600 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"x\"}]}"
	  "}", "q", 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"-3s\"}"
	  "]}}", "q", 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"nans\""
	  "}]}}", "q", 0 },
	{ "{\"error\":{\"message\":\"q\",\"details\":[{\"retryDelay\":\"1e9s\""
	  "}]}}", "q", 86400 },
	/* vLLM and llama-server: code is a number. */
	{ "{\"error\":{\"code\":401,\"message\":\"Invalid API Key\",\"type\":"
	  "\"authentication_error\"}}", "Invalid API Key", 0 },
	/* TEI: flat, or error as text. */
	{ "{\"message\":\"too long\",\"code\":422,\"type\":\"Validation\"}",
	  "too long", 0 },
	{ "{\"error\":\"text\",\"error_type\":\"Validation\"}", "text", 0 },
	{ "{\"error\":null}", "", 0 },
	{ "{}", "", 0 },
	{ "[]", "", 0 },
	{ "", "", 0 },
	{ "Unauthorized", "Unauthorized", 0 },
	{ "<html>\r\n502</html>", "<html>  502</html>", 0 },
	{ "bad \xff byte", "bad ", 0 },
	/* Nobody's log has a key in it. */
	{ "{\"error\":{\"message\":\"Incorrect key: sk-secret!\"}}",
	  "(not shown: it repeats the key)", 0 },
	{ "no such key sk-secret", "(not shown: it repeats the key)", 0 },
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

/* ---- Pinecone ---- */

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

/* ---- truncation: every prefix of a good reply is an error ---- */

static char *
fixture(const char *name, size_t *len)
{
	const char	*dir = getenv("CSA_SRCDIR");
	char		 path[512], *s;
	FILE		*f;
	long		 n;

	snprintf(path, sizeof(path), "%s/tests/data/provider/%s",
	    dir != NULL ? dir : ".", name);
	ck_assert_msg((f = fopen(path, "rb")) != NULL, "%s", path);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	s = csa_malloc((size_t)n + 1);
	*len = fread(s, 1, (size_t)n, f);
	fclose(f);
	while (*len > 0 && s[*len - 1] == '\n')
		--*len;
	return s;
}

static int
read_any(const char *name, const char *s, size_t len)
{
	struct csa_embed_want	 want = { arena, 1, 0 };
	struct csa_vec		 vec;
	struct csa_vec_hit	*hits;
	struct csa_answer	 a;
	size_t			 n, dropped;
	int			 rc;

	if (strstr(name, "embed") != NULL)
		return strstr(name, "gemini") != NULL ?
		    csa_gemini_embed_reply(&want, s, len, &vec, &why) :
		    csa_openai_embed_reply(&want, s, len, &vec, &why);
	if (strstr(name, "pinecone") != NULL)
		return read_matches(s, len, CSA_METRIC_COSINE, &hits, &n,
		    &dropped);
	csa_answer_init(&a, 1 << 20);
	rc = strstr(name, "gemini") != NULL ?
	    csa_gemini_chat_reply(&a, s, len, &why) :
	    csa_openai_chat_reply(&a, s, len, &why);
	csa_answer_fini(&a);
	return rc;
}

static const char *const whole[] = {
	"gemini-generate.json", "gemini-embed.json", "openai-chat.json",
	"openai-embed-float.json", "openai-embed-base64.json",
	"pinecone-query.json",
};

START_TEST(refuses_every_truncation)
{
	size_t	 len;
	char	*s = fixture(whole[_i], &len), *part;

	ck_assert_msg(read_any(whole[_i], s, len) == 0, "%s: %s", whole[_i],
	    why != NULL ? why : "");
	for (size_t n = 0; n < len; n++) {
		part = exact(s, n);
		ck_assert_msg(read_any(whole[_i], part, n) == -1,
		    "%s cut at %zu was taken", whole[_i], n);
		free(part);
		csa_arena_reset(arena);
	}
	free(s);
}
END_TEST

/* Any one byte wrong: an error or another reading, but no crash. */
START_TEST(survives_every_wrong_byte)
{
	static const char	 wrong[] = { '\0', '"', '{', ']', ',', '\\',
	    '9', 'n', (char)0xff };
	size_t	 len;
	char	*s = fixture(whole[_i], &len), kept;

	for (size_t n = 0; n < len; n++) {
		kept = s[n];
		for (size_t k = 0; k < sizeof(wrong); k++) {
			s[n] = wrong[k];
			(void)read_any(whole[_i], s, len);
		}
		s[n] = kept;
		csa_arena_reset(arena);
	}
	free(s);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("reply");
	TCase	*tc = tcase_create("reply");
	SRunner	*sr;
	int	 failed;

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_embeddings_or_refuses, 0,
	    CSA_NITEMS(embeds));
	tcase_add_loop_test(tc, reads_answers_or_refuses, 0,
	    CSA_NITEMS(chats));
	tcase_add_test(tc, refuses_an_answer_over_its_ceiling);
	tcase_add_loop_test(tc, reads_any_shape_of_error, 0,
	    CSA_NITEMS(errors));
	tcase_add_test(tc, shortens_a_long_error);
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
	tcase_add_loop_test(tc, refuses_every_truncation, 0,
	    CSA_NITEMS(whole));
	tcase_add_loop_test(tc, survives_every_wrong_byte, 0,
	    CSA_NITEMS(whole));
	suite_add_tcase(s, tc);

	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
