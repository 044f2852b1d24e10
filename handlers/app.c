#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/app.h"
#include "handlers/keys.h"
#include "handlers/ready.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/cache/cache.h"
#include "lib/config/bots.h"
#include "lib/config/config.h"
#include "lib/http/http.h"
#include "lib/kv/kv_pool.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/cached.h"
#include "lib/store/store.h"
#include "lib/upstream/upstream.h"
#include "lib/vector/vector.h"

/* The embedder and the place of its vectors; neither where there is none. */
static int
open_vectors(struct csa_app *app, struct csa_err *err)
{
	const struct csa_config	*config = app->config;

	if (strcmp(config->embedding, "none") == 0)
		return 0;
	if (strcmp(config->embedding, "gemini") == 0)
		app->embedder = csa_embedder_gemini_open(config, app->http,
		    err);
	else
		app->embedder = csa_embedder_openai_open(config, app->http,
		    err);
	if (app->embedder == NULL)
		return -1;
	app->embedder = csa_embedder_cached_open(app->embedder, app->cache,
	    config);
	if (strcmp(config->vectors, "pinecone") == 0)
		app->vectors = csa_vectors_pinecone_open(config, app->http,
		    err);
	else
		app->vectors = csa_vectors_local_open(app->store,
		    app->embedder->model);
	return app->vectors != NULL ? 0 : -1;
}

/* A host that calls nobody needs no certificates to start. */
static bool
calls_out(const struct csa_config *config)
{
	return strcmp(config->chat, "extractive") != 0 ||
	    strcmp(config->embedding, "none") != 0;
}

/* HTTP/1.1 takes one for each call under way; too few of them is a queue. */
static long
most_connections(const struct csa_config *config)
{
	if (config->max_upstream_connections > 0)
		return config->max_upstream_connections;
	return config->threads > 256 ? config->threads : 256;
}

static int
read_files(struct csa_app *app, struct csa_err *err)
{
	const struct csa_config	*config = app->config;

	app->keys = csa_keys_load(config->keys_file, config->internal_api_key,
	    config->internal_api_key_previous, err);
	if (app->keys == NULL)
		return -1;
	app->bots = csa_bots_load(config->bots_file, err);
	return app->bots != NULL ? 0 : -1;
}

static int
open_parts(struct csa_app *app, struct csa_err *err)
{
	const struct csa_config	*config = app->config;
	struct csa_http_opts	 opts = {
		.ca_file = calls_out(config) ? config->ca_file : NULL,
		.connect_timeout_ms = config->connect_timeout_ms,
		.max_connections = most_connections(config),
	};

	if (read_files(app, err) == -1)
		return -1;
	if ((app->http = csa_http_new(&opts, err)) == NULL)
		return -1;
	if (config->memcached_servers[0] != '\0' &&
	    (app->kv = csa_kv_pool_new(config->memcached_servers,
	    config->memcached_timeout_ms, err)) == NULL)
		return -1;
	app->cache = csa_cache_new(app->kv, config);
	app->store = csa_store_sqlite_open(config->data_dir,
	    config->store_connections, err);
	if (app->store == NULL)
		return -1;
	app->model = csa_model_open(config, app->http, err);
	if (app->model == NULL)
		return -1;
	return open_vectors(app, err);
}

int
csa_app_check(const struct csa_config *config, struct csa_err *err)
{
	struct csa_app	 files = { .config = config };
	int		 rc = read_files(&files, err);

	csa_keys_free(files.keys);
	csa_bots_free(files.bots);
	return rc;
}

struct csa_app *
csa_app_new(const struct csa_config *config, const char *pool,
    struct csa_err *err)
{
	struct csa_app	*app = csa_new(struct csa_app);
	struct csa_err	 alone;

	app->config = config;
	app->pool = pool;
	app->ready = csa_ready_new();
	/* Without the shared file the service counts for itself alone. */
	if (csa_metrics_open(config->run_dir, &alone) == -1)
		csa_warn("the metrics are this process's alone: %s %s",
		    alone.msg, alone.detail);
	if (csa_upstream_share(config->run_dir, &alone) == -1)
		csa_warn("what is known of providers is this process's alone: "
		    "%s %s", alone.msg, alone.detail);
	if (open_parts(app, err) == -1) {
		csa_app_free(app);
		return NULL;
	}
	return app;
}

void
csa_app_free(struct csa_app *app)
{
	if (app == NULL)
		return;
	if (app->vectors != NULL)
		app->vectors->ops->close(app->vectors);
	if (app->embedder != NULL)
		app->embedder->ops->close(app->embedder);
	if (app->model != NULL)
		app->model->ops->close(app->model);
	if (app->store != NULL)
		app->store->ops->close(app->store);
	csa_cache_free(app->cache);
	csa_http_free(app->http);
	csa_kv_pool_free(app->kv);
	csa_keys_free(app->keys);
	csa_bots_free(app->bots);
	csa_ready_free(app->ready);
	csa_upstream_unshare();
	csa_metrics_close();
	free(app);
}
