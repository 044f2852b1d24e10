#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/mman.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/httpreq.h"
#include "bench/io.h"
#include "bench/replies.h"
#include "bench/routes.h"

enum route {
	ROUTE_EMBED,
	ROUTE_BATCH,
	ROUTE_CHAT,
	ROUTE_QUERY,
	ROUTE_UPSERT,
	ROUTE_DELETE,
	ROUTE_LIST,
	ROUTE_DESCRIBE,
	ROUTE_UNKNOWN,
	ROUTE__MAX
};

static const char *const route_names[ROUTE__MAX] = {
	[ROUTE_EMBED] = "embed",
	[ROUTE_BATCH] = "batch",
	[ROUTE_CHAT] = "chat",
	[ROUTE_QUERY] = "query",
	[ROUTE_UPSERT] = "upsert",
	[ROUTE_DELETE] = "delete",
	[ROUTE_LIST] = "list",
	[ROUTE_DESCRIBE] = "describe",
	[ROUTE_UNKNOWN] = "unknown",
};

static const char *const tally_names[CSA_TALLY__MAX] = {
	[CSA_TALLY_CONNECTIONS] = "connections",
	[CSA_TALLY_GONE] = "gone",
	[CSA_TALLY_BAD] = "bad",
};

/* In memory that all processes share. */
static struct shared {
	_Atomic uint64_t	 delay[ROUTE__MAX];	/* ns */
	_Atomic uint64_t	 requests[ROUTE__MAX];
	_Atomic uint64_t	 tally[CSA_TALLY__MAX];
	_Atomic uint64_t	 waiting;	/* replies held back now */
	_Atomic uint64_t	 waiting_peak;
} *shared;

/*
 * Count the key in a JSON text: "key" and then a colon.  Inside a string its
 * quotes would be escaped, so text that talks about keys is not counted.
 */
static size_t
count_key(const char *json, size_t len, const char *key)
{
	const char	*end = json + len, *p = json;
	size_t		 n = 0, klen = strlen(key);

	while ((p = memmem(p, (size_t)(end - p), key, klen)) != NULL) {
		p += klen;
		while (p < end && (*p == ' ' || *p == '\n'))
			p++;
		if (p < end && *p == ':')
			n++;
	}
	return n;
}

static enum route
route_of(const struct csa_httpreq *req)
{
	static const struct {
		const char	*method;
		const char	*end;
		enum route	 route;
	} table[] = {
		{ "POST", ":embedContent", ROUTE_EMBED },
		{ "POST", ":batchEmbedContents", ROUTE_BATCH },
		{ "POST", ":generateContent", ROUTE_CHAT },
		{ "POST", "/query", ROUTE_QUERY },
		{ "POST", "/vectors/upsert", ROUTE_UPSERT },
		{ "POST", "/vectors/delete", ROUTE_DELETE },
		{ "GET", "/vectors/list", ROUTE_LIST },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (csa_slice_is(req->method, table[i].method) &&
		    csa_slice_ends(req->path, table[i].end))
			return table[i].route;
	if (csa_slice_is(req->method, "GET") &&
	    csa_slice_starts(req->path, "/indexes/"))
		return ROUTE_DESCRIBE;
	return ROUTE_UNKNOWN;
}

static void
describe(struct csa_bytes *own, const struct csa_httpreq *req)
{
	const size_t	 skip = strlen("/indexes/");
	char		 host[256], scheme[8];
	bool		 newer = req->api_version.len == 7 &&
	    memcmp(req->api_version.p, "2026-07", 7) >= 0;

	snprintf(host, sizeof(host), "%.*s", (int)req->host.len, req->host.p);
	snprintf(scheme, sizeof(scheme), "%s",
	    csa_slice_is(req->proto, "https") ? "https" : "http");
	csa_reply_index(own, req->path.p + skip, req->path.len - skip,
	    scheme, host, newer ? CSA_INDEX_2026_07 : CSA_INDEX_CLASSIC);
}

static const struct csa_bytes *
batch(struct csa_bytes *own, const char *body, size_t len)
{
	size_t	 n = count_key(body, len, "\"content\"");

	if (n >= 1 && n <= CSA_REPLIES_BATCH)
		return csa_reply_batch(n);
	csa_reply_json(own, 400, "{\"error\":{\"code\":400,\"message\":\"* "
	    "BatchEmbedContentsRequest.requests: at most 100 requests can be "
	    "in one batch\\n\",\"status\":\"INVALID_ARGUMENT\"}}");
	return own;
}

static const struct csa_bytes *
answer(enum route route, const struct csa_httpreq *req, const char *body,
    struct csa_bytes *own)
{
	switch (route) {
	case ROUTE_EMBED:
		return csa_reply_embed();
	case ROUTE_CHAT:
		return csa_reply_answer();
	case ROUTE_QUERY:
		return csa_reply_query();
	case ROUTE_BATCH:
		return batch(own, body, req->body_len);
	case ROUTE_UPSERT:
		csa_reply_upserted(own,
		    count_key(body, req->body_len, "\"values\""));
		break;
	case ROUTE_DELETE:
		csa_reply_json(own, 200, "{}");
		break;
	case ROUTE_LIST:
		csa_reply_json(own, 200,
		    "{\"vectors\":[],\"namespace\":\"\"}");
		break;
	case ROUTE_DESCRIBE:
		describe(own, req);
		break;
	default:
		csa_reply_json(own, 404, "{\"error\":{\"code\":404,"
		    "\"message\":\"no route\",\"status\":\"NOT_FOUND\"}}");
		break;
	}
	return own;
}

/* "embed=200" or "chat=0.5", in ms. */
int
csa_routes_delay(const char *text)
{
	const char	*eq = strchr(text, '=');
	char		*end;
	double		 ms;

	if (eq == NULL)
		return -1;
	ms = strtod(eq + 1, &end);
	if (end == eq + 1 || *end != '\0' || !(ms >= 0 && ms <= 3600000))
		return -1;
	for (int r = 0; r < ROUTE__MAX; r++)
		if (strncmp(route_names[r], text, (size_t)(eq - text)) == 0 &&
		    route_names[r][eq - text] == '\0') {
			shared->delay[r] = (uint64_t)(ms * CSA_NS_MS);
			return 0;
		}
	return -1;
}

static int
set_delays(struct csa_slice query)
{
	char	 text[1024], *save = NULL;

	snprintf(text, sizeof(text), "%.*s", (int)query.len, query.p);
	for (char *t = strtok_r(text, "&", &save); t != NULL;
	    t = strtok_r(NULL, "&", &save))
		if (csa_routes_delay(t) == -1)
			return -1;
	return 0;
}

static void
add_stats(struct csa_bytes *b)
{
	uint64_t	 all = 0;

	csa_addf(b, "{\"routes\":{");
	for (int r = 0; r < ROUTE__MAX; r++) {
		csa_addf(b, "%s\"%s\":%llu", r == 0 ? "" : ",",
		    route_names[r], (unsigned long long)shared->requests[r]);
		all += shared->requests[r];
	}
	csa_addf(b, "},\"requests\":%llu", (unsigned long long)all);
	for (int t = 0; t < CSA_TALLY__MAX; t++)
		csa_addf(b, ",\"%s\":%llu", tally_names[t],
		    (unsigned long long)shared->tally[t]);
	csa_addf(b, ",\"waiting\":%llu,\"waiting_peak\":%llu}\n",
	    (unsigned long long)shared->waiting,
	    (unsigned long long)shared->waiting_peak);
}

static void
stats(struct csa_bytes *own, bool reset)
{
	struct csa_bytes	 b = { NULL, 0, 0 };

	add_stats(&b);
	csa_reply_json(own, 200, b.data);
	free(b.data);
	if (!reset)
		return;
	for (int r = 0; r < ROUTE__MAX; r++)
		shared->requests[r] = 0;
	for (int t = 0; t < CSA_TALLY__MAX; t++)
		shared->tally[t] = 0;
	shared->waiting_peak = shared->waiting;
}

/* /set and /stats are answered at once and never counted. */
static bool
control(const struct csa_httpreq *req, struct csa_bytes *own)
{
	if (csa_slice_is(req->path, "/stats"))
		stats(own, csa_slice_is(req->query, "reset=1"));
	else if (csa_slice_is(req->path, "/set"))
		csa_reply_json(own, set_delays(req->query) == 0 ? 200 : 400,
		    "{}");
	else
		return false;
	return true;
}

const struct csa_bytes *
csa_routes_answer(const struct csa_httpreq *req, const char *body,
    struct csa_bytes *own, uint64_t *delay, bool *counted)
{
	enum route	 route;

	*delay = 0;
	*counted = false;
	if (control(req, own))
		return own;
	route = route_of(req);
	*delay = shared->delay[route];
	*counted = true;
	atomic_fetch_add(&shared->requests[route], 1);
	return answer(route, req, body, own);
}

void
csa_tally(enum csa_tally what)
{
	atomic_fetch_add(&shared->tally[what], 1);
}

void
csa_tally_waiting(int change)
{
	uint64_t	 now, peak = shared->waiting_peak;

	if (change < 0) {
		atomic_fetch_sub(&shared->waiting, 1);
		return;
	}
	now = atomic_fetch_add(&shared->waiting, 1) + 1;
	while (now > peak && !atomic_compare_exchange_weak(
	    &shared->waiting_peak, &peak, now))
		;
}

void
csa_routes_init(const char *bot)
{
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		csa_die("mmap: %s", strerror(errno));
	csa_replies_init(bot);
}
