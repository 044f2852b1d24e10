/*
 * Answers as they come: what a stream brings and how it may break, against the
 * emulator and against servers that are not like it.
 */

#include "config.h"

#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/provider/provider_script.h"
#include "tests/contract/emu_client.h"
#include "tests/contract/model_fixture.h"
#include "tests/suite.h"

/* So many milliseconds, or more where each takes longer. */
static long
patience(long ms)
{
	return getenv("CSA_VALGRIND") != NULL ? ms * 10 : ms;
}

/* ---- what comes, and when ---- */

START_TEST(gives_the_text_as_it_comes)
{
	struct csa_model	*m = open_model(_i);

	ck_assert_msg(ask(m, "EMU:slow=200 EMU:len=30", true) == 0, "%s",
	    err.detail);
	/* Ten pieces, of which a slow machine may see several at a time. */
	ck_assert_uint_ge(ndeltas, 3);
	/* The first long before the last: they are two seconds apart. */
	ck_assert_int_gt(csa_now_ms() - first_delta, 200);
	ck_assert_int_gt(res.completion_tokens, 0);
	ck_assert_uint_eq(calls(_i), 1);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* hear() looks at each piece. */
START_TEST(gives_whole_characters)
{
	struct csa_model	*m = open_model(_i);

	ck_assert_int_eq(ask(m, "EMU:text=\xe6\x97\xa5\xe6\x9c\xac "
	    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80 caf\xc3\xa9 \"q\" \\ <&>", true),
	    0);
	ck_assert_str_eq(heard.data, "\xe6\x97\xa5\xe6\x9c\xac "
	    "\xf0\x9f\x98\x80\xf0\x9f\x98\x80 caf\xc3\xa9 \"q\" \\ <&>");
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(says_the_same_streamed_and_plain)
{
	static const char *const questions[] = {
		"EMU:len=40", "EMU:len=300", "How many days do refunds take?",
		"EMU:think=50",
	};
	struct csa_model	*m = open_model(_i);
	struct csa_chat_res	 plain;

	for (size_t i = 0; i < CSA_NITEMS(questions); i++) {
		ck_assert_int_eq(ask(m, questions[i], false), 0);
		plain = res;
		ck_assert_int_eq(ask(m, questions[i], true), 0);
		ck_assert_str_eq(res.text, plain.text);
		ck_assert_str_eq(res.model, plain.model);
		ck_assert_int_eq(res.finish, plain.finish);
		ck_assert_int_eq(res.prompt_tokens, plain.prompt_tokens);
		ck_assert_int_eq(res.completion_tokens,
		    plain.completion_tokens);
		ck_assert_int_eq(res.thought_tokens, plain.thought_tokens);
		ck_assert_int_eq(res.cached_tokens, plain.cached_tokens);
		ck_assert_int_eq(res.total_tokens, plain.total_tokens);
	}
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(asks_for_a_stream_as_the_vendors_do)
{
	struct csa_model	*m = open_model(_i);
	struct json_object	*log, *o, *v;

	ck_assert_int_eq(ask(m, "why?", true), 0);
	log = emu_log(models[_i].stream_op);
	o = emu_request(log, 0);
	if (_i == GEMINI) {
		ck_assert_str_eq(emu_target(log, 0), "/v1beta/models/"
		    "gemini-3.8-flash:streamGenerateContent?alt=sse");
		ck_assert(!json_object_object_get_ex(o, "stream", &v));
	} else {
		ck_assert_str_eq(emu_target(log, 0), "/v1/chat/completions");
		ck_assert(json_object_object_get_ex(o, "stream", &v));
		ck_assert(json_object_get_boolean(v));
		ck_assert(json_object_object_get_ex(o, "stream_options", &v));
		ck_assert(emu_same(v, "{\"include_usage\":true}"));
	}
	json_object_put(o);
	json_object_put(log);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* ---- how it breaks ---- */

static const struct broken {
	const char	*rule;
	enum csa_errcode gemini, openai;	/* CSA_OK: it is whole */
	bool		 heard;			/* before it broke */
	long		 ms;			/* deadline; 0: plenty */
} broken[] = {
	{ "\"kind\":\"error_midstream\"", CSA_ERR_PROVIDER_BUSY,
	  CSA_ERR_PROVIDER_FAULT, true, 0 },
	{ "\"kind\":\"error_midstream_bare\"", CSA_ERR_PROVIDER_BUSY,
	  CSA_ERR_PROVIDER_FAULT, true, 0 },
	{ "\"kind\":\"cut_midstream\"", CSA_ERR_PROVIDER_UNAVAILABLE,
	  CSA_ERR_PROVIDER_UNAVAILABLE, true, 0 },
	{ "\"kind\":\"hang_midstream\"", CSA_ERR_DEADLINE, CSA_ERR_DEADLINE,
	  true, 1500 },
	{ "\"kind\":\"truncate\",\"at\":1500", CSA_ERR_PROVIDER_UNAVAILABLE,
	  CSA_ERR_PROVIDER_UNAVAILABLE, true, 0 },
	{ "\"kind\":\"truncate\",\"at\":3", CSA_ERR_PROVIDER_UNAVAILABLE,
	  CSA_ERR_PROVIDER_UNAVAILABLE, false, 0 },
	{ "\"kind\":\"reset_midbody\",\"at\":1500",
	  CSA_ERR_PROVIDER_UNAVAILABLE, CSA_ERR_PROVIDER_UNAVAILABLE, true, 0 },
	{ "\"kind\":\"hang_midbody\",\"at\":1500", CSA_ERR_DEADLINE,
	  CSA_ERR_DEADLINE, true, 1500 },
	{ "\"kind\":\"empty\"", CSA_ERR_PROVIDER_UNAVAILABLE,
	  CSA_ERR_PROVIDER_UNAVAILABLE, false, 0 },
	{ "\"kind\":\"bad_utf8\"", CSA_ERR_PROVIDER_ERROR,
	  CSA_ERR_PROVIDER_ERROR, false, 0 },
	/* Only [DONE] is missing at OpenAI, the end itself at Gemini. */
	{ "\"kind\":\"no_end\"", CSA_ERR_PROVIDER_UNAVAILABLE, CSA_OK, true,
	  0 },
	{ "\"kind\":\"no_blank\"", CSA_OK, CSA_OK, true, 0 },
	{ "\"kind\":\"wrong_ctype\"", CSA_OK, CSA_OK, true, 0 },
	{ "\"kind\":\"close_after\"", CSA_OK, CSA_OK, true, 0 },
	{ "\"kind\":\"drip\",\"step\":1,\"chunk_delay_ms\":0", CSA_OK, CSA_OK,
	  true, 0 },
	{ "\"kind\":\"drip\",\"step\":7,\"chunk_delay_ms\":0", CSA_OK, CSA_OK,
	  true, 0 },
};
#define NBROKEN	((int)CSA_NITEMS(broken))

START_TEST(breaks_as_it_should)
{
	const struct broken	*c = &broken[_i % NBROKEN];
	int			 which = _i / NBROKEN;
	enum csa_errcode	 code = which == GEMINI ? c->gemini : c->openai;
	struct csa_model	*m = open_model(which);
	static const char	 question[] = "EMU:slow=5 EMU:len=25";
	char			*all;
	int			 rc;

	ck_assert_int_eq(ask(m, question, true), 0);
	all = csa_strdup(res.text);
	emu_fault(c->rule);
	if (c->ms > 0)
		emu_ctx.deadline = csa_now_ms() + patience(c->ms);
	rc = ask(m, question, true);
	ck_assert_msg(rc == (code == CSA_OK ? 0 : -1), "%s: %s", c->rule,
	    err.detail);
	if (rc == -1)
		ck_assert_msg(err.code == code, "%s: %s %s", c->rule,
		    csa_errinfo(err.code)->code, err.detail);
	/* What comes in one piece with its error is not given out. */
	ck_assert_msg((heard.len > 0) == c->heard ||
	    strstr(c->rule, "error_midstream") != NULL, "%s: %s", c->rule,
	    heard.data);
	/* What was given out is the beginning of the answer, or all of it. */
	if (heard.len > 0)
		ck_assert_int_eq(strncmp(all, heard.data, heard.len), 0);
	if (rc == 0)
		ck_assert_uint_eq(heard.len, strlen(all));
	/* And it is paid. */
	if (heard.len > 0) {
		ck_assert_int_gt(res.prompt_tokens, 0);
		ck_assert_int_gt(res.completion_tokens, 0);
		ck_assert_str_ne(res.model, "");
	}
	ck_assert_uint_eq(calls(which), 2);
	free(all);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* Nobody listens: the call upstream ends before generate returns. */
START_TEST(leaves_at_once_and_says_what_it_cost)
{
	struct csa_model	*m = open_model(_i);
	struct json_object	*o, *d, *v;
	int64_t			 start = csa_now_ms(), left;

	leave_after = 3;
	ck_assert_int_eq(ask(m, "EMU:slow=30 EMU:len=90", true), -1);
	left = csa_now_ms();
	leave_after = 0;
	ck_assert_int_eq(err.code, CSA_ERR_CANCELLED);
	ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
	ck_assert_uint_eq(ndeltas, 3);
	ck_assert_int_lt(left - start, patience(2500));	/* not all of it */
	ck_assert_int_gt(res.prompt_tokens, 0);
	ck_assert_int_gt(res.completion_tokens, 0);
	ck_assert_int_lt(res.completion_tokens, 60);
	for (int i = 0; i < 1000; i++) {
		o = emu_stats();
		ck_assert(json_object_object_get_ex(o, "disconnects", &d));
		ck_assert(json_object_object_get_ex(d, "count", &v));
		if (json_object_get_int(v) > 0)
			break;
		json_object_put(o);
		usleep(5000);
	}
	ck_assert_int_eq(json_object_get_int(v), 1);
	ck_assert(json_object_object_get_ex(d, "last_ms", &v));
	ck_assert_int_lt(json_object_get_int64(v) - left, patience(1500));
	json_object_put(o);
	ck_assert_uint_eq(calls(_i), 1);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* ---- other servers ---- */

#define HEAD(status, type)	"HTTP/1.1 " status "\r\nContent-Type: " type \
				"\r\nConnection: close\r\n\r\n"
#define STREAM		HEAD("200 OK", "text/event-stream")
#define JSON		HEAD("200 OK", "application/json")
#define ONE(text)	"data: {\"choices\":[{\"delta\":{\"content\":\"" text \
			"\"}}]}\n\n"
#define STOP		"data: {\"choices\":[{\"delta\":{},\"finish_reason\":" \
			"\"stop\"}]}\n\n"
#define DONE		"data: [DONE]\n\n"
#define NO_OPTIONS	HEAD("400 Bad Request", "application/json") \
			"{\"error\":{\"message\":\"Unrecognized request " \
			"argument supplied: stream_options\",\"type\":" \
			"\"invalid_request_error\"}}"
#define BLANK		"data: {\"choices\":[{\"delta\":{\"content\":" \
			"\" \\n\\u200b\"},\"finish_reason\":\"stop\"}]}\n\n"

/* What is answered to the first, second and third call; a + at its end: and
 * the connection stays open. */
static const struct server {
	const char	*says[3];
	enum csa_errcode code;
	const char	*text;
	long		 prompt, completion;
	long		 ms;		/* at most */
} servers[] = {
	/* A proxy that does not stream. */
	{ { JSON "{\"choices\":[{\"message\":{\"content\":\"hi\"},"
	  "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,"
	  "\"completion_tokens\":1}}" }, CSA_OK, "hi", 5, 1, 2000 },
	/* No usage: estimated, of 8 + 5 + 2 + 1 bytes asked. */
	{ { STREAM ONE("hello") ONE(" you") STOP DONE }, CSA_OK, "hello you",
	  4, 3, 2000 },
	/* It closes late, or never. */
	{ { STREAM ONE("hi") STOP DONE "+" }, CSA_OK, "hi", 4, 1, 2000 },
	/* No stream_options here. */
	{ { NO_OPTIONS, STREAM ONE("hi") STOP }, CSA_OK, "hi", 4, 1, 2000 },
	{ { NO_OPTIONS, NO_OPTIONS }, CSA_ERR_PROVIDER_ERROR, "", 0, 0, 2000 },
	/* Blank answers are asked for again, and never given out. */
	{ { STREAM BLANK DONE, STREAM ONE("hi") STOP }, CSA_OK, "hi", 8, 3,
	  2000 },
	{ { STREAM BLANK DONE, STREAM BLANK DONE }, CSA_ERR_PROVIDER_ERROR, "",
	  8, 4, 2000 },
	/* But before a text they belong to it. */
	{ { STREAM ONE("\\n") ONE(" ") ONE("hi ") STOP }, CSA_OK, "\n hi ", 4,
	  2, 2000 },
	/* Nothing was given out, but it is no blank answer either. */
	{ { STREAM ONE("\\n") }, CSA_ERR_PROVIDER_UNAVAILABLE, "", 4, 1, 2000 },
	{ { HEAD("200 OK", "text/html") "<html>no</html>" },
	  CSA_ERR_PROVIDER_ERROR, "", 4, 0, 2000 },
	/* An error status whose body never ends. */
	{ { HEAD("503 Unavailable", "text/event-stream") "{\"error\":{" "+" },
	  CSA_ERR_PROVIDER_BUSY, "", 0, 0, 8000 },
	{ { HEAD("429 Slow", "application/json") "{\"error\":{\"message\":"
	  "\"x\",\"details\":[{\"retryDelay\":\"7s\"}]}}" },
	  CSA_ERR_PROVIDER_BUSY, "", 0, 0, 2000 },
};

static void
answer(int fd, const char *says)
{
	size_t	 n = strlen(says);
	bool	 stay = says[n - 1] == '+';
	char	 in[8192];
	ssize_t	 k, got = 0;

	/* The body is short and comes with, or right after, the head. */
	while ((k = read(fd, in + got, sizeof(in) - 1 - (size_t)got)) > 0) {
		got += k;
		in[got] = '\0';
		if (strstr(in, "\r\n\r\n{") != NULL && in[got - 1] == '}')
			break;
	}
	if (write(fd, says, n - stay) == -1)
		_exit(1);
	while (stay && read(fd, in, sizeof(in)) > 0)
		;
	close(fd);
}

/* A child that answers so, one connection after the other. */
static pid_t
serve(const struct server *c, char *base, size_t size)
{
	struct sockaddr_in	 sin = { .sin_family = AF_INET };
	socklen_t		 len = sizeof(sin);
	int			 s = socket(AF_INET, SOCK_STREAM, 0), fd;
	pid_t			 pid;

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(s, (struct sockaddr *)&sin, len), 0);
	ck_assert_int_eq(listen(s, 8), 0);
	ck_assert_int_eq(getsockname(s, (struct sockaddr *)&sin, &len), 0);
	snprintf(base, size, "http://127.0.0.1:%d/v1", ntohs(sin.sin_port));
	if ((pid = fork()) == 0) {
		alarm(30);
		for (int i = 0; i < 3 && c->says[i] != NULL; i++)
			if ((fd = accept(s, NULL, NULL)) != -1)
				answer(fd, c->says[i]);
		_exit(0);
	}
	close(s);
	return pid;
}

START_TEST(gets_on_with_other_servers)
{
	const struct server	*c = &servers[_i];
	struct csa_model	*m;
	char			 base[64];
	pid_t			 pid = serve(c, base, sizeof(base));
	int64_t			 start;
	int			 rc;

	emu_config.openai_base_url = base;
	emu_config.generative_model_name = "m";
	m = open_model(OPENAI);
	emu_ctx.deadline = csa_now_ms() + patience(3000);
	start = csa_now_ms();
	rc = ask(m, "x", true);
	ck_assert_msg(rc == (c->code == CSA_OK ? 0 : -1), "%s", err.detail);
	ck_assert_int_lt(csa_now_ms() - start, patience(c->ms));
	if (rc == -1)
		ck_assert_msg(err.code == c->code, "%s: %s",
		    csa_errinfo(err.code)->code, err.detail);
	if (err.code == CSA_ERR_PROVIDER_BUSY && c->ms < 3000)
		ck_assert_int_eq(err.retry_after, 7);
	ck_assert_str_eq(heard.len > 0 ? heard.data : "", c->text);
	ck_assert_int_eq(res.prompt_tokens, c->prompt);
	ck_assert_int_eq(res.completion_tokens, c->completion);
	csa_buf_fini(&heard);
	m->ops->close(m);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}
END_TEST

/* ---- the local ones ---- */

START_TEST(plays_a_script_in_pieces)
{
	static const struct csa_script_answer	 a[] = {
		{ .text = "ab\xe6\x97\xa5" "cd", .piece = 3 },
		{ .text = "abcdef", .piece = 2, .delay_ms = 30 },
		{ .text = "abcdef", .piece = 2, .error = CSA_ERR_PROVIDER_FAULT,
		  .fail_after = 2 },
		{ .text = "abcdef", .error = CSA_ERR_PROVIDER_BUSY },
		{ .text = "abcdef", .piece = 1, .delay_ms = 900 },
	};
	struct csa_model	*m = csa_model_script_open(a, CSA_NITEMS(a));
	int64_t			 start;

	/* 2 + 3 + 2 bytes: no character is cut. */
	ck_assert_int_eq(ask(m, "x", true), 0);
	ck_assert_uint_eq(ndeltas, 3);
	start = csa_now_ms();
	ck_assert_int_eq(ask(m, "x", true), 0);
	ck_assert_uint_eq(ndeltas, 3);
	ck_assert_int_ge(csa_now_ms() - start, 90);
	ck_assert_int_eq(ask(m, "x", true), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_FAULT);
	ck_assert_str_eq(heard.data, "abcd");
	ck_assert_int_eq(res.completion_tokens, 4);
	ck_assert_int_eq(ask(m, "x", true), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_BUSY);
	ck_assert_uint_eq(heard.len, 0);
	ck_assert_int_eq(res.total_tokens, 0);
	emu_ctx.deadline = csa_now_ms() + 1400;
	ck_assert_int_eq(ask(m, "x", true), -1);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert_str_eq(heard.data, "a");
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(quotes_sentence_by_sentence)
{
	struct csa_model	*m = open_model(EXTRACTIVE);

	passage("Refunds take 30 days. Bananas are yellow. Refunds of bananas "
	    "take 3 days.");
	ck_assert_int_eq(ask(m, "How many days do refunds take?", true), 0);
	ck_assert_uint_eq(ndeltas, 3);
	ck_assert_ptr_nonnull(strstr(heard.data, "30 days. [1] Bananas"));
	ck_assert_int_eq(ask(m, "What do zebras and giraffes eat?", true), 0);
	ck_assert(res.unknown);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(ends_when_nobody_listens)
{
	struct csa_model	*m = open_model(_i);

	leave_after = 1;
	ck_assert_int_eq(ask(m, "How many days do refunds take?", true), -1);
	leave_after = 0;
	ck_assert_int_eq(err.code, CSA_ERR_CANCELLED);
	ck_assert_uint_eq(ndeltas, 1);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("model streams");
	TCase	*tc = tcase_create("model streams");
	int	 failed;

	if (emu_start(768) == -1)
		return 77;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, emu_setup, emu_teardown);
	tcase_add_loop_test(tc, gives_the_text_as_it_comes, 0, 2);
	tcase_add_loop_test(tc, gives_whole_characters, 0, 2);
	tcase_add_loop_test(tc, says_the_same_streamed_and_plain, 0, 2);
	tcase_add_loop_test(tc, asks_for_a_stream_as_the_vendors_do, 0, 2);
	tcase_add_loop_test(tc, breaks_as_it_should, 0, 2 * NBROKEN);
	tcase_add_loop_test(tc, leaves_at_once_and_says_what_it_cost, 0, 2);
	tcase_add_loop_test(tc, gets_on_with_other_servers, 0,
	    CSA_NITEMS(servers));
	tcase_add_test(tc, plays_a_script_in_pieces);
	tcase_add_test(tc, quotes_sentence_by_sentence);
	tcase_add_loop_test(tc, ends_when_nobody_listens, 0, NMODELS);
	suite_add_tcase(s, tc);
	failed = run_suite(s);
	emu_stop();
	return failed;
}
