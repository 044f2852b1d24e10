#include "config.h"

#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/upstream/upstream.h"
#include "tests/contract/emu_client.h"

struct csa_http		*emu_http;
struct csa_ctx		 emu_ctx;
struct csa_config	 emu_config;

static char	 url[64], port_file[] = "/tmp/csa-emu-XXXXXX";
static pid_t	 child = -1;

static long
read_port(void)
{
	FILE	*f = fopen(port_file, "r");
	long	 port = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "%ld", &port) != 1)
		port = 0;
	fclose(f);
	return port;
}

static void
exec_emulator(const char *program, int dimensions)
{
	char	 index[3][64];

	snprintf(index[0], 64, "cos:%d:cosine", dimensions);
	snprintf(index[1], 64, "dot:%d:dotproduct", dimensions);
	snprintf(index[2], 64, "euc:%d:euclidean", dimensions);
	execl(program, program, "--port", "0", "--port-file", port_file,
	    "--gemini-key", "gk-secret", "--pinecone-key", "pk-secret",
	    "--openai-key", "ok-secret", "--index", index[0], "--index",
	    index[1], "--index", index[2], (char *)NULL);
	_exit(127);
}

int
emu_start(int dimensions)
{
	const char	*program = getenv("CSA_EMULATOR");
	const char	*build = getenv("CSA_BUILDDIR");
	char		 path[512];
	int		 fd, status;
	long		 port = 0;

	if (program == NULL) {
		snprintf(path, sizeof(path), "%s/tests/emu/emulator",
		    build != NULL ? build : ".");
		program = path;
	}
	if (access(program, X_OK) == -1) {
		fprintf(stderr, "skipped: no emulator at %s\n", program);
		return -1;
	}
	if ((fd = mkstemp(port_file)) == -1)
		return -1;
	close(fd);
	if ((child = fork()) == 0)
		exec_emulator(program, dimensions);
	for (int i = 0; i < 500 && port == 0; i++) {
		struct timespec	 ts = { 0, 10 * 1000 * 1000 };

		if (waitpid(child, &status, WNOHANG) == child) {
			child = -1;
			break;
		}
		nanosleep(&ts, NULL);
		port = read_port();
	}
	unlink(port_file);
	if (port == 0) {
		fprintf(stderr, "the emulator did not start\n");
		exit(1);
	}
	snprintf(url, sizeof(url), "http://127.0.0.1:%ld", port);
	atexit(emu_stop);
	return 0;
}

/* Also at exit of a test's fork, which has no child of its own to end. */
void
emu_stop(void)
{
	/* In a fork it is nobody's child, and still needed. */
	if (child <= 0 || waitpid(child, NULL, WNOHANG) != 0)
		return;
	kill(child, SIGTERM);
	waitpid(child, NULL, 0);
	child = -1;
}

const char *
emu_url(void)
{
	return url;
}

/* The default of every option, without a file and without the environment. */
static void
defaults(struct csa_config *c)
{
	memset(c, 0, sizeof(*c));
#define P_STR(name, def, env, text)		c->name = def;
#define P_SECRET(name, env, text)		c->name = "";
#define P_INT(name, def, min, max, env, text)	c->name = def;
#define P_DBL(name, def, min, max, env, text)	c->name = def;
#define P_BOOL(name, def, env, text)		c->name = strcmp(#def, "yes") == 0;
#define P_ENUM(name, def, values, env, text)	c->name = def;
#include "lib/config/params.def"
#undef P_STR
#undef P_SECRET
#undef P_INT
#undef P_DBL
#undef P_BOOL
#undef P_ENUM
}

static struct json_object *
control(const char *method, const char *path, const char *body)
{
	struct csa_waiter	*w = csa_waiter_new(emu_http);
	struct csa_http_call	*call;
	struct csa_err		 err;
	struct json_object	*o;
	char			 u[256];
	const char		*s;
	size_t			 len;

	snprintf(u, sizeof(u), "%s/_emu/%s", url, path);
	call = csa_http_start(emu_http, w, &(struct csa_http_req){
	    .source = CSA_SRC_AGENT, .operation = "generate",
	    .method = method, .url = u, .body = body,
	    .len = body != NULL ? strlen(body) : 0, .max_reply = 64u << 20,
	    .deadline = csa_now_ms() + 10000 });
	ck_assert_msg(csa_http_wait(call, &err) == 0, "%s: %s", path,
	    err.detail);
	s = csa_http_body(call, &len);
	ck_assert_msg(csa_http_status(call) == 200, "%s: %s", path, s);
	o = json_tokener_parse(s);
	csa_http_end(call);
	csa_waiter_free(w);
	return o;
}

void
emu_setup(void)
{
	struct csa_http_opts	 opts = { "", 2000, 64 };
	struct csa_err		 err;
	static char		 openai[80];

	emu_http = csa_http_new(&opts, &err);
	ck_assert_msg(emu_http != NULL, "%s", err.msg);
	emu_ctx.arena = csa_arena_new();
	emu_ctx.waiter = csa_waiter_new(emu_http);
	emu_ctx.deadline = csa_now_ms() + 10000;
	emu_ctx.request_id = "test";
	defaults(&emu_config);
	/* One request is one request here; test_upstream looks at the rest. */
	emu_config.retry_attempts = 1;
	emu_config.breaker_percent = 0;
	snprintf(openai, sizeof(openai), "%s/v1", url);
	emu_config.google_api_key = "gk-secret";
	emu_config.google_gemini_base_url = url;
	emu_config.openai_api_key = "ok-secret";
	emu_config.openai_base_url = openai;
	emu_config.pinecone_api_key = "pk-secret";
	emu_config.pinecone_index_name = "cos";
	emu_config.pinecone_controller_host = url;
	json_object_put(control("POST", "reset", "{}"));
}

void
emu_teardown(void)
{
	csa_upstream_unshare();
	csa_waiter_free(emu_ctx.waiter);
	csa_arena_free(emu_ctx.arena);
	csa_http_free(emu_http);
}

void
emu_fault(const char *rule)
{
	char	 body[512];

	snprintf(body, sizeof(body), "{%s}", rule);
	json_object_put(control("POST", "faults", body));
}

void
emu_set(const char *settings)
{
	json_object_put(control("POST", "config", settings));
}

struct json_object *
emu_log(const char *op)
{
	char	 path[64];

	snprintf(path, sizeof(path), "log?op=%s", op);
	return control("GET", path, NULL);
}

struct json_object *
emu_stats(void)
{
	return control("GET", "stats", NULL);
}

static const char *
field(struct json_object *log, size_t i, const char *name)
{
	struct json_object	*v;

	ck_assert(json_object_is_type(log, json_type_array));
	ck_assert_uint_lt(i, json_object_array_length(log));
	ck_assert(json_object_object_get_ex(json_object_array_get_idx(log, i),
	    name, &v));
	return json_object_get_string(v);
}

struct json_object *
emu_request(struct json_object *log, size_t i)
{
	return json_tokener_parse(field(log, i, "body"));
}

const char *
emu_target(struct json_object *log, size_t i)
{
	return field(log, i, "target");
}

const char *
emu_sent_header(struct json_object *log, size_t i, const char *name)
{
	struct json_object	*list, *pair;

	ck_assert(json_object_object_get_ex(json_object_array_get_idx(log, i),
	    "headers", &list));
	for (size_t k = 0; k < json_object_array_length(list); k++) {
		pair = json_object_array_get_idx(list, k);
		if (strcasecmp(json_object_get_string(
		    json_object_array_get_idx(pair, 0)), name) == 0)
			return json_object_get_string(
			    json_object_array_get_idx(pair, 1));
	}
	return NULL;
}

int
emu_same(struct json_object *o, const char *json)
{
	struct json_object	*want = json_tokener_parse(json);
	int			 same;

	ck_assert_msg(want != NULL, "the test's own JSON: %s", json);
	same = json_object_equal(o, want);
	if (!same)
		fprintf(stderr, "sent %s\nnot  %s\n",
		    json_object_to_json_string(o), json);
	json_object_put(want);
	return same;
}
