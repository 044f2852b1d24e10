#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "handlers/keys.h"
#include "handlers/ready.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/provider_script.h"
#include "lib/store/store.h"
#include "lib/text/digest.h"
#include "lib/text/json.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"
#include "tests/unit/v1_fixture.h"

struct v1_model		 says;
char			 asked_system[512], asked_messages[512];
char			 asked_model[64];
double			 asked_temperature;
long			 asked_tokens;
size_t			 asked_k, passages;
enum csa_errcode	 store_error;
struct csa_app		 app;
struct json_object	*body;
bool			 client_gone;
const char		*url_prefix;

static const char	*headers[4];
static const char	*posted;
static struct csa_buf	 out;
static struct csa_req	 req;
static struct csa_config *config;	/* app.config */
static const char	*model_name;	/* as it was configured */

/* ---- the connection ---- */

static int
sink_write(struct csa_sink *sink, const void *data, size_t n)
{
	(void)sink;
	if (client_gone)
		return -1;
	csa_buf_add(&out, data, n);
	return 0;
}

static int
sink_flush(struct csa_sink *sink)
{
	(void)sink;
	return client_gone ? -1 : 0;
}

static const struct csa_sink_ops sink_ops = {
	.write = sink_write, .flush = sink_flush
};
static struct csa_sink	 sink = { &sink_ops };

static const char *
io_header(void *arg, const char *name, unsigned *count)
{
	const char	*found = NULL;

	(void)arg;
	for (size_t i = 0; i + 1 < 4 && headers[i] != NULL; i += 2)
		if (strcmp(headers[i], name) == 0)
			found = headers[i + 1];
	if (count != NULL)
		*count = found != NULL;
	return found;
}

static int
io_body(void *arg, struct csa_buf *b, struct csa_err *err)
{
	(void)arg;
	csa_buf_puts(b, posted != NULL ? posted : "");
	return b->failed ? csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
	    NULL) : 0;
}

static const struct csa_req_io io = { io_header, io_body };

/* ---- the model ---- */

static void
note(const struct csa_chat_req *r)
{
	size_t	 n = 0;

	snprintf(asked_system, sizeof(asked_system), "%s", r->system);
	snprintf(asked_model, sizeof(asked_model), "%s",
	    r->model != NULL ? r->model : "");
	asked_messages[0] = '\0';
	/* The last one has the passages before the question: not here. */
	for (size_t i = 0; !r->messages[i].more; i++)
		n += (size_t)snprintf(asked_messages + n,
		    sizeof(asked_messages) - n, "%s:%.*s|",
		    r->messages[i].role == CSA_ROLE_USER ? "user" :
		    "assistant", (int)r->messages[i].len,
		    r->messages[i].text);
	snprintf(asked_messages + n, sizeof(asked_messages) - n, "%s",
	    r->question);
	asked_temperature = r->temperature;
	asked_tokens = r->max_output_tokens;
}

static int
generate(struct csa_model *m, struct csa_ctx *ctx,
    const struct csa_chat_req *r,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	size_t	 len = strlen(says.text), n, given = 0;

	(void)ctx;
	note(r);
	memset(res, 0, sizeof(*res));
	for (size_t i = 0; i < len && delta != NULL; i += n) {
		n = len - i < says.piece ? len - i : says.piece;
		if (says.error != CSA_OK && given++ == says.fail_after)
			break;
		if (delta(arg, says.text + i, n) == -1)
			return csa_fail(err, CSA_ERR_CANCELLED,
			    CSA_SRC_CLIENT, NULL);
	}
	if (says.error != CSA_OK)
		return csa_fail(err, says.error, CSA_SRC_GEMINI, NULL);
	res->text = says.text;
	res->len = len;
	res->finish = says.finish;
	res->model = m->model;
	res->degraded = says.degraded;
	res->prompt_tokens = 7;
	res->completion_tokens = 5;
	res->total_tokens = 12;
	res->cached_tokens = 3;
	res->thought_tokens = 2;
	return 0;
}

static const struct csa_model_ops model_ops = { .generate = generate };
static struct csa_model	 model = { &model_ops, "gemini", "fake-model" };

/* ---- the store ---- */

static struct csa_chunk	 chunks[] = {
	{ .id = "d-chunk-0", .document_id = "d", .text = "one", .len = 3,
	  .title = "The\nmanual" },
	{ .id = "e-chunk-0", .document_id = "e", .text = "two", .len = 3,
	  .title = "" },
	{ .id = "e-chunk-1", .document_id = "e", .text = "three", .len = 5,
	  .title = "" },
};

static int
search(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_text_result *res, struct csa_err *err)
{
	(void)s;
	(void)scope;
	(void)question;
	asked_k = k;
	if (store_error != CSA_OK)
		return csa_fail(err, store_error, CSA_SRC_STORE, NULL);
	memset(res, 0, sizeof(*res));
	res->nhits = passages;
	res->hits = csa_arena_array(ctx->arena, passages + 1,
	    struct csa_text_hit);
	for (size_t i = 0; i < passages; i++) {
		res->hits[i].chunk = chunks[i];
		res->hits[i].score = res->hits[i].bm25 = 2;
	}
	res->ideal = 4;
	return 0;
}

static int
bots(struct csa_store *s, struct csa_ctx *ctx, const char *tenant,
    struct csa_ids *l, struct csa_err *err)
{
	static const char	*all[] = { "a", "b", "empty", "no..bot" };
	static const char	*theirs[] = { "mine" };

	(void)s;
	(void)ctx;
	if (store_error != CSA_OK)
		return csa_fail(err, store_error, CSA_SRC_STORE, NULL);
	if (tenant != NULL && *tenant != '\0')
		*l = (struct csa_ids){ theirs, CSA_NITEMS(theirs) };
	else
		*l = (struct csa_ids){ all, CSA_NITEMS(all) };
	return 0;
}

/* "empty" has no documents, and "damaged" cannot be read. */
static int
bot(struct csa_store *s, struct csa_ctx *ctx, const struct csa_scope *scope,
    int64_t *since, struct csa_err *err)
{
	const char	*mine = "a b";

	(void)s;
	(void)ctx;
	if (store_error != CSA_OK)
		return csa_fail(err, store_error, CSA_SRC_STORE, NULL);
	if (strcmp(scope->tenant, "t") == 0)
		mine = "mine";
	*since = 1700000000123;
	return strstr(mine, scope->bot) != NULL;
}

static const struct csa_store_ops store_ops = {
	.name = "fake", .search = search, .bots = bots, .bot = bot,
};
static struct csa_store	 store = { &store_ops };

/* ---- fixtures ---- */

static void
add_key(FILE *f, const char *name, const char *key, const char *rights)
{
	struct csa_digest	 d;
	char			 hex[2 * CSA_DIGEST + 1];

	csa_sha256(key, strlen(key), &d);
	csa_hex(d.b, CSA_DIGEST, hex);
	fprintf(f, "%s sha256:%s %s\n", name, hex, rights);
}

static void
load_keys(void)
{
	char		 path[] = "/tmp/csa-v1-XXXXXX";
	struct csa_err	 err;
	int		 fd = mkstemp(path);
	FILE		*f;

	ck_assert_int_ne(fd, -1);
	ck_assert_ptr_nonnull(f = fdopen(fd, "w"));
	add_key(f, "lesser", LESSER, "endpoints=chat bots=b,empty");
	add_key(f, "storer", STORER, "endpoints=store bots=*");
	add_key(f, "tenant", TENANT, "endpoints=* bots=* tenant=t");
	fclose(f);
	app.keys = csa_keys_load(path, KEY, "", &err);
	unlink(path);
	ck_assert_msg(app.keys != NULL, "%s", err.msg);
}

void
v1_setup(void)
{
	const struct csa_http_opts opts = { .connect_timeout_ms = 1000,
	    .max_connections = 1 };
	struct csa_err	 err;
	FILE		*unread = fopen("/dev/null", "w");

	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	memset(&app, 0, sizeof(app));
	memset(&req, 0, sizeof(req));
	config = csa_config_load(NULL, unread);
	fclose(unread);
	ck_assert_ptr_nonnull(config);
	model_name = config->embedding_model_name;
	config->embedding_model_name = "script-4";
	app.config = config;
	load_keys();
	app.pool = "test";
	app.model = &model;
	app.store = &store;
	app.embedder = csa_embedder_script_open(4, 0);
	app.ready = csa_ready_new();
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	ck_assert_ptr_nonnull(app.http = csa_http_new(&opts, &err));
	req.ctx.waiter = csa_waiter_new(app.http);
	req.ctx.arena = csa_arena_new();
	req.io = &io;
	req.remote_addr = "192.0.2.7";
	req.content_type = "application/json";
	csa_buf_init(&out, 16 << 20);
	says = (struct v1_model){ .text = "It is so [1].", .piece = 3 };
	store_error = CSA_OK;
	passages = 1;
	body = NULL;
	client_gone = false;
	url_prefix = config->url_prefix;
}

void
v1_teardown(void)
{
	json_object_put(body);
	csa_buf_fini(&out);
	csa_waiter_free(req.ctx.waiter);
	csa_http_free(app.http);
	csa_arena_free(req.ctx.arena);
	app.embedder->ops->close(app.embedder);
	csa_ready_free(app.ready);
	csa_keys_free(app.keys);
	csa_metrics_close();
	config->embedding_model_name = model_name;
	csa_config_free(config);
}

/* ---- one request ---- */

static void
read_body(const char *text)
{
	json_object_put(body);
	body = text != NULL ? csa_json_reply(text, strlen(text)) : NULL;
}

int
v1_ask(const char *key, const char *method, const char *target,
    const char *text)
{
	static char	 bearer[80];
	struct csa_resp	 resp;
	const char	*prefix = config->url_prefix, *start;

	csa_buf_reset(&out);
	csa_arena_reset(req.ctx.arena);
	snprintf(bearer, sizeof(bearer), "Bearer %s", key != NULL ? key : "");
	headers[0] = key != NULL ? "HTTP_AUTHORIZATION" : NULL;
	headers[1] = bearer;
	req.method = method;
	req.target = target;
	req.path = NULL;
	req.started = csa_now_ns();
	posted = text;
	config->url_prefix = url_prefix;
	csa_resp_init(&resp, &sink);
	csa_app_serve(&app, CSA_POOL_ALL, &req, &resp);
	csa_resp_fini(&resp);
	config->url_prefix = prefix;
	start = out.data != NULL ? strstr(out.data, "\r\n\r\n") : NULL;
	read_body(start != NULL ? start + 4 : NULL);
	return resp.status;
}

int
v1_chat(const char *text)
{
	return v1_ask(KEY, "POST", "/v1/chat/completions", text);
}

const char *
v1_sent(void)
{
	return out.data != NULL ? out.data : "";
}

const char *
v1_header(const char *name)
{
	static char	 value[128];
	const char	*s = v1_sent(), *end = strstr(s, "\r\n\r\n");
	size_t		 n = strlen(name);

	for (; s != NULL && s < end; s = strstr(s, "\r\n")) {
		s += strspn(s, "\r\n");
		if (strncmp(s, name, n) != 0 || s[n] != ':')
			continue;
		s += n + 2;
		snprintf(value, sizeof(value), "%.*s",
		    (int)strcspn(s, "\r"), s);
		return value;
	}
	return NULL;
}

const char *
v1_str(const char *path)
{
	return csa_json_path_str(body, path, "(missing)");
}

/* ---- streams ---- */

const char *
v1_event(size_t i)
{
	const char	*s = strstr(v1_sent(), "\r\n\r\n");
	char		*line;

	while (s != NULL && (s = strstr(s, "\ndata: ")) != NULL) {
		s += 7;
		if (i-- > 0)
			continue;
		line = csa_arena_strndup(req.ctx.arena, s, strcspn(s, "\n"));
		return line;
	}
	return NULL;
}

void
v1_read_event(size_t i)
{
	read_body(v1_event(i));
	ck_assert_msg(body != NULL, "event %zu: %s", i, v1_sent());
}

const char *
v1_stream_text(void)
{
	static char	 text[1024];
	size_t		 n = 0;
	const char	*data;

	text[0] = '\0';
	for (size_t i = 0; (data = v1_event(i)) != NULL; i++) {
		if (data[0] != '{')
			continue;
		v1_read_event(i);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s",
		    csa_json_path_str(body, "choices[0].delta.content", ""));
	}
	return text;
}
