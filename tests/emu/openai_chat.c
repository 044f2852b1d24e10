#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/openai.h"
#include "tests/emu/tools.h"
#include "tests/emu/words.h"

struct chat {
	struct emu_req	*rq;
	struct emu_prompt prompt;
	struct emu_answer answer;
	const char	*model, *finish;
	bool		 usage;		/* a chunk of its own at the end */
	bool		 tool_reply;
	long		 n, max_tokens, reasoning;
	long		 created;
	char		 id[40];
};

/* content: a string, null, or an array of parts. */
static int
read_content(struct chat *c, struct json_object *content, const char *role,
    size_t at)
{
	struct emu_buf text = { NULL, 0, 0 };
	const char *t;
	size_t i;

	if (json_object_is_type(content, json_type_string)) {
		emu_prompt_add(&c->prompt, role,
		    json_object_get_string(content),
		    (size_t)json_object_get_string_len(content));
		return 0;
	}
	if (content == NULL)
		return 0;
	if (!json_object_is_type(content, json_type_array))
		return emu_openai_fail(c->rq, 400, NULL, "messages", "Invalid "
		    "type for 'messages[%zu].content': expected one of a string"
		    " or array of objects", at);
	for (i = 0; i < json_object_array_length(content); i++) {
		t = emu_oai_str(json_object_array_get_idx(content, i), "text");
		if (t != NULL)
			emu_buf_adds(&text, t);
		else
			c->prompt.text_bytes += 85 * 4;
	}
	emu_prompt_add(&c->prompt, role, text.p != NULL ? text.p : "",
	    text.len);
	emu_buf_fini(&text);
	return 0;
}

static int
read_message(struct chat *c, struct json_object *m, size_t at)
{
	static const char roles[] =
	    " developer system user assistant tool function ";
	const char *role = emu_oai_str(m, "role"), *s;
	struct json_object *calls = emu_oai_get(m, "tool_calls");
	char padded[32];

	(void)snprintf(padded, sizeof(padded), " %s ",
	    role != NULL ? role : "?");
	if (strstr(roles, padded) == NULL)
		return emu_openai_fail(c->rq, 400, NULL, "messages",
		    "Invalid value for 'messages[%zu].role'", at);
	if (strcmp(role, "developer") == 0)
		role = "system";
	c->tool_reply = strcmp(role, "tool") == 0;
	if (calls != NULL) {
		s = json_object_to_json_string_ext(calls,
		    JSON_C_TO_STRING_PLAIN);
		emu_prompt_add(&c->prompt, "call", s, strlen(s));
	} else if (emu_oai_get(m, "content") == NULL) {
		return emu_openai_fail(c->rq, 400, NULL, "messages",
		    "Invalid value for 'messages[%zu].content': expected a "
		    "string, got null.", at);
	}
	return read_content(c, emu_oai_get(m, "content"), role, at);
}

static int
number(struct chat *c, const char *name, double min, double max, double *out)
{
	struct json_object *v = emu_oai_get(c->rq->json, name);

	if (v == NULL)
		return 0;
	if (!json_object_is_type(v, json_type_int) &&
	    !json_object_is_type(v, json_type_double))
		return emu_openai_fail(c->rq, 400, "invalid_type", name,
		    "Invalid type for '%s': expected a number.", name);
	*out = json_object_get_double(v);
	if (*out >= min && *out <= max)
		return 0;
	return emu_openai_fail(c->rq, 400, NULL, name,
	    "Invalid '%s': must be between %g and %g.", name, min, max);
}

static int
read_options(struct chat *c)
{
	double n = 1, max = -1, x;

	if (number(c, "temperature", 0, 2, &x) == -1 ||
	    number(c, "top_p", 0, 1, &x) == -1 ||
	    number(c, "n", 1, 128, &n) == -1 ||
	    number(c, "max_tokens", 1, 1e7, &max) == -1 ||
	    number(c, "max_completion_tokens", 1, 1e7, &max) == -1)
		return -1;
	c->n = n > 8 ? 8 : (long)n;
	c->max_tokens = (long)max;
	c->usage = json_object_get_boolean(emu_oai_get(emu_oai_get(
	    c->rq->json, "stream_options"), "include_usage"));
	return 0;
}

static int
read_request(struct chat *c)
{
	struct json_object *messages, *tools;
	const char *why;
	size_t i;

	if (emu_json_parse(c->rq, EMU_STRICT, &why) == -1)
		return emu_openai_fail(c->rq, 400, NULL, NULL, "We could not "
		    "parse the JSON body of your request: %s", why);
	c->model = emu_oai_str(c->rq->json, "model");
	if (emu_oai_model(c->rq, c->model) == -1 || read_options(c) == -1)
		return -1;
	messages = emu_oai_get(c->rq->json, "messages");
	if (!json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0)
		return emu_openai_fail(c->rq, 400, NULL, "messages",
		    "Invalid 'messages': empty array. Expected an array with "
		    "minimum length 1.");
	for (i = 0; i < json_object_array_length(messages); i++)
		if (read_message(c, json_object_array_get_idx(messages, i),
		    i) == -1)
			return -1;
	if ((tools = emu_oai_get(c->rq->json, "tools")) != NULL)
		c->prompt.text_bytes += strlen(json_object_to_json_string_ext(
		    tools, JSON_C_TO_STRING_PLAIN));
	return 0;
}

static struct json_object *
function(struct chat *c, long i)
{
	struct json_object *tools = emu_oai_get(c->rq->json, "tools");
	size_t n;

	if (!json_object_is_type(tools, json_type_array) ||
	    (n = json_object_array_length(tools)) == 0)
		return NULL;
	return emu_oai_get(json_object_array_get_idx(tools, (size_t)i % n),
	    "function");
}

/* Text that fits response_format, stops, and the limit of tokens. */
static void
shape_text(struct chat *c)
{
	struct json_object *rf = emu_oai_get(c->rq->json, "response_format");
	const char *type = emu_oai_str(rf, "type"), *stop;
	struct emu_buf *t = &c->answer.text, b = { NULL, 0, 0 };
	char *cut;

	if (type != NULL && strncmp(type, "json", 4) == 0 &&
	    (t->len == 0 || t->p[0] != '{')) {
		rf = emu_oai_get(emu_oai_get(rf, "json_schema"), "schema");
		if (rf != NULL) {
			emu_schema_value(&b, rf, t->p);
		} else {
			emu_buf_adds(&b, "{\"answer\":");
			emu_buf_json(&b, t->p, t->len);
			emu_buf_adds(&b, "}");
		}
		emu_buf_fini(t);
		*t = b;
	}
	stop = emu_oai_str(c->rq->json, "stop");
	if (stop != NULL && stop[0] != '\0' &&
	    (cut = strstr(t->p, stop)) != NULL) {
		*cut = '\0';
		t->len = (size_t)(cut - t->p);
	}
	if (c->max_tokens > 0 &&
	    emu_answer_cut(&c->answer, (size_t)c->max_tokens))
		c->finish = "length";
}

/* OpenAI has no blocked prompt: that too is a content_filter with no text. */
static void
choose(struct chat *c)
{
	struct emu_answer *a = &c->answer;

	emu_answer(&c->prompt, a);
	c->rq->plan.delay_ms += a->delay_ms;
	c->rq->rep.stamp = a->stamp;
	c->finish = "stop";
	if (a->shape == EMU_TOOL_CALL && (c->tool_reply ||
	    function(c, 0) == NULL)) {
		a->shape = EMU_TEXT;
		emu_buf_adds(&a->text, c->tool_reply ?
		    "The tool has answered." : "There is no tool to call.");
	}
	switch (a->shape) {
	case EMU_TEXT:
		shape_text(c);
		break;
	case EMU_TOOL_CALL:
		c->finish = "tool_calls";
		break;
	case EMU_ATE_BUDGET:
		c->finish = "length";
		break;
	case EMU_BLOCKED_PROMPT:
	case EMU_BLOCKED_ANSWER:
		c->finish = "content_filter";
		break;
	case EMU_NO_TEXT:
		break;
	}
	if (a->finish[0] != '\0')
		c->finish = a->finish;
	c->reasoning = a->thoughts > 0 ? a->thoughts :
	    a->shape == EMU_ATE_BUDGET ? 64 : 0;
}

static void
write_usage(struct chat *c)
{
	long in = (long)emu_tokens(c->prompt.text_bytes), out = c->reasoning;

	if (c->answer.shape == EMU_TEXT)
		out += (long)emu_tokens(c->answer.text.len) * c->n;
	else if (c->answer.shape == EMU_TOOL_CALL)
		out += 12 * c->answer.ntools;
	emu_buf_addf(&c->rq->rep.body, "\"usage\":{\"prompt_tokens\":%ld,"
	    "\"completion_tokens\":%ld,\"total_tokens\":%ld,"
	    "\"prompt_tokens_details\":{\"cached_tokens\":0},"
	    "\"completion_tokens_details\":{\"reasoning_tokens\":%ld}}", in,
	    out, in + out, c->reasoning);
}

static void
write_call(struct chat *c, struct emu_buf *b, long i, bool index)
{
	struct json_object *f = function(c, i);
	struct emu_buf args = { NULL, 0, 0 };

	emu_buf_adds(b, i == 0 ? "{" : ",{");
	if (index)
		emu_buf_addf(b, "\"index\":%ld,", i);
	emu_buf_addf(b, "\"id\":\"call_%s_%ld\",\"type\":\"function\","
	    "\"function\":{\"name\":", c->id + 9, i);
	emu_buf_jsons(b, emu_oai_str(f, "name") != NULL ?
	    emu_oai_str(f, "name") : "unnamed");
	emu_schema_value(&args, emu_oai_get(f, "parameters"), "emulated");
	emu_buf_adds(b, ",\"arguments\":");
	emu_buf_json(b, args.p, args.len);
	emu_buf_adds(b, "}}");
	emu_buf_fini(&args);
}

static void
write_calls(struct chat *c, bool index)
{
	struct emu_buf *b = &c->rq->rep.body;
	long i;

	emu_buf_adds(b, "\"tool_calls\":[");
	for (i = 0; i < c->answer.ntools && i < 16; i++)
		write_call(c, b, i, index);
	emu_buf_adds(b, "]");
}

static void
write_head(struct chat *c, const char *object)
{
	struct emu_buf *b = &c->rq->rep.body;

	emu_buf_addf(b, "{\"id\":\"%s\",\"object\":\"%s\",\"created\":%ld,"
	    "\"model\":", c->id, object, c->created);
	emu_buf_jsons(b, c->model);
	emu_buf_adds(b, ",\"system_fingerprint\":\"fp_emulator\",");
}

static void
plain(struct chat *c)
{
	struct emu_buf *b = &c->rq->rep.body;
	long i;

	emu_reply_json(c->rq, 200);
	write_head(c, "chat.completion");
	emu_buf_adds(b, "\"choices\":[");
	for (i = 0; i < c->n; i++) {
		emu_buf_addf(b, "%s{\"index\":%ld,\"message\":{\"role\":"
		    "\"assistant\",\"content\":", i == 0 ? "" : ",", i);
		if (c->answer.shape == EMU_TEXT)
			emu_buf_json(b, c->answer.text.p, c->answer.text.len);
		else
			emu_buf_adds(b, "null");
		emu_buf_adds(b, ",\"refusal\":null");
		if (c->answer.shape == EMU_TOOL_CALL) {
			emu_buf_adds(b, ",");
			write_calls(c, false);
		}
		emu_buf_addf(b, "},\"logprobs\":null,\"finish_reason\":\"%s\"}",
		    c->finish);
	}
	emu_buf_adds(b, "],");
	write_usage(c);
	emu_buf_adds(b, "}");
}

/* One event; delta is what stands inside the braces. */
static void
event(struct chat *c, const char *delta, const char *text, size_t len,
    const char *finish)
{
	struct emu_buf *b = &c->rq->rep.body;
	long i;

	emu_buf_adds(b, "data: ");
	write_head(c, "chat.completion.chunk");
	emu_buf_adds(b, "\"choices\":[");
	for (i = 0; i < c->n; i++) {
		emu_buf_addf(b, "%s{\"index\":%ld,\"delta\":{%s",
		    i == 0 ? "" : ",", i, delta);
		if (text != NULL)
			emu_buf_json(b, text, len);
		else if (strcmp(delta, "\"content\":null,") == 0)
			write_calls(c, true);
		emu_buf_adds(b, "},\"logprobs\":null,\"finish_reason\":");
		if (finish != NULL)
			emu_buf_jsons(b, finish);
		else
			emu_buf_adds(b, "null");
		emu_buf_adds(b, "}");
	}
	emu_buf_addf(b, "]%s}\n\n", c->usage ? ",\"usage\":null" : "");
	emu_reply_piece(c->rq);
}

static void
end_stream(struct chat *c)
{
	struct emu_reply *rep = &c->rq->rep;
	size_t i;

	if (c->usage) {
		emu_buf_adds(&rep->body, "data: ");
		write_head(c, "chat.completion.chunk");
		emu_buf_adds(&rep->body, "\"choices\":[],");
		write_usage(c);
		emu_buf_adds(&rep->body, "}\n\n");
		emu_reply_piece(c->rq);
	}
	emu_buf_adds(&rep->body, "data: [DONE]\n\n");
	emu_reply_piece(c->rq);
	for (i = 1; i < rep->npieces; i++)
		rep->piece[i].delay_ms += c->answer.chunk_delay_ms;
}

static void
stream(struct chat *c)
{
	const struct emu_buf *t = &c->answer.text;
	size_t from = 0, to;

	emu_reply(c->rq, 200, "text/event-stream; charset=utf-8");
	c->rq->rep.stream = true;
	event(c, "\"role\":\"assistant\",\"content\":\"\",\"refusal\":null",
	    NULL, 0, NULL);
	for (; c->answer.shape == EMU_TEXT && from < t->len; from = to) {
		to = emu_answer_step(&c->answer, from);
		event(c, "\"content\":", t->p + from, to - from, NULL);
	}
	if (c->answer.shape == EMU_TOOL_CALL)
		event(c, "\"content\":null,", NULL, 0, NULL);
	event(c, "", NULL, 0, c->finish);
	end_stream(c);
}

void
emu_oai_chat(struct emu_req *rq)
{
	struct chat c = { .rq = rq, .created = (long)time(NULL) };

	(void)snprintf(c.id, sizeof(c.id), "chatcmpl-%016" PRIx64, rq->id);
	if (read_request(&c) == 0) {
		choose(&c);
		if (json_object_get_boolean(emu_oai_get(rq->json, "stream")))
			stream(&c);
		else
			plain(&c);
		emu_reply_header(rq, "x-request-id", "req_%016" PRIx64,
		    rq->id);
	}
	emu_prompt_fini(&c.prompt);
	emu_answer_fini(&c.answer);
}
