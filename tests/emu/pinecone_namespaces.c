#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"

static void
write_ns(struct emu_buf *b, const struct emu_ns *ns)
{
	emu_buf_adds(b, "{\"name\":");
	emu_buf_jsons(b, ns->name[0] != '\0' ? ns->name : "__default__");
	emu_buf_addf(b, ",\"record_count\":%zu", ns->n);
	if (ns->schema != NULL) {
		emu_buf_adds(b, ",\"schema\":");
		emu_buf_adds(b, json_object_to_json_string_ext(ns->schema,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	}
	emu_buf_adds(b, "}");
}

static void
create(struct emu_pine *p)
{
	const char *name = emu_pine_str(p->rq->json, "name");
	struct json_object *schema = emu_pine_get(p->rq->json, "schema");
	struct emu_ns *ns;

	if (name == NULL || name[0] == '\0') {
		(void)emu_pine_fail(p, 400, "name is required");
		return;
	}
	name = emu_pine_namespace(name);
	if (emu_ns_find(p->ix, name) != NULL) {
		(void)emu_pine_fail(p, 409, "Namespace already exists");
		return;
	}
	ns = emu_ns_make(p->ix, name);
	if (schema != NULL)
		(void)json_object_deep_copy(schema, &ns->schema, NULL);
	emu_reply_json(p->rq, 200);
	write_ns(&p->rq->rep.body, ns);
}

/* The token is the last name given out. */
static void
list(struct emu_pine *p)
{
	const char *limit = emu_query(p->rq, "limit");
	const char *token = emu_query(p->rq, "paginationToken");
	const char *prefix = emu_query(p->rq, "prefix");
	size_t max = limit != NULL ? strtoul(limit, NULL, 10) : 100, n = 0;
	size_t total = 0;
	struct emu_buf *b = &p->rq->rep.body;
	const struct emu_ns *ns, *last = NULL;

	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"namespaces\":[");
	for (ns = p->ix->ns; ns != NULL; ns = ns->next) {
		if (prefix != NULL && strncmp(ns->name, prefix,
		    strlen(prefix)) != 0)
			continue;
		total++;
		if (token != NULL && strcmp(ns->name, token) <= 0)
			continue;
		if (n++ >= max)
			continue;	/* only to know that there is more */
		emu_buf_adds(b, n == 1 ? "" : ",");
		write_ns(b, ns);
		last = ns;
	}
	emu_buf_adds(b, "]");
	if (n > max && last != NULL) {
		emu_buf_adds(b, ",\"pagination\":{\"next\":");
		emu_buf_jsons(b, last->name);
		emu_buf_adds(b, "}");
	}
	emu_buf_addf(b, ",\"total_count\":%zu}", total);
}

void
emu_pine_namespaces(struct emu_pine *p)
{
	const char *name = p->rq->path + strlen("/namespaces");
	struct emu_ns *ns;

	if (name[0] == '\0') {
		if (strcmp(p->rq->method, "POST") == 0)
			create(p);
		else
			list(p);
		return;
	}
	ns = emu_ns_find(p->ix, emu_pine_namespace(name + 1));
	if (ns == NULL) {
		(void)emu_pine_fail(p, 404, "Namespace not found");
		return;
	}
	emu_reply_json(p->rq, 200);
	if (strcmp(p->rq->method, "DELETE") == 0) {
		emu_ns_drop(p->ix, ns);
		emu_buf_adds(&p->rq->rep.body, "{}");
	} else {
		write_ns(&p->rq->rep.body, ns);
	}
}
