/*
 * Records: texts that the index embeds itself.  They come as NDJSON whatever
 * the content type says, and are found by text, vector or id.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"
#include "tests/emu/words.h"

#define MAXLINES	96
#define BASE		"/records/namespaces/"

/* The namespace between the base and the verb; to be freed. */
static char *
namespace_of(struct emu_pine *p)
{
	const char *s = p->rq->path + strlen(BASE), *slash = strrchr(s, '/');

	return emu_strndup(s, (size_t)(slash != NULL && slash > s ?
	    slash - s : 0));
}

static const char *
text_field(const struct emu_index *ix)
{
	const char *f = emu_pine_str(emu_pine_get(ix->embed, "field_map"),
	    "text");

	return f != NULL ? f : "text";
}

/* Give the record the vector that the index's model makes of the text. */
static void
embed_record(const struct emu_index *ix, struct emu_rec *r, const char *text)
{
	const char *model = emu_pine_str(ix->embed, "model");

	if (ix->dim == 0) {
		r->nsparse = emu_infer_sparse(text, &r->sidx, &r->sval);
		return;
	}
	r->values = emu_alloc(ix->dim * sizeof(*r->values));
	emu_infer_dense(model != NULL ? model : "default", "passage", text,
	    ix->dim, r->values);
	r->norm = 1;
}

static struct emu_rec *
read_line(struct emu_pine *p, struct json_object *o, size_t at)
{
	const char *id = emu_pine_str(o, "_id"), *text;
	struct json_object *meta;
	struct emu_rec *r;

	if (id == NULL)
		id = emu_pine_str(o, "id");
	text = emu_pine_str(o, text_field(p->ix));
	if (id == NULL || id[0] == '\0' || strlen(id) > 512 || text == NULL) {
		(void)emu_pine_fail(p, 400, "Record %zu: _id and the field "
		    "'%s' are required", at, text_field(p->ix));
		return NULL;
	}
	r = emu_calloc(1, sizeof(*r));
	r->id = emu_strdup(id);
	embed_record(p->ix, r, text);
	meta = json_object_new_object();
	json_object_object_foreach(o, key, v)
		if (strcmp(key, "_id") != 0 && strcmp(key, "id") != 0)
			json_object_object_add(meta, key, json_object_get(v));
	if (emu_meta_check(p, meta) == -1) {
		emu_rec_free(r);
		r = NULL;
	} else {
		emu_rec_meta(r, meta);
	}
	json_object_put(meta);
	return r;
}

/* 0 and the records, or -1 and the error; what was read stays in recs. */
static int
read_lines(struct emu_pine *p, struct emu_rec **recs, size_t *n)
{
	char *line = p->rq->body.p, *end;
	struct json_object *o;

	for (; line != NULL && *line != '\0'; line = end) {
		end = line + strcspn(line, "\n");
		if (*end == '\n')
			*end++ = '\0';
		if (line[strspn(line, " \t\r")] == '\0')
			continue;
		if (*n == MAXLINES)
			return emu_pine_fail(p, 400, "Batch size exceeds the "
			    "maximum of %d", MAXLINES);
		o = json_tokener_parse(line);
		recs[*n] = json_object_is_type(o, json_type_object) ?
		    read_line(p, o, *n) : NULL;
		json_object_put(o);
		if (recs[*n] == NULL)
			return p->rq->rep.status != 0 ? -1 :
			    emu_pine_fail(p, 400, "Line %zu is not a JSON "
			    "object", *n);
		++*n;
	}
	return *n != 0 ? 0 : emu_pine_fail(p, 400, "No records");
}

static void
upsert(struct emu_pine *p, const char *name)
{
	struct emu_rec *recs[MAXLINES];
	struct emu_ns *ns;
	size_t n = 0, i;

	if (read_lines(p, recs, &n) == -1) {
		while (n-- > 0)
			emu_rec_free(recs[n]);
		return;
	}
	ns = emu_ns_make(p->ix, emu_pine_namespace(name));
	for (i = 0; i < n; i++)
		emu_ns_submit(p->ix, ns, EMU_PUT, recs[i], NULL);
	p->rq->items += n;
	emu_reply(p->rq, 201, NULL);
	emu_lsn_written(p, ns);
}

struct query {
	struct emu_search s;
	float		*vec;		/* made here */
	uint32_t	*sidx;
	float		*sval;
	const char	*text;
	size_t		 tokens;
};

static int
read_vector(struct emu_pine *p, struct json_object *q, struct query *out)
{
	struct json_object *v = emu_pine_get(q, "vector");
	size_t n = 0;

	if (emu_lift_floats(p->rq, emu_pine_get(v, "values"), &out->s.vec,
	    &n) == -1 || n != p->ix->dim)
		return emu_pine_fail(p, 400, "Query vector dimension %zu does "
		    "not match the dimension of the index %zu", n,
		    p->ix->dim);
	return 0;
}

static int
read_target(struct emu_pine *p, struct json_object *q, struct emu_ns *ns,
    struct query *out)
{
	const char *model = emu_pine_str(p->ix->embed, "model");
	const char *id = emu_pine_str(q, "id");
	const struct emu_rec *r;
	size_t at;

	out->text = emu_pine_str(emu_pine_get(q, "inputs"), "text");
	if (out->text == NULL && id == NULL)
		return read_vector(p, q, out);
	if (out->text == NULL) {
		if (ns != NULL && (r = emu_ns_get(ns, id, &at)) != NULL)
			out->s.vec = r->values;
		return 0;
	}
	out->tokens = emu_tokens(strlen(out->text));
	if (p->ix->dim == 0) {
		out->s.nsparse = emu_infer_sparse(out->text, &out->sidx,
		    &out->sval);
		out->s.sidx = out->sidx;
		out->s.sval = out->sval;
		return 0;
	}
	out->vec = emu_alloc(p->ix->dim * sizeof(*out->vec));
	emu_infer_dense(model != NULL ? model : "default", "query", out->text,
	    p->ix->dim, out->vec);
	out->s.vec = out->vec;
	return 0;
}

static int
read_query(struct emu_pine *p, struct emu_ns *ns, struct query *out)
{
	struct json_object *q = emu_pine_get(p->rq->json, "query");
	struct json_object *k = emu_pine_get(q, "top_k");
	char why[200];

	if (!json_object_is_type(k, json_type_int) ||
	    json_object_get_int(k) < 1 || json_object_get_int(k) > 10000)
		return emu_pine_fail(p, 400, "top_k must be between 1 and "
		    "10000");
	out->s.top_k = (size_t)json_object_get_int(k);
	out->s.filter = emu_pine_get(q, "filter");
	if (emu_filter_check(out->s.filter, why, sizeof(why)) == -1)
		return emu_pine_fail(p, 400, "%s", why);
	return read_target(p, q, ns, out);
}

static int
best_first(const void *a, const void *b)
{
	const struct emu_match *x = a, *y = b;

	return x->score < y->score ? 1 : x->score > y->score ? -1 : 0;
}

/* Score the hits anew by the field named; returns how many remain. */
static size_t
rerank(struct emu_pine *p, const char *text, struct emu_match *m, size_t n)
{
	struct json_object *rr = emu_pine_get(p->rq->json, "rerank");
	struct json_object *fields = emu_pine_get(rr, "rank_fields");
	struct json_object *top = emu_pine_get(rr, "top_n");
	const char *query = emu_pine_str(rr, "query"), *field, *t;
	size_t i;

	if (rr == NULL || (query == NULL && text == NULL))
		return n;
	field = json_object_is_type(fields, json_type_array) &&
	    json_object_array_length(fields) != 0 ? json_object_get_string(
	    json_object_array_get_idx(fields, 0)) : text_field(p->ix);
	for (i = 0; i < n; i++) {
		t = emu_pine_str(m[i].rec->meta, field);
		m[i].score = emu_infer_rank(query != NULL ? query : text,
		    t != NULL ? t : "");
	}
	if (n > 1)
		qsort(m, n, sizeof(*m), best_first);
	return top != NULL && (size_t)json_object_get_int(top) < n ?
	    (size_t)json_object_get_int(top) : n;
}

static bool
wants(struct json_object *fields, const char *key)
{
	size_t i;

	if (!json_object_is_type(fields, json_type_array))
		return true;
	for (i = 0; i < json_object_array_length(fields); i++)
		if (strcmp(json_object_get_string(
		    json_object_array_get_idx(fields, i)), key) == 0)
			return true;
	return false;
}

static void
write_hit(struct emu_buf *b, const struct emu_match *m,
    struct json_object *fields)
{
	const char *sep = "";

	emu_buf_adds(b, "{\"_id\":");
	emu_buf_jsons(b, m->rec->id);
	emu_buf_addf(b, ",\"_score\":%.9g,\"fields\":{", (double)m->score);
	if (m->rec->meta != NULL) {
		json_object_object_foreach(m->rec->meta, key, v) {
			if (!wants(fields, key))
				continue;
			emu_buf_adds(b, sep);
			emu_buf_jsons(b, key);
			emu_buf_adds(b, ":");
			emu_buf_adds(b, json_object_to_json_string_ext(v,
			    JSON_C_TO_STRING_PLAIN |
			    JSON_C_TO_STRING_NOSLASHESCAPE));
			sep = ",";
		}
	}
	emu_buf_adds(b, "}}");
}

static void
search(struct emu_pine *p, const char *name)
{
	struct emu_ns *ns = emu_ns_find(p->ix, emu_pine_namespace(name));
	struct json_object *fields = emu_pine_get(p->rq->json, "fields");
	struct json_object *rr = emu_pine_get(p->rq->json, "rerank");
	struct emu_buf *b = &p->rq->rep.body;
	struct query q = { .vec = NULL };
	struct emu_match *m = NULL;
	size_t n, i;

	if (rr != NULL && !emu_infer_is_reranker(emu_pine_str(rr, "model"))) {
		(void)emu_pine_fail(p, 400, "Unknown rerank model");
		return;
	}
	if (read_query(p, ns, &q) == 0) {
		n = emu_search(p->ix, ns, &q.s, &m);
		n = rerank(p, q.text, m, n);
		emu_reply_json(p->rq, 200);
		emu_buf_adds(b, "{\"result\":{\"hits\":[");
		for (i = 0; i < n; i++) {
			emu_buf_adds(b, i == 0 ? "" : ",");
			write_hit(b, &m[i], fields);
		}
		emu_buf_addf(b, "]},\"usage\":{\"read_units\":%ld",
		    emu_read_units(ns));
		if (q.tokens != 0)
			emu_buf_addf(b, ",\"embed_total_tokens\":%zu",
			    q.tokens);
		emu_buf_adds(b, rr != NULL ? ",\"rerank_units\":1}}" : "}}");
		emu_lsn_read(p, ns);
	}
	free(m);
	free(q.vec);
	free(q.sidx);
	free(q.sval);
}

void
emu_pine_records(struct emu_pine *p)
{
	const char *verb = strrchr(p->rq->path, '/');
	char *name = namespace_of(p);

	if (p->ix->embed == NULL && strcmp(verb, "/upsert") == 0)
		(void)emu_pine_fail(p, 400, "Integrated inference is not "
		    "configured for this index");
	else if (strcmp(verb, "/upsert") == 0)
		upsert(p, name);
	else if (strcmp(verb, "/search") != 0)
		(void)emu_pine_fail(p, 404, "Not found");
	else if (emu_pine_parse(p) == 0)
		search(p, name);
	free(name);
}
