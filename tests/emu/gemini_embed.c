#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/vectors.h"
#include "tests/emu/words.h"

#define FULL	3072
#define MINDIMS	128

static const char names[] =
    "model|content|taskType|title|outputDimensionality";

static const char *const tasks[] = { "TASK_TYPE_UNSPECIFIED",
    "RETRIEVAL_QUERY", "RETRIEVAL_DOCUMENT", "SEMANTIC_SIMILARITY",
    "CLASSIFICATION", "CLUSTERING", "QUESTION_ANSWERING",
    "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY" };

/* The task by name or number; NULL and an error if there is no such. */
static const char *
task_of(struct emu_gem *g, struct json_object *req)
{
	struct json_object *t = emu_gem_get(req, "taskType");
	size_t i;

	if (t == NULL)
		return "";
	for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		if (json_object_is_type(t, json_type_int) ?
		    json_object_get_int(t) == (int)i :
		    strcmp(json_object_get_string(t), tasks[i]) == 0)
			return i == 0 ? "" : tasks[i];
	(void)emu_gem_fail(g, 400, "Invalid value at 'task_type' (type.google"
	    "apis.com/google.ai.generativelanguage.v1beta.TaskType), \"%.60s\"",
	    json_object_get_string(t));
	return NULL;
}

static int
dims_of(struct emu_gem *g, struct json_object *req, size_t *dims)
{
	struct json_object *d = emu_gem_get(req, "outputDimensionality");

	*dims = FULL;
	if (d == NULL)
		return 0;
	if (!json_object_is_type(d, json_type_int) ||
	    json_object_get_int(d) < MINDIMS || json_object_get_int(d) > FULL)
		return emu_gem_fail(g, 400, "* EmbedContentRequest."
		    "output_dimensionality: must be in the range [%d, %d].\n",
		    MINDIMS, FULL);
	*dims = (size_t)json_object_get_int(d);
	return 0;
}

static struct json_object *
part_text(struct json_object *parts, size_t i)
{
	struct json_object *t = emu_gem_get(json_object_array_get_idx(parts, i),
	    "text");

	return json_object_is_type(t, json_type_string) ? t : NULL;
}

/*
 * Embedding-2's own way to say the task is a text in front, which it is
 * trained to see through.
 */
static const char *
skip_prefix(const char *s)
{
	const char *p;

	if (strncmp(s, "task: ", 6) == 0 &&
	    (p = strstr(s, " | query: ")) != NULL)
		return p + 10;
	if (strncmp(s, "title: ", 7) == 0 &&
	    (p = strstr(s, " | text: ")) != NULL)
		return p + 9;
	return s;
}

/* Several parts become one vector: their mean, of length one. */
static void
aggregate(struct emu_gem *g, const struct emu_embedder *e,
    struct json_object *parts, struct emu_buf *out)
{
	float *sum = emu_calloc(e->dims, sizeof(*sum));
	float *v = emu_alloc(e->dims * sizeof(*v));
	size_t i, k;

	(void)g;
	for (i = 0; i < json_object_array_length(parts); i++) {
		const char *s = skip_prefix(json_object_get_string(
		    part_text(parts, i)));

		emu_embed(e, s, strlen(s), v);
		for (k = 0; k < e->dims; k++)
			sum[k] += v[k];
	}
	emu_normalize(sum, e->dims);
	emu_buf_floats(out, sum, e->dims);
	free(sum);
	free(v);
}

/* 001 takes one text: the parts joined, cut at its 2,048 tokens. */
static void
joined(struct emu_gem *g, const struct emu_embedder *e,
    struct json_object *parts, const char *title, struct emu_buf *out)
{
	struct emu_buf text = { NULL, 0, 0 };
	size_t i, max = (size_t)g->model->input_limit * 4;

	if (title != NULL)
		emu_buf_addf(&text, "%s\n", title);
	for (i = 0; i < json_object_array_length(parts); i++) {
		emu_buf_adds(&text, i == 0 ? "" : "\n");
		emu_buf_adds(&text, json_object_get_string(
		    part_text(parts, i)));
	}
	emu_embed_text(e, text.p, text.len < max ? text.len : max, EMU_JSON,
	    out);
	emu_buf_fini(&text);
}

static int
check_parts(struct emu_gem *g, struct json_object *parts)
{
	size_t i, bytes = 0;

	if (!json_object_is_type(parts, json_type_array) ||
	    json_object_array_length(parts) == 0)
		return emu_gem_fail(g, 400, "* EmbedContentRequest.content: "
		    "contents is not specified\n");
	for (i = 0; i < json_object_array_length(parts); i++) {
		struct json_object *t = part_text(parts, i);

		if (t == NULL)
			return emu_gem_fail(g, 400, "* EmbedContentRequest."
			    "content.parts[%zu]: only text is emulated\n", i);
		bytes += (size_t)json_object_get_string_len(t);
	}
	if (bytes == 0)
		return emu_gem_fail(g, 400, "* EmbedContentRequest.content: "
		    "content must not be empty\n");
	g->prompt_tokens += (long)emu_tokens(bytes);
	return 0;
}

/* The faults that touch the numbers. */
static void
spoil(struct emu_gem *g, struct emu_buf *b, size_t from)
{
	char *s;

	if (g->rq->plan.fault == EMU_FAULT_WRONG_DIM) {
		while (b->len > from && b->p[b->len - 1] != ',')
			b->len--;
		b->p[b->len - 1] = ']';
	} else if (g->rq->plan.fault == EMU_FAULT_NAN &&
	    (s = strchr(b->p + from, ',')) != NULL) {
		/* Blanks fill up what is longer than NaN. */
		memset(b->p + from + 1, ' ', (size_t)(s - b->p) - from - 1);
		memcpy(b->p + from + 1, "NaN", 3);
	}
}

static int
one(struct emu_gem *g, struct json_object *req, struct emu_buf *b)
{
	struct json_object *content = emu_gem_get(req, "content");
	struct json_object *parts = emu_gem_get(content, "parts");
	struct emu_embedder e = { .space = g->model->id, .full = FULL,
	    .normalize = g->model->aggregates };
	const char *title = emu_gem_str(req, "title"), *text;
	size_t from;

	if (emu_gem_check_names(g, req, names, "requests") == -1 ||
	    check_parts(g, parts) == -1 || dims_of(g, req, &e.dims) == -1 ||
	    (e.task = task_of(g, req)) == NULL)
		return -1;
	if (title != NULL && strcmp(e.task, "RETRIEVAL_DOCUMENT") != 0)
		return emu_gem_fail(g, 400, "The `title` field may only be set "
		    "when the task_type is RETRIEVAL_DOCUMENT.");
	if (g->model->aggregates)
		e.task = NULL;
	emu_buf_adds(b, "{\"values\":");
	from = b->len;
	if (!g->model->aggregates) {
		joined(g, &e, parts, title, b);
	} else if (json_object_array_length(parts) == 1) {
		text = skip_prefix(json_object_get_string(part_text(parts, 0)));
		emu_embed_text(&e, text, strlen(text), EMU_JSON, b);
	} else {
		aggregate(g, &e, parts, b);
	}
	spoil(g, b, from);
	emu_buf_adds(b, "}");
	g->rq->items++;
	return 0;
}

static void
finish(struct emu_gem *g)
{
	struct emu_buf *b = &g->rq->rep.body;

	if (g->model->aggregates)
		emu_buf_addf(b, ",\"usageMetadata\":{\"promptTokenCount\":%ld,"
		    "\"promptTokensDetails\":[{\"modality\":\"TEXT\","
		    "\"tokenCount\":%ld}]}", g->prompt_tokens,
		    g->prompt_tokens);
	emu_buf_adds(b, "}\n");
}

static int
check_batch_model(struct emu_gem *g, struct json_object *req, size_t i)
{
	const char *m = emu_gem_str(req, "model");

	if (m != NULL && emu_gem_model(m, strlen(m)) == g->model)
		return 0;
	return emu_gem_fail(g, 400, "* BatchEmbedContentsRequest.requests[%zu]."
	    "model: must be the model of the batch, models/%s\n", i,
	    g->model->id);
}

static void
batch(struct emu_gem *g)
{
	struct json_object *reqs = emu_gem_get(g->rq->json, "requests");
	struct emu_buf *b = &g->rq->rep.body;
	enum emu_fault f = g->rq->plan.fault;
	size_t i, n;

	if (!json_object_is_type(reqs, json_type_array) ||
	    (n = json_object_array_length(reqs)) == 0) {
		(void)emu_gem_fail(g, 400, "* BatchEmbedContentsRequest."
		    "requests: must not be empty\n");
		return;
	}
	if (n > 100) {
		(void)emu_gem_fail(g, 400, "* BatchEmbedContentsRequest."
		    "requests: at most 100 requests can be in one batch\n");
		return;
	}
	emu_reply_json(g->rq, 200);
	emu_buf_adds(b, "{\"embeddings\":[");
	if (f == EMU_FAULT_FEWER)
		n--;
	for (i = 0; i < n; i++) {
		struct json_object *r = json_object_array_get_idx(reqs, i);

		if (i != 0)
			emu_buf_adds(b, ",");
		if (check_batch_model(g, r, i) == -1 || one(g, r, b) == -1)
			return;
	}
	if (f == EMU_FAULT_MORE)
		emu_buf_adds(b, ",{\"values\":[0.5,0.5]}");
	emu_buf_adds(b, "]");
	finish(g);
}

void
emu_gem_embed(struct emu_gem *g)
{
	struct emu_buf *b = &g->rq->rep.body;

	if (emu_gem_parse(g) == -1 || emu_gem_find_model(g) == -1)
		return;
	if (strcmp(g->method, "batchEmbedContents") == 0) {
		if (emu_gem_check_names(g, g->rq->json, "requests|model",
		    "") == 0)
			batch(g);
		return;
	}
	emu_reply_json(g->rq, 200);
	emu_buf_adds(b, "{\"embedding\":");
	if (one(g, g->rq->json, b) == 0)
		finish(g);
}
