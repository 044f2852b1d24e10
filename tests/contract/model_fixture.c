#include "config.h"

#include <check.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/provider/provider_script.h"
#include "lib/text/utf8.h"
#include "tests/contract/emu_client.h"
#include "tests/contract/model_fixture.h"

struct csa_err		 err;
struct csa_chat_res	 res;
struct csa_buf		 heard;
unsigned		 ndeltas, leave_after;
int64_t			 first_delta;

static struct csa_model *
model_gemini(void)
{
	return csa_model_gemini_open(&emu_config, emu_http, &err);
}

static struct csa_model *
model_openai(void)
{
	return csa_model_openai_open(&emu_config, emu_http, &err);
}

static struct csa_model *
model_script(void)
{
	static const struct csa_script_answer	 answer = {
		.text = "scripted \xe6\x97\xa5\xe6\x9c\xac", .piece = 5 };

	return csa_model_script_open(&answer, 1);
}

static struct csa_model *
model_extractive(void)
{
	return csa_model_extractive_open(&emu_config);
}

const struct model_case	 models[NMODELS] = {
	[GEMINI] = { model_gemini, CSA_SRC_GEMINI, true, "gemini.generate",
	    "gemini.stream" },
	[OPENAI] = { model_openai, CSA_SRC_OPENAI, true, "openai.chat",
	    "openai.chat" },
	[SCRIPT] = { model_script, CSA_SRC_AGENT, false, NULL, NULL },
	[EXTRACTIVE] = { model_extractive, CSA_SRC_AGENT, false, NULL, NULL },
};

struct csa_model *
open_model(int i)
{
	struct csa_model	*m = models[i].open();

	ck_assert_msg(m != NULL, "%s", err.msg);
	return m;
}

static const char	*text = "Refunds take 30 days.";

void
passage(const char *s)
{
	text = s;
}

struct csa_chat_req
request(const char *question)
{
	static struct csa_message	 m[4];
	static struct csa_passage	 p;

	m[0] = (struct csa_message){ CSA_ROLE_USER, "hello", 5, false };
	m[1] = (struct csa_message){ CSA_ROLE_ASSISTANT, "hi", 2, false };
	/* The last turn in two pieces, as prompts are. */
	m[2] = (struct csa_message){ CSA_ROLE_USER, question,
	    strlen(question) / 2, true };
	m[3] = (struct csa_message){ CSA_ROLE_USER, question + m[2].len,
	    strlen(question) - m[2].len, false };
	p.chunk.id = "c";
	p.chunk.text = text;
	p.chunk.len = strlen(p.chunk.text);
	return (struct csa_chat_req){ .system = "be brief", .messages = m,
	    .nmessages = 4, .temperature = .5, .max_output_tokens = 100,
	    .question = question, .passages = &p, .npassages = 1 };
}

static int
hear(void *arg, const char *s, size_t n)
{
	ck_assert_ptr_eq(arg, &heard);
	ck_assert_uint_gt(n, 0);
	ck_assert(csa_utf8_valid(s, n, NULL));
	if (ndeltas == 0) {
		first_delta = csa_now_ms();
		ck_assert(!csa_utf8_blank(s, n));
	}
	csa_buf_add(&heard, s, n);
	return ++ndeltas == leave_after ? -1 : 0;
}

int
ask(struct csa_model *m, const char *question, bool streamed)
{
	struct csa_chat_req	 req = request(question);
	int			 rc;

	csa_buf_fini(&heard);
	csa_buf_init(&heard, 1 << 20);
	ndeltas = 0;
	memset(&err, 0, sizeof(err));
	rc = m->ops->generate(m, &emu_ctx, &req, streamed ? hear : NULL,
	    streamed ? &heard : NULL, &res, &err);
	if (rc == 0) {
		ck_assert_uint_eq(strlen(res.text), res.len);
		ck_assert(!csa_utf8_blank(res.text, res.len));
		if (streamed)
			ck_assert_str_eq(heard.data, res.text);
	}
	return rc;
}

size_t
calls(int i)
{
	struct json_object	*log = emu_log(models[i].op);
	size_t			 n = json_object_array_length(log);

	json_object_put(log);
	if (strcmp(models[i].op, models[i].stream_op) == 0)
		return n;
	log = emu_log(models[i].stream_op);
	n += json_object_array_length(log);
	json_object_put(log);
	return n;
}
