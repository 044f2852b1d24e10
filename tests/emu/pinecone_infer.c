/* Inference: embed, rerank, and the models that do it. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"
#include "tests/emu/words.h"

#define MAXBATCH	96
#define MAXDOCS		100
#define MAXPAIRS	2048
#define RANKDIM		256

struct model {
	const char	*name, *type, *vector_type, *provider;
	size_t		 dim, length;
};

static const struct model models[] = {
	{ "llama-text-embed-v2", "embed", "dense", "NVIDIA", 1024, 2048 },
	{ "multilingual-e5-large", "embed", "dense", "Microsoft", 1024, 507 },
	{ "pinecone-sparse-english-v0", "embed", "sparse", "Pinecone", 0, 512 },
	{ "bge-reranker-v2-m3", "rerank", NULL, "BAAI", 0, 1024 },
	{ "pinecone-rerank-v0", "rerank", NULL, "Pinecone", 0, 512 },
	{ "cohere-rerank-3.5", "rerank", NULL, "Cohere", 0, 40000 },
};

#define NMODELS	(sizeof(models) / sizeof(models[0]))

static const struct model *
find(const char *name)
{
	size_t i;

	for (i = 0; name != NULL && i < NMODELS; i++)
		if (strcmp(models[i].name, name) == 0)
			return &models[i];
	return NULL;
}

bool
emu_infer_is_reranker(const char *name)
{
	const struct model *m = find(name);

	return m != NULL && strcmp(m->type, "rerank") == 0;
}

void
emu_infer_dense(const char *model, const char *input_type, const char *text,
    size_t dim, float *out)
{
	struct emu_embedder e = { .space = model, .task = input_type,
	    .full = dim, .dims = dim, .normalize = true };

	emu_embed(&e, text, strlen(text), out);
}

struct pair {
	uint32_t	idx;
	float		val;
};

static int
by_index(const void *a, const void *b)
{
	uint32_t x = ((const struct pair *)a)->idx;
	uint32_t y = ((const struct pair *)b)->idx;

	return (x > y) - (x < y);
}

/* Every word that says something has an index by its hash. */
size_t
emu_infer_sparse(const char *text, uint32_t **idx, float **val)
{
	struct pair pair[MAXPAIRS];
	const char *s = text, *end = text + strlen(text);
	struct emu_word w;
	size_t n = 0, i, out = 0;

	while (n < MAXPAIRS && emu_word_next(&s, end, &w))
		if (!w.stop)
			pair[n++] = (struct pair){ (uint32_t)w.hash, 1 };
	qsort(pair, n, sizeof(*pair), by_index);
	*idx = emu_alloc(n * sizeof(**idx));
	*val = emu_alloc(n * sizeof(**val));
	for (i = 0; i < n; i++) {
		if (i == 0 || pair[i].idx != pair[i - 1].idx) {
			(*idx)[out] = pair[i].idx;
			(*val)[out++] = 0;
		}
		(*val)[out - 1] += 1;
	}
	for (i = 0; i < out; i++)
		(*val)[i] = sqrtf((*val)[i]);
	return out;
}

float
emu_infer_rank(const char *query, const char *text)
{
	float a[RANKDIM], b[RANKDIM];

	emu_infer_dense("rank", NULL, query, RANKDIM, a);
	emu_infer_dense("rank", NULL, text, RANKDIM, b);
	return 1.0f / (1.0f + expf(-10.0f * (emu_dot(a, b, RANKDIM) - 0.3f)));
}

/* ---- /embed ---- */

static const char *
input_text(struct json_object *in)
{
	return json_object_is_type(in, json_type_string) ?
	    json_object_get_string(in) : emu_pine_str(in, "text");
}

static void
write_sparse(struct emu_buf *b, const char *text, bool tokens)
{
	struct emu_word w;
	const char *s = text, *end = text + strlen(text);
	const char *sep = "";
	uint32_t *idx;
	float *val;
	size_t n, i;

	n = emu_infer_sparse(text, &idx, &val);
	emu_buf_adds(b, "{\"vector_type\":\"sparse\",\"sparse_values\":");
	emu_buf_floats(b, val, n);
	emu_buf_adds(b, ",\"sparse_indices\":[");
	for (i = 0; i < n; i++)
		emu_buf_addf(b, "%s%u", i == 0 ? "" : ",", idx[i]);
	emu_buf_adds(b, "]");
	if (tokens) {
		emu_buf_adds(b, ",\"sparse_tokens\":[");
		while (emu_word_next(&s, end, &w)) {
			if (w.stop)
				continue;
			emu_buf_adds(b, sep);
			emu_buf_jsons(b, w.text);
			sep = ",";
		}
		emu_buf_adds(b, "]");
	}
	emu_buf_adds(b, "}");
	free(idx);
	free(val);
}

static void
write_dense(struct emu_buf *b, const struct model *m, const char *type,
    const char *text, size_t dim)
{
	struct emu_embedder e = { .space = m->name, .task = type,
	    .full = dim, .dims = dim, .normalize = true };

	emu_buf_adds(b, "{\"vector_type\":\"dense\",\"values\":");
	emu_embed_text(&e, text, strlen(text), EMU_JSON, b);
	emu_buf_adds(b, "}");
}

static int
check_embed(struct emu_pine *p, const struct model *m,
    struct json_object *inputs)
{
	size_t i, n;

	if (m == NULL || strcmp(m->type, "embed") != 0)
		return emu_pine_fail(p, 404, "Model '%.60s' not found",
		    emu_pine_str(p->rq->json, "model") != NULL ?
		    emu_pine_str(p->rq->json, "model") : "");
	if (!json_object_is_type(inputs, json_type_array) ||
	    (n = json_object_array_length(inputs)) == 0)
		return emu_pine_fail(p, 400, "inputs must not be empty");
	if (n > MAXBATCH)
		return emu_pine_fail(p, 400, "Input length %zu exceeds the "
		    "limit of %d for model %s", n, MAXBATCH, m->name);
	for (i = 0; i < n; i++)
		if (input_text(json_object_array_get_idx(inputs, i)) == NULL)
			return emu_pine_fail(p, 400, "inputs[%zu] has no text",
			    i);
	return 0;
}

static void
embed(struct emu_pine *p)
{
	struct json_object *inputs = emu_pine_get(p->rq->json, "inputs");
	struct json_object *par = emu_pine_get(p->rq->json, "parameters"), *d;
	const struct model *m = find(emu_pine_str(p->rq->json, "model"));
	const char *type = emu_pine_str(par, "input_type"), *text;
	struct emu_buf *b = &p->rq->rep.body;
	size_t i, n, tokens = 0, dim;

	if (check_embed(p, m, inputs) == -1)
		return;
	d = emu_pine_get(par, "dimension");
	dim = d != NULL && json_object_get_int(d) > 0 &&
	    json_object_get_int(d) <= 2048 ? (size_t)json_object_get_int(d) :
	    m->dim;
	n = json_object_array_length(inputs);
	emu_reply_json(p->rq, 200);
	emu_buf_addf(b, "{\"model\":\"%s\",\"vector_type\":\"%s\",\"data\":[",
	    m->name, m->vector_type);
	for (i = 0; i < n; i++) {
		text = input_text(json_object_array_get_idx(inputs, i));
		tokens += emu_tokens(strlen(text));
		emu_buf_adds(b, i == 0 ? "" : ",");
		if (m->dim == 0)
			write_sparse(b, text, json_object_get_boolean(
			    emu_pine_get(par, "return_tokens")));
		else
			write_dense(b, m, type, text, dim);
	}
	emu_buf_addf(b, "],\"usage\":{\"total_tokens\":%zu}}", tokens);
	p->rq->items += n;
}

/* ---- /rerank ---- */

struct ranked {
	size_t	index;
	float	score;
};

static int
best_first(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->index > y->index ? 1 : -1;
}

static int
check_rerank(struct emu_pine *p, struct json_object *docs, const char *field)
{
	size_t i, n;

	if (!emu_infer_is_reranker(emu_pine_str(p->rq->json, "model")))
		return emu_pine_fail(p, 404, "Model '%.60s' not found",
		    emu_pine_str(p->rq->json, "model") != NULL ?
		    emu_pine_str(p->rq->json, "model") : "");
	if (emu_pine_str(p->rq->json, "query") == NULL)
		return emu_pine_fail(p, 400, "query is required");
	if (!json_object_is_type(docs, json_type_array) ||
	    (n = json_object_array_length(docs)) == 0)
		return emu_pine_fail(p, 400, "documents must not be empty");
	if (n > MAXDOCS)
		return emu_pine_fail(p, 400, "Too many documents: %zu, the "
		    "limit is %d", n, MAXDOCS);
	for (i = 0; i < n; i++)
		if (emu_pine_str(json_object_array_get_idx(docs, i), field) ==
		    NULL)
			return emu_pine_fail(p, 400, "Document %zu has no "
			    "field '%.60s'", i, field);
	return 0;
}

static void
write_ranked(struct emu_pine *p, struct json_object *docs,
    const struct ranked *r, size_t n)
{
	struct json_object *ret = emu_pine_get(p->rq->json,
	    "return_documents");
	struct emu_buf *b = &p->rq->rep.body;
	size_t i;

	for (i = 0; i < n; i++) {
		emu_buf_addf(b, "%s{\"index\":%zu,\"score\":%.9g",
		    i == 0 ? "" : ",", r[i].index, (double)r[i].score);
		if (ret == NULL || json_object_get_boolean(ret)) {
			emu_buf_adds(b, ",\"document\":");
			emu_buf_adds(b, json_object_to_json_string_ext(
			    json_object_array_get_idx(docs, r[i].index),
			    JSON_C_TO_STRING_PLAIN |
			    JSON_C_TO_STRING_NOSLASHESCAPE));
		}
		emu_buf_adds(b, "}");
	}
}

static void
rerank(struct emu_pine *p)
{
	struct json_object *req = p->rq->json;
	struct json_object *docs = emu_pine_get(req, "documents");
	struct json_object *fields = emu_pine_get(req, "rank_fields");
	struct json_object *top = emu_pine_get(req, "top_n");
	const char *field = "text";
	struct ranked *r;
	size_t i, n;

	if (json_object_is_type(fields, json_type_array) &&
	    json_object_array_length(fields) != 0)
		field = json_object_get_string(
		    json_object_array_get_idx(fields, 0));
	if (check_rerank(p, docs, field) == -1)
		return;
	n = json_object_array_length(docs);
	r = emu_calloc(n, sizeof(*r));
	for (i = 0; i < n; i++) {
		r[i].index = i;
		r[i].score = emu_infer_rank(emu_pine_str(req, "query"),
		    emu_pine_str(json_object_array_get_idx(docs, i), field));
	}
	qsort(r, n, sizeof(*r), best_first);
	if (top != NULL && json_object_get_int(top) > 0 &&
	    (size_t)json_object_get_int(top) < n)
		n = (size_t)json_object_get_int(top);
	emu_reply_json(p->rq, 200);
	emu_buf_adds(&p->rq->rep.body, "{\"model\":");
	emu_buf_jsons(&p->rq->rep.body, emu_pine_str(req, "model"));
	emu_buf_adds(&p->rq->rep.body, ",\"data\":[");
	write_ranked(p, docs, r, n);
	emu_buf_adds(&p->rq->rep.body, "],\"usage\":{\"rerank_units\":1}}");
	free(r);
}

/* ---- /models ---- */

static void
write_model(struct emu_buf *b, const struct model *m)
{
	bool embeds = strcmp(m->type, "embed") == 0;

	emu_buf_addf(b, "{\"model\":\"%s\",\"short_description\":\"Emulated "
	    "%s\",\"type\":\"%s\",", m->name, m->name, m->type);
	if (embeds)
		emu_buf_addf(b, "\"vector_type\":\"%s\",", m->vector_type);
	if (m->dim != 0)
		emu_buf_addf(b, "\"default_dimension\":%zu,"
		    "\"supported_dimensions\":[384,512,768,1024,2048],",
		    m->dim);
	emu_buf_addf(b, "\"modality\":\"text\",\"max_sequence_length\":%zu,"
	    "\"max_batch_size\":%d,\"provider_name\":\"%s\","
	    "\"supported_metrics\":[%s],\"supported_parameters\":[",
	    m->length, embeds ? MAXBATCH : MAXDOCS, m->provider,
	    !embeds ? "" : m->dim != 0 ? "\"cosine\",\"euclidean\","
	    "\"dotproduct\"" : "\"dotproduct\"");
	if (embeds)
		emu_buf_adds(b, "{\"parameter\":\"input_type\",\"type\":"
		    "\"one_of\",\"value_type\":\"string\",\"required\":true,"
		    "\"allowed_values\":[\"query\",\"passage\"]},");
	emu_buf_adds(b, "{\"parameter\":\"truncate\",\"type\":\"one_of\","
	    "\"value_type\":\"string\",\"required\":false,"
	    "\"allowed_values\":[\"END\",\"NONE\"],\"default\":\"END\"}]}");
}

static void
list(struct emu_pine *p)
{
	const char *type = emu_query(p->rq, "type"), *sep = "";
	const char *vtype = emu_query(p->rq, "vector_type");
	struct emu_buf *b = &p->rq->rep.body;
	size_t i;

	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"models\":[");
	for (i = 0; i < NMODELS; i++) {
		if (type != NULL && strcmp(type, models[i].type) != 0)
			continue;
		if (vtype != NULL && (models[i].vector_type == NULL ||
		    strcmp(vtype, models[i].vector_type) != 0))
			continue;
		emu_buf_adds(b, sep);
		write_model(b, &models[i]);
		sep = ",";
	}
	emu_buf_adds(b, "]}");
}

void
emu_pine_infer(struct emu_pine *p)
{
	const char *path = p->rq->path;
	const struct model *m;

	if (strcmp(path, "/embed") == 0) {
		embed(p);
	} else if (strcmp(path, "/rerank") == 0) {
		rerank(p);
	} else if (strcmp(path, "/models") == 0) {
		list(p);
	} else if ((m = find(path + strlen("/models/"))) != NULL) {
		emu_reply_json(p->rq, 200);
		write_model(&p->rq->rep.body, m);
	} else {
		(void)emu_pine_fail(p, 404, "Model '%.60s' not found",
		    path + strlen("/models/"));
	}
}
