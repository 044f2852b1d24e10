/*
 * stub_app: an application that says what it got, behind the real worker.
 *
 * The path is the command: /echo (method, target, body length and SHA-256,
 * count of the key header), /none (the body is not read), /sleep?MS, /wait?MS
 * (until the client is gone), /big?BYTES, /pieces?N, /pid, /die, /hang (deaf to
 * everything).
 */

#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "handlers/app.h"
#include "handlers/fail.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/metrics/metrics.h"
#include "lib/text/digest.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

#define BODYMAX	(4 * 1024 * 1024)
#define TEXT	"text/plain"

int
csa_app_check(const struct csa_config *config, struct csa_err *err)
{
	(void)config;
	if (getenv("STUB_CHECK") != NULL)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "keys:1: not a key");
	return 0;
}

struct csa_app *
csa_app_new(const struct csa_config *config, const char *pool,
    struct csa_err *err)
{
	struct csa_http_opts	 opts = {
		.ca_file = config->ca_file,
		.connect_timeout_ms = 1000,
		.max_connections = 1,
	};
	struct csa_app		*app;
	const char		*how = getenv("STUB_START");
	struct csa_err		 ignored;

	if (how != NULL && strcmp(how, "die") == 0)
		abort();
	if (how != NULL && strcmp(how, "config") == 0) {
		csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT, "asked to fail");
		return NULL;
	}
	if (how != NULL && strcmp(how, "mute") == 0)
		pause();
	(void)csa_metrics_open(config->run_dir, &ignored);
	app = csa_new(struct csa_app);
	app->config = config;
	app->pool = pool;
	app->http = csa_http_new(&opts, err);
	return app;
}

void
csa_app_free(struct csa_app *app)
{
	csa_http_free(app->http);
	csa_metrics_close();
	free(app);
}

static void
sleep_ms(long ms)
{
	struct timespec	 ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void
say(struct csa_resp *resp, const char *text)
{
	(void)csa_resp_send(resp, 200, TEXT, text, strlen(text));
}

static int
echo(struct csa_req *req, struct csa_resp *resp, struct csa_err *err)
{
	struct csa_buf		 body;
	struct csa_digest	 digest;
	char			 hex[2 * CSA_DIGEST + 1];
	const char		*key;
	unsigned		 keys;

	csa_buf_init(&body, BODYMAX);
	if (req->io->body(req->io_arg, &body, err) == -1) {
		csa_buf_fini(&body);
		return -1;
	}
	csa_sha256(body.data != NULL ? body.data : "", body.len, &digest);
	csa_hex(digest.b, CSA_DIGEST, hex);
	key = req->io->header(req->io_arg, "HTTP_X_KEY", &keys);
	say(resp, csa_arena_printf(req->ctx.arena, "%s %s %zu %s %u %s\n",
	    req->method, req->path, body.len, hex, keys,
	    key != NULL ? key : "-"));
	csa_buf_fini(&body);
	return 0;
}

/* Until the client has left, or ms; tells the test through the log. */
static void
wait_gone(struct csa_req *req, struct csa_resp *resp, long ms)
{
	int64_t	 end = csa_now_ms() + ms, begun = csa_now_ms();

	while (csa_now_ms() < end && !csa_waiter_gone(req->ctx.waiter))
		sleep_ms(2);
	csa_info("stub: %s after %d ms",
	    csa_now_ms() < end ? "gone" : "stayed",
	    (int)(csa_now_ms() - begun));
	say(resp, csa_now_ms() < end ? "gone" : "stayed");
}

static void
big(struct csa_resp *resp, size_t n)
{
	char	*p = csa_malloc(n + 1);

	for (size_t i = 0; i < n; i++)
		p[i] = (char)('a' + i % 26);
	(void)csa_resp_send(resp, 200, TEXT, p, n);
	free(p);
}

static void
pieces(struct csa_resp *resp, long n)
{
	char	 text[32];

	(void)csa_resp_begin(resp, 200, TEXT, -1);
	for (long i = 0; i < n; i++) {
		snprintf(text, sizeof(text), "piece %ld\n", i);
		(void)csa_resp_write(resp, text, strlen(text));
		if (i % 3 == 0)
			(void)csa_resp_flush(resp);
	}
}

static int
command(struct csa_req *req, struct csa_resp *resp, struct csa_err *err)
{
	const char	*p = req->path;
	long		 n = atol(req->query);

	if (strcmp(p, "/echo") == 0)
		return echo(req, resp, err);
	if (strcmp(p, "/sleep") == 0) {
		sleep_ms(n);
		say(resp, "slept");
	} else if (strcmp(p, "/wait") == 0)
		wait_gone(req, resp, n);
	else if (strcmp(p, "/big") == 0)
		big(resp, (size_t)n);
	else if (strcmp(p, "/pieces") == 0)
		pieces(resp, n);
	else if (strcmp(p, "/pid") == 0)
		say(resp, csa_arena_printf(req->ctx.arena, "%d",
		    (int)getpid()));
	else if (strcmp(p, "/none") == 0)
		say(resp, "none");
	else if (strcmp(p, "/hang") == 0)
		for (;;)
			pause();
	else if (strcmp(p, "/die") == 0)
		abort();
	else
		return csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT, NULL);
	return 0;
}

void
csa_app_serve(struct csa_app *app, unsigned pools, struct csa_req *req,
    struct csa_resp *resp)
{
	struct csa_err	 err;

	(void)pools;
	req->ctx.request_id = "stub";
	req->ctx.deadline = csa_now_ms() + app->config->request_timeout_ms;
	if (csa_req_parse_target(req, "", &err) == -1 ||
	    command(req, resp, &err) == -1)
		csa_send_error(resp, &err, req->ctx.request_id);
}
