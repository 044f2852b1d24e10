/* Data calls that only look: fetch, list, statistics. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"

#define MAXIDS		1000
#define LISTLIMIT	100

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

	if (filter == NULL ||
	    emu_filter_check(filter, why, sizeof(why)) == -1) {
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
	const char *name = emu_pine_request_namespace(p);
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

void
emu_pine_list(struct emu_pine *p)
{
	const char *name = emu_pine_request_namespace(p);
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
