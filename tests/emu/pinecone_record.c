/* One record: read from an upsert with every check, and written again. */
#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"

#define MAXID		512
#define MAXMETA		40960
#define MAXSPARSE	2048

static bool
is_number(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double);
}

static bool
list_of_strings(struct json_object *v)
{
	size_t i;

	for (i = 0; i < json_object_array_length(v); i++)
		if (!json_object_is_type(json_object_array_get_idx(v, i),
		    json_type_string))
			return false;
	return true;
}

/*
 * Flat: strings, numbers, booleans, lists of strings.  A list of numbers that
 * lift.c took away is a string by now, and so refused by its mark.
 */
int
emu_meta_check(struct emu_pine *p, struct json_object *meta)
{
	size_t len;

	if (!json_object_is_type(meta, json_type_object))
		return emu_pine_fail(p, 400, "Metadata must be an object");
	json_object_object_foreach(meta, key, v) {
		const float *f;
		size_t n;

		if (is_number(v) || json_object_is_type(v, json_type_boolean))
			continue;
		if (json_object_is_type(v, json_type_string) &&
		    emu_lift_floats(p->rq, v, &f, &n) == -1)
			continue;
		if (json_object_is_type(v, json_type_array) &&
		    list_of_strings(v))
			continue;
		return emu_pine_fail(p, 400, "Metadata value must be a string, "
		    "number, boolean or list of strings, got '%.60s' for field "
		    "'%.60s'", v == NULL ? "null" :
		    json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN),
		    key);
	}
	(void)json_object_to_json_string_length(meta,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);
	if (len <= MAXMETA)
		return 0;
	return emu_pine_fail(p, 400, "Metadata size is %zu bytes, which "
	    "exceeds the limit of %d bytes per vector", len, MAXMETA);
}

void
emu_rec_meta(struct emu_rec *r, struct json_object *meta)
{
	json_object_put(r->meta);
	free(r->meta_text);
	r->meta_text = emu_strdup(json_object_to_json_string_ext(meta,
	    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	/* A copy of its own: json-c counts references without locks. */
	r->meta = json_tokener_parse(r->meta_text);
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

static int
sparse_pairs(struct emu_pine *p, struct json_object *idx, const float *v,
    size_t n, struct pair *pair)
{
	struct json_object *o;
	int64_t x;
	size_t i;

	for (i = 0; i < n; i++) {
		o = json_object_array_get_idx(idx, i);
		x = json_object_get_int64(o);
		if (!json_object_is_type(o, json_type_int) || x < 0 ||
		    x > UINT32_MAX)
			return emu_pine_fail(p, 400, "Sparse indices must be "
			    "unsigned 32-bit integers");
		if (v[i] == 0)
			return emu_pine_fail(p, 400, "Sparse vector values "
			    "must not be zero");
		pair[i].idx = (uint32_t)x;
		pair[i].val = v[i];
	}
	qsort(pair, n, sizeof(*pair), by_index);
	for (i = 1; i < n; i++)
		if (pair[i].idx == pair[i - 1].idx)
			return emu_pine_fail(p, 400, "Sparse vector must "
			    "contain unique indices");
	return 0;
}

int
emu_sparse_read(struct emu_pine *p, struct json_object *o, uint32_t **sidx,
    float **sval, size_t *n)
{
	struct json_object *idx = emu_pine_get(o, "indices");
	struct pair *pair;
	const float *v;
	size_t nv = 0, i;
	int ok;

	if (o == NULL)
		return 0;
	if (!json_object_is_type(idx, json_type_array) ||
	    emu_lift_floats(p->rq, emu_pine_get(o, "values"), &v, &nv) != 1)
		return emu_pine_fail(p, 400, "Sparse values need indices and "
		    "values");
	if (nv != json_object_array_length(idx) || nv == 0 || nv > MAXSPARSE)
		return emu_pine_fail(p, 400, nv == 0 ? "Sparse vector must "
		    "contain at least one value" : "Sparse vector indices and "
		    "values must have the same length, at most %d", MAXSPARSE);
	pair = emu_alloc(nv * sizeof(*pair));
	ok = sparse_pairs(p, idx, v, nv, pair);
	if (ok == 0) {
		*sidx = emu_alloc(nv * sizeof(**sidx));
		*sval = emu_alloc(nv * sizeof(**sval));
		*n = nv;
		for (i = 0; i < nv; i++) {
			(*sidx)[i] = pair[i].idx;
			(*sval)[i] = pair[i].val;
		}
	}
	free(pair);
	return ok == 0 ? 1 : -1;
}

static int
read_values(struct emu_pine *p, struct json_object *o, struct emu_rec *r)
{
	const float *v;
	size_t n;
	int ok;

	ok = emu_lift_floats(p->rq, emu_pine_get(o, "values"), &v, &n);
	if (ok == 0 || (ok == 1 && n == 0))
		return 0;
	if (ok == -1)
		return emu_pine_fail(p, 400, "Invalid value for vector values");
	if (n != p->ix->dim)
		return emu_pine_fail(p, 400, "Vector dimension %zu does not "
		    "match the dimension of the index %zu", n, p->ix->dim);
	r->values = emu_alloc(n * sizeof(*v));
	memcpy(r->values, v, n * sizeof(*v));
	r->norm = sqrtf(emu_dot(v, v, n));
	if (r->norm > 0)
		return 0;
	return emu_pine_fail(p, 400, "Dense vectors must contain at least one "
	    "non-zero value.");
}

static int
read_id(struct emu_pine *p, struct json_object *o, struct emu_rec *r)
{
	struct json_object *id = emu_pine_get(o, "id");
	size_t len;

	if (!json_object_is_type(id, json_type_string) ||
	    (len = (size_t)json_object_get_string_len(id)) == 0)
		return emu_pine_fail(p, 400, "Vector ID must not be empty");
	if (len > MAXID)
		return emu_pine_fail(p, 400, "Vector ID length %zu exceeds the "
		    "limit of %d", len, MAXID);
	if (strlen(json_object_get_string(id)) != len)
		return emu_pine_fail(p, 400, "Vector ID must not contain NUL");
	r->id = emu_strdup(json_object_get_string(id));
	return 0;
}

struct emu_rec *
emu_rec_read(struct emu_pine *p, struct json_object *o)
{
	struct json_object *meta = emu_pine_get(o, "metadata");
	struct emu_rec *r;

	if (!json_object_is_type(o, json_type_object)) {
		(void)emu_pine_fail(p, 400, "A vector must be an object");
		return NULL;
	}
	r = emu_calloc(1, sizeof(*r));
	if (read_id(p, o, r) == -1 || read_values(p, o, r) == -1 ||
	    emu_sparse_read(p, emu_pine_get(o, "sparseValues"), &r->sidx,
	    &r->sval, &r->nsparse) == -1 ||
	    (meta != NULL && emu_meta_check(p, meta) == -1)) {
		emu_rec_free(r);
		return NULL;
	}
	if (meta != NULL)
		emu_rec_meta(r, meta);
	return r;
}

void
emu_rec_write(struct emu_buf *b, const struct emu_rec *r, size_t dim,
    bool values, bool meta)
{
	size_t i;

	emu_buf_adds(b, "\"id\":");
	emu_buf_jsons(b, r->id);
	emu_buf_adds(b, ",\"values\":");
	if (values && r->values != NULL)
		emu_buf_floats(b, r->values, dim);
	else
		emu_buf_adds(b, "[]");
	if (values && r->nsparse != 0) {
		emu_buf_adds(b, ",\"sparseValues\":{\"indices\":[");
		for (i = 0; i < r->nsparse; i++)
			emu_buf_addf(b, "%s%u", i == 0 ? "" : ",", r->sidx[i]);
		emu_buf_adds(b, "],\"values\":");
		emu_buf_floats(b, r->sval, r->nsparse);
		emu_buf_adds(b, "}");
	}
	if (meta && r->meta_text != NULL) {
		emu_buf_adds(b, ",\"metadata\":");
		emu_buf_adds(b, r->meta_text);
	}
}
