/*
 * Streamed answers against the readers alone: cut into pieces anywhere, cut off
 * anywhere, and broken in every way that the vendors and their imitators know.
 * The streams are written by hand after the vendors' documents.
 */

#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/chat_stream.h"
#include "tests/contract/fixture.h"
#include "tests/suite.h"

#define MAX_TEXT	4096

static struct csa_answer	 a;
static struct csa_err		 err;

static void
setup(void)
{
	csa_answer_init(&a, MAX_TEXT);
	memset(&err, 0, sizeof(err));
}

static void
teardown(void)
{
	csa_answer_fini(&a);
}

static const char *
text(void)
{
	return a.text.len > 0 ? a.text.data : "";
}

static int
feed(struct csa_chat_stream *st, const char *s, size_t n)
{
	char	*copy = exact(s, n);
	int	 rc = csa_chat_stream_feed(st, copy, n, &err);

	free(copy);
	return rc;
}

/* Every place, or one in seven where that takes too long. */
static size_t
stride(void)
{
	return getenv("CSA_VALGRIND") != NULL ? 7 : 1;
}

/* n bytes in pieces of size step, the first of them cut at `at`. */
static int
run(csa_chat_reader *read, const char *s, size_t n, size_t at, size_t step)
{
	struct csa_chat_stream	 st;
	size_t			 from = 0, to = at < n ? at : n;
	int			 rc = 0;

	teardown();
	setup();
	csa_chat_stream_init(&st, read, CSA_SRC_GEMINI, "sk-secret", &a);
	while (rc == 0 && from < n) {
		rc = feed(&st, s + from, to - from);
		from = to;
		to = n - to > step ? to + step : n;
	}
	if (rc == 0)
		rc = csa_chat_stream_end(&st, &err);
	csa_chat_stream_fini(&st);
	return rc;
}

/* ---- recorded streams ---- */

#define ANSWER	"Refunds take 30 days \xe2\x80\x94 30 \xe6\x97\xa5 " \
		"\xf0\x9f\x98\x80 [1].\n\nAsk \"us\" first."

static const struct recorded {
	const char	*file, *end;	/* of lines */
	csa_chat_reader	*read;
	const char	*ending;	/* whole with the event that has it */
	const char	*model;
} recorded[] = {
	{ "gemini-stream.sse", "\r\n", csa_gemini_chat_read,
	  "\"finishReason\":\"STOP\"", "gemini-3.8-flash" },
	{ "gemini-stream.sse", "\n", csa_gemini_chat_read,
	  "\"finishReason\":\"STOP\"", "gemini-3.8-flash" },
	{ "gemini-stream.sse", "\r", csa_gemini_chat_read,
	  "\"finishReason\":\"STOP\"", "gemini-3.8-flash" },
	{ "openai-stream.sse", "\n", csa_openai_chat_read,
	  "\"finish_reason\":\"stop\"", "gpt-4o-mini-2024-07-18" },
	{ "openai-stream.sse", "\r\n", csa_openai_chat_read,
	  "\"finish_reason\":\"stop\"", "gpt-4o-mini-2024-07-18" },
};

/* The recording with its lines ended in the case's way. */
static char *
load(const struct recorded *r, size_t *len)
{
	char	*s = fixture(r->file, len), *out, *p;

	p = out = csa_malloc(*len * 2 + 1);
	for (size_t i = 0; i < *len; i++)
		if (s[i] == '\n') {
			memcpy(p, r->end, strlen(r->end));
			p += strlen(r->end);
		} else if (s[i] != '\r')
			*p++ = s[i];
	*p = '\0';
	*len = (size_t)(p - out);
	free(s);
	return out;
}

static void
check_whole(const struct recorded *r, const char *how, size_t at)
{
	ck_assert_msg(strcmp(text(), ANSWER) == 0, "%s %zu: %s", how, at,
	    text());
	ck_assert_int_eq(a.ending, CSA_END_STOP);
	ck_assert_str_eq(a.model, r->model);
}

static void
check_counts(void)
{
	ck_assert_int_eq(a.prompt_tokens, 31);
	ck_assert_int_eq(a.cached_tokens, 16);
	ck_assert_int_eq(a.completion_tokens, 39);
	ck_assert_int_eq(a.thought_tokens, 24);
	ck_assert_int_eq(a.total_tokens, 70);
}

START_TEST(reads_a_stream_however_it_is_cut)
{
	const struct recorded	*r = &recorded[_i];
	size_t			 n;
	char			*s = load(r, &n);

	for (size_t at = 0; at <= n; at += stride()) {
		ck_assert_msg(run(r->read, s, n, at, n) == 0, "%zu: %s", at,
		    err.detail);
		check_whole(r, "cut at", at);
		check_counts();
	}
	for (size_t step = 1; step < 9; step++) {
		ck_assert_int_eq(run(r->read, s, n, step, step), 0);
		check_whole(r, "in steps of", step);
		check_counts();
	}
	free(s);
}
END_TEST

/* Whole from the last byte of the event on that says why it ended. */
START_TEST(knows_a_truncation_at_every_byte)
{
	const struct recorded	*r = &recorded[_i];
	size_t			 n, whole;
	char			*s = load(r, &n), *p;

	ck_assert_ptr_nonnull(p = strstr(s, r->ending));
	whole = (size_t)(p + strcspn(p, "\r\n") - s);
	for (size_t at = 0; at <= n; at += stride()) {
		int	 rc = run(r->read, s, at, at / 2, n);

		if (at >= whole) {
			ck_assert_msg(rc == 0, "%zu: %s", at, err.detail);
			check_whole(r, "ended at", at);
			continue;
		}
		ck_assert_msg(rc == -1 &&
		    err.code == CSA_ERR_PROVIDER_UNAVAILABLE &&
		    strstr(err.detail, "truncated") != NULL,
		    "%zu of %zu: %s %s", at, n, text(), err.detail);
		ck_assert_msg(strncmp(ANSWER, text(), a.text.len) == 0,
		    "%zu: %s", at, text());
	}
	free(s);
}
END_TEST

/* Any one byte wrong: an error or another reading, but no crash. */
START_TEST(survives_every_wrong_byte)
{
	static const char	 wrong[] = { '\0', '"', '{', ']', ',', '\\',
	    '\n', '\r', ':', (char)0xff };
	const struct recorded	*r = &recorded[_i];
	size_t			 n;
	char			*s = load(r, &n), kept;

	/* One for each place, of which the events have many of a kind. */
	for (size_t at = 0; at < n; at += stride()) {
		kept = s[at];
		s[at] = wrong[at % sizeof(wrong)];
		(void)run(r->read, s, n, n, n);
		s[at] = kept;
	}
	free(s);
}
END_TEST

/* ---- shapes ---- */

#define G	csa_gemini_chat_read
#define O	csa_openai_chat_read
#define D(json)		"data: " json "\n\n"
#define DONE		"data: [DONE]\n\n"
#define GT(t)		D("{\"candidates\":[{\"content\":{\"parts\":[{" \
			"\"text\":\"" t "\"}]},\"index\":0}]}")
#define GE(reason)	D("{\"candidates\":[{\"finishReason\":\"" reason \
			"\"}]}")
#define OT(t)		D("{\"choices\":[{\"index\":0,\"delta\":{\"content\":" \
			"\"" t "\"},\"finish_reason\":null}]}")
#define OE(reason)	D("{\"choices\":[{\"index\":0,\"delta\":{}," \
			"\"finish_reason\":\"" reason "\"}]}")

static const struct shape {
	csa_chat_reader	*read;
	const char	*s;
	enum csa_errcode code;		/* CSA_OK: whole */
	const char	*text;
	enum csa_ending	 ending;
} shapes[] = {
	/* The shapes without text, each for its reason. */
	{ G, D("{\"promptFeedback\":{\"blockReason\":\"SAFETY\"}}"), CSA_OK,
	  "", CSA_END_FILTER },
	{ G, GE("SAFETY"), CSA_OK, "", CSA_END_FILTER },
	{ G, GE("RECITATION"), CSA_OK, "", CSA_END_FILTER },
	{ G, D("{\"candidates\":[{\"content\":{\"role\":\"model\"},"
	  "\"finishReason\":\"MAX_TOKENS\"}],\"usageMetadata\":{"
	  "\"thoughtsTokenCount\":63}}"), CSA_OK, "", CSA_END_LENGTH },
	{ G, D("{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{"
	  "\"name\":\"f\"}}]},\"finishReason\":\"STOP\"}]}"), CSA_OK, "",
	  CSA_END_STOP },
	{ G, GE("BRAND_NEW"), CSA_OK, "", CSA_END_OTHER },
	/* Stopped on the way. */
	{ G, GT("a") GE("SAFETY"), CSA_OK, "a", CSA_END_FILTER },
	{ G, GT("a") GE("MAX_TOKENS"), CSA_OK, "a", CSA_END_LENGTH },
	{ G, GT("a") GE("CONTINUATION"), CSA_OK, "a", CSA_END_LENGTH },
	/* A reason that is none, and events that say nothing. */
	{ G, GT("a") GE("FINISH_REASON_UNSPECIFIED"),
	  CSA_ERR_PROVIDER_UNAVAILABLE, "a", 0 },
	{ G, GT("a") D("{}") D("{\"usageMetadata\":{}}")
	  D("{\"candidates\":[]}") GT("b") GE("STOP"), CSA_OK, "ab",
	  CSA_END_STOP },
	/* Of old, every event said STOP. */
	{ G, D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
	  "\"finishReason\":\"STOP\"}]}") D("{\"candidates\":[{\"content\":{"
	  "\"parts\":[{\"text\":\"b\"}]},\"finishReason\":\"STOP\"}]}"),
	  CSA_OK, "ab", CSA_END_STOP },
	/* No second answer is glued to the first. */
	{ G, GT("a") D("{\"candidates\":[{\"index\":1,\"content\":{\"parts\":["
	  "{\"text\":\"b\"}]},\"finishReason\":\"MAX_TOKENS\"}]}") GE("STOP"),
	  CSA_OK, "a", CSA_END_STOP },
	{ O, OT("a") D("{\"choices\":[{\"index\":1,\"delta\":{\"content\":"
	  "\"b\"},\"finish_reason\":\"length\"}]}") OE("stop") DONE, CSA_OK,
	  "a", CSA_END_STOP },
	/* The model declines in its own words. */
	{ O, D("{\"choices\":[{\"delta\":{\"refusal\":\"I \"}}]}")
	  D("{\"choices\":[{\"delta\":{\"refusal\":\"can't.\"}}]}")
	  OE("stop") DONE, CSA_OK, "I can't.", CSA_END_FILTER },
	{ O, D("{\"choices\":[{\"delta\":{\"refusal\":\"I \"}}]}"),
	  CSA_ERR_PROVIDER_UNAVAILABLE, "I ", 0 },
	{ O, OT("a") OE("length") DONE, CSA_OK, "a", CSA_END_LENGTH },
	{ O, OE("content_filter"), CSA_OK, "", CSA_END_FILTER },
	{ O, D("{\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0}]},"
	  "\"finish_reason\":\"tool_calls\"}]}"), CSA_OK, "", CSA_END_OTHER },
	/* Of Azure, Mistral, and others. */
	{ O, D("{\"choices\":[],\"prompt_filter_results\":[]}")
	  D("{\"choices\":[{\"index\":0,\"content_filter_offsets\":{}}]}")
	  D("{\"choices\":[{\"delta\":null,\"finish_reason\":\"\"}]}")
	  D("{\"choices\":[{\"delta\":{\"content\":[{\"type\":\"thinking\","
	  "\"thinking\":[]},{\"type\":\"text\",\"text\":\"a\"}]}}]}")
	  D("{\"x_unknown\":1}") OE("stop") DONE, CSA_OK, "a", CSA_END_STOP },
	/* [DONE] without a reason is no end, and what follows it is nothing. */
	{ O, OT("a") DONE, CSA_ERR_PROVIDER_UNAVAILABLE, "a", 0 },
	{ O, OT("a") OE("stop") DONE OT("b") "data: nonsense\n\n", CSA_OK,
	  "a", CSA_END_STOP },
	{ O, OT("a") OE("stop") "data: [DONE]", CSA_OK, "a", CSA_END_STOP },
	{ O, OT("a") OE("stop") "data: [DO", CSA_OK, "a", CSA_END_STOP },
	/* Blank events, names of events, comments, a BOM. */
	{ O, "\xef\xbb\xbf: hi\n\nevent: message\nid: 3\nretry: 10\n" OT("a")
	  "data:\n\n" ":\n\n" OE("stop"), CSA_OK, "a", CSA_END_STOP },
	{ G, "\n\n \r\n" GT("a") GE("STOP"), CSA_OK, "a", CSA_END_STOP },
	/* A text of several data lines. */
	{ O, "data: {\"choices\":[{\"delta\":\ndata: {\"content\":\"a\"}}]}\n\n"
	  OE("stop"), CSA_OK, "a", CSA_END_STOP },

	/* Errors in the middle, in every shape. */
	{ G, GT("a") D("{\"error\":{\"code\":503,\"message\":\"overloaded\","
	  "\"status\":\"UNAVAILABLE\"}}"), CSA_ERR_PROVIDER_BUSY, "a", 0 },
	{ G, GT("a") "{\"error\":{\"code\":500,\"message\":\"sk-secret\","
	  "\"status\":\"INTERNAL\"}}\r\n\r\n", CSA_ERR_PROVIDER_FAULT, "a", 0 },
	{ G, GT("a") "{\n  \"error\": {\n    \"code\": 503\n  }\n}\n",
	  CSA_ERR_PROVIDER_BUSY, "a", 0 },
	{ G, GT("a") D("{\"error\":{\"status\":\"RESOURCE_EXHAUSTED\"}}"),
	  CSA_ERR_PROVIDER_BUSY, "a", 0 },
	{ G, GT("a") D("{\"error\":{\"status\":\"INVALID_ARGUMENT\"}}"),
	  CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ O, OT("a") D("{\"error\":{\"message\":\"x\",\"type\":\"server_error\""
	  ",\"code\":null}}"), CSA_ERR_PROVIDER_FAULT, "a", 0 },
	{ O, OT("a") D("{\"error\":{\"message\":\"x\",\"type\":"
	  "\"rate_limit_exceeded\"}}"), CSA_ERR_PROVIDER_BUSY, "a", 0 },
	{ O, OT("a") D("{\"error\":{\"message\":\"x\",\"type\":"
	  "\"BadRequestError\",\"code\":400}}"), CSA_ERR_PROVIDER_ERROR, "a",
	  0 },
	{ O, OT("a") D("{\"object\":\"error\",\"message\":\"x\",\"code\":503}"),
	  CSA_ERR_PROVIDER_BUSY, "a", 0 },
	{ O, OT("a") D("{\"error\":\"overloaded\"}"), CSA_ERR_PROVIDER_BUSY,
	  "a", 0 },
	{ O, OT("a") D("{\"error\":\"?\"}"), CSA_ERR_PROVIDER_FAULT, "a", 0 },
	{ O, OT("a") "event: error\n" D("{\"message\":\"x\",\"code\":503}"),
	  CSA_ERR_PROVIDER_BUSY, "a", 0 },
	{ O, OT("a") "event: error\ndata: out of memory\n\n",
	  CSA_ERR_PROVIDER_FAULT, "a", 0 },
	{ O, OT("a") "event: error\ndata: out of mem",
	  CSA_ERR_PROVIDER_UNAVAILABLE, "a", 0 },
	{ O, "{\"error\":{\"message\":\"slow down\",\"code\":429}}",
	  CSA_ERR_PROVIDER_BUSY, "", 0 },
	{ G, "[{\"error\":{\"code\":503,\"status\":\"UNAVAILABLE\"}}]",
	  CSA_ERR_PROVIDER_BUSY, "", 0 },
	/* Behind a whole answer nothing is an error any more. */
	{ G, GT("a") GE("STOP") D("{\"error\":{\"code\":500}}"), CSA_OK, "a",
	  CSA_END_STOP },
	{ G, GT("a") GE("STOP") D("nonsense") GT("b"), CSA_OK, "a",
	  CSA_END_STOP },
	{ G, GT("a") GE("STOP") D("{\"candidates\":[{\"content\":{\"parts\":[{"
	  "\"text\":\"b\"},7]}}]}"), CSA_OK, "a", CSA_END_STOP },
	/* Nonsense before it is. */
	{ G, GT("a") D("nonsense"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") D("[]"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") D("{\"candidates\":7}"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") D("{\"candidates\":[{\"content\":{\"parts\":[{\"text\":"
	  "\"b\"},7]}}]}"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") GT("\xff"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") GT("\xc3") GT("\xa9"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") GT("\\ud83d"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ G, GT("a") GT("\\u0000"), CSA_ERR_PROVIDER_ERROR, "a", 0 },
	{ O, D("{\"choices\":[{\"delta\":7}]}"), CSA_ERR_PROVIDER_ERROR, "",
	  0 },
	{ O, D("{\"choices\":{}}"), CSA_ERR_PROVIDER_ERROR, "", 0 },
	{ O, "<html>502</html>", CSA_ERR_PROVIDER_ERROR, "", 0 },
	{ O, "7", CSA_ERR_PROVIDER_ERROR, "", 0 },
	{ O, "", CSA_ERR_PROVIDER_UNAVAILABLE, "", 0 },
	{ O, "\n\n", CSA_ERR_PROVIDER_UNAVAILABLE, "", 0 },
	{ O, ": ping\n\n", CSA_ERR_PROVIDER_UNAVAILABLE, "", 0 },

	/* A proxy that does not stream. */
	{ G, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]},"
	  "\"finishReason\":\"STOP\"}]}", CSA_OK, "a", CSA_END_STOP },
	{ O, " {\n\n\"choices\":[{\"message\":{\"content\":\"a\"},"
	  "\"finish_reason\":\"stop\"}]}\n", CSA_OK, "a", CSA_END_STOP },
	{ G, "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}"
	  ",\r\n{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"b\"}]},"
	  "\"finishReason\":\"STOP\"}]}\n]\n", CSA_OK, "ab", CSA_END_STOP },
	{ G, "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"}]}}]}"
	  "]", CSA_ERR_PROVIDER_UNAVAILABLE, "a", 0 },
	{ G, "[{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"a\"",
	  CSA_ERR_PROVIDER_ERROR, "", 0 },
	{ G, "{}", CSA_OK, "", CSA_END_OTHER },
	{ O, "{}", CSA_ERR_PROVIDER_ERROR, "", 0 },
	{ G, "[]", CSA_ERR_PROVIDER_UNAVAILABLE, "", 0 },
};

START_TEST(reads_any_shape_of_stream)
{
	const struct shape	*c = &shapes[_i];
	size_t			 n = strlen(c->s);
	int			 rc;

	for (size_t at = 0; at <= n; at += stride()) {
		rc = run(c->read, c->s, n, at, n);
		ck_assert_msg(rc == (c->code == CSA_OK ? 0 : -1),
		    "%s\nat %zu: %s", c->s, at, err.detail);
		ck_assert_msg(strcmp(text(), c->text) == 0, "%s\nat %zu: %s",
		    c->s, at, text());
		if (rc == 0) {
			ck_assert_msg(a.ending == c->ending, "%s", c->s);
			continue;
		}
		ck_assert_msg(err.code == c->code, "%s\nat %zu: %s %s", c->s,
		    at, csa_errinfo(err.code)->code, err.detail);
		ck_assert_int_eq(err.source, CSA_SRC_GEMINI);
		ck_assert_ptr_null(strstr(err.detail, "sk-secret"));
	}
}
END_TEST

START_TEST(takes_the_hint_of_an_error_in_the_middle)
{
	static const char	 s[] = GT("a") D("{\"error\":{\"code\":429,"
	    "\"message\":\"slow down\",\"details\":[{\"retryDelay\":\"3.2s\"}]"
	    "}}");

	ck_assert_int_eq(run(G, s, sizeof(s) - 1, 0, 7), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_BUSY);
	ck_assert_int_eq(err.retry_after, 4);
	ck_assert_ptr_nonnull(strstr(err.detail, "slow down"));
	ck_assert_ptr_null(strstr(err.msg, "slow down"));
}
END_TEST

/* ---- bounds ---- */

/* Feed s over and over, n bytes in all at least; the last result. */
static int
flood(struct csa_chat_stream *st, const char *s, size_t n)
{
	size_t	 len = strlen(s);
	int	 rc = 0;

	for (size_t at = 0; rc == 0 && at < n; at += len)
		rc = csa_chat_stream_feed(st, s, len, &err);
	return rc;
}

static const struct { const char *first, *more; } floods[] = {
	{ "data: ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
	{ "data: x\n", "data: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n" },
	{ "event: ", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" },
	{ "{\"a\":[", "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" },
	{ "\n", GT("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx") },
};

START_TEST(stops_where_there_is_no_end)
{
	struct csa_chat_stream	 st;

	csa_chat_stream_init(&st, G, CSA_SRC_GEMINI, "", &a);
	ck_assert_int_eq(flood(&st, floods[_i].first, 1), 0);
	ck_assert_int_eq(flood(&st, floods[_i].more,
	    2 * CSA_STREAM_PLAIN_MAX), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	ck_assert_uint_le(st.sse.line.size + st.sse.data.size +
	    st.sse.name.size + st.plain.size, 2 * CSA_STREAM_PLAIN_MAX);
	csa_chat_stream_fini(&st);
}
END_TEST

/* Comments and empty lines without end cost no memory. */
START_TEST(keeps_nothing_of_what_says_nothing)
{
	struct csa_chat_stream	 st;

	csa_chat_stream_init(&st, G, CSA_SRC_GEMINI, "", &a);
	ck_assert_int_eq(flood(&st, ": ping\n\n\r\n", 4u << 20), 0);
	ck_assert_uint_le(st.sse.line.size + st.sse.data.size, 4096);
	csa_chat_stream_fini(&st);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("chat stream");
	TCase	*tc = tcase_create("chat stream");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, reads_a_stream_however_it_is_cut, 0,
	    CSA_NITEMS(recorded));
	tcase_add_loop_test(tc, knows_a_truncation_at_every_byte, 0,
	    CSA_NITEMS(recorded));
	tcase_add_loop_test(tc, survives_every_wrong_byte, 0,
	    CSA_NITEMS(recorded));
	tcase_add_loop_test(tc, reads_any_shape_of_stream, 0,
	    CSA_NITEMS(shapes));
	tcase_add_test(tc, takes_the_hint_of_an_error_in_the_middle);
	tcase_add_loop_test(tc, stops_where_there_is_no_end, 0,
	    CSA_NITEMS(floods));
	tcase_add_test(tc, keeps_nothing_of_what_says_nothing);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
