#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/gemini.h"
#include "tests/emu/vendors.h"

#define TYPE	"\"@type\":\"type.googleapis.com/google.rpc."

static const char *
status_name(int http)
{
	switch (http) {
	case 400: return "INVALID_ARGUMENT";
	case 401: return "UNAUTHENTICATED";
	case 403: return "PERMISSION_DENIED";
	case 404: return "NOT_FOUND";
	case 409: return "ABORTED";
	case 429: return "RESOURCE_EXHAUSTED";
	case 499: return "CANCELLED";
	case 500: return "INTERNAL";
	case 501: return "UNIMPLEMENTED";
	case 503: return "UNAVAILABLE";
	case 504: return "DEADLINE_EXCEEDED";
	default:  return "UNKNOWN";
	}
}

/* details is the inside of the array, or NULL for none. */
static void
write_error(struct emu_req *rq, int http, const char *msg,
    const char *details)
{
	struct emu_buf *b = &rq->rep.body;

	emu_reply_clear(rq);
	emu_reply_json(rq, (unsigned)http);
	emu_reply_header(rq, "Server-Timing", "gfet4t7; dur=1");
	emu_buf_addf(b, "{\n  \"error\": {\n    \"code\": %d,\n"
	    "    \"message\": ", http);
	emu_buf_jsons(b, msg);
	emu_buf_addf(b, ",\n    \"status\": \"%s\"", status_name(http));
	if (details != NULL)
		emu_buf_addf(b, ",\n    \"details\": [%s]", details);
	emu_buf_adds(b, "\n  }\n}\n");
}

/* A bad key is 400 with both details, not 401. */
static void
bad_key(struct emu_req *rq)
{
	static const char msg[] =
	    "API key not valid. Please pass a valid API key.";
	char d[600];

	(void)snprintf(d, sizeof(d), "{" TYPE "ErrorInfo\","
	    "\"reason\":\"API_KEY_INVALID\",\"domain\":\"googleapis.com\","
	    "\"metadata\":{\"service\":\"generativelanguage.googleapis.com\"}},"
	    "{" TYPE "LocalizedMessage\",\"locale\":\"en-US\","
	    "\"message\":\"%s\"}", msg);
	write_error(rq, 400, msg, d);
}

void
emu_gemini_error(struct emu_req *rq, int http, const char *msg)
{
	if (http == 401)
		bad_key(rq);
	else
		write_error(rq, http, msg, NULL);
}

int
emu_gem_fail(struct emu_gem *g, int http, const char *fmt, ...)
{
	char msg[600];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	write_error(g->rq, http, msg, NULL);
	return -1;
}

/* The model of the path, for the texts of quota errors. */
static void
model_of(const struct emu_req *rq, char *out, size_t size)
{
	const char *s = strstr(rq->path, "models/");

	(void)snprintf(out, size, "%.*s", s != NULL ?
	    (int)strcspn(s + 7, ":") : 7, s != NULL ? s + 7 : "unknown");
}

void
emu_gemini_quota(struct emu_req *rq, enum emu_fault fault, const char *delay)
{
	static const char metric[] = "generativelanguage.googleapis.com/"
	    "generate_content_free_tier_requests";
	char d[1600], msg[900], model[64];

	if (fault == EMU_FAULT_PLAIN429) {
		write_error(rq, 429,
		    "Resource has been exhausted (e.g. check quota).", NULL);
		return;
	}
	model_of(rq, model, sizeof(model));
	(void)snprintf(msg, sizeof(msg), "You exceeded your current quota, "
	    "please check your plan and billing details. \n* Quota exceeded "
	    "for metric: %s, limit: %d, model: %s\nPlease retry in %s.",
	    metric, fault == EMU_FAULT_PERDAY429 ? 250 : 10, model, delay);
	(void)snprintf(d, sizeof(d), "{" TYPE "Help\",\"links\":[{"
	    "\"description\":\"Learn more about Gemini API quotas\",\"url\":"
	    "\"https://ai.google.dev/gemini-api/docs/rate-limits\"}]},"
	    "{" TYPE "QuotaFailure\",\"violations\":[{\"quotaMetric\":\"%s\","
	    "\"quotaId\":\"GenerateRequestsPer%sPerProjectPerModel-FreeTier\","
	    "\"quotaDimensions\":{\"model\":\"%s\",\"location\":\"global\"},"
	    "\"quotaValue\":\"%d\"}]},"
	    "{" TYPE "RetryInfo\",\"retryDelay\":\"%s\"}", metric,
	    fault == EMU_FAULT_PERDAY429 ? "Day" : "Minute", model,
	    fault == EMU_FAULT_PERDAY429 ? 250 : 10, delay);
	write_error(rq, 429, msg, d);
}
