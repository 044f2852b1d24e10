/* Data calls that change: upsert, update, delete. */
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
		return emu_pine_fail(p, 400, "Request exceeds the maximum of "
		    "%d vectors: %zu", MAXUPSERT, n);
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
		ns = emu_ns_make(p->ix, emu_pine_request_namespace(p));
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
	struct emu_ns *ns = emu_ns_find(p->ix, emu_pine_request_namespace(p));
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
		return emu_pine_fail(p, 400, "Request exceeds the maximum of "
		    "%d ids", MAXIDS);
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
	struct emu_ns *ns = emu_ns_find(p->ix, emu_pine_request_namespace(p));
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
