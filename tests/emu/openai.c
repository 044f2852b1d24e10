#include "config.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/openai.h"
#include "tests/emu/vendors.h"

static const char *const shapes[EMU_SHAPE__MAX] = {
	[EMU_SHAPE_OPENAI] = "openai",
	[EMU_SHAPE_VLLM] = "vllm",
	[EMU_SHAPE_LLAMA] = "llama",
	[EMU_SHAPE_OLLAMA] = "ollama",
	[EMU_SHAPE_TEI] = "tei",
};

static const char *const models[] = { "emu-chat", "emu-embed", "gpt-4o-mini",
    "gpt-5-mini", "text-embedding-3-small", "text-embedding-3-large",
    "text-embedding-ada-002", "e5-query", "e5-passage",
    "Qwen/Qwen3-8B", "llama3.2:3b", "gemini-3.8-flash",
    "gemini-embedding-001", "gemini-embedding-2" };

#define NMODELS	(sizeof(models) / sizeof(models[0]))

int
emu_openai_shape(const char *name, _Atomic int *out)
{
	int i;

	for (i = 0; i < EMU_SHAPE__MAX; i++)
		if (strcmp(shapes[i], name) == 0) {
			*out = i;
			return 0;
		}
	return -1;
}

const char *
emu_openai_shape_name(int i)
{
	return shapes[i];
}

enum emu_shape
emu_openai_shape_of(const struct emu_req *rq)
{
	const char *h = emu_header(rq, "X-Emu-Error-Shape");
	_Atomic int shape = emu_opt.error_shape;

	if (h != NULL)
		(void)emu_openai_shape(h, &shape);
	return (enum emu_shape)shape;
}

static const char *
type_openai(int http)
{
	switch (http) {
	case 401: return "authentication_error";
	case 403: return "permission_error";
	case 429: return "rate_limit_error";
	case 400: case 404: case 409: case 413: case 415: case 422:
		return "invalid_request_error";
	default:  return http >= 500 ? "server_error" : "api_error";
	}
}

static const char *
type_vllm(int http)
{
	switch (http) {
	case 400: return "BadRequestError";
	case 401: return "AuthenticationError";
	case 404: return "NotFoundError";
	case 429: return "RateLimitError";
	default:  return "InternalServerError";
	}
}

static const char *
type_tei(int http)
{
	switch (http) {
	case 400: return "Empty";
	case 413: case 422: return "Validation";
	case 429: return "Overloaded";
	case 503: return "Unhealthy";
	default:  return "Backend";
	}
}

/* Nested errors with what each server puts where. */
static void
write_nested(struct emu_buf *b, enum emu_shape shape, int http,
    const char *msg, const char *code, const char *param)
{
	emu_buf_adds(b, "{\"error\":{\"message\":");
	emu_buf_jsons(b, msg);
	emu_buf_adds(b, ",\"type\":");
	emu_buf_jsons(b, shape == EMU_SHAPE_VLLM ? type_vllm(http) :
	    shape == EMU_SHAPE_OLLAMA && http == 404 ? "not_found_error" :
	    shape == EMU_SHAPE_OLLAMA && http >= 500 ? "api_error" :
	    type_openai(http));
	if (shape != EMU_SHAPE_LLAMA) {
		emu_buf_adds(b, ",\"param\":");
		if (param != NULL)
			emu_buf_jsons(b, param);
		else
			emu_buf_adds(b, "null");
	}
	emu_buf_adds(b, ",\"code\":");
	if (shape == EMU_SHAPE_VLLM || shape == EMU_SHAPE_LLAMA)
		emu_buf_addf(b, "%d", http);
	else if (shape == EMU_SHAPE_OPENAI && code != NULL)
		emu_buf_jsons(b, code);
	else
		emu_buf_adds(b, "null");
	emu_buf_adds(b, "}}");
}

static void
write_error(struct emu_req *rq, int http, const char *msg, const char *code,
    const char *param)
{
	enum emu_shape shape = emu_openai_shape_of(rq);
	struct emu_buf *b = &rq->rep.body;

	emu_reply_clear(rq);
	emu_reply_json(rq, (unsigned)http);
	emu_reply_header(rq, "x-request-id", "req_%016" PRIx64, rq->id);
	if (shape != EMU_SHAPE_TEI) {
		write_nested(b, shape, http, msg, code, param);
		return;
	}
	emu_buf_adds(b, "{\"message\":");
	emu_buf_jsons(b, msg);
	emu_buf_addf(b, ",\"code\":%d,\"type\":\"%s\"}", http,
	    type_tei(http));
}

void
emu_openai_error(struct emu_req *rq, int http, const char *msg)
{
	write_error(rq, http, msg, http == 401 ? "invalid_api_key" :
	    http == 429 ? "rate_limit_exceeded" : NULL, NULL);
}

int
emu_openai_fail(struct emu_req *rq, int http, const char *code,
    const char *param, const char *fmt, ...)
{
	char msg[400];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	write_error(rq, http, msg, code, param);
	return -1;
}

struct json_object *
emu_oai_get(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		(void)json_object_object_get_ex(o, name, &v);
	return v;
}

const char *
emu_oai_str(struct json_object *o, const char *name)
{
	struct json_object *v = emu_oai_get(o, name);

	return json_object_is_type(v, json_type_string) ?
	    json_object_get_string(v) : NULL;
}

/* Any model unless the list is binding; "no-such..." never exists. */
int
emu_oai_model(struct emu_req *rq, const char *model)
{
	size_t i;

	if (model == NULL)
		return emu_openai_fail(rq, 400, NULL, "model",
		    "you must provide a model parameter");
	if (!emu_opt.strict_models && strncmp(model, "no-such", 7) != 0)
		return 0;
	for (i = 0; i < NMODELS; i++)
		if (strcmp(models[i], model) == 0)
			return 0;
	return emu_openai_fail(rq, 404, "model_not_found", NULL,
	    "The model `%.200s` does not exist or you do not have access to "
	    "it.", model);
}

static void
write_model(struct emu_buf *b, const char *id)
{
	emu_buf_adds(b, "{\"id\":");
	emu_buf_jsons(b, id);
	emu_buf_adds(b, ",\"object\":\"model\",\"created\":1760000000,"
	    "\"owned_by\":\"emulator\"}");
}

void
emu_oai_models(struct emu_req *rq)
{
	const char *id = strstr(rq->path, "/models") + strlen("/models");
	struct emu_buf *b = &rq->rep.body;
	size_t i;

	if (strcmp(rq->method, "GET") != 0) {
		(void)emu_openai_fail(rq, 405, NULL, NULL, "Not allowed");
		return;
	}
	emu_reply_json(rq, 200);
	if (id[0] == '/') {
		if (emu_oai_model(rq, id + 1) == 0)
			write_model(b, id + 1);
		return;
	}
	emu_buf_adds(b, "{\"object\":\"list\",\"data\":[");
	for (i = 0; i < NMODELS; i++) {
		emu_buf_adds(b, i == 0 ? "" : ",");
		write_model(b, models[i]);
	}
	emu_buf_adds(b, "]}");
}

/* Bearer, or Google's header on its own compatible surface. */
static bool
key_ok(const struct emu_req *rq)
{
	const char *k = emu_header(rq, "Authorization");

	if (emu_opt.openai_key == NULL)
		return true;		/* as local servers: any, or none */
	if (k == NULL || strncmp(k, "Bearer ", 7) != 0)
		return false;
	return strcmp(k + 7, emu_opt.openai_key) == 0 ||
	    (strstr(rq->path, "/openai/") != NULL &&
	    emu_opt.gemini_key != NULL &&
	    strcmp(k + 7, emu_opt.gemini_key) == 0);
}

void
emu_openai(struct emu_req *rq)
{
	if (!key_ok(rq)) {
		emu_openai_error(rq, 401, emu_header(rq, "Authorization") ==
		    NULL ? "You didn't provide an API key." :
		    "Incorrect API key provided.");
		return;
	}
	if (rq->op == EMU_OP_OPENAI_MODELS)
		emu_oai_models(rq);
	else if (strcmp(rq->method, "POST") != 0)
		(void)emu_openai_fail(rq, 405, NULL, NULL, "Not allowed");
	else if (rq->op == EMU_OP_OPENAI_CHAT)
		emu_oai_chat(rq);
	else
		emu_oai_embed(rq);
}
