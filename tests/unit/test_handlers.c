/*
 * The endpoints over a loopback: requests from strings, responses in memory,
 * drivers that answer as told.
 */
#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/app.h"
#include "handlers/keys.h"
#include "handlers/ready.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/chain.h"
#include "lib/provider/prices.h"
#include "lib/provider/provider.h"
#include "lib/store/store.h"
#include "lib/text/doc.h"
#include "lib/text/json.h"
#include "lib/vector/vector.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"
#include "tests/path_int.h"

#define KEY	"the-key-of-the-test"

/* ---- the loopback ---- */

struct loopback {
	struct csa_sink	 sink;
	struct csa_req	 req;
	struct csa_resp	 resp;
	struct csa_buf	 out;		/* everything written */
	const char	*headers[8];	/* name, value, name, value, NULL */
	const char	*body;
	bool		 gone;		/* the client has left */
};

static int
sink_write(struct csa_sink *sink, const void *data, size_t n)
{
	struct loopback	*l = (struct loopback *)sink;

	if (l->gone)
		return -1;
	csa_buf_add(&l->out, data, n);
	return 0;
}

static int
sink_flush(struct csa_sink *sink)
{
	return ((struct loopback *)sink)->gone ? -1 : 0;
}

static const struct csa_sink_ops sink_ops = {
	.write = sink_write, .flush = sink_flush
};

static const char *
io_header(void *arg, const char *name, unsigned *count)
{
	struct loopback	*l = arg;
	const char	*found = NULL;
	unsigned	 n = 0;

	for (size_t i = 0; i + 1 < 8 && l->headers[i] != NULL; i += 2)
		if (strcmp(l->headers[i], name) == 0 && n++ == 0)
			found = l->headers[i + 1];
	if (count != NULL)
		*count = n;
	return found != NULL && *found != '\0' ? found : NULL;
}

static int
io_body(void *arg, struct csa_buf *b, struct csa_err *err)
{
	struct loopback	*l = arg;

	csa_buf_puts(b, l->body != NULL ? l->body : "");
	if (b->failed)
		return csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT, NULL);
	return 0;
}

static const struct csa_req_io io = { io_header, io_body };

/* ---- drivers that do as they are told ---- */

static enum csa_errcode	 model_error;
static const char	*model_text = "It is so [1].";
static struct csa_chat_req asked;
/* Copies: what asked points at ends with the request. */
static char		 asked_model[64], asked_first[64], asked_system[64];
static size_t		 asked_turns;
static struct csa_ctx	 asked_ctx;

static int
fake_generate(struct csa_model *m, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	(void)delta;
	(void)arg;
	asked = *req;
	snprintf(asked_model, sizeof(asked_model), "%s",
	    req->model != NULL ? req->model : "");
	snprintf(asked_first, sizeof(asked_first), "%s", req->messages[0].text);
	asked_turns = 0;
	for (size_t i = 0; i < req->nmessages; i++)
		asked_turns += !req->messages[i].more;
	snprintf(asked_system, sizeof(asked_system), "%s", req->system);
	asked_ctx = *ctx;
	if (model_error != CSA_OK)
		return csa_fail(err, model_error, CSA_SRC_GEMINI, NULL);
	memset(res, 0, sizeof(*res));
	res->text = model_text;
	res->len = strlen(model_text);
	res->model = m->model;
	res->total_tokens = 9;
	return 0;
}

static int
fake_probe(struct csa_model *m, long ms)
{
	(void)m;
	(void)ms;
	return model_error != CSA_OK ? -1 : 0;
}

static void
fake_close(struct csa_model *m)
{
	(void)m;
}

static const struct csa_model_ops model_ops = {
	fake_generate, fake_probe, fake_close
};
static struct csa_model	 model = { &model_ops, "gemini", "fake-model" };

static enum csa_errcode	 store_error;
static size_t		 stored;
static struct csa_chunk	 passage = { .id = "d-chunk-0", .document_id = "d",
	.text = "a passage", .len = 9, .title = "" };

static int
fake_search(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_text_result *res, struct csa_err *err)
{
	(void)s;
	(void)scope;
	(void)question;
	if (store_error != CSA_OK)
		return csa_fail(err, store_error, CSA_SRC_STORE, NULL);
	memset(res, 0, sizeof(*res));
	res->nhits = k > 1 ? 1 : k;
	res->hits = csa_arena_array(ctx->arena, 1, struct csa_text_hit);
	res->hits[0].chunk = passage;
	res->hits[0].score = res->hits[0].bm25 = 2;
	res->ideal = 4;
	return 0;
}

static int
fake_put(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, const char *model_name,
    const struct csa_chunk *chunks, size_t n, struct csa_taken *taken,
    struct csa_err *err)
{
	(void)s;
	(void)ctx;
	(void)scope;
	(void)document_id;
	(void)metadata;
	(void)model_name;
	(void)chunks;
	(void)taken;
	if (store_error != CSA_OK)
		return csa_fail(err, store_error, CSA_SRC_STORE, NULL);
	stored += n;
	return 0;
}

static int
fake_ping(struct csa_store *s, struct csa_err *err)
{
	(void)s;
	return store_error != CSA_OK ?
	    csa_fail(err, store_error, CSA_SRC_STORE, NULL) : 0;
}

static const struct csa_store_ops store_ops = {
	.name = "fake", .search = fake_search, .put_document = fake_put,
	.ping = fake_ping,
};
static struct csa_store	 store = { &store_ops };

/* ---- fixtures ---- */

static struct csa_app	 app;
static struct loopback	 l;
static struct json_object *body;

static void
setup(void)
{
	struct csa_err	 err;
	FILE		*unread = fopen("/dev/null", "w");

	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	memset(&app, 0, sizeof(app));
	memset(&l, 0, sizeof(l));
	app.config = csa_config_load(NULL, unread);
	fclose(unread);
	ck_assert_ptr_nonnull(app.config);
	app.keys = csa_keys_load("", KEY, "", &err);
	ck_assert_ptr_nonnull(app.keys);
	app.pool = "test";
	app.model = &model;
	app.store = &store;
	app.ready = csa_ready_new();
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	l.sink.ops = &sink_ops;
	l.req.io = &io;
	l.req.io_arg = &l;
	l.req.remote_addr = "192.0.2.7";
	l.req.content_type = "application/json";
	l.req.ctx.arena = csa_arena_new();
	csa_buf_init(&l.out, 1 << 20);
	model_error = store_error = CSA_OK;
	stored = 0;
	body = NULL;
}

static void
teardown(void)
{
	json_object_put(body);
	csa_buf_fini(&l.out);
	csa_arena_free(l.req.ctx.arena);
	csa_ready_free(app.ready);
	csa_keys_free(app.keys);
	csa_metrics_close();
	csa_config_free((struct csa_config *)(uintptr_t)app.config);
}

/* Serve one request; the response's status.  Its JSON body is in `body`. */
static int
serve(const char *method, const char *target, const char *text)
{
	const char	*start;

	json_object_put(body);
	body = NULL;
	csa_buf_reset(&l.out);
	csa_arena_reset(l.req.ctx.arena);
	l.req.method = method;
	l.req.target = target;
	l.req.started = csa_now_ns();
	l.body = text;
	csa_resp_init(&l.resp, &l.sink);
	csa_app_serve(&app, CSA_POOL_ALL, &l.req, &l.resp);
	csa_resp_fini(&l.resp);
	if (l.out.data != NULL &&
	    (start = strstr(l.out.data, "\r\n\r\n")) != NULL)
		body = csa_json_reply(start + 4, strlen(start + 4));
	return l.resp.status;
}

static int
serve_key(const char *method, const char *target, const char *text)
{
	l.headers[0] = "HTTP_X_INTERNAL_API_KEY";
	l.headers[1] = KEY;
	return serve(method, target, text);
}

#define CHAT "{\"bot_id\":\"b\",\"message\":\"is it so?\"}"
#define STORE "{\"document_id\":\"d\",\"chunks\":[\"x\",\"y\"]," \
	"\"metadata\":{\"bot_id\":\"b\"}}"

static const char *
field(const char *path)
{
	return csa_json_path_str(body, path, "(missing)");
}

/* ---- tests ---- */

START_TEST(answers_in_the_shape_of_the_contract)
{
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 200);
	ck_assert_str_eq(field("response"), "It is so [1].");
	ck_assert_str_eq(field("response_text"), "It is so [1].");
	ck_assert_str_eq(field("metadata.model"), "fake-model");
	ck_assert_str_eq(field("metadata.sources[0].chunk_id"), "d-chunk-0");
	ck_assert(json_object_get_boolean(csa_json_path(body,
	    "metadata.sources[0].cited")));
	ck_assert_double_eq(json_object_get_double(csa_json_path(body,
	    "metadata.sources[0].score")), .5);
	ck_assert_str_eq(field("metadata.source_chunk_ids[0]"), "d-chunk-0");
	ck_assert_int_eq(path_int(body, "metadata.tokens_used.total"), 9);
	ck_assert_ptr_nonnull(strstr(l.out.data, "no-store"));
}
END_TEST

static const struct {
	enum csa_errcode	 code;
	int			 status;
	const char		*name;
	bool			 retryable;
} faults[] = {
	{ CSA_ERR_PROVIDER_ERROR, 502, "provider_error", false },
	{ CSA_ERR_PROVIDER_FAULT, 502, "provider_fault", true },
	{ CSA_ERR_PROVIDER_BUSY, 503, "provider_busy", true },
	{ CSA_ERR_PROVIDER_UNAVAILABLE, 503, "provider_unavailable", true },
	{ CSA_ERR_DEADLINE, 504, "deadline_exceeded", true },
	{ CSA_ERR_INVALID_VALUE, 422, "invalid_value", false },
};

START_TEST(tells_whose_fault_it_is)
{
	model_error = faults[_i].code;
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), faults[_i].status);
	ck_assert_str_eq(field("error.code"), faults[_i].name);
	ck_assert_str_eq(field("error.source"), "gemini");
	ck_assert_str_eq(field("status"), "error");
	ck_assert_int_eq(json_object_get_boolean(csa_json_path(body,
	    "error.retryable")), faults[_i].retryable);
	ck_assert_int_eq(strstr(l.out.data, "Retry-After: ") != NULL,
	    faults[_i].retryable);
}
END_TEST

#define CHAT_NONE "{\"bot_id\":\"b\",\"message\":\"is it so?\"," \
	"\"config_params\":{\"fallback\":\"none\"}}"

/* The same faults, and quotes behind the model. */
START_TEST(quotes_where_it_may)
{
	struct csa_err	 err;

	app.model = csa_model_chain_new((struct csa_link[]){
		{ &model, NULL },
		{ csa_model_extractive_open(app.config), NULL },
	}, 2, csa_prices_new("fake-model=1/1", &err));
	model_error = faults[_i].code;
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT_NONE),
	    faults[_i].status);
	ck_assert_str_eq(field("error.code"), faults[_i].name);
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT),
	    model_error == CSA_ERR_INVALID_VALUE ? 422 : 200);
	if (model_error != CSA_ERR_INVALID_VALUE) {
		ck_assert_str_eq(field("metadata.degraded_reason"),
		    "model_unavailable");
		ck_assert_str_eq(field("metadata.model"), "extractive");
		ck_assert(json_object_get_boolean(csa_json_path(body,
		    "metadata.degraded")));
		ck_assert_uint_eq(csa_metric_value(CSA_M_answers,
		    "extractive|unknown") + csa_metric_value(CSA_M_answers,
		    "extractive|cited"), 1);
	}
	model_error = CSA_OK;
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 200);
	ck_assert_str_eq(field("metadata.degraded_reason"), "(missing)");
	ck_assert_str_eq(field("metadata.model"), "fake-model");
	ck_assert_uint_eq(csa_metric_value(CSA_M_answers, "gemini|cited"), 1);
	/* /ready asks the one that is configured. */
	model_error = CSA_ERR_PROVIDER_UNAVAILABLE;
	ck_assert_int_eq(serve_key("GET", "/ready", NULL), 200);
	app.model->ops->close(app.model);
}
END_TEST

START_TEST(full_text_where_nothing_embeds)
{
	app.embedder = csa_embedder_fail_open();
	app.vectors = csa_vectors_fail_open();
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT_NONE), 503);
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 200);
	ck_assert_str_eq(field("metadata.degraded_reason"),
	    "embedding_unavailable");
	ck_assert_str_eq(field("metadata.model"), "fake-model");
	ck_assert_str_eq(field("metadata.sources[0].chunk_id"), "d-chunk-0");
	app.embedder->ops->close(app.embedder);
	app.vectors->ops->close(app.vectors);
}
END_TEST

START_TEST(a_store_that_is_down_is_503)
{
	store_error = CSA_ERR_STORE_UNAVAILABLE;
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 503);
	ck_assert_str_eq(field("error.source"), "store");
	ck_assert_int_eq(serve_key("POST", "/embed_and_store", STORE), 503);
	ck_assert_str_eq(field("error.code"), "store_unavailable");
	ck_assert_int_eq(serve_key("GET", "/ready", NULL), 503);
	ck_assert_str_eq(field("dependencies.store"), "unreachable");
	/* Alive it is all the same. */
	ck_assert_int_eq(serve_key("GET", "/health", NULL), 200);
}
END_TEST

START_TEST(stores_what_it_says)
{
	ck_assert_int_eq(serve_key("POST", "/embed_and_store", STORE), 200);
	ck_assert_uint_eq(stored, 2);
	ck_assert_str_eq(field("stored_vector_ids[1]"), "d-chunk-1");
	ck_assert_int_eq(path_int(body, "stored_vector_count"), 2);
}
END_TEST

START_TEST(ready_knows_a_provider_that_is_away)
{
	model_error = CSA_ERR_PROVIDER_UNAVAILABLE;
	ck_assert_int_eq(serve_key("GET", "/ready", NULL), 200);
	ck_assert_str_eq(field("status"), "degraded");
	ck_assert_str_eq(field("dependencies.gemini"), "unreachable");
}
END_TEST

START_TEST(ready_says_when_it_is_told_to_end)
{
	app.draining = true;
	ck_assert_int_eq(serve("GET", "/ready", NULL), 503);
	ck_assert_str_eq(field("status"), "draining");
}
END_TEST

START_TEST(one_word_without_a_key)
{
	ck_assert_int_eq(serve("GET", "/health", NULL), 200);
	ck_assert_str_eq(field("version"), "(missing)");
	ck_assert_int_eq(serve("GET", "/ready", NULL), 200);
	ck_assert_str_eq(field("dependencies.store"), "(missing)");
}
END_TEST

START_TEST(metrics_need_a_key_or_an_address)
{
	ck_assert_int_eq(serve("GET", "/metrics", NULL), 401);
	ck_assert_int_eq(serve_key("GET", "/metrics", NULL), 200);
	ck_assert_ptr_nonnull(strstr(l.out.data,
	    "chatsphere_http_requests_total"));
	l.headers[0] = NULL;
	l.req.remote_addr = "127.0.0.1";
	ck_assert_int_eq(serve("GET", "/metrics", NULL), 200);
	/* A wrong key is wrong from everywhere. */
	l.headers[0] = "HTTP_X_INTERNAL_API_KEY";
	l.headers[1] = "wrong";
	ck_assert_int_eq(serve("GET", "/metrics", NULL), 401);
}
END_TEST

static const struct {
	const char	*headers[6];
	int		 status;
} key_cases[] = {
	{ { NULL }, 401 },
	{ { "HTTP_X_INTERNAL_API_KEY", KEY }, 200 },
	{ { "HTTP_X_INTERNAL_API_KEY", "" }, 401 },
	{ { "HTTP_X_INTERNAL_API_KEY", KEY "x" }, 401 },
	{ { "HTTP_AUTHORIZATION", "Bearer " KEY }, 200 },
	{ { "HTTP_AUTHORIZATION", "BEARER   " KEY }, 200 },
	{ { "HTTP_AUTHORIZATION", "Bearer" }, 401 },
	{ { "HTTP_AUTHORIZATION", "Basic " KEY }, 401 },
	{ { "REDIRECT_HTTP_AUTHORIZATION", "Bearer " KEY }, 200 },
	/* A site's own password beside our key. */
	{ { "HTTP_AUTHORIZATION", "Basic eA==", "HTTP_X_INTERNAL_API_KEY",
	    KEY }, 200 },
	/* Contradictions, and one header twice or joined by a server. */
	{ { "HTTP_AUTHORIZATION", "Bearer other", "HTTP_X_INTERNAL_API_KEY",
	    KEY }, 400 },
	{ { "HTTP_X_INTERNAL_API_KEY", KEY, "HTTP_X_INTERNAL_API_KEY",
	    KEY }, 400 },
	{ { "HTTP_X_INTERNAL_API_KEY", KEY ", " KEY }, 400 },
};

START_TEST(takes_a_key_where_it_may_stand)
{
	memcpy(l.headers, key_cases[_i].headers, sizeof(key_cases[_i].headers));
	ck_assert_int_eq(serve("POST", "/chat", CHAT), key_cases[_i].status);
	ck_assert_ptr_null(strstr(l.out.data, KEY));
}
END_TEST

START_TEST(unknown_paths_and_wrong_methods)
{
	ck_assert_int_eq(serve("GET", "/nothing", NULL), 404);
	ck_assert_str_eq(field("error.code"), "not_found");
	ck_assert_int_eq(serve("GET", "/chat", NULL), 405);
	ck_assert_ptr_nonnull(strstr(l.out.data, "Allow: POST\r\n"));
	ck_assert_int_eq(serve("post", "/chat", NULL), 405);
	ck_assert_int_eq(serve("HEAD", "/health", NULL), 200);
}
END_TEST

START_TEST(a_header_may_only_shorten_the_time)
{
	int64_t	 left;

	l.headers[2] = "HTTP_X_REQUEST_TIMEOUT_MS";
	l.headers[3] = "1500";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 200);
	left = csa_left_ms(asked_ctx.deadline);
	ck_assert(left > 1000 && left <= 1500);
	l.headers[3] = "99999999";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 200);
	ck_assert(csa_left_ms(asked_ctx.deadline) <= 60000);
	l.headers[3] = "soon";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 400);
	l.headers[3] = "-";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 400);
	l.headers[3] = "-1";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 422);
	l.headers[3] = "0";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 422);
	l.headers[3] = "99999999999999999999";
	ck_assert_int_eq(serve_key("POST", "/chat", CHAT), 422);
	ck_assert_str_eq(field("error_message"),
	    "X-Request-Timeout-Ms must be between 1 and 2147483647");
}
END_TEST

START_TEST(hands_the_parameters_to_the_model)
{
	ck_assert_int_eq(serve_key("POST", "/chat", "{\"bot_id\":\"b\","
	    "\"message\":\"q\",\"history\":[{\"role\":\"user\",\"content\":"
	    "\"h1\"},{\"role\":\"assistant\",\"content\":\"h2\"}],"
	    "\"config_params\":{\"llm_model\":\"m/1\",\"temperature\":0.25,"
	    "\"chat_history_length\":1,\"system_prompt\":\"be brief\"}}"), 200);
	ck_assert_str_eq(asked_model, "m/1");
	ck_assert_double_eq(asked.temperature, 0.25);
	ck_assert_uint_eq(asked_turns, 2);
	ck_assert_str_eq(asked_first, "h2");
	ck_assert(strncmp(asked_system, "be brief\n", 9) == 0);
}
END_TEST

START_TEST(null_is_absent)
{
	ck_assert_int_eq(serve_key("POST", "/chat", "{\"bot_id\":\"b\","
	    "\"message\":\"q\",\"history\":null,\"config_params\":null,"
	    "\"stream\":null,\"user_id\":null}"), 200);
	ck_assert_int_eq(serve_key("POST", "/chat", "{\"bot_id\":\"b\","
	    "\"message\":\"q\",\"config_params\":{\"temperature\":null,"
	    "\"retriever_k\":null,\"llm_model\":null}}"), 200);
	ck_assert_str_eq(asked_model, "");
}
END_TEST

START_TEST(a_client_that_left_is_counted)
{
	l.gone = true;
	(void)serve_key("POST", "/chat", CHAT);
	ck_assert_uint_eq(csa_metric_value(CSA_M_client_gone, "chat|write"), 1);
}
END_TEST

START_TEST(counts_requests_by_status)
{
	(void)serve_key("POST", "/chat", CHAT);
	(void)serve_key("POST", "/chat", "nonsense");
	ck_assert_uint_eq(csa_metric_value(CSA_M_http_requests, "chat|200"), 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_http_requests, "chat|400"), 1);
}
END_TEST

START_TEST(the_description_is_json)
{
	ck_assert_int_eq(serve("GET", "/openapi.json", NULL), 200);
	ck_assert_str_eq(field("openapi"), "3.1.0");
}
END_TEST

static const struct {
	const char	*base, *own, *merged;	/* merged NULL: refused */
} metadata_cases[] = {
	{ "{\"bot_id\":\"b\"}", NULL, "" },
	{ "{\"bot_id\":\"b\",\"a\":1}", NULL, "{\"a\":1}" },
	{ "{\"a\":1,\"b\":true}", "{\"a\":\"x\"}", "{\"b\":true,\"a\":\"x\"}" },
	{ "{\"a\":null}", "{\"b\":null}", "" },
	{ "{\"a\":[\"x\",\"y\"]}", NULL, "{\"a\":[\"x\",\"y\"]}" },
	/* A chunk's null takes nothing away and adds nothing. */
	{ "{\"a\":1.50}", "{\"b\":[]}", "{\"a\":1.50,\"b\":[]}" },
	{ "{\"a\":18446744073709551614}", NULL, "{\"a\":18446744073709551614}" },
	{ "{\"a\":18446744073709551616}", NULL, NULL },
	{ "{\"a\":-9223372036854775809}", NULL, NULL },
	{ "{\"a\":{}}", NULL, NULL },
	{ "{\"a\":[1]}", NULL, NULL },
	{ "{\"a\":[null]}", NULL, NULL },
	{ "{\"a\":\"0123456789012345678901234567890123456789\"}", NULL, NULL },
};

static const struct csa_node *
read_metadata(const char *s)
{
	const struct csa_node	*v;

	if (s == NULL)
		return NULL;
	v = csa_doc(l.req.ctx.arena, s, strlen(s));
	ck_assert_ptr_nonnull(v);
	return v;
}

START_TEST(merges_metadata)
{
	const char		*out, *want = metadata_cases[_i].merged;
	struct csa_err		 err;
	int			 rc;

	rc = csa_check_metadata(l.req.ctx.arena, "metadata",
	    read_metadata(metadata_cases[_i].base),
	    read_metadata(metadata_cases[_i].own), "bot_id", 40, &out, &err);
	ck_assert_int_eq(rc, want != NULL ? 0 : -1);
	if (want == NULL)
		ck_assert_int_eq(err.code, CSA_ERR_INVALID_VALUE);
	else if (*want == '\0')
		ck_assert_ptr_null(out);
	else
		ck_assert_str_eq(out, want);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("handlers");
	TCase	*tc = tcase_create("handlers");
	SRunner	*sr;
	int	 failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, answers_in_the_shape_of_the_contract);
	tcase_add_loop_test(tc, tells_whose_fault_it_is, 0,
	    (int)CSA_NITEMS(faults));
	tcase_add_loop_test(tc, quotes_where_it_may, 0,
	    (int)CSA_NITEMS(faults));
	tcase_add_test(tc, full_text_where_nothing_embeds);
	tcase_add_test(tc, a_store_that_is_down_is_503);
	tcase_add_test(tc, stores_what_it_says);
	tcase_add_test(tc, ready_knows_a_provider_that_is_away);
	tcase_add_test(tc, ready_says_when_it_is_told_to_end);
	tcase_add_test(tc, one_word_without_a_key);
	tcase_add_test(tc, metrics_need_a_key_or_an_address);
	tcase_add_loop_test(tc, takes_a_key_where_it_may_stand, 0,
	    (int)CSA_NITEMS(key_cases));
	tcase_add_test(tc, unknown_paths_and_wrong_methods);
	tcase_add_test(tc, a_header_may_only_shorten_the_time);
	tcase_add_test(tc, hands_the_parameters_to_the_model);
	tcase_add_test(tc, null_is_absent);
	tcase_add_test(tc, a_client_that_left_is_counted);
	tcase_add_test(tc, counts_requests_by_status);
	tcase_add_test(tc, the_description_is_json);
	tcase_add_loop_test(tc, merges_metadata, 0,
	    (int)CSA_NITEMS(metadata_cases));
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_run_all(sr, CK_ENV);
	failed = srunner_ntests_failed(sr);
	srunner_free(sr);
	return failed == 0 ? 0 : 1;
}
