#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"

#define FLASH	.generates = true, .thinks = true, .signs = true, \
	.input_limit = 1048576, .output_limit = 65536

/* What is served in November 2026; what is gone is simply absent. */
static const struct emu_model models[] = {
	{ .id = "gemini-4-argon", .title = "Gemini 4 Argon", FLASH,
	    .no_budget = true, .no_minimal = true, .continues = true },
	{ .id = "gemini-3.8-flash", .title = "Gemini 3.8 Flash", FLASH,
	    .no_minimal = true },
	{ .id = "gemini-3.7-flash", .title = "Gemini 3.7 Flash", FLASH },
	{ .id = "gemini-3.6-flash", .title = "Gemini 3.6 Flash", FLASH },
	{ .id = "gemini-3.5-flash", .title = "Gemini 3.5 Flash", FLASH },
	{ .id = "gemini-3.5-flash-lite", .title = "Gemini 3.5 Flash-Lite",
	    FLASH },
	{ .id = "gemini-3.1-flash-lite", .title = "Gemini 3.1 Flash-Lite",
	    FLASH },
	{ .id = "gemini-3.1-pro-preview", .title = "Gemini 3.1 Pro Preview",
	    FLASH },
	{ .id = "gemini-3-flash-preview", .title = "Gemini 3 Flash Preview",
	    FLASH },
	{ .id = "gemini-flash-latest", .title = "Gemini Flash Latest", FLASH,
	    .routed_to = "gemini-3.8-flash" },
	{ .id = "gemini-flash-lite-latest", .title = "Flash-Lite Latest",
	    FLASH, .routed_to = "gemini-3.5-flash-lite" },
	{ .id = "gemini-pro-latest", .title = "Gemini Pro Latest", FLASH,
	    .routed_to = "gemini-3.1-pro-preview" },
	{ .id = "gemini-2.5-pro", .title = "Gemini 2.5 Pro",
	    .generates = true, .thinks = true,
	    .routed_to = "gemini-3.8-flash", .input_limit = 1048576,
	    .output_limit = 65536 },
	{ .id = "gemini-2.5-flash", .title = "Gemini 2.5 Flash",
	    .generates = true, .thinks = true,
	    .routed_to = "gemini-3.5-flash-lite", .input_limit = 1048576,
	    .output_limit = 65536 },
	{ .id = "gemini-2.5-flash-lite", .title = "Gemini 2.5 Flash-Lite",
	    .generates = true, .input_limit = 1048576,
	    .output_limit = 65536 },
	{ .id = "gemini-embedding-2", .title = "Gemini Embedding 2",
	    .embeds = true, .aggregates = true, .input_limit = 8192,
	    .output_limit = 1 },
	{ .id = "gemini-embedding-001", .title = "Gemini Embedding 001",
	    .embeds = true, .input_limit = 2048, .output_limit = 1 },
};

#define NMODELS	(sizeof(models) / sizeof(models[0]))

const struct emu_model *
emu_gem_model(const char *id, size_t len)
{
	size_t i;

	if (len > 7 && memcmp(id, "models/", 7) == 0) {
		id += 7;
		len -= 7;
	}
	for (i = 0; i < NMODELS; i++)
		if (strlen(models[i].id) == len &&
		    memcmp(models[i].id, id, len) == 0)
			return &models[i];
	return NULL;
}

int
emu_gem_find_model(struct emu_gem *g)
{
	const char *id = g->rest + strlen("models/"), *colon;
	bool embed = g->rq->op == EMU_OP_GEMINI_EMBED;
	size_t len;

	colon = strrchr(id, ':');
	len = colon != NULL ? (size_t)(colon - id) : strlen(id);
	(void)snprintf(g->method, sizeof(g->method), "%s",
	    colon != NULL ? colon + 1 : "");
	g->model = emu_gem_model(id, len);
	if (g->model == NULL || (embed && !g->model->embeds) ||
	    (!embed && !g->model->generates &&
	    g->rq->op != EMU_OP_GEMINI_COUNT))
		return emu_gem_fail(g, 404, "models/%.*s is not found for API "
		    "version %s, or is not supported for %s. Call ListModels "
		    "to see the list of available models and their supported "
		    "methods.", (int)len, id, g->version, g->method);
	g->served = g->model;
	if (g->model->routed_to != NULL && emu_opt.route_retired)
		g->served = emu_gem_model(g->model->routed_to,
		    strlen(g->model->routed_to));
	return 0;
}

static void
write_model(struct emu_buf *b, const struct emu_model *m)
{
	emu_buf_addf(b, "{\"name\":\"models/%s\",\"version\":\"001\","
	    "\"displayName\":\"%s\",\"description\":\"Emulated %s\","
	    "\"inputTokenLimit\":%ld,\"outputTokenLimit\":%ld,"
	    "\"supportedGenerationMethods\":[%s]", m->id, m->title, m->title,
	    m->input_limit, m->output_limit, m->generates ?
	    "\"generateContent\",\"countTokens\",\"createCachedContent\","
	    "\"batchGenerateContent\"" :
	    "\"embedContent\",\"countTextTokens\",\"countTokens\","
	    "\"asyncBatchEmbedContent\"");
	if (m->generates)
		emu_buf_adds(b, ",\"temperature\":1,\"maxTemperature\":2,"
		    "\"topP\":0.95,\"topK\":64");
	if (m->thinks)
		emu_buf_adds(b, ",\"thinking\":true");
	emu_buf_adds(b, "}");
}

static void
list(struct emu_gem *g)
{
	const char *size = emu_query(g->rq, "pageSize");
	const char *token = emu_query(g->rq, "pageToken");
	size_t n = size != NULL ? strtoul(size, NULL, 10) : 50, i, from = 0;
	struct emu_buf *b = &g->rq->rep.body;

	if (token != NULL && sscanf(token, "p%zu", &from) != 1) {
		(void)emu_gem_fail(g, 400, "Invalid page token.");
		return;
	}
	if (n == 0 || n > 1000)
		n = 50;
	emu_buf_adds(b, "{\"models\":[");
	for (i = from; i < NMODELS && i < from + n; i++) {
		if (i != from)
			emu_buf_adds(b, ",");
		write_model(b, &models[i]);
	}
	emu_buf_adds(b, "]");
	if (i < NMODELS)
		emu_buf_addf(b, ",\"nextPageToken\":\"p%zu\"", i);
	emu_buf_adds(b, "}");
}

void
emu_gem_models(struct emu_gem *g)
{
	const struct emu_model *m;
	const char *id = g->rest + strlen("models");

	emu_reply_json(g->rq, 200);
	if (strcmp(g->rq->method, "GET") != 0) {
		(void)emu_gem_fail(g, 404, "Requested entity was not found.");
	} else if (id[0] == '\0') {
		list(g);
	} else if ((m = emu_gem_model(id + 1, strlen(id + 1))) != NULL) {
		write_model(&g->rq->rep.body, m);
	} else {
		(void)emu_gem_fail(g, 404, "Model is not found: models/%.200s "
		    "for api version %s", id + 1, g->version);
	}
}
