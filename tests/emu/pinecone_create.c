/* Making an index, from the request of either API generation. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"

#define MAXDIM	20000

/* What a create request says, of either generation. */
struct wanted {
	const char	*name, *metric, *type, *cloud, *region, *field;
	struct json_object *dim, *embed;
};

static void
read_classic(struct json_object *req, struct wanted *w)
{
	struct json_object *sl = emu_pine_get(emu_pine_get(req, "spec"),
	    "serverless");

	w->metric = emu_pine_str(req, "metric");
	w->type = emu_pine_str(req, "vector_type");
	w->dim = emu_pine_get(req, "dimension");
	w->cloud = emu_pine_str(sl, "cloud");
	w->region = emu_pine_str(sl, "region");
}

static void
read_modern(struct json_object *req, struct wanted *w)
{
	struct json_object *fields = emu_pine_get(emu_pine_get(req, "schema"),
	    "fields"), *dep = emu_pine_get(req, "deployment");
	const char *type;

	w->type = "sparse";
	w->cloud = emu_pine_str(dep, "cloud");
	w->region = emu_pine_str(dep, "region");
	if (!json_object_is_type(fields, json_type_object))
		return;
	json_object_object_foreach(fields, key, f) {
		type = emu_pine_str(f, "type");
		if (type == NULL || strcmp(type, "dense_vector") != 0)
			continue;
		w->type = "dense";
		w->field = key;
		w->dim = emu_pine_get(f, "dimension");
		w->metric = emu_pine_str(f, "metric");
	}
}

static void
read_for_model(struct json_object *req, struct wanted *w)
{
	w->embed = emu_pine_get(req, "embed");
	w->metric = emu_pine_str(w->embed, "metric");
	w->dim = emu_pine_get(w->embed, "dimension");
	w->cloud = emu_pine_str(req, "cloud");
	w->region = emu_pine_str(req, "region");
	if (emu_pine_str(w->embed, "model") != NULL &&
	    strstr(emu_pine_str(w->embed, "model"), "sparse") != NULL)
		w->type = "sparse";
}

static int
check_wanted(struct emu_pine *p, const struct wanted *w,
    enum emu_metric *metric, size_t *dim)
{
	bool sparse = w->type != NULL && strcmp(w->type, "sparse") == 0;

	if (w->field != NULL && (w->field[0] == '\0' || strlen(w->field) > 60 ||
	    strpbrk(w->field, "\"\\") != NULL))
		return emu_pine_fail(p, 400, "Invalid field name");
	if (w->name == NULL || !emu_index_name_ok(w->name))
		return emu_pine_fail(p, 400, "Name must consist of lower case "
		    "alphanumeric characters or '-'");
	if (emu_index_find(w->name) != NULL)
		return emu_pine_fail(p, 409, "Resource already exists");
	*metric = sparse ? EMU_DOT : EMU_COSINE;
	if (w->metric != NULL && emu_metric_by_name(w->metric, metric) == -1)
		return emu_pine_fail(p, 400, "Invalid metric %.40s",
		    w->metric);
	if (sparse && (*metric != EMU_DOT || (w->dim != NULL &&
	    w->embed == NULL)))
		return emu_pine_fail(p, 400, "A sparse index has the metric "
		    "dotproduct and no dimension");
	*dim = sparse ? 0 : w->embed != NULL ? 1024 : 0;
	if (!sparse && w->dim != NULL)
		*dim = json_object_get_int(w->dim) > 0 ?
		    (size_t)json_object_get_int(w->dim) : 0;
	if (!sparse && (*dim == 0 || *dim > MAXDIM))
		return emu_pine_fail(p, 400, "Dimension must be between 1 and "
		    "%d", MAXDIM);
	return 0;
}

struct json_object *
emu_json_copy(struct json_object *o)
{
	struct json_object *copy = NULL;

	if (o != NULL)
		(void)json_object_deep_copy(o, &copy, NULL);
	return copy;
}

bool
emu_index_guards(struct json_object *req)
{
	const char *s = emu_pine_str(req, "deletion_protection");

	return s != NULL && strcmp(s, "enabled") == 0;
}

void
emu_index_create(struct emu_pine *p, bool for_model)
{
	struct json_object *req = p->rq->json;
	struct wanted w = { .name = emu_pine_str(req, "name") };
	struct emu_index *ix;
	enum emu_metric metric = EMU_COSINE;
	size_t dim = 0;

	if (for_model)
		read_for_model(req, &w);
	else if (emu_pine_get(req, "schema") != NULL)
		read_modern(req, &w);
	else
		read_classic(req, &w);
	if (check_wanted(p, &w, &metric, &dim) == -1)
		return;
	ix = emu_index_add(w.name, dim, metric);
	ix->guarded = emu_index_guards(req);
	ix->tags = emu_json_copy(emu_pine_get(req, "tags"));
	ix->embed = emu_json_copy(w.embed);
	if (w.field != NULL)
		(void)snprintf(ix->dense_field, sizeof(ix->dense_field), "%s",
		    w.field);
	if (w.cloud != NULL)
		(void)snprintf(ix->cloud, sizeof(ix->cloud), "%s", w.cloud);
	if (w.region != NULL)
		(void)snprintf(ix->region, sizeof(ix->region), "%s", w.region);
	emu_reply_json(p->rq, 201);
	emu_index_write(p, ix);
}
