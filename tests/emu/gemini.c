#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/lift.h"
#include "tests/emu/vendors.h"

/* Header or query parameter; any key is good unless one was configured. */
static bool
key_ok(const struct emu_req *rq)
{
	const char *k = emu_header(rq, "x-goog-api-key");

	if (k == NULL)
		k = emu_query(rq, "key");
	if (k == NULL || k[0] == '\0')
		return false;
	return emu_opt.gemini_key == NULL ||
	    strcmp(k, emu_opt.gemini_key) == 0;
}

/* camelCase to snake_case; what does not fit is cut and so never found. */
static void
to_snake(const char *camel, char *out, size_t size)
{
	size_t n = 0;

	for (; *camel != '\0' && n + 2 < size; camel++) {
		if (*camel >= 'A' && *camel <= 'Z') {
			out[n++] = '_';
			out[n++] = (char)(*camel + 32);
		} else {
			out[n++] = *camel;
		}
	}
	out[n] = '\0';
}

struct json_object *
emu_gem_get(struct json_object *o, const char *camel)
{
	struct json_object *v = NULL;
	char snake[64];

	if (!json_object_is_type(o, json_type_object))
		return NULL;
	if (json_object_object_get_ex(o, camel, &v))
		return v;
	to_snake(camel, snake, sizeof(snake));
	(void)json_object_object_get_ex(o, snake, &v);
	return v;
}

const char *
emu_gem_str(struct json_object *o, const char *camel)
{
	struct json_object *v = emu_gem_get(o, camel);

	return json_object_is_type(v, json_type_string) ?
	    json_object_get_string(v) : NULL;
}

int
emu_gem_parse(struct emu_gem *g)
{
	const char *why;

	if (emu_json_parse(g->rq, EMU_LENIENT, &why) == 0)
		return 0;
	return emu_gem_fail(g, 400, "Invalid JSON payload received. %s.", why);
}

/* Is key among the names "a|b|c", as it is or in snake_case? */
static bool
known(const char *names, const char *key)
{
	char name[64], snake[80];
	size_t n;

	for (; *names != '\0'; names += n + (names[n] == '|')) {
		n = strcspn(names, "|");
		(void)snprintf(name, sizeof(name), "%.*s", (int)n, names);
		to_snake(name, snake, sizeof(snake));
		if (strcmp(name, key) == 0 || strcmp(snake, key) == 0)
			return true;
	}
	return false;
}

int
emu_gem_check_names(struct emu_gem *g, struct json_object *o,
    const char *names, const char *where)
{
	if (!emu_opt.unknown_fields || o == NULL)
		return 0;
	if (!json_object_is_type(o, json_type_object))
		return emu_gem_fail(g, 400, "Invalid value at '%s'", where);
	json_object_object_foreach(o, key, v) {
		(void)v;
		if (known(names, key))
			continue;
		return emu_gem_fail(g, 400, "Invalid JSON payload received. "
		    "Unknown name \"%.80s\"%s%s%s: Cannot find field.", key,
		    where[0] != '\0' ? " at '" : "", where,
		    where[0] != '\0' ? "'" : "");
	}
	return 0;
}

static void
serve(struct emu_gem *g)
{
	switch (g->rq->op) {
	case EMU_OP_GEMINI_GENERATE:
		emu_gem_generate(g);
		break;
	case EMU_OP_GEMINI_STREAM:
		emu_gem_stream(g);
		break;
	case EMU_OP_GEMINI_EMBED:
		emu_gem_embed(g);
		break;
	case EMU_OP_GEMINI_COUNT:
		emu_gem_count(g);
		break;
	case EMU_OP_GEMINI_CACHE:
		emu_gem_cache(g);
		break;
	default:
		emu_gem_models(g);
		break;
	}
}

void
emu_gemini(struct emu_req *rq)
{
	struct emu_gem g = { .rq = rq, .max_tokens = -1, .candidates = 1 };
	const char *slash = strchr(rq->path + 1, '/');

	if (!key_ok(rq)) {
		emu_gemini_error(rq, emu_header(rq, "x-goog-api-key") == NULL &&
		    emu_query(rq, "key") == NULL ? 403 : 401,
		    "Method doesn't allow unregistered callers (callers "
		    "without established identity). Please use API Key or "
		    "other form of API consumer identity to call this API.");
		return;
	}
	(void)snprintf(g.version, sizeof(g.version), "%.*s",
	    (int)(slash - rq->path - 1), rq->path + 1);
	g.rest = slash + 1;
	(void)snprintf(g.id, sizeof(g.id), "emu%012" PRIx64, rq->id);
	serve(&g);
	emu_prompt_fini(&g.prompt);
	emu_answer_fini(&g.answer);
}

void
emu_gemini_reset(void)
{
	emu_gem_cache_reset();
}
