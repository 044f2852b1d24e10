#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "tests/emu/control.h"
#include "tests/emu/emu.h"
#include "tests/emu/fault.h"
#include "tests/emu/lift.h"
#include "tests/emu/openai.h"
#include "tests/emu/reqlog.h"
#include "tests/emu/stats.h"
#include "tests/emu/timer.h"
#include "tests/emu/vendors.h"

void
emu_control_defaults(void)
{
	emu_opt.error_shape = EMU_SHAPE_OPENAI;
	emu_opt.unknown_fields = true;
	emu_opt.signatures = true;
	emu_opt.route_retired = true;
	emu_opt.strict_versions = true;
	emu_opt.strict_models = false;
	emu_opt.visibility_ms = 0;
	emu_opt.chunk_delay_ms = 0;
}

static struct json_object *
parse_any(struct emu_req *rq)
{
	return rq->body.len != 0 ? json_tokener_parse(rq->body.p) : NULL;
}

static void
faults(struct emu_req *rq)
{
	struct json_object *o;
	char why[120] = "the body is not JSON";

	if (strcmp(rq->method, "DELETE") == 0) {
		emu_fault_clear();
	} else if (strcmp(rq->method, "POST") == 0) {
		o = parse_any(rq);
		if (o == NULL || emu_fault_add(o, why, sizeof(why)) == -1)
			emu_error(rq, 400, why);
		json_object_put(o);
		if (rq->rep.status == 400)
			return;
	}
	emu_fault_json(&rq->rep.body);
}

static int
set(const char *key, struct json_object *v)
{
	bool on = json_object_get_boolean(v);

	if (strcmp(key, "openai_error_shape") == 0)
		return emu_openai_shape(json_object_get_string(v),
		    &emu_opt.error_shape);
	if (strcmp(key, "gemini_unknown_fields") == 0)
		emu_opt.unknown_fields = on;
	else if (strcmp(key, "gemini_signatures") == 0)
		emu_opt.signatures = on;
	else if (strcmp(key, "gemini_route_retired") == 0)
		emu_opt.route_retired = on;
	else if (strcmp(key, "pinecone_strict_versions") == 0)
		emu_opt.strict_versions = on;
	else if (strcmp(key, "openai_strict_models") == 0)
		emu_opt.strict_models = on;
	else if (strcmp(key, "visibility_delay_ms") == 0)
		emu_opt.visibility_ms = json_object_get_int(v);
	else if (strcmp(key, "chunk_delay_ms") == 0)
		emu_opt.chunk_delay_ms = json_object_get_int(v);
	else
		return -1;
	return 0;
}

static const char *
boolean(bool b)
{
	return b ? "true" : "false";
}

static void
config(struct emu_req *rq)
{
	struct json_object *o = parse_any(rq);

	if (json_object_is_type(o, json_type_object)) {
		json_object_object_foreach(o, key, v) {
			if (v != NULL && set(key, v) == 0)
				continue;
			emu_error(rq, 400, "unknown setting or bad value");
			json_object_put(o);
			return;
		}
	}
	json_object_put(o);
	emu_buf_addf(&rq->rep.body, "{\"openai_error_shape\":\"%s\","
	    "\"gemini_unknown_fields\":%s,\"gemini_signatures\":%s,"
	    "\"gemini_route_retired\":%s,\"pinecone_strict_versions\":%s,"
	    "\"openai_strict_models\":%s,\"visibility_delay_ms\":%ld,"
	    "\"chunk_delay_ms\":%ld}",
	    emu_openai_shape_name(emu_opt.error_shape),
	    boolean(emu_opt.unknown_fields), boolean(emu_opt.signatures),
	    boolean(emu_opt.route_retired), boolean(emu_opt.strict_versions),
	    boolean(emu_opt.strict_models), emu_opt.visibility_ms,
	    emu_opt.chunk_delay_ms);
}

static void
reset(void)
{
	emu_control_defaults();
	emu_fault_clear();
	emu_stat_reset();
	emu_reqlog_reset();
	emu_pinecone_reset();
	emu_gemini_reset();
}

void
emu_control(struct emu_req *rq)
{
	const char *what = rq->path + 6, *limit;

	emu_reply(rq, 200, "application/json");
	if (strcmp(what, "faults") == 0) {
		faults(rq);
	} else if (strcmp(what, "stats") == 0) {
		emu_stat_json(&rq->rep.body);
	} else if (strcmp(what, "config") == 0) {
		config(rq);
	} else if (strcmp(what, "log") == 0) {
		limit = emu_query(rq, "limit");
		emu_reqlog_json(&rq->rep.body, emu_query(rq, "op"),
		    limit != NULL ? strtoul(limit, NULL, 10) : 0);
	} else if (strcmp(what, "release") == 0 &&
	    strcmp(rq->method, "POST") == 0) {
		emu_timer_release();
		emu_buf_adds(&rq->rep.body, "{}");
	} else if (strcmp(what, "reset") == 0 &&
	    strcmp(rq->method, "POST") == 0) {
		reset();
		emu_buf_adds(&rq->rep.body, "{}");
	} else {
		emu_error(rq, 404, "no such control");
	}
}
