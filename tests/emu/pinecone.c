#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vendors.h"

static const struct {
	int		 http, grpc;
	const char	*name;
} codes[] = {
	{ 400, 3, "INVALID_ARGUMENT" },
	{ 401, 16, "UNAUTHENTICATED" },
	{ 402, 9, "PAYMENT_REQUIRED" },
	{ 403, 7, "FORBIDDEN" },
	{ 404, 5, "NOT_FOUND" },
	{ 409, 6, "ALREADY_EXISTS" },
	{ 412, 9, "FAILED_PRECONDITION" },
	{ 413, 11, "OUT_OF_RANGE" },
	{ 422, 3, "UNPROCESSABLE_ENTITY" },
	{ 429, 8, "RESOURCE_EXHAUSTED" },
	{ 500, 13, "INTERNAL" },
	{ 501, 12, "UNIMPLEMENTED" },
	{ 503, 14, "UNAVAILABLE" },
	{ 504, 4, "DEADLINE_EXCEEDED" },
};

/* Vector calls say {code,message,details}; all others {status,error}. */
void
emu_pinecone_error(struct emu_req *rq, int http, const char *msg)
{
	struct emu_buf *b = &rq->rep.body;
	const char *name = "UNKNOWN";
	size_t i;
	int grpc = 2;

	emu_reply_clear(rq);
	if (http == 401) {
		emu_reply(rq, 401, "text/plain; charset=utf-8");
		emu_buf_adds(b, msg);
		return;
	}
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (codes[i].http == http) {
			grpc = codes[i].grpc;
			name = codes[i].name;
		}
	emu_reply_json(rq, (unsigned)http);
	if (emu_op_family(rq->op) == EMU_PINECONE) {
		emu_buf_addf(b, "{\"code\":%d,\"message\":", grpc);
		emu_buf_jsons(b, msg);
		emu_buf_adds(b, ",\"details\":[]}");
		return;
	}
	emu_buf_addf(b, "{\"error\":{\"code\":\"%s\",\"message\":", name);
	emu_buf_jsons(b, msg);
	emu_buf_addf(b, "},\"status\":%d}", http);
}

int
emu_pine_fail(struct emu_pine *p, int http, const char *fmt, ...)
{
	char msg[500];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	emu_pinecone_error(p->rq, http, msg);
	return -1;
}

int
emu_pine_parse(struct emu_pine *p)
{
	const char *why;

	if (emu_json_parse(p->rq, EMU_STRICT, &why) == 0)
		return 0;
	return emu_pine_fail(p, 400, "Invalid JSON: %s", why);
}

struct json_object *
emu_pine_get(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		(void)json_object_object_get_ex(o, name, &v);
	return v;
}

const char *
emu_pine_str(struct json_object *o, const char *name)
{
	struct json_object *v = emu_pine_get(o, name);

	return json_object_is_type(v, json_type_string) ?
	    json_object_get_string(v) : NULL;
}

const char *
emu_pine_namespace(const char *name)
{
	return name == NULL || strcmp(name, "__default__") == 0 ? "" : name;
}

const char *
emu_pine_request_namespace(struct emu_pine *p)
{
	const char *name = emu_pine_str(p->rq->json, "namespace");

	if (name == NULL)
		name = emu_query(p->rq, "namespace");
	return emu_pine_namespace(name);
}

/* A quarter's version up to 2026-07; without the header the oldest one. */
static int
read_version(struct emu_pine *p)
{
	const char *v = emu_header(p->rq, "X-Pinecone-Api-Version");
	int year, month, used = 0;

	if (v == NULL)
		return 0;
	if (sscanf(v, "%4d-%2d%n", &year, &month, &used) == 2 &&
	    v[used] == '\0' && month % 3 == 1 && month < 12 &&
	    year * 12 + month >= 2024 * 12 + 7 &&
	    year * 12 + month <= 2026 * 12 + 7) {
		p->modern = year == 2026 && month == 7;
		return 0;
	}
	p->modern = true;
	if (!emu_opt.strict_versions)
		return 0;
	return emu_pine_fail(p, 400, "Unsupported API version %.40s", v);
}

static bool
key_ok(const struct emu_req *rq)
{
	const char *k = emu_header(rq, "Api-Key");

	if (k == NULL || k[0] == '\0')
		return false;
	return emu_opt.pinecone_key == NULL ||
	    strcmp(k, emu_opt.pinecone_key) == 0;
}

static void
serve(struct emu_pine *p)
{
	static void (*const fn[EMU_OP__MAX])(struct emu_pine *) = {
		[EMU_OP_PINECONE_UPSERT] = emu_pine_upsert,
		[EMU_OP_PINECONE_QUERY] = emu_pine_query,
		[EMU_OP_PINECONE_FETCH] = emu_pine_fetch,
		[EMU_OP_PINECONE_UPDATE] = emu_pine_update,
		[EMU_OP_PINECONE_DELETE] = emu_pine_delete,
		[EMU_OP_PINECONE_LIST] = emu_pine_list,
		[EMU_OP_PINECONE_STATS] = emu_pine_stats,
		[EMU_OP_PINECONE_NAMESPACE] = emu_pine_namespaces,
		[EMU_OP_PINECONE_RECORDS] = emu_pine_records,
		[EMU_OP_PINECONE_DOCUMENTS] = emu_pine_documents,
	};
	bool writes = p->rq->op != EMU_OP_PINECONE_QUERY;

	if (writes)
		emu_store_write();
	else
		emu_store_read();
	p->ix = p->rq->index != NULL ? emu_index_find(p->rq->index) :
	    emu_index_first();
	if (p->ix == NULL)
		(void)emu_pine_fail(p, 404, "Index not found");
	else
		fn[p->rq->op](p);
	emu_store_unlock();
}

void
emu_pinecone(struct emu_req *rq)
{
	struct emu_pine p = { .rq = rq };

	if (!key_ok(rq)) {
		emu_pinecone_error(rq, 401, emu_header(rq, "Api-Key") == NULL ?
		    "Unauthorized" : "Invalid API Key");
		return;
	}
	if (read_version(&p) == -1)
		return;
	if (rq->op == EMU_OP_PINECONE_QUERY && emu_pine_query_again(&p))
		return;
	/* NDJSON is read line by line; GET and DELETE have no body. */
	if (strstr(rq->path, "/records/") == NULL && emu_pine_parse(&p) == -1)
		return;
	if (rq->op == EMU_OP_PINECONE_INDEX)
		emu_pine_index(&p);
	else if (rq->op == EMU_OP_PINECONE_INFER)
		emu_pine_infer(&p);
	else
		serve(&p);
	emu_reply_header(rq, "x-pinecone-request-id", "%lld",
	    (long long)rq->id);
}
