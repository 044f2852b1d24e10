/*
 * GET /ready: the truth about each dependency, without a paid call.
 *
 * 503 only when this host cannot serve: the store is down, or the process is
 * told to end.  A provider that cannot be connected to, or that a circuit breaker
 * of any process has given up for now, makes it "degraded".
 */
#include "config.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/ready.h"
#include "handlers/routes.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/kv/kv_pool.h"
#include "lib/provider/provider.h"
#include "lib/upstream/upstream.h"
#include "lib/vector/vector.h"
#include "lib/web/resp.h"

#define FRESH_MS	3000	/* how long a finding is believed */
#define PROBE_MS	1000	/* what one connection attempt may take */

enum dependency { STORE, MEMCACHED, GEMINI, OPENAI, PINECONE, NDEPENDENCIES };

static const char *const names[NDEPENDENCIES] = {
	[STORE] = "store",
	[MEMCACHED] = "memcached",
	[GEMINI] = "gemini",
	[OPENAI] = "openai",
	[PINECONE] = "pinecone",
};

enum state { UNUSED, OK, FAILING, DOWN };

static const char *const words[] = {
	[OK] = "ok", [FAILING] = "failing", [DOWN] = "unreachable",
};

struct csa_ready {
	pthread_mutex_t	 lock;
	int64_t		 checked;	/* csa_now_ms(), 0: never */
	enum state	 state[NDEPENDENCIES];
};

struct csa_ready *
csa_ready_new(void)
{
	struct csa_ready	*r = csa_new(struct csa_ready);

	pthread_mutex_init(&r->lock, NULL);
	return r;
}

void
csa_ready_free(struct csa_ready *r)
{
	if (r == NULL)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static enum dependency
named(const char *name)
{
	return strcmp(name, "gemini") == 0 ? GEMINI : OPENAI;
}

static void
note(struct csa_ready *r, enum dependency d, int rc)
{
	/* One provider may serve twice: down for either is down. */
	if (r->state[d] != DOWN)
		r->state[d] = rc == 0 ? OK : DOWN;
}

static void
check_memcached(struct csa_ready *r, struct csa_kv_pool *pool)
{
	struct csa_kv	*kv;

	if (pool == NULL)
		return;
	kv = csa_kv_take(pool);
	note(r, MEMCACHED, kv->ops->ping(kv));
	csa_kv_give(pool, kv);
}

static void
check(struct csa_ready *r, const struct csa_app *app)
{
	struct csa_err	 err;

	memset(r->state, 0, sizeof(r->state));
	note(r, STORE, app->store->ops->ping(app->store, &err));
	check_memcached(r, app->kv);
	if (strcmp(app->model->name, "extractive") != 0)
		note(r, named(app->model->name),
		    app->model->ops->probe(app->model, PROBE_MS));
	if (app->embedder != NULL)
		note(r, named(app->embedder->name),
		    app->embedder->ops->probe(app->embedder, PROBE_MS));
	if (app->vectors != NULL && app->vectors->remote)
		note(r, PINECONE,
		    app->vectors->ops->probe(app->vectors, PROBE_MS));
	r->checked = csa_now_ms();
}

/* Not kept with the rest: a look costs nothing, and they change by the second. */
static void
ask_breakers(enum state state[NDEPENDENCIES])
{
	static const enum csa_source	 source[NDEPENDENCIES] = {
		[GEMINI] = CSA_SRC_GEMINI,
		[OPENAI] = CSA_SRC_OPENAI,
		[PINECONE] = CSA_SRC_PINECONE,
	};

	for (int d = GEMINI; d < NDEPENDENCIES; d++)
		if (state[d] == OK && csa_upstream_is_open(source[d]))
			state[d] = FAILING;
}

static void
describe(struct csa_buf *b, const enum state state[NDEPENDENCIES])
{
	bool	 first = true;

	csa_buf_puts(b, ",\"dependencies\":{");
	for (int d = 0; d < NDEPENDENCIES; d++) {
		if (state[d] == UNUSED)
			continue;
		csa_buf_addf(b, "%s\"%s\":\"%s\"", first ? "" : ",", names[d],
		    words[state[d]]);
		first = false;
	}
	csa_buf_putc(b, '}');
}

int
csa_handle_ready(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	enum state	 state[NDEPENDENCIES];
	struct csa_ready *r = app->ready;
	const char	*word = "ready";
	int		 status = 200;
	struct csa_buf	 b;

	(void)err;
	pthread_mutex_lock(&r->lock);
	if (r->checked == 0 || csa_now_ms() - r->checked > FRESH_MS)
		check(r, app);
	memcpy(state, r->state, sizeof(state));
	pthread_mutex_unlock(&r->lock);
	ask_breakers(state);
	for (int d = 0; d < NDEPENDENCIES; d++)
		if (state[d] == DOWN || state[d] == FAILING)
			word = "degraded";
	if (app->draining || state[STORE] == DOWN) {
		word = app->draining ? "draining" : "unavailable";
		status = 503;
		csa_resp_header(call->resp, "Retry-After", "2");
	}
	csa_buf_init(&b, 1024);
	csa_buf_addf(&b, "{\"status\":\"%s\"", word);
	if (call->key != NULL)
		describe(&b, state);
	csa_buf_putc(&b, '}');
	(void)csa_resp_send(call->resp, status,
	    "application/json; charset=utf-8", b.data, b.len);
	csa_buf_fini(&b);
	return 0;
}
