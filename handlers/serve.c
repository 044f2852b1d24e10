#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "handlers/app.h"
#include "handlers/auth.h"
#include "handlers/fail.h"
#include "handlers/keys.h"
#include "handlers/routes.h"
#include "handlers/v1_error.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "lib/text/digest.h"
#include "lib/text/num.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

/* A caller's own id is kept when it can stand in a log line and a header. */
static const char *
request_id(struct csa_req *req)
{
	const char	*given = req->io->header(req->io_arg,
			    "HTTP_X_REQUEST_ID", NULL);
	char		*id;
	size_t		 n = 0;

	if (given != NULL)
		n = strspn(given, "abcdefghijklmnopqrstuvwxyz"
		    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
	if (n > 0 && n <= 64 && given[n] == '\0')
		return csa_arena_strdup(req->ctx.arena, given);
	id = csa_arena_alloc(req->ctx.arena, 33);
	csa_random_id(id);
	return id;
}

static int
bad_limit(const char *s, struct csa_err *err)
{
	static const char	 digits[] = "0123456789";
	size_t			 n = *s == '-' ? 1 : 0;

	/* A number all the same, and none that can be. */
	n += strspn(s + n, digits);
	if (n > 0 && s[n - 1] != '-' && s[n] == '\0')
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "X-Request-Timeout-Ms must be between 1 and %d",
		    INT32_MAX);
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "X-Request-Timeout-Ms must be a number of milliseconds");
}

/* The route's own limit; X-Request-Timeout-Ms may only shorten it. */
static int
set_deadline(struct csa_app *app, struct csa_call *call, struct csa_err *err)
{
	struct csa_req	*req = call->req;
	const char	*s;
	int64_t		 limit = csa_route_timeout(call->route, app->config), ms;

	s = req->io->header(req->io_arg, "HTTP_X_REQUEST_TIMEOUT_MS", NULL);
	if (s != NULL) {
		if (csa_parse_int(s, 1, INT32_MAX, &ms) == -1)
			return bad_limit(s, err);
		if (ms < limit)
			limit = ms;
	}
	req->ctx.deadline = req->started / 1000000 + limit;
	return 0;
}

static int
run(struct csa_app *app, unsigned pools, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_req	*req = call->req;
	char		 allow[64];

	if (csa_req_parse_target(req, app->config->url_prefix, err) == -1)
		return -1;
	call->route = csa_route_find(pools, req->method, req->path, allow,
	    err);
	if (call->route == NULL) {
		if (allow[0] != '\0')
			csa_resp_header(call->resp, "Allow", allow);
		return -1;
	}
	if (set_deadline(app, call, err) == -1 ||
	    csa_authenticate(app, call, err) == -1)
		return -1;
	return call->route->handle(app, call, err);
}

static const char *
endpoint(const struct csa_call *call)
{
	return call->route != NULL ? call->route->name : "other";
}

/* The response is about to be complete. */
static void
count(void *arg, int status)
{
	struct csa_call	*call = arg;
	char		 labels[80];

	snprintf(labels, sizeof(labels), "%s|%d", endpoint(call), status);
	csa_count(CSA_M_http_requests, labels, 1);
	csa_observe(CSA_M_http_duration, endpoint(call),
	    (double)(csa_now_ns() - call->req->started) / 1e9);
}

static void
account(const struct csa_call *call, const struct csa_err *err)
{
	const struct csa_req	*req = call->req;
	const char		*name = endpoint(call), *detail = "";
	int64_t			 ns = csa_now_ns() - req->started;
	enum csa_level		 level = call->resp->status >= 500 ?
				    CSA_WARN : CSA_INFO;
	char			 labels[80];
	struct csa_buf		 b;

	if (call->resp->gone || (err != NULL && err->code == CSA_ERR_CANCELLED)) {
		snprintf(labels, sizeof(labels), "%s|%s", name, call->phase);
		csa_count(CSA_M_client_gone, labels, 1);
	}
	if (!csa_log_wants(level))
		return;
	csa_buf_init(&b, 4096);
	csa_buf_puts(&b, "\"endpoint\":");
	csa_buf_jsonz(&b, name);
	csa_buf_puts(&b, ",\"status\":");
	csa_buf_int(&b, call->resp->status);
	csa_buf_puts(&b, ",\"bytes\":");
	csa_buf_int(&b, (int64_t)call->resp->written);
	csa_buf_puts(&b, ",\"ms\":");
	csa_buf_fixed(&b, (double)ns / 1e6, 3);
	if (call->key != NULL) {
		csa_buf_puts(&b, ",\"key\":");
		csa_buf_jsonz(&b, call->key->name);
	}
	if (err != NULL) {
		csa_buf_addf(&b, ",\"error\":\"%s\",\"source\":\"%s\",\"why\":",
		    csa_errinfo(err->code)->code, csa_source_name(err->source));
		csa_buf_jsonz(&b, err->msg);
		detail = err->detail;
	}
	if (*detail != '\0') {
		csa_buf_puts(&b, ",\"detail\":");
		csa_buf_jsonz(&b, detail);
	}
	csa_log_json(level, "request", b.data);
	csa_buf_fini(&b);
}

static void
send_error(const struct csa_app *app, const struct csa_req *req,
    struct csa_resp *resp, const struct csa_err *err)
{
	if (csa_v1_path(req, app->config->url_prefix))
		csa_v1_send_error(resp, err, req->ctx.request_id);
	else
		csa_send_error(resp, err, req->ctx.request_id);
}

void
csa_app_serve(struct csa_app *app, unsigned pools, struct csa_req *req,
    struct csa_resp *resp)
{
	struct csa_call	 call = {
		.req = req, .resp = resp, .phase = "request"
	};
	struct csa_err	 err;
	bool		 failed;

	req->ctx.request_id = request_id(req);
	req->ctx.deadline = req->started / 1000000 +
	    app->config->request_timeout_ms;
	req->ctx.spent = csa_arena_array(req->ctx.arena, 1, int64_t);
	csa_log_request(req->ctx.request_id);
	resp->ending = count;
	resp->ending_arg = &call;
	csa_resp_header(resp, "X-Request-Id", req->ctx.request_id);
	failed = run(app, pools, &call, &err) == -1;
	if (failed && resp->status == 0)
		send_error(app, req, resp, &err);
	account(&call, failed ? &err : NULL);
	csa_log_request(NULL);
}
