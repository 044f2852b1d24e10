/* What a generateContent request may contain, and what it says. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/words.h"

static const char top_names[] = "model|contents|systemInstruction|tools|"
    "toolConfig|safetySettings|generationConfig|cachedContent|serviceTier|"
    "store|labels|continuationToken";
static const char config_names[] = "candidateCount|maxOutputTokens|"
    "temperature|topP|topK|seed|stopSequences|presencePenalty|"
    "frequencyPenalty|responseMimeType|responseSchema|responseJsonSchema|"
    "_responseJsonSchema|responseLogprobs|logprobs|responseModalities|"
    "mediaResolution|speechConfig|imageConfig|thinkingConfig|"
    "enableEnhancedCivicAnswers|audioTranscriptionConfig";
static const char part_names[] = "text|inlineData|fileData|functionCall|"
    "functionResponse|executableCode|codeExecutionResult|toolCall|"
    "toolResponse|audioTranscription|thought|thoughtSignature|"
    "videoMetadata|mediaResolution|partMetadata|mediaProcessing|"
    "speechMetadata";
static const char thinking_names[] =
    "includeThoughts|thinkingBudget|thinkingLevel";

/* A number within limits, or absent. */
static int
check_range(struct emu_gem *g, const char *name, double min, double max)
{
	struct json_object *v = emu_gem_get(g->config, name);
	double d;

	if (v == NULL)
		return 0;
	if (!json_object_is_type(v, json_type_double) &&
	    !json_object_is_type(v, json_type_int))
		return emu_gem_fail(g, 400, "Invalid value at "
		    "'generation_config.%s'", name);
	d = json_object_get_double(v);
	if (d >= min && d <= max)
		return 0;
	return emu_gem_fail(g, 400, "* GenerateContentRequest."
	    "generation_config.%s: must be in the range [%g, %g].\n", name,
	    min, max);
}

/* Thinking costs tokens by its level; the model's own rules come first. */
static int
read_thinking(struct emu_gem *g)
{
	struct json_object *t = emu_gem_get(g->config, "thinkingConfig");
	struct json_object *budget = emu_gem_get(t, "thinkingBudget");
	const char *level = emu_gem_str(t, "thinkingLevel");

	g->thoughts = g->served->thinks ? 16 : 0;
	if (t == NULL)
		return 0;
	if (emu_gem_check_names(g, t, thinking_names,
	    "generation_config.thinking_config") == -1)
		return -1;
	if (!g->served->thinks)
		return emu_gem_fail(g, 400, "Thinking is not supported for "
		    "this model.");
	if (budget != NULL && level != NULL)
		return emu_gem_fail(g, 400, "You can only set only one of "
		    "thinking budget and thinking level.");
	if (budget != NULL && g->model->no_budget)
		return emu_gem_fail(g, 400, "Thinking budget is not supported "
		    "for this model.");
	if (level != NULL && strcasecmp(level, "minimal") == 0 &&
	    g->model->no_minimal)
		return emu_gem_fail(g, 400, "Thinking level MINIMAL is not "
		    "supported for this model.");
	if (level != NULL)
		g->thoughts = strcasecmp(level, "minimal") == 0 ? 2 :
		    strcasecmp(level, "low") == 0 ? 8 :
		    strcasecmp(level, "high") == 0 ? 32 : 16;
	if (budget != NULL && json_object_get_int(budget) >= 0)
		g->thoughts = json_object_get_int(budget) < 32 ?
		    json_object_get_int(budget) : 32;
	g->show_thoughts =
	    json_object_get_boolean(emu_gem_get(t, "includeThoughts"));
	return 0;
}

static int
read_config(struct emu_gem *g)
{
	struct json_object *v;

	if (emu_gem_check_names(g, g->config, config_names,
	    "generation_config") == -1 ||
	    check_range(g, "temperature", 0, 2) == -1 ||
	    check_range(g, "topP", 0, 1) == -1 ||
	    check_range(g, "maxOutputTokens", 1, 1048576) == -1 ||
	    check_range(g, "candidateCount", 1, 8) == -1)
		return -1;
	if ((v = emu_gem_get(g->config, "maxOutputTokens")) != NULL)
		g->max_tokens = json_object_get_int(v);
	if ((v = emu_gem_get(g->config, "candidateCount")) != NULL)
		g->candidates = json_object_get_int(v);
	v = emu_gem_get(g->config, "stopSequences");
	if (json_object_is_type(v, json_type_array) &&
	    json_object_array_length(v) > 5)
		return emu_gem_fail(g, 400, "* GenerateContentRequest."
		    "generation_config.stop_sequences: at most 5.\n");
	if (emu_gem_get(g->config, "responseSchema") != NULL &&
	    emu_gem_get(g->config, "responseJsonSchema") != NULL)
		return emu_gem_fail(g, 400, "Only one of response_schema and "
		    "response_json_schema may be set.");
	return read_thinking(g);
}

/* Other payloads than text count by their JSON; images like Google's. */
static void
other_part(struct emu_gem *g, struct json_object *part, const char *role)
{
	struct json_object *fr = emu_gem_get(part, "functionResponse");
	const char *text;

	if (emu_gem_get(part, "inlineData") != NULL ||
	    emu_gem_get(part, "fileData") != NULL) {
		g->prompt.text_bytes += 258 * 4;
		return;
	}
	text = json_object_to_json_string_ext(part, JSON_C_TO_STRING_PLAIN);
	emu_prompt_add(&g->prompt, fr != NULL ? "tool" :
	    strcmp(role, "user") == 0 ? "data" : role, text, strlen(text));
	if (fr != NULL)
		g->tool_reply = true;
}

static int
read_parts(struct emu_gem *g, struct json_object *content, const char *role,
    const char *where)
{
	struct json_object *parts = emu_gem_get(content, "parts"), *part, *t;
	struct emu_buf text = { NULL, 0, 0 };
	size_t i;
	int ok = 0;

	if (!json_object_is_type(parts, json_type_array) ||
	    json_object_array_length(parts) == 0)
		return emu_gem_fail(g, 400, "* GenerateContentRequest.%s.parts:"
		    " contents.parts must not be empty.\n", where);
	for (i = 0; ok == 0 && i < json_object_array_length(parts); i++) {
		part = json_object_array_get_idx(parts, i);
		ok = emu_gem_check_names(g, part, part_names, where);
		t = emu_gem_get(part, "text");
		if (ok == 0 && t != NULL &&
		    !json_object_is_type(t, json_type_string))
			ok = emu_gem_fail(g, 400, "Invalid value at '%s."
			    "parts[%zu].text' (TYPE_STRING)", where, i);
		else if (ok == 0 && t != NULL)
			emu_buf_add(&text, json_object_get_string(t),
			    (size_t)json_object_get_string_len(t));
		else if (ok == 0)
			other_part(g, part, role);
	}
	if (ok == 0 && text.len != 0)
		emu_prompt_add(&g->prompt, role, text.p, text.len);
	emu_buf_fini(&text);
	return ok;
}

/* The contents of a request or of a cache; g->tool_reply is the last one's. */
int
emu_gem_read_contents(struct emu_gem *g, struct json_object *contents)
{
	struct json_object *c;
	const char *role;
	char where[40];
	size_t i;

	for (i = 0; i < json_object_array_length(contents); i++) {
		c = json_object_array_get_idx(contents, i);
		(void)snprintf(where, sizeof(where), "contents[%zu]", i);
		if (emu_gem_check_names(g, c, "role|parts", where) == -1)
			return -1;
		role = emu_gem_str(c, "role");
		if (role == NULL || role[0] == '\0')
			role = "user";
		if (strcmp(role, "user") != 0 && strcmp(role, "model") != 0 &&
		    strcmp(role, "function") != 0)
			return emu_gem_fail(g, 400,
			    "Please use a valid role: user, model.");
		g->tool_reply = false;
		if (read_parts(g, c, role, where) == -1)
			return -1;
	}
	return 0;
}

static int
read_system(struct emu_gem *g, struct json_object *req)
{
	struct json_object *s = emu_gem_get(req, "systemInstruction");

	if (s == NULL)
		return 0;
	if (emu_gem_check_names(g, s, "role|parts", "system_instruction") == -1)
		return -1;
	return read_parts(g, s, "system", "system_instruction");
}

int
emu_gem_check_generate(struct emu_gem *g, struct json_object *req)
{
	struct json_object *contents = emu_gem_get(req, "contents"), *tools;

	if (emu_gem_check_names(g, req, top_names, "") == -1)
		return -1;
	if (!json_object_is_type(contents, json_type_array) ||
	    json_object_array_length(contents) == 0)
		return emu_gem_fail(g, 400, "* GenerateContentRequest.contents:"
		    " contents is not specified\n");
	g->config = emu_gem_get(req, "generationConfig");
	if (read_config(g) == -1 || read_system(g, req) == -1 ||
	    emu_gem_use_cache(g, req) == -1 ||
	    emu_gem_read_contents(g, contents) == -1)
		return -1;
	if ((tools = emu_gem_get(req, "tools")) != NULL)
		g->prompt.text_bytes += strlen(json_object_to_json_string_ext(
		    tools, JSON_C_TO_STRING_PLAIN));
	g->prompt_tokens = (long)emu_tokens(g->prompt.text_bytes) +
	    g->cached_tokens;
	return 0;
}
