#include "config.h"

#include <string.h>
#include <strings.h>

#include "tests/emu/emu.h"
#include "tests/emu/tools.h"

#define MAXDEPTH	8

static struct json_object *
member(struct json_object *o, const char *name)
{
	struct json_object *v = NULL;

	if (json_object_is_type(o, json_type_object))
		(void)json_object_object_get_ex(o, name, &v);
	return v;
}

static const char *
type_of(struct json_object *schema)
{
	struct json_object *t = member(schema, "type");

	if (json_object_is_type(t, json_type_array))
		t = json_object_array_get_idx(t, 0);
	if (json_object_is_type(t, json_type_string))
		return json_object_get_string(t);
	return member(schema, "properties") != NULL ? "object" : "string";
}

static void value(struct emu_buf *, struct json_object *, const char *, int);

static void
object(struct emu_buf *b, struct json_object *schema, const char *text,
    int depth)
{
	struct json_object *props = member(schema, "properties");
	const char *sep = "{";

	if (json_object_is_type(props, json_type_object)) {
		json_object_object_foreach(props, key, v) {
			emu_buf_adds(b, sep);
			emu_buf_jsons(b, key);
			emu_buf_adds(b, ":");
			value(b, v, text, depth + 1);
			sep = ",";
		}
	}
	emu_buf_adds(b, *sep == '{' ? "{}" : "}");
}

static void
value(struct emu_buf *b, struct json_object *schema, const char *text,
    int depth)
{
	struct json_object *choice = member(schema, "enum");
	const char *type = type_of(schema);

	if (depth > MAXDEPTH) {
		emu_buf_adds(b, "null");
	} else if (json_object_is_type(choice, json_type_array) &&
	    json_object_array_length(choice) != 0) {
		emu_buf_adds(b, json_object_to_json_string_ext(
		    json_object_array_get_idx(choice, 0),
		    JSON_C_TO_STRING_PLAIN));
	} else if (strcasecmp(type, "object") == 0) {
		object(b, schema, text, depth);
	} else if (strcasecmp(type, "array") == 0) {
		emu_buf_adds(b, "[");
		value(b, member(schema, "items"), text, depth + 1);
		emu_buf_adds(b, "]");
	} else if (strcasecmp(type, "integer") == 0) {
		emu_buf_adds(b, "7");
	} else if (strcasecmp(type, "number") == 0) {
		emu_buf_adds(b, "0.5");
	} else if (strcasecmp(type, "boolean") == 0) {
		emu_buf_adds(b, "true");
	} else {
		emu_buf_jsons(b, text);
	}
}

void
emu_schema_value(struct emu_buf *b, struct json_object *schema,
    const char *text)
{
	value(b, schema, text, 0);
}
