/*
 * The documents API of 2026-07, over the same records: the dense field of the
 * index's schema is the vector, every other field is metadata.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"

#define MAXDOCS	1000

/* A document as a record's JSON, for emu_rec_read. */
static struct json_object *
as_record(struct emu_pine *p, struct json_object *doc)
{
	struct json_object *o = json_object_new_object();
	struct json_object *meta = json_object_new_object();

	json_object_object_foreach(doc, key, v) {
		if (strcmp(key, "_id") == 0)
			json_object_object_add(o, "id", json_object_get(v));
		else if (strcmp(key, p->ix->dense_field) == 0)
			json_object_object_add(o, "values",
			    json_object_get(v));
		else if (strcmp(key, "_remove_fields") != 0)
			json_object_object_add(meta, key, json_object_get(v));
	}
	json_object_object_add(o, "metadata", meta);
	return o;
}

static struct emu_rec *
read_document(struct emu_pine *p, struct json_object *doc)
{
	struct json_object *o;
	struct emu_rec *r;

	if (!json_object_is_type(doc, json_type_object)) {
		(void)emu_pine_fail(p, 400, "A document must be an object");
		return NULL;
	}
	o = as_record(p, doc);
	r = emu_rec_read(p, o);
	json_object_put(o);
	return r;
}

static void
store(struct emu_pine *p, struct emu_ns *ns, enum emu_write_kind kind)
{
	struct json_object *docs = emu_pine_get(p->rq->json, "documents");
	struct emu_rec *recs[MAXDOCS];
	size_t i, n = 0;

	if (json_object_is_type(docs, json_type_array))
		n = json_object_array_length(docs);
	if (n == 0 || n > MAXDOCS) {
		(void)emu_pine_fail(p, 400, "documents must have 1 to %d "
		    "members", MAXDOCS);
		return;
	}
	for (i = 0; i < n; i++)
		if ((recs[i] = read_document(p,
		    json_object_array_get_idx(docs, i))) == NULL)
			break;
	if (i < n) {
		while (i-- > 0)
			emu_rec_free(recs[i]);
		return;
	}
	for (i = 0; i < n; i++)
		emu_ns_submit(p->ix, ns, kind, recs[i], NULL);
	p->rq->items += n;
	emu_reply_json(p->rq, 200);
	if (kind == EMU_PUT)
		emu_buf_addf(&p->rq->rep.body, "{\"upserted_count\":%zu}", n);
	else
		emu_buf_adds(&p->rq->rep.body, "{}");
	emu_lsn_written(p, ns);
}

static bool
named(struct json_object *list, const char *name)
{
	size_t i;
	const char *s;

	if (!json_object_is_type(list, json_type_array))
		return false;
	for (i = 0; i < json_object_array_length(list); i++) {
		s = json_object_get_string(json_object_array_get_idx(list, i));
		if (strcmp(s, "*") == 0 || strcmp(s, name) == 0)
			return true;
	}
	return false;
}

/* The members of a document after its id; include NULL means all. */
static void
write_fields(struct emu_pine *p, struct emu_buf *b, const struct emu_rec *r,
    struct json_object *include, bool otherwise)
{
	bool all = include == NULL && otherwise;

	if (r->values != NULL && (all || named(include, p->ix->dense_field))) {
		emu_buf_addf(b, ",\"%s\":", p->ix->dense_field);
		emu_buf_floats(b, r->values, p->ix->dim);
	}
	if (r->meta == NULL)
		return;
	json_object_object_foreach(r->meta, key, v) {
		if (!all && !named(include, key))
			continue;
		emu_buf_adds(b, ",");
		emu_buf_jsons(b, key);
		emu_buf_adds(b, ":");
		emu_buf_adds(b, json_object_to_json_string_ext(v,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
}

/* One scoring method: dense_vector, sparse_vector, text or query_string. */
static int
read_method(struct emu_pine *p, struct json_object *m, struct emu_search *s,
    uint32_t **sidx, float **sval)
{
	const char *type = emu_pine_str(m, "type");
	struct json_object *fields = emu_pine_get(m, "fields");
	size_t n = 0;

	if (type != NULL && strcmp(type, "dense_vector") == 0) {
		if (emu_lift_floats(p->rq, emu_pine_get(m, "values"), &s->vec,
		    &n) != 1 || n != p->ix->dim)
			return emu_pine_fail(p, 400, "Query vector dimension "
			    "%zu does not match the dimension of the index "
			    "%zu", n, p->ix->dim);
		return 0;
	}
	if (type != NULL && strcmp(type, "sparse_vector") == 0) {
		if (emu_sparse_read(p, emu_pine_get(m, "sparse_values"), sidx,
		    sval, &s->nsparse) != 1)
			return p->rq->rep.status != 0 ? -1 : emu_pine_fail(p,
			    400, "sparse_values is required");
		s->sidx = *sidx;
		s->sval = *sval;
		return 0;
	}
	s->text = emu_pine_str(m, "query");
	s->text_field = emu_pine_str(m, "field");
	if (s->text_field == NULL &&
	    json_object_is_type(fields, json_type_array) &&
	    json_object_array_length(fields) == 1)
		s->text_field = json_object_get_string(
		    json_object_array_get_idx(fields, 0));
	if (type == NULL || s->text == NULL)
		return emu_pine_fail(p, 400, "score_by needs a known type and "
		    "its query");
	return 0;
}

static int
read_search(struct emu_pine *p, struct emu_search *s, uint32_t **sidx,
    float **sval)
{
	struct json_object *by = emu_pine_get(p->rq->json, "score_by");
	struct json_object *k = emu_pine_get(p->rq->json, "top_k");
	char why[200];

	if (!json_object_is_type(by, json_type_array) ||
	    json_object_array_length(by) == 0)
		return emu_pine_fail(p, 400, "score_by is required");
	if (!json_object_is_type(k, json_type_int) ||
	    json_object_get_int(k) < 1 || json_object_get_int(k) > 10000)
		return emu_pine_fail(p, 400, "top_k must be between 1 and "
		    "10000");
	s->top_k = (size_t)json_object_get_int(k);
	s->filter = emu_pine_get(p->rq->json, "filter");
	if (emu_filter_check(s->filter, why, sizeof(why)) == -1)
		return emu_pine_fail(p, 400, "%s", why);
	return read_method(p, json_object_array_get_idx(by, 0), s, sidx, sval);
}

static void
end(struct emu_pine *p, const char *name, const struct emu_ns *ns)
{
	struct emu_buf *b = &p->rq->rep.body;

	emu_buf_adds(b, ",\"namespace\":");
	emu_buf_jsons(b, name);
	emu_buf_addf(b, ",\"usage\":{\"read_units\":%ld}}",
	    emu_read_units(ns));
	emu_lsn_read(p, ns);
}

static void
search(struct emu_pine *p, struct emu_ns *ns, const char *name)
{
	struct json_object *inc = emu_pine_get(p->rq->json, "include_fields");
	struct emu_buf *b = &p->rq->rep.body;
	struct emu_search s = { .vec = NULL };
	struct emu_match *m = NULL;
	uint32_t *sidx = NULL;
	float *sval = NULL;
	size_t n, i;

	if (read_search(p, &s, &sidx, &sval) == 0) {
		n = emu_search(p->ix, ns, &s, &m);
		emu_reply_json(p->rq, 200);
		emu_buf_adds(b, "{\"matches\":[");
		for (i = 0; i < n; i++) {
			emu_buf_adds(b, i == 0 ? "{\"_id\":" : ",{\"_id\":");
			emu_buf_jsons(b, m[i].rec->id);
			emu_buf_addf(b, ",\"_score\":%.9g",
			    (double)m[i].score);
			write_fields(p, b, m[i].rec, inc, false);
			emu_buf_adds(b, "}");
		}
		emu_buf_adds(b, "]");
		end(p, name, ns);
	}
	free(m);
	free(sidx);
	free(sval);
}

static bool
chosen(const struct emu_rec *r, struct json_object *ids,
    struct json_object *filter)
{
	if (filter != NULL)
		return emu_filter_match(filter, r->meta);
	return named(ids, r->id);
}

static void
fetch(struct emu_pine *p, struct emu_ns *ns, const char *name)
{
	struct json_object *req = p->rq->json;
	struct json_object *filter = emu_pine_get(req, "filter");
	struct emu_buf *b = &p->rq->rep.body;
	char why[200];
	size_t i, n = 0;

	if (emu_filter_check(filter, why, sizeof(why)) == -1) {
		(void)emu_pine_fail(p, 400, "%s", why);
		return;
	}
	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"documents\":{");
	for (i = 0; ns != NULL && i < ns->n; i++) {
		if (!chosen(ns->rec[i], emu_pine_get(req, "ids"), filter))
			continue;
		emu_buf_adds(b, n++ == 0 ? "" : ",");
		emu_buf_jsons(b, ns->rec[i]->id);
		emu_buf_adds(b, ":{\"_id\":");
		emu_buf_jsons(b, ns->rec[i]->id);
		write_fields(p, b, ns->rec[i],
		    emu_pine_get(req, "include_fields"), true);
		emu_buf_adds(b, "}");
	}
	emu_buf_adds(b, "}");
	end(p, name, ns);
}

static void
list(struct emu_pine *p, struct emu_ns *ns, const char *name)
{
	const char *prefix = emu_pine_str(p->rq->json, "prefix");
	const char *token = emu_pine_str(p->rq->json, "pagination_token");
	struct json_object *lim = emu_pine_get(p->rq->json, "limit");
	size_t max = lim != NULL ? (size_t)json_object_get_int(lim) : 100;
	size_t i, n = 0;
	const char *last = NULL;
	struct emu_buf *b = &p->rq->rep.body;

	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"documents\":[");
	for (i = 0; ns != NULL && i < ns->n; i++) {
		const char *id = ns->rec[i]->id;

		if ((prefix != NULL &&
		    strncmp(id, prefix, strlen(prefix)) != 0) ||
		    (token != NULL && strcmp(id, token) <= 0))
			continue;
		if (n++ == max)
			break;
		emu_buf_adds(b, n == 1 ? "{\"_id\":" : ",{\"_id\":");
		emu_buf_jsons(b, id);
		emu_buf_adds(b, "}");
		last = id;
	}
	emu_buf_adds(b, "]");
	if (n > max && last != NULL) {
		emu_buf_adds(b, ",\"pagination\":{\"next\":");
		emu_buf_jsons(b, last);
		emu_buf_adds(b, "}");
	}
	end(p, name, ns);
}

static void
delete(struct emu_pine *p, struct emu_ns *ns)
{
	struct json_object *req = p->rq->json, *ids = emu_pine_get(req, "ids");
	struct json_object *filter = emu_pine_get(req, "filter");
	bool all = json_object_get_boolean(emu_pine_get(req, "delete_all"));
	struct emu_buf doomed = { NULL, 0, 0 };
	size_t i, n = 0;
	char why[200];

	if ((ids != NULL) + (filter != NULL) + all != 1 ||
	    emu_filter_check(filter, why, sizeof(why)) == -1) {
		(void)emu_pine_fail(p, 400, "Exactly one of ids, filter and "
		    "delete_all is wanted");
		return;
	}
	for (i = 0; ns != NULL && i < ns->n; i++)
		if (all || chosen(ns->rec[i], ids, filter))
			emu_buf_add(&doomed, ns->rec[i]->id,
			    strlen(ns->rec[i]->id) + 1);
	for (i = 0; i < doomed.len; i += strlen(doomed.p + i) + 1, n++)
		emu_ns_submit(p->ix, ns, EMU_DROP, NULL, doomed.p + i);
	emu_buf_fini(&doomed);
	emu_reply_json(p->rq, 200);
	emu_buf_addf(&p->rq->rep.body, filter != NULL ?
	    "{\"matched_records\":%zu}" : "{}", n);
	if (ns != NULL)
		emu_lsn_written(p, ns);
}

void
emu_pine_documents(struct emu_pine *p)
{
	const char *s = p->rq->path + strlen("/namespaces/");
	const char *verb = strstr(s, "/documents/") + strlen("/documents/");
	char *raw = emu_strndup(s, (size_t)(strstr(s, "/documents/") - s));
	const char *name = emu_pine_namespace(raw);
	struct emu_ns *ns = emu_ns_find(p->ix, name);

	if (!p->modern)
		(void)emu_pine_fail(p, 404, "Not found");
	else if (strcmp(verb, "upsert") == 0)
		store(p, emu_ns_make(p->ix, name), EMU_PUT);
	else if (strcmp(verb, "update") == 0)
		store(p, emu_ns_make(p->ix, name), EMU_PATCH);
	else if (strcmp(verb, "search") == 0)
		search(p, ns, name);
	else if (strcmp(verb, "fetch") == 0)
		fetch(p, ns, name);
	else if (strcmp(verb, "list") == 0)
		list(p, ns, name);
	else if (strcmp(verb, "delete") == 0)
		delete(p, ns);
	else
		(void)emu_pine_fail(p, 404, "Not found");
	free(raw);
}
