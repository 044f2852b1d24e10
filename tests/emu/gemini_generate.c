#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/words.h"

static const char ratings[] = "[{\"category\":"
    "\"HARM_CATEGORY_DANGEROUS_CONTENT\",\"probability\":\"HIGH\","
    "\"blocked\":true},{\"category\":\"HARM_CATEGORY_HARASSMENT\","
    "\"probability\":\"NEGLIGIBLE\"}]";

/* A token says which hop comes next, and for which prompt. */
static uint64_t
prompt_hash(const struct emu_gem *g)
{
	return emu_hash(g->prompt.all.p, g->prompt.all.len, 0xc0);
}

static void
write_token(const struct emu_gem *g, struct emu_buf *b)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "hop:%03ld:%016" PRIx64,
	    g->hop + 1, prompt_hash(g));
	emu_buf_base64(b, text, strlen(text));
}

/* Accept exactly what write_token gave out for this prompt. */
static int
read_token(struct emu_gem *g)
{
	const char *token = emu_gem_str(g->rq->json, "continuationToken");
	struct emu_buf b = { NULL, 0, 0 };
	int ok = -1;

	if (token == NULL)
		return 0;
	for (g->hop = 0; ok == -1 && g->hop < g->hops; g->hop++) {
		emu_buf_clear(&b);
		write_token(g, &b);
		if (strcmp(b.p, token) == 0)
			ok = 0;
	}
	emu_buf_fini(&b);
	if (ok == -1)
		return emu_gem_fail(g, 400, "Invalid continuation token.");
	return 0;
}

/* Which part of the text this hop tells. */
static void
choose_hop(struct emu_gem *g)
{
	size_t len = g->answer.text.len, n = (size_t)g->hops + 1;

	g->from = len * (size_t)g->hop / n;
	g->to = len * ((size_t)g->hop + 1) / n;
	while (g->from > 0 && g->from < len &&
	    ((unsigned char)g->answer.text.p[g->from] & 0xc0) == 0x80)
		g->from--;
	while (g->to < len &&
	    ((unsigned char)g->answer.text.p[g->to] & 0xc0) == 0x80)
		g->to--;
	if (g->hop < g->hops)
		g->finish = "CONTINUATION";
}

/* maxOutputTokens counts thoughts first; they may eat all of it. */
static void
apply_budget(struct emu_gem *g)
{
	struct emu_answer *a = &g->answer;

	if (a->thoughts >= 0)
		g->thoughts = a->thoughts;
	if (a->shape == EMU_ATE_BUDGET) {
		g->finish = "MAX_TOKENS";
		if (g->thoughts == 0)
			g->thoughts = 64;
	}
	if (a->shape != EMU_TEXT || g->max_tokens < 0)
		return;
	if (g->thoughts >= g->max_tokens) {
		a->shape = EMU_ATE_BUDGET;
		g->thoughts = g->max_tokens;
		g->finish = "MAX_TOKENS";
	} else if (emu_answer_cut(a, (size_t)(g->max_tokens - g->thoughts))) {
		g->finish = "MAX_TOKENS";
	}
}

/* Cut the text before the first stop sequence. */
static void
apply_stops(struct emu_gem *g)
{
	struct json_object *stops = emu_gem_get(g->config, "stopSequences"), *o;
	char *found;
	size_t i;

	if (!json_object_is_type(stops, json_type_array))
		return;
	for (i = 0; i < json_object_array_length(stops); i++) {
		o = json_object_array_get_idx(stops, i);
		if (!json_object_is_type(o, json_type_string) ||
		    json_object_get_string_len(o) == 0)
			continue;
		found = strstr(g->answer.text.p, json_object_get_string(o));
		if (found == NULL)
			continue;
		*found = '\0';
		g->answer.text.len = (size_t)(found - g->answer.text.p);
	}
}

static void
tool_answer(struct emu_gem *g)
{
	struct emu_buf *t = &g->answer.text;
	const char *s;

	/* The last message is the tool's; say what it said. */
	s = strstr(g->prompt.all.p, "<<tool>>\n");
	while (s != NULL && strstr(s + 1, "<<tool>>\n") != NULL)
		s = strstr(s + 1, "<<tool>>\n");
	emu_buf_clear(t);
	emu_buf_adds(t, "The tool said: ");
	emu_buf_adds(t, s != NULL ? s + 9 : "");
	g->answer.shape = EMU_TEXT;
}

int
emu_gem_prepare(struct emu_gem *g)
{
	struct json_object *req;

	if (emu_gem_parse(g) == -1 || emu_gem_find_model(g) == -1)
		return -1;
	req = g->rq->json;
	if (emu_gem_check_generate(g, req) == -1 ||
	    emu_gem_check_signatures(g, emu_gem_get(req, "contents")) == -1)
		return -1;
	emu_answer(&g->prompt, &g->answer);
	g->rq->plan.delay_ms += g->answer.delay_ms;
	g->finish = g->answer.finish[0] != '\0' ? g->answer.finish : "STOP";
	if (g->tool_reply && g->answer.shape == EMU_TOOL_CALL)
		tool_answer(g);
	else if (emu_gem_wants_tool(g))
		g->answer.shape = EMU_TOOL_CALL;
	if (g->answer.shape == EMU_TOOL_CALL && g->answer.ntools == 0)
		g->answer.ntools = 1;
	if (g->answer.shape == EMU_BLOCKED_ANSWER &&
	    g->answer.finish[0] == '\0')
		g->finish = "SAFETY";
	emu_gem_as_json(g);
	apply_stops(g);
	apply_budget(g);
	g->hops = g->served->continues && g->answer.shape == EMU_TEXT ?
	    g->answer.hops : 0;
	if (g->hops < 0 || g->hops > 100)
		g->hops = 0;
	if (read_token(g) == -1)
		return -1;
	choose_hop(g);
	return 0;
}

static void
write_usage(struct emu_gem *g, struct emu_buf *b, size_t to, bool last)
{
	long out = 0, thoughts = g->thoughts, prompt = g->prompt_tokens;
	bool blocked = g->answer.shape == EMU_BLOCKED_PROMPT;

	/* Every hop reads again what was told before. */
	prompt += (long)emu_tokens(g->from);
	if (blocked)
		thoughts = 0;
	if (g->answer.shape == EMU_TEXT)
		out = (long)emu_tokens(to - g->from) * g->candidates;
	else if (g->answer.shape == EMU_TOOL_CALL)
		out = 12 * g->answer.ntools;
	emu_buf_addf(b, "\"usageMetadata\":{\"promptTokenCount\":%ld", prompt);
	if (g->cached_tokens != 0)
		emu_buf_addf(b, ",\"cachedContentTokenCount\":%ld,"
		    "\"cacheTokensDetails\":[{\"modality\":\"TEXT\","
		    "\"tokenCount\":%ld}]", g->cached_tokens,
		    g->cached_tokens);
	if (out != 0)
		emu_buf_addf(b, ",\"candidatesTokenCount\":%ld", out);
	emu_buf_addf(b, ",\"totalTokenCount\":%ld,\"promptTokensDetails\":"
	    "[{\"modality\":\"TEXT\",\"tokenCount\":%ld}]",
	    prompt + out + thoughts, prompt);
	if (thoughts != 0)
		emu_buf_addf(b, ",\"thoughtsTokenCount\":%ld", thoughts);
	(void)last;
	emu_buf_adds(b, "}");
}

static void
write_text_parts(struct emu_gem *g, struct emu_buf *b, size_t from,
    size_t to, bool first)
{
	if (first && g->show_thoughts && g->thoughts > 0)
		emu_buf_adds(b, "{\"text\":\"**Thinking**\\n\\nComparing the "
		    "sources with the question.\",\"thought\":true},");
	emu_buf_adds(b, "{\"text\":");
	emu_buf_json(b, g->answer.text.p + from, to - from);
	emu_buf_adds(b, "}");
}

static void
write_content(struct emu_gem *g, struct emu_buf *b, size_t from, size_t to,
    bool first)
{
	switch (g->answer.shape) {
	case EMU_BLOCKED_PROMPT:
	case EMU_BLOCKED_ANSWER:
		break;
	case EMU_ATE_BUDGET:
	case EMU_NO_TEXT:
		emu_buf_adds(b, "\"content\":{\"role\":\"model\"},");
		break;
	case EMU_TOOL_CALL:
		emu_buf_adds(b, "\"content\":{\"parts\":[");
		emu_gem_tool_parts(g, b);
		emu_buf_adds(b, "],\"role\":\"model\"},");
		break;
	case EMU_TEXT:
		emu_buf_adds(b, "\"content\":{\"parts\":[");
		write_text_parts(g, b, from, to, first);
		emu_buf_adds(b, "],\"role\":\"model\"},");
		break;
	}
}

static void
write_candidate(struct emu_gem *g, struct emu_buf *b, long index,
    size_t from, size_t to, bool first, bool last)
{
	emu_buf_adds(b, "{");
	write_content(g, b, from, to, first);
	if (last)
		emu_buf_addf(b, "\"finishReason\":\"%s\",", g->finish);
	if (last && strcmp(g->finish, "CONTINUATION") == 0) {
		emu_buf_adds(b, "\"continuationToken\":\"");
		write_token(g, b);
		emu_buf_adds(b, "\",");
	}
	if (g->answer.shape == EMU_BLOCKED_ANSWER)
		emu_buf_addf(b, "\"safetyRatings\":%s,", ratings);
	emu_buf_addf(b, "\"index\":%ld}", index);
}

void
emu_gem_chunk(struct emu_gem *g, size_t from, size_t to, bool first,
    bool last)
{
	struct emu_buf *b = &g->rq->rep.body;
	long i;

	emu_buf_adds(b, "{");
	if (g->answer.shape == EMU_BLOCKED_PROMPT) {
		emu_buf_addf(b, "\"promptFeedback\":{\"blockReason\":\"SAFETY\""
		    ",\"safetyRatings\":%s},", ratings);
	} else {
		emu_buf_adds(b, "\"candidates\":[");
		for (i = 0; i < g->candidates; i++) {
			if (i != 0)
				emu_buf_adds(b, ",");
			write_candidate(g, b, i, from, to, first, last);
		}
		emu_buf_adds(b, "],");
	}
	write_usage(g, b, to, last);
	emu_buf_addf(b, ",\"modelVersion\":\"%s\",\"responseId\":\"%s\"}",
	    g->served->id, g->id);
}

void
emu_gem_generate(struct emu_gem *g)
{
	if (emu_gem_prepare(g) == -1)
		return;
	emu_reply_json(g->rq, 200);
	emu_gem_chunk(g, g->from, g->to, true, true);
	emu_buf_adds(&g->rq->rep.body, "\n");
}

/* {"contents"} or {"generateContentRequest"}, never both. */
void
emu_gem_count(struct emu_gem *g)
{
	struct json_object *req, *whole;

	if (emu_gem_parse(g) == -1 || emu_gem_find_model(g) == -1)
		return;
	req = g->rq->json;
	whole = emu_gem_get(req, "generateContentRequest");
	if (emu_gem_check_names(g, req, "contents|generateContentRequest|model",
	    "") == -1)
		return;
	if (whole != NULL && emu_gem_get(req, "contents") != NULL) {
		(void)emu_gem_fail(g, 400, "Only one of contents and "
		    "generate_content_request may be set.");
		return;
	}
	if (emu_gem_check_generate(g, whole != NULL ? whole : req) == -1)
		return;
	emu_reply_json(g->rq, 200);
	emu_buf_addf(&g->rq->rep.body, "{\"totalTokens\":%ld,"
	    "\"promptTokensDetails\":[{\"modality\":\"TEXT\","
	    "\"tokenCount\":%ld}]}", g->prompt_tokens, g->prompt_tokens);
}
