#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"

#define MAXUPSERT	1000
#define MAXBYTES	((size_t)2 << 20)
#define MAXIDS		1000
#define LISTLIMIT	100

static const char *
namespace_of(struct emu_pine *p)
{
	const char *name = emu_pine_str(p->rq->json, "namespace");

	if (name == NULL)
		name = emu_query(p->rq, "namespace");
	return emu_pine_namespace(name);
}

static int
check_upsert(struct emu_pine *p, struct json_object *list)
{
	size_t n;

	if (p->rq->body.len > MAXBYTES)
		return emu_pine_fail(p, 400, "Error, message length too large: "
		    "found %zu bytes, the limit is: %zu bytes",
		    p->rq->body.len, MAXBYTES);
	if (!json_object_is_type(list, json_type_array) ||
	    (n = json_object_array_length(list)) == 0)
		return emu_pine_fail(p, 400, "No vectors to upsert");
	if (n > MAXUPSERT)
		return emu_pine_fail(p, 400, "Request exceeds the maximum of %d "
		    "vectors: %zu", MAXUPSERT, n);
	return 0;
}

/* All are checked before the first is stored. */
static int
read_all(struct emu_pine *p, struct json_object *list, struct emu_rec **recs,
    size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		recs[i] = emu_rec_read(p, json_object_array_get_idx(list, i));
		if (recs[i] == NULL)
			break;
		if (recs[i]->values == NULL && recs[i]->nsparse == 0) {
			(void)emu_pine_fail(p, 400, p->ix->dim != 0 ?
			    "Vector dimension 0 does not match the dimension "
			    "of the index %zu" : "Sparse vector must contain "
			    "at least one value", p->ix->dim);
			i++;
			break;
		}
	}
	if (p->rq->rep.status == 0)
		return 0;
	while (i-- > 0)
		emu_rec_free(recs[i]);
	return -1;
}

void
emu_pine_upsert(struct emu_pine *p)
{
	struct json_object *list = emu_pine_get(p->rq->json, "vectors");
	struct emu_rec **recs;
	struct emu_ns *ns;
	size_t i, n;

	if (check_upsert(p, list) == -1)
		return;
	n = json_object_array_length(list);
	recs = emu_calloc(n, sizeof(*recs));
	if (read_all(p, list, recs, n) == 0) {
		ns = emu_ns_make(p->ix, namespace_of(p));
		if (p->rq->plan.fault == EMU_FAULT_PARTIAL_UPSERT)
			while (n > (json_object_array_length(list) + 1) / 2)
				emu_rec_free(recs[--n]);
		for (i = 0; i < n; i++)
			emu_ns_submit(p->ix, ns, EMU_PUT, recs[i], NULL);
		p->rq->items += n;
		emu_reply_json(p->rq, 200);
		if (p->rq->plan.fault == EMU_FAULT_NO_COUNT)
			emu_buf_adds(&p->rq->rep.body, "{}");
		else
			emu_buf_addf(&p->rq->rep.body,
			    "{\"upsertedCount\":%zu}", n);
		emu_lsn_written(p, ns);
	}
	free(recs);
}

struct fetch {
	struct emu_pine	*p;
	struct emu_ns	*ns;
	size_t		 n, found;
};

static void
fetch_one(void *arg, const char *id)
{
	struct fetch *f = arg;
	struct emu_buf *b = &f->p->rq->rep.body;
	const struct emu_rec *r;
	size_t at;

	f->n++;
	if (f->ns == NULL || (r = emu_ns_get(f->ns, id, &at)) == NULL)
		return;
	emu_buf_adds(b, f->found++ == 0 ? "" : ",");
	emu_buf_jsons(b, id);
	emu_buf_adds(b, ":{");
	emu_rec_write(b, r, f->p->ix->dim, true, true);
	emu_buf_adds(b, "}");
}

static void
fetch_end(struct fetch *f, const char *name, const char *token)
{
	struct emu_buf *b = &f->p->rq->rep.body;

	emu_buf_adds(b, "},\"namespace\":");
	emu_buf_jsons(b, name);
	if (token != NULL)
		emu_buf_addf(b, ",\"pagination\":{\"next\":\"%s\"}", token);
	emu_buf_addf(b, ",\"usage\":{\"readUnits\":%zu}}",
	    f->found / 10 + 1);
	emu_lsn_read(f->p, f->ns);
}

/* A place in the sorted ids, made opaque; the id itself survives changes. */
static void
make_token(const char *id, struct emu_buf *out)
{
	emu_buf_base64(out, id, strlen(id));
}

/* The first record after the token; 0 without one; SIZE_MAX if it is bad. */
static size_t
after_token(const struct emu_ns *ns, const char *token)
{
	struct emu_buf b = { NULL, 0, 0 };
	size_t i, found = SIZE_MAX;

	if (token == NULL || token[0] == '\0')
		return 0;
	for (i = 0; found == SIZE_MAX && i < ns->n; i++) {
		emu_buf_clear(&b);
		make_token(ns->rec[i]->id, &b);
		if (strcmp(b.p, token) == 0)
			found = i + 1;
	}
	emu_buf_fini(&b);
	return found;
}

static size_t
limit_of(const char *text, size_t otherwise)
{
	unsigned long n = text != NULL ? strtoul(text, NULL, 10) : 0;

	return n >= 1 && n <= 10000 ? n : otherwise;
}

static void
fetch_by_metadata(struct emu_pine *p, struct fetch *f, const char *name)
{
	struct json_object *filter = emu_pine_get(p->rq->json, "filter");
	struct json_object *lim = emu_pine_get(p->rq->json, "limit");
	size_t limit = limit_of(lim != NULL ? json_object_get_string(lim) :
	    NULL, LISTLIMIT), i;
	struct emu_buf token = { NULL, 0, 0 };
	char why[200];

	if (filter == NULL || emu_filter_check(filter, why, sizeof(why)) == -1) {
		(void)emu_pine_fail(p, 400, "%s", filter == NULL ?
		    "filter is required" : why);
		return;
	}
	i = f->ns == NULL ? 0 : after_token(f->ns, emu_pine_str(p->rq->json,
	    "paginationToken"));
	if (i == SIZE_MAX) {
		(void)emu_pine_fail(p, 400, "Invalid pagination token");
		return;
	}
	emu_reply_json(p->rq, 200);
	emu_buf_adds(&p->rq->rep.body, "{\"vectors\":{");
	for (; f->ns != NULL && i < f->ns->n && f->found < limit; i++)
		if (emu_filter_match(filter, f->ns->rec[i]->meta))
			fetch_one(f, f->ns->rec[i]->id);
	if (f->ns != NULL && i < f->ns->n && i != 0)
		make_token(f->ns->rec[i - 1]->id, &token);
	fetch_end(f, name, token.p);
	emu_buf_fini(&token);
}

void
emu_pine_fetch(struct emu_pine *p)
{
	const char *name = namespace_of(p);
	struct fetch f = { p, emu_ns_find(p->ix, name), 0, 0 };

	if (strstr(p->rq->path, "by_metadata") != NULL) {
		fetch_by_metadata(p, &f, name);
		return;
	}
	emu_reply_json(p->rq, 200);
	emu_buf_adds(&p->rq->rep.body, "{\"vectors\":{");
	emu_query_each(p->rq, "ids", fetch_one, &f);
	fetch_end(&f, name, NULL);
	if (f.n == 0 || f.n > MAXIDS)
		(void)emu_pine_fail(p, 400, f.n == 0 ? "No IDs to fetch" :
		    "Request exceeds the maximum of %d ids", MAXIDS);
}

static void
update_by_filter(struct emu_pine *p, struct emu_ns *ns, struct emu_rec *r)
{
	struct json_object *filter = emu_pine_get(p->rq->json, "filter");
	bool dry = json_object_get_boolean(emu_pine_get(p->rq->json,
	    "dryRun"));
	struct emu_rec *copy;
	char why[200];
	size_t i, n = 0;

	if (emu_filter_check(filter, why, sizeof(why)) == -1) {
		(void)emu_pine_fail(p, 400, "%s", why);
		return;
	}
	for (i = 0; ns != NULL && i < ns->n; i++) {
		if (!emu_filter_match(filter, ns->rec[i]->meta))
			continue;
		n++;
		if (dry)
			continue;
		copy = emu_calloc(1, sizeof(*copy));
		copy->id = emu_strdup(ns->rec[i]->id);
		if (r->meta != NULL)
			emu_rec_meta(copy, r->meta);
		emu_ns_submit(p->ix, ns, EMU_PATCH, copy, NULL);
	}
	emu_reply_json(p->rq, 200);
	emu_buf_addf(&p->rq->rep.body, "{\"matchedRecords\":%zu}", n);
}

/* A record made of setMetadata in place of metadata, for reading it. */
static struct emu_rec *
read_patch(struct emu_pine *p)
{
	struct json_object *req = p->rq->json, *o, *id;
	struct emu_rec *r;

	o = json_object_new_object();
	id = emu_pine_get(req, "id");
	json_object_object_add(o, "id", id != NULL ? json_object_get(id) :
	    json_object_new_string("-"));
	json_object_object_add(o, "values",
	    json_object_get(emu_pine_get(req, "values")));
	json_object_object_add(o, "sparseValues",
	    json_object_get(emu_pine_get(req, "sparseValues")));
	json_object_object_add(o, "metadata",
	    json_object_get(emu_pine_get(req, "setMetadata")));
	r = emu_rec_read(p, o);
	json_object_put(o);
	return r;
}

void
emu_pine_update(struct emu_pine *p)
{
	struct json_object *req = p->rq->json;
	struct emu_ns *ns = emu_ns_find(p->ix, namespace_of(p));
	struct emu_rec *r;

	if ((emu_pine_get(req, "id") == NULL) ==
	    (emu_pine_get(req, "filter") == NULL)) {
		(void)emu_pine_fail(p, 400,
		    "Exactly one of id and filter must be given");
		return;
	}
	if ((r = read_patch(p)) == NULL)
		return;
	if (emu_pine_get(req, "filter") != NULL) {
		update_by_filter(p, ns, r);
		emu_rec_free(r);
	} else {
		emu_reply_json(p->rq, 200);
		emu_buf_adds(&p->rq->rep.body, "{}");
		if (ns != NULL)
			emu_ns_submit(p->ix, ns, EMU_PATCH, r, NULL);
		else
			emu_rec_free(r);
	}
	if (ns != NULL && p->rq->rep.status == 200)
		emu_lsn_written(p, ns);
}

static int
delete_ids(struct emu_pine *p, struct emu_ns *ns, struct json_object *ids)
{
	size_t i, n;

	if (!json_object_is_type(ids, json_type_array) ||
	    (n = json_object_array_length(ids)) == 0)
		return emu_pine_fail(p, 400, "No IDs to delete");
	if (n > MAXIDS)
		return emu_pine_fail(p, 400, "Request exceeds the maximum of %d "
		    "ids", MAXIDS);
	for (i = 0; i < n; i++)
		if (!json_object_is_type(json_object_array_get_idx(ids, i),
		    json_type_string))
			return emu_pine_fail(p, 400, "ids must be strings");
	for (i = 0; i < n; i++)
		emu_ns_submit(p->ix, ns, EMU_DROP, NULL,
		    json_object_get_string(json_object_array_get_idx(ids, i)));
	p->rq->items += n;
	return 0;
}

static int
delete_filter(struct emu_pine *p, struct emu_ns *ns,
    struct json_object *filter)
{
	struct emu_buf ids = { NULL, 0, 0 };
	char why[200];
	size_t i;

	if (emu_filter_check(filter, why, sizeof(why)) == -1)
		return emu_pine_fail(p, 400, "%s", why);
	/* Collect first: the records move while they go. */
	for (i = 0; i < ns->n; i++)
		if (emu_filter_match(filter, ns->rec[i]->meta))
			emu_buf_add(&ids, ns->rec[i]->id,
			    strlen(ns->rec[i]->id) + 1);
	for (i = 0; i < ids.len; i += strlen(ids.p + i) + 1)
		emu_ns_submit(p->ix, ns, EMU_DROP, NULL, ids.p + i);
	emu_buf_fini(&ids);
	return 0;
}

void
emu_pine_delete(struct emu_pine *p)
{
	struct json_object *req = p->rq->json;
	struct json_object *ids = emu_pine_get(req, "ids");
	struct json_object *filter = emu_pine_get(req, "filter");
	bool all = json_object_get_boolean(emu_pine_get(req, "deleteAll"));
	struct emu_ns *ns = emu_ns_find(p->ix, namespace_of(p));
	int ok = 0;

	if ((ids != NULL) + (filter != NULL) + all != 1) {
		(void)emu_pine_fail(p, 400, "Exactly one of ids, deleteAll and "
		    "filter must be given");
		return;
	}
	if (ns == NULL) {
		(void)emu_pine_fail(p, 404, "Namespace not found");
		return;
	}
	if (all)
		emu_ns_submit(p->ix, ns, EMU_DROP_ALL, NULL, NULL);
	else if (ids != NULL)
		ok = delete_ids(p, ns, ids);
	else
		ok = delete_filter(p, ns, filter);
	if (ok == -1)
		return;
	emu_reply_json(p->rq, 200);
	emu_buf_adds(&p->rq->rep.body, "{}");
	emu_lsn_written(p, ns);
}

void
emu_pine_list(struct emu_pine *p)
{
	const char *name = namespace_of(p);
	const char *prefix = emu_query(p->rq, "prefix");
	size_t limit = limit_of(emu_query(p->rq, "limit"), LISTLIMIT), i, n = 0;
	struct emu_ns *ns = emu_ns_find(p->ix, name);
	struct emu_buf *b = &p->rq->rep.body, token = { NULL, 0, 0 };
	size_t plen = prefix != NULL ? strlen(prefix) : 0;

	i = ns == NULL ? 0 : after_token(ns, emu_query(p->rq,
	    "paginationToken"));
	if (i == SIZE_MAX) {
		(void)emu_pine_fail(p, 400, "Invalid pagination token");
		return;
	}
	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"vectors\":[");
	for (; ns != NULL && i < ns->n && n <= limit; i++) {
		if (strncmp(ns->rec[i]->id, prefix != NULL ? prefix : "",
		    plen) != 0)
			continue;
		if (n++ == limit)
			break;
		emu_buf_adds(b, n == 1 ? "{\"id\":" : ",{\"id\":");
		emu_buf_jsons(b, ns->rec[i]->id);
		emu_buf_adds(b, "}");
		emu_buf_clear(&token);
		make_token(ns->rec[i]->id, &token);
	}
	emu_buf_adds(b, "]");
	if (n > limit)
		emu_buf_addf(b, ",\"pagination\":{\"next\":\"%s\"}", token.p);
	emu_buf_adds(b, ",\"namespace\":");
	emu_buf_jsons(b, name);
	emu_buf_adds(b, ",\"usage\":{\"readUnits\":1}}");
	emu_buf_fini(&token);
	emu_lsn_read(p, ns);
}

void
emu_pine_stats(struct emu_pine *p)
{
	struct emu_buf *b = &p->rq->rep.body;
	struct emu_ns *ns;
	size_t total = 0;

	if (emu_pine_get(p->rq->json, "filter") != NULL) {
		(void)emu_pine_fail(p, 400, "Serverless and Starter indexes do "
		    "not support describing index stats with metadata "
		    "filtering");
		return;
	}
	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"namespaces\":{");
	for (ns = p->ix->ns; ns != NULL; ns = ns->next) {
		emu_buf_adds(b, ns == p->ix->ns ? "" : ",");
		emu_buf_jsons(b, ns->name);
		emu_buf_addf(b, ":{\"vectorCount\":%zu}", ns->n);
		total += ns->n;
	}
	emu_buf_adds(b, "}");
	if (p->ix->dim != 0)
		emu_buf_addf(b, ",\"dimension\":%zu", p->ix->dim);
	emu_buf_addf(b, ",\"indexFullness\":0,\"totalVectorCount\":%zu,"
	    "\"metric\":\"%s\",\"vectorType\":\"%s\",\"memory_fullness\":0,"
	    "\"storage_fullness\":0}", total, emu_metric_name(p->ix->metric),
	    p->ix->dim != 0 ? "dense" : "sparse");
}
