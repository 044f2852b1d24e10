/*
 * The same claims against every chat model, whether its answer is streamed or
 * not.  The remote ones talk to the emulator; what it answers says nothing of
 * the real services (see test_chat_stream and test_chat_reply for shapes).
 */

#include "config.h"

#include <check.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/contract/emu_client.h"
#include "tests/contract/model_fixture.h"
#include "tests/contract/provider_faults.h"
#include "tests/suite.h"

START_TEST(a_model_answers)
{
	struct csa_model	*m = open_model(_i / 2);

	ck_assert_msg(ask(m, "How many days do refunds take?", _i % 2) == 0,
	    "%s: %s", err.msg, err.detail);
	ck_assert_int_eq(res.finish, CSA_FINISH_STOP);
	ck_assert_str_eq(csa_finish_name(res.finish), "stop");
	ck_assert_str_ne(res.model, "");
	ck_assert_int_ge(res.total_tokens, res.prompt_tokens +
	    res.completion_tokens);
	if (models[_i / 2].remote) {
		ck_assert_int_gt(res.prompt_tokens, 0);
		ck_assert_int_gt(res.completion_tokens, 0);
	}
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* Whether it is to be streamed or not: all of these come before any text. */
START_TEST(a_model_fails_as_it_should)
{
	const struct fault_case	*c = &faults[_i % NFAULTS];
	int			 which = _i / NFAULTS % 2;
	bool			 streamed = _i / NFAULTS / 2;
	struct csa_model	*m;
	int64_t			 start;

	/*
	 * A stream without anything in it has broken off; test_model_streams
	 * has those that break in the middle.
	 */
	if (streamed && (strstr(c->rule, "\"empty\"") != NULL ||
	    strstr(c->rule, "body\"") != NULL ||
	    strstr(c->rule, "truncate") != NULL))
		return;
	m = open_model(which);
	start = arrange(c);
	ck_assert_int_eq(ask(m, "x", streamed), -1);
	check_failure(c, models[which].source, &err, start);
	ck_assert_uint_eq(heard.len, 0);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(takes_geminis_own_hint)
{
	struct csa_model	*m = open_model(GEMINI);

	emu_fault("\"kind\":\"retryinfo429\",\"retry_delay\":\"3.2s\"");
	ck_assert_int_eq(ask(m, "x", false), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_BUSY);
	ck_assert_int_eq(err.retry_after, 4);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(a_bad_key_is_an_error_of_ours)
{
	struct csa_model	*m;

	emu_config.google_api_key = "wrong-secret";
	emu_config.openai_api_key = "wrong-secret";
	m = open_model(_i);
	ck_assert_int_eq(ask(m, "x", false), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	ck_assert_ptr_null(strstr(err.msg, "secret"));
	ck_assert_ptr_null(strstr(err.detail, "secret"));
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

/* The shapes without text: a plain sentence, one more try, or an error. */
static const struct {
	int		 model;
	const char	*question;
	int		 rc;
	enum csa_finish	 finish;
	size_t		 calls;
} shapes[] = {
	{ 0, "EMU:block", 0, CSA_FINISH_FILTER, 1 },
	{ 0, "EMU:safety", 0, CSA_FINISH_FILTER, 1 },
	{ 0, "EMU:finish=RECITATION", 0, CSA_FINISH_FILTER, 1 },
	{ 0, "EMU:finish=OTHER", -1, 0, 2 },
	{ 0, "EMU:maxtokens", -1, 0, 2 },
	{ 0, "EMU:empty", -1, 0, 2 },
	{ 0, "EMU:toolcall", -1, 0, 2 },
	{ 1, "EMU:block", 0, CSA_FINISH_FILTER, 1 },
	{ 1, "EMU:empty", -1, 0, 2 },
	{ 1, "EMU:maxtokens", -1, 0, 2 },
};

START_TEST(never_gives_a_blank_answer)
{
	bool			 streamed = _i % 2;
	int			 i = _i / 2;
	struct csa_model	*m = open_model(shapes[i].model);

	ck_assert_msg(ask(m, shapes[i].question, streamed) == shapes[i].rc,
	    "%s", shapes[i].question);
	if (shapes[i].rc == 0) {
		ck_assert_int_eq(res.finish, shapes[i].finish);
		ck_assert_ptr_nonnull(strstr(res.text, "declined"));
	} else {
		ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
		ck_assert_uint_eq(heard.len, 0);
	}
	/* Both calls are paid. */
	ck_assert_int_gt(res.prompt_tokens, 0);
	ck_assert_uint_eq(calls(shapes[i].model), shapes[i].calls);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(asks_again_with_more_room_and_less_thinking)
{
	struct csa_model	*m = open_model(GEMINI);
	struct json_object	*log, *o, *g;

	(void)ask(m, "EMU:maxtokens", _i);
	log = emu_log(_i ? "gemini.stream" : "gemini.generate");
	o = emu_request(log, 1);
	ck_assert(json_object_object_get_ex(o, "generationConfig", &g));
	ck_assert(emu_same(g, "{\"maxOutputTokens\":8192,\"temperature\":0.5,"
	    "\"thinkingConfig\":{\"thinkingLevel\":\"LOW\"}}"));
	json_object_put(o);
	json_object_put(log);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(sends_what_the_vendors_sdk_sends_to_generate)
{
	struct csa_model	*m = open_model(GEMINI);
	struct json_object	*log, *o;

	ck_assert_int_eq(ask(m, "why?", false), 0);
	log = emu_log("gemini.generate");
	ck_assert_str_eq(emu_target(log, 0),
	    "/v1beta/models/gemini-3.8-flash:generateContent");
	ck_assert_str_eq(emu_sent_header(log, 0, "x-goog-api-key"),
	    "gk-secret");
	o = emu_request(log, 0);
	ck_assert(emu_same(o, "{\"contents\":[{\"role\":\"user\",\"parts\":[{"
	    "\"text\":\"hello\"}]},{\"role\":\"model\",\"parts\":[{\"text\":"
	    "\"hi\"}]},{\"role\":\"user\",\"parts\":[{\"text\":\"why?\"}]}],"
	    "\"systemInstruction\":{\"parts\":[{\"text\":\"be brief\"}],"
	    "\"role\":\"user\"},\"generationConfig\":{\"maxOutputTokens\":100,"
	    "\"temperature\":0.5}}"));
	json_object_put(o);
	json_object_put(log);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(sends_what_openai_servers_expect_to_chat)
{
	struct csa_model	*m;
	struct json_object	*log, *o;
	struct csa_chat_req	 req = request("why?");

	emu_config.openai_api_key = "";
	emu_config.generative_model_name = "m";
	m = open_model(OPENAI);
	req.temperature = -1;
	req.model = "other";
	/* The emulator wants a key: what matters is what was sent. */
	ck_assert_int_eq(m->ops->generate(m, &emu_ctx, &req, NULL, NULL, &res,
	    &err), -1);
	log = emu_log("openai.chat");
	ck_assert_str_eq(emu_target(log, 0), "/v1/chat/completions");
	ck_assert_ptr_null(emu_sent_header(log, 0, "authorization"));
	o = emu_request(log, 0);
	ck_assert(emu_same(o, "{\"model\":\"other\",\"messages\":[{\"role\":"
	    "\"system\",\"content\":\"be brief\"},{\"role\":\"user\","
	    "\"content\":\"hello\"},{\"role\":\"assistant\",\"content\":\"hi\""
	    "},{\"role\":\"user\",\"content\":\"why?\"}],\"max_tokens\":100}"));
	json_object_put(o);
	json_object_put(log);
	m->ops->close(m);
}
END_TEST

/* Names that would lead to another address or method. */
static const char *const bad_models[] = {
	"a b", "../x", "x:countTokens", "x?key=1", "x#", "/x", "x/", "a//b",
	"é", "x\r\ny",
};

START_TEST(a_callers_model_name_cannot_change_the_address)
{
	struct csa_model	*m = open_model(GEMINI);
	struct csa_chat_req	 req = request("x");
	struct json_object	*log;

	req.model = bad_models[_i];
	ck_assert_int_eq(m->ops->generate(m, &emu_ctx, &req, NULL, NULL, &res,
	    &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	ck_assert_int_eq(err.source, CSA_SRC_CLIENT);
	log = emu_log("*");
	ck_assert_uint_eq(json_object_array_length(log), 0);
	json_object_put(log);
	m->ops->close(m);
}
END_TEST

START_TEST(a_model_that_nobody_knows_is_the_callers_mistake)
{
	struct csa_model	*m = open_model(GEMINI);
	struct csa_chat_req	 req = request("x");

	req.model = "gemini-does-not-exist";
	ck_assert_int_eq(m->ops->generate(m, &emu_ctx, &req, NULL, NULL, &res,
	    &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	m->ops->close(m);
	/* Of the operator, where it is the configured one. */
	emu_config.generative_model_name = "gemini-does-not-exist";
	m = open_model(GEMINI);
	ck_assert_int_eq(ask(m, "x", false), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_ERROR);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

START_TEST(reports_the_model_that_answered)
{
	struct csa_model	*m = open_model(GEMINI);
	struct csa_chat_req	 req = request("x");

	/* Routed silently to its successor. */
	req.model = "gemini-2.5-flash";
	ck_assert_msg(m->ops->generate(m, &emu_ctx, &req, NULL, NULL, &res,
	    &err) == 0, "%s", err.detail);
	ck_assert_str_ne(res.model, "gemini-2.5-flash");
	m->ops->close(m);
}
END_TEST

START_TEST(nobody_there_is_unavailable)
{
	struct csa_model	*m;

	emu_config.google_gemini_base_url = "http://127.0.0.1:1";
	emu_config.openai_base_url = "http://127.0.0.1:1/v1";
	m = open_model(_i);
	ck_assert_int_eq(ask(m, "x", false), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_int_eq(m->ops->probe(m, 200), -1);
	csa_buf_fini(&heard);
	m->ops->close(m);
	emu_config.google_gemini_base_url = emu_url();
	m = open_model(GEMINI);
	ck_assert_int_eq(m->ops->probe(m, 1000), 0);
	m->ops->close(m);
}
END_TEST

/* ---- the failing one ---- */

START_TEST(the_failing_model_fails)
{
	struct csa_model	*m = csa_model_fail_open();

	ck_assert_int_eq(ask(m, "x", _i), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_uint_eq(heard.len, 0);
	ck_assert_int_eq(m->ops->probe(m, 1), -1);
	csa_buf_fini(&heard);
	m->ops->close(m);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("models");
	TCase	*tc = tcase_create("models");
	int	 failed;

	if (emu_start(768) == -1)
		return 77;
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, emu_setup, emu_teardown);
	tcase_add_loop_test(tc, a_model_answers, 0, 2 * NMODELS);
	tcase_add_loop_test(tc, a_model_fails_as_it_should, 0,
	    2 * 2 * NFAULTS);
	tcase_add_test(tc, takes_geminis_own_hint);
	tcase_add_loop_test(tc, a_bad_key_is_an_error_of_ours, 0, 2);
	tcase_add_loop_test(tc, never_gives_a_blank_answer, 0,
	    2 * CSA_NITEMS(shapes));
	tcase_add_loop_test(tc, asks_again_with_more_room_and_less_thinking,
	    0, 2);
	tcase_add_test(tc, sends_what_the_vendors_sdk_sends_to_generate);
	tcase_add_test(tc, sends_what_openai_servers_expect_to_chat);
	tcase_add_loop_test(tc, a_callers_model_name_cannot_change_the_address,
	    0, CSA_NITEMS(bad_models));
	tcase_add_test(tc, a_model_that_nobody_knows_is_the_callers_mistake);
	tcase_add_test(tc, reports_the_model_that_answered);
	tcase_add_loop_test(tc, nobody_there_is_unavailable, 0, 2);
	tcase_add_loop_test(tc, the_failing_model_fails, 0, 2);
	suite_add_tcase(s, tc);
	failed = run_suite(s);
	emu_stop();
	return failed;
}
