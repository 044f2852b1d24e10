/* Function calls: the signatures they need, and the calls themselves. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/tools.h"

static bool
has_text(struct json_object *content)
{
	struct json_object *parts = emu_gem_get(content, "parts");
	size_t i;

	if (!json_object_is_type(parts, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(parts); i++)
		if (emu_gem_get(json_object_array_get_idx(parts, i), "text") !=
		    NULL)
			return true;
	return false;
}

/* Where the current turn begins: at the last user message that has text. */
static size_t
turn_start(struct json_object *contents)
{
	size_t i = json_object_array_length(contents);
	const char *role;

	while (i-- > 0) {
		struct json_object *c = json_object_array_get_idx(contents, i);

		role = emu_gem_str(c, "role");
		if ((role == NULL || strcmp(role, "user") == 0) && has_text(c))
			return i;
	}
	return 0;
}

/* The first call of a model's content carries the signature for all. */
static int
check_content(struct emu_gem *g, struct json_object *content, size_t at)
{
	struct json_object *parts = emu_gem_get(content, "parts"), *part, *call;
	size_t i;

	if (!json_object_is_type(parts, json_type_array))
		return 0;
	for (i = 0; i < json_object_array_length(parts); i++) {
		part = json_object_array_get_idx(parts, i);
		if ((call = emu_gem_get(part, "functionCall")) == NULL)
			continue;
		if (emu_gem_str(part, "thoughtSignature") != NULL)
			return 0;
		return emu_gem_fail(g, 400, "Function call is missing a "
		    "thought_signature in functionCall parts. This is required "
		    "for tools to work correctly, and missing "
		    "thought_signature may lead to degraded model performance. Additional data, "
		    "function call `default_api:%s` , position %zu.",
		    emu_gem_str(call, "name") != NULL ?
		    emu_gem_str(call, "name") : "", at + 1);
	}
	return 0;
}

int
emu_gem_check_signatures(struct emu_gem *g, struct json_object *contents)
{
	size_t i;

	if (!g->served->signs || !emu_opt.signatures)
		return 0;
	for (i = turn_start(contents); i < json_object_array_length(contents);
	    i++)
		if (check_content(g, json_object_array_get_idx(contents, i),
		    i) == -1)
			return -1;
	return 0;
}

/* Function i (from 0) of all declared ones, or NULL. */
static struct json_object *
declaration(struct emu_gem *g, size_t i)
{
	struct json_object *tools = emu_gem_get(g->rq->json, "tools"), *d;
	size_t t, n;

	if (!json_object_is_type(tools, json_type_array))
		return NULL;
	for (t = 0; t < json_object_array_length(tools); t++) {
		d = emu_gem_get(json_object_array_get_idx(tools, t),
		    "functionDeclarations");
		if (!json_object_is_type(d, json_type_array))
			continue;
		n = json_object_array_length(d);
		if (i < n)
			return json_object_array_get_idx(d, i);
		i -= n;
	}
	return NULL;
}

/* EMU:toolcall asks for one, and so does the mode ANY, until it had one. */
bool
emu_gem_wants_tool(struct emu_gem *g)
{
	struct json_object *fc = emu_gem_get(emu_gem_get(g->rq->json,
	    "toolConfig"), "functionCallingConfig");
	const char *mode = emu_gem_str(fc, "mode");

	if (g->tool_reply || (mode != NULL && strcasecmp(mode, "NONE") == 0))
		return false;
	return g->answer.shape == EMU_TOOL_CALL || (mode != NULL &&
	    strcasecmp(mode, "ANY") == 0 && declaration(g, 0) != NULL);
}

static void
one_call(struct emu_gem *g, struct emu_buf *b, long i)
{
	struct json_object *d, *schema;

	if ((d = declaration(g, (size_t)i)) == NULL)
		d = declaration(g, 0);
	schema = emu_gem_get(d, "parameters");
	if (schema == NULL)
		schema = emu_gem_get(d, "parametersJsonSchema");
	emu_buf_addf(b, "%s{\"functionCall\":{\"id\":\"call_%s_%ld\","
	    "\"name\":", i == 0 ? "" : ",", g->id, i);
	emu_buf_jsons(b, emu_gem_str(d, "name") != NULL ?
	    emu_gem_str(d, "name") : "unnamed");
	emu_buf_adds(b, ",\"args\":");
	if (schema != NULL)
		emu_schema_value(b, schema, "emulated");
	else
		emu_buf_adds(b, "{}");
	emu_buf_adds(b, "}");
	if (i == 0 && g->served->signs) {
		emu_buf_adds(b, ",\"thoughtSignature\":\"");
		emu_buf_base64(b, g->id, strlen(g->id));
		emu_buf_adds(b, "\"");
	}
	emu_buf_adds(b, "}");
}

void
emu_gem_tool_parts(struct emu_gem *g, struct emu_buf *b)
{
	long i;

	for (i = 0; i < g->answer.ntools && i < 16; i++)
		one_call(g, b, i);
}

/* With responseMimeType application/json the text becomes a JSON value. */
void
emu_gem_as_json(struct emu_gem *g)
{
	const char *mime = emu_gem_str(g->config, "responseMimeType");
	struct json_object *schema = emu_gem_get(g->config, "responseSchema");
	struct emu_buf *t = &g->answer.text, b = { NULL, 0, 0 };

	if (mime == NULL || strcmp(mime, "application/json") != 0 ||
	    (t->len != 0 && t->p[0] == '{'))
		return;
	if (schema == NULL)
		schema = emu_gem_get(g->config, "responseJsonSchema");
	if (schema != NULL) {
		emu_schema_value(&b, schema, t->p);
	} else {
		emu_buf_adds(&b, "{\"answer\":");
		emu_buf_json(&b, t->p, t->len);
		emu_buf_adds(&b, "}");
	}
	emu_buf_fini(t);
	*t = b;
}
