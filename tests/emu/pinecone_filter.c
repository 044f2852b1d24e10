/*
 * Metadata filters.  Several keys, and several operators on one key, are all
 * wanted; $and and $or nest.  A list of strings matches $eq and $in when any
 * element does, and $ne and $nin when none does.  A missing field matches $ne
 * and $nin.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "tests/emu/pinecone.h"

#define MAXDEPTH	16
#define MAXIN		10000

enum op { EQ, NE, GT, GTE, LT, LTE, IN, NIN, EXISTS, OP__MAX };

static const char *const ops[OP__MAX] = {
	[EQ] = "$eq", [NE] = "$ne", [GT] = "$gt", [GTE] = "$gte",
	[LT] = "$lt", [LTE] = "$lte", [IN] = "$in", [NIN] = "$nin",
	[EXISTS] = "$exists",
};

static enum op
op_of(const char *name)
{
	int i;

	for (i = 0; i < OP__MAX; i++)
		if (strcmp(ops[i], name) == 0)
			break;
	return (enum op)i;
}

static bool
is_number(struct json_object *v)
{
	return json_object_is_type(v, json_type_int) ||
	    json_object_is_type(v, json_type_double);
}

static bool
is_scalar(struct json_object *v)
{
	return is_number(v) || json_object_is_type(v, json_type_string) ||
	    json_object_is_type(v, json_type_boolean);
}

static bool
operand_ok(enum op op, struct json_object *v)
{
	size_t i;

	switch (op) {
	case EQ: case NE:
		return is_scalar(v);
	case GT: case GTE: case LT: case LTE:
		return is_number(v);
	case IN: case NIN:
		if (!json_object_is_type(v, json_type_array) ||
		    json_object_array_length(v) > MAXIN)
			return false;
		for (i = 0; i < json_object_array_length(v); i++)
			if (!is_scalar(json_object_array_get_idx(v, i)))
				return false;
		return true;
	case EXISTS:
		return json_object_is_type(v, json_type_boolean);
	default:
		return false;
	}
}

static int	check(struct json_object *, char *, size_t, int);

static int
check_list(struct json_object *v, const char *key, char *why, size_t n,
    int depth)
{
	size_t i;

	if (!json_object_is_type(v, json_type_array) ||
	    json_object_array_length(v) == 0) {
		(void)snprintf(why, n, "the %s operator must be followed by a "
		    "list of filters", key);
		return -1;
	}
	for (i = 0; i < json_object_array_length(v); i++)
		if (check(json_object_array_get_idx(v, i), why, n,
		    depth + 1) == -1)
			return -1;
	return 0;
}

static int
check_field(struct json_object *v, const char *field, char *why, size_t n)
{
	if (is_scalar(v))
		return 0;
	if (!json_object_is_type(v, json_type_object) ||
	    json_object_object_length(v) == 0) {
		(void)snprintf(why, n, "illegal condition for field %.60s, got "
		    "%.80s", field, json_object_to_json_string(v));
		return -1;
	}
	json_object_object_foreach(v, op, operand) {
		if (op_of(op) != OP__MAX && operand_ok(op_of(op), operand))
			continue;
		if (op_of(op) == OP__MAX)
			(void)snprintf(why, n, "%.40s is not a valid operator",
			    op);
		else
			(void)snprintf(why, n, "the %s operator must be "
			    "followed by another type, got %.80s instead", op,
			    json_object_to_json_string(operand));
		return -1;
	}
	return 0;
}

static int
check(struct json_object *f, char *why, size_t n, int depth)
{
	if (!json_object_is_type(f, json_type_object) || depth > MAXDEPTH) {
		(void)snprintf(why, n, "a filter must be an object");
		return -1;
	}
	json_object_object_foreach(f, key, v) {
		if (strcmp(key, "$and") == 0 || strcmp(key, "$or") == 0) {
			if (check_list(v, key, why, n, depth) == -1)
				return -1;
		} else if (key[0] == '$') {
			(void)snprintf(why, n, "%.40s is not a valid operator",
			    key);
			return -1;
		} else if (check_field(v, key, why, n) == -1) {
			return -1;
		}
	}
	return 0;
}

int
emu_filter_check(struct json_object *f, char *why, size_t whylen)
{
	return f == NULL ? 0 : check(f, why, whylen, 0);
}

/* Equal by type and value.  Only accessors that change nothing are used. */
static bool
same(struct json_object *a, struct json_object *b)
{
	if (is_number(a) && is_number(b))
		return json_object_get_double(a) == json_object_get_double(b);
	if (json_object_get_type(a) != json_object_get_type(b))
		return false;
	if (json_object_is_type(a, json_type_string))
		return strcmp(json_object_get_string(a),
		    json_object_get_string(b)) == 0;
	if (json_object_is_type(a, json_type_boolean))
		return json_object_get_boolean(a) == json_object_get_boolean(b);
	return false;
}

static bool
any_same(struct json_object *have, struct json_object *want)
{
	size_t i;

	if (!json_object_is_type(have, json_type_array))
		return same(have, want);
	for (i = 0; i < json_object_array_length(have); i++)
		if (same(json_object_array_get_idx(have, i), want))
			return true;
	return false;
}

static bool
any_in(struct json_object *have, struct json_object *list)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (any_same(have, json_object_array_get_idx(list, i)))
			return true;
	return false;
}

static bool
compare(struct json_object *have, enum op op, struct json_object *want)
{
	double a, b;

	if (!is_number(have))
		return false;
	a = json_object_get_double(have);
	b = json_object_get_double(want);
	switch (op) {
	case GT:	return a > b;
	case GTE:	return a >= b;
	case LT:	return a < b;
	default:	return a <= b;
	}
}

static bool
holds(struct json_object *have, enum op op, struct json_object *want)
{
	switch (op) {
	case EQ:	return have != NULL && any_same(have, want);
	case NE:	return have == NULL || !any_same(have, want);
	case IN:	return have != NULL && any_in(have, want);
	case NIN:	return have == NULL || !any_in(have, want);
	case EXISTS:	return (have != NULL) ==
			    (bool)json_object_get_boolean(want);
	default:	return have != NULL && compare(have, op, want);
	}
}

static bool
match_field(struct json_object *have, struct json_object *cond)
{
	if (!json_object_is_type(cond, json_type_object))
		return holds(have, EQ, cond);
	json_object_object_foreach(cond, op, want)
		if (!holds(have, op_of(op), want))
			return false;
	return true;
}

static bool
match_list(struct json_object *list, struct json_object *meta, bool all)
{
	size_t i;

	for (i = 0; i < json_object_array_length(list); i++)
		if (emu_filter_match(json_object_array_get_idx(list, i),
		    meta) != all)
			return !all;
	return all;
}

bool
emu_filter_match(struct json_object *f, struct json_object *meta)
{
	struct json_object *have;
	bool ok;

	json_object_object_foreach(f, key, v) {
		if (strcmp(key, "$and") == 0) {
			ok = match_list(v, meta, true);
		} else if (strcmp(key, "$or") == 0) {
			ok = match_list(v, meta, false);
		} else {
			have = NULL;
			if (meta != NULL)
				(void)json_object_object_get_ex(meta, key,
				    &have);
			ok = match_field(have, v);
		}
		if (!ok)
			return false;
	}
	return true;
}
