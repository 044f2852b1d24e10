/* The control plane: indexes, in the model of either API generation. */
#include "config.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vendors.h"

#define MAXDIM	20000

static const char *const metrics[] = {
	[EMU_COSINE] = "cosine", [EMU_DOT] = "dotproduct",
	[EMU_EUCLIDEAN] = "euclidean",
};

static struct emu_index *all;

const char *
emu_metric_name(enum emu_metric m)
{
	return metrics[m];
}

int
emu_metric_by_name(const char *name, enum emu_metric *out)
{
	int i;

	for (i = 0; i < 3; i++)
		if (strcmp(metrics[i], name) == 0) {
			*out = (enum emu_metric)i;
			return 0;
		}
	return -1;
}

struct emu_index *
emu_index_first(void)
{
	return all;
}

struct emu_index *
emu_index_find(const char *name)
{
	struct emu_index *ix;

	for (ix = all; ix != NULL; ix = ix->next)
		if (strcmp(ix->name, name) == 0)
			return ix;
	return NULL;
}

struct emu_index *
emu_index_add(const char *name, size_t dim, enum emu_metric metric)
{
	struct emu_index *ix, **at;

	emu_store_changed();
	ix = emu_calloc(1, sizeof(*ix));
	(void)snprintf(ix->name, sizeof(ix->name), "%s", name);
	(void)snprintf(ix->cloud, sizeof(ix->cloud), "aws");
	(void)snprintf(ix->region, sizeof(ix->region), "us-east-1");
	(void)snprintf(ix->dense_field, sizeof(ix->dense_field), "_values");
	ix->dim = dim;
	ix->metric = metric;
	for (at = &all; *at != NULL; at = &(*at)->next)
		continue;
	*at = ix;
	return ix;
}

static void
destroy(struct emu_index *ix)
{
	struct emu_index **at;

	emu_store_changed();
	for (at = &all; *at != ix; at = &(*at)->next)
		continue;
	*at = ix->next;
	emu_ns_drop_all(ix);
	json_object_put(ix->tags);
	json_object_put(ix->embed);
	free(ix);
}

/* 1 to 45 of a-z, 0-9 and '-', no dash at either end. */
bool
emu_index_name_ok(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= 45 &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == n &&
	    s[0] != '-' && s[n - 1] != '-';
}

void
emu_pinecone_index_option(const char *arg)
{
	char name[64], metric[20];
	enum emu_metric m;
	unsigned dim;

	if (sscanf(arg, "%63[^:]:%u:%19s", name, &dim, metric) != 3 ||
	    !emu_index_name_ok(name) || dim > MAXDIM ||
	    emu_metric_by_name(metric, &m) == -1 ||
	    emu_index_find(name) != NULL)
		errx(2, "--index %s: NAME:DIM:METRIC is wanted, METRIC cosine, "
		    "dotproduct or euclidean, DIM 0 for sparse", arg);
	emu_index_add(name, dim, m)->fixed = true;
}

void
emu_pinecone_reset(void)
{
	struct emu_index *ix, *next;

	emu_store_write();
	for (ix = all; ix != NULL; ix = next) {
		next = ix->next;
		if (ix->fixed) {
			emu_ns_drop_all(ix);
			ix->guarded = false;
		} else {
			destroy(ix);
		}
	}
	emu_store_unlock();
}

void
emu_pinecone_finish(void)
{
	emu_store_write();
	while (all != NULL)
		destroy(all);
	emu_store_unlock();
}

static void
write_json(struct emu_buf *b, const char *name, struct json_object *o)
{
	if (o == NULL)
		return;
	emu_buf_addf(b, ",\"%s\":", name);
	emu_buf_adds(b, json_object_to_json_string_ext(o,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

/* The first index is at the root, so that the plain base URL is its host. */
static void
write_host(struct emu_buf *b, const struct emu_index *ix)
{
	emu_buf_addf(b, ",\"host\":\"%s%s%s\"", emu_opt.base_url,
	    ix == all ? "" : "/_ix/", ix == all ? "" : ix->name);
}

static void
write_classic(struct emu_buf *b, const struct emu_index *ix)
{
	if (ix->dim != 0)
		emu_buf_addf(b, ",\"dimension\":%zu", ix->dim);
	emu_buf_addf(b, ",\"metric\":\"%s\",\"vector_type\":\"%s\","
	    "\"spec\":{\"serverless\":{\"cloud\":\"%s\",\"region\":\"%s\","
	    "\"read_capacity\":{\"mode\":\"OnDemand\",\"status\":"
	    "{\"state\":\"Ready\"}}}}", metrics[ix->metric],
	    ix->dim != 0 ? "dense" : "sparse", ix->cloud, ix->region);
	write_json(b, "embed", ix->embed);
}

/* From 2026-07 on: what is searchable is fields of a schema. */
static void
write_modern(struct emu_buf *b, const struct emu_index *ix)
{
	struct json_object *map = emu_pine_get(ix->embed, "field_map");

	emu_buf_addf(b, ",\"deployment\":{\"deployment_type\":\"managed\","
	    "\"cloud\":\"%s\",\"region\":\"%s\",\"environment\":"
	    "\"aped-emu\"},\"schema\":{\"fields\":{", ix->cloud, ix->region);
	if (ix->dim != 0)
		emu_buf_addf(b, "\"%s\":{\"type\":\"dense_vector\","
		    "\"dimension\":%zu,\"metric\":\"%s\"}",
		    ix->dense_field, ix->dim, metrics[ix->metric]);
	else
		emu_buf_adds(b, "\"_sparse_values\":{\"type\":"
		    "\"sparse_vector\",\"metric\":\"dotproduct\"}");
	if (emu_pine_str(map, "text") != NULL) {
		emu_buf_adds(b, ",");
		emu_buf_jsons(b, emu_pine_str(map, "text"));
		emu_buf_adds(b, ":{\"type\":\"semantic_text\",\"model\":");
		emu_buf_jsons(b, emu_pine_str(ix->embed, "model"));
		emu_buf_addf(b, ",\"metric\":\"%s\",\"dimension\":%zu}",
		    metrics[ix->metric], ix->dim);
	}
	emu_buf_adds(b, "}},\"read_capacity\":{\"mode\":\"OnDemand\","
	    "\"status\":{\"state\":\"Ready\"}}");
}

void
emu_index_write(struct emu_pine *p, const struct emu_index *ix)
{
	struct emu_buf *b = &p->rq->rep.body;

	emu_buf_addf(b, "{\"name\":\"%s\"", ix->name);
	write_host(b, ix);
	if (p->modern)
		write_modern(b, ix);
	else
		write_classic(b, ix);
	write_json(b, "tags", ix->tags);
	emu_buf_addf(b, ",\"deletion_protection\":\"%s\",\"status\":{"
	    "\"ready\":true,\"state\":\"Ready\"}}",
	    ix->guarded ? "enabled" : "disabled");
}

/* A tag set to "" goes away. */
static void
merge_tags(struct emu_index *ix, struct json_object *tags)
{
	if (!json_object_is_type(tags, json_type_object))
		return;
	if (ix->tags == NULL)
		ix->tags = json_object_new_object();
	json_object_object_foreach(tags, key, v) {
		if (json_object_get_string_len(v) == 0)
			json_object_object_del(ix->tags, key);
		else
			json_object_object_add(ix->tags, key, emu_json_copy(v));
	}
}

static void
configure(struct emu_pine *p, struct emu_index *ix)
{
	struct json_object *req = p->rq->json, *embed;

	if (emu_pine_str(req, "deletion_protection") != NULL)
		ix->guarded = emu_index_guards(req);
	merge_tags(ix, emu_pine_get(req, "tags"));
	if ((embed = emu_pine_get(req, "embed")) != NULL) {
		json_object_put(ix->embed);
		ix->embed = emu_json_copy(embed);
	}
	emu_reply_json(p->rq, 200);
	emu_index_write(p, ix);
}

static void
one(struct emu_pine *p, const char *name)
{
	struct emu_index *ix = emu_index_find(name);
	const char *m = p->rq->method;

	if (ix == NULL) {
		(void)emu_pine_fail(p, 404, "Resource %.60s not found", name);
	} else if (strcmp(m, "PATCH") == 0) {
		configure(p, ix);
	} else if (strcmp(m, "DELETE") == 0) {
		if (ix->guarded) {
			(void)emu_pine_fail(p, 403, "Deletion protection is "
			    "enabled for this index. Disable deletion "
			    "protection before retrying.");
			return;
		}
		destroy(ix);
		emu_reply(p->rq, 202, NULL);
	} else {
		emu_reply_json(p->rq, 200);
		emu_index_write(p, ix);
	}
}

static void
list(struct emu_pine *p)
{
	struct emu_index *ix;

	emu_reply_json(p->rq, 200);
	emu_buf_adds(&p->rq->rep.body, "{\"indexes\":[");
	for (ix = all; ix != NULL; ix = ix->next) {
		if (ix != all)
			emu_buf_adds(&p->rq->rep.body, ",");
		emu_index_write(p, ix);
	}
	emu_buf_adds(&p->rq->rep.body, "]}");
}

void
emu_pine_index(struct emu_pine *p)
{
	const char *rest = p->rq->path + strlen("/indexes");
	bool post = strcmp(p->rq->method, "POST") == 0;

	/* Printing a json-c object changes it inside: alone, please. */
	emu_store_write();
	if (post && strcmp(rest, "/create-for-model") == 0)
		emu_index_create(p, true);
	else if (post && rest[0] == '\0')
		emu_index_create(p, false);
	else if (rest[0] == '/')
		one(p, rest + 1);
	else
		list(p);
	emu_store_unlock();
}
