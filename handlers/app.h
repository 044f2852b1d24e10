/*
 * app: what a handler may use.  Made once in a worker, after the fork, and
 * constant from then on; everything in it is safe to use from many threads.
 */

#ifndef CSA_HANDLERS_APP_H
#define CSA_HANDLERS_APP_H

#include <stdbool.h>

#include "lib/base/err.h"

struct csa_bots;
struct csa_cache;
struct csa_config;
struct csa_embedder;
struct csa_http;
struct csa_keys;
struct csa_kv_pool;
struct csa_model;
struct csa_ready;
struct csa_store;
struct csa_vectors;
struct csa_req;
struct csa_resp;

struct csa_app {
	const struct csa_config	*config;
	const char		*pool;		/* "chat", "embed_and_store", ... */
	struct csa_keys		*keys;
	struct csa_bots		*bots;		/* what bots_file says */
	struct csa_http		*http;
	struct csa_kv_pool	*kv;		/* NULL: no memcached */
	struct csa_cache	*cache;		/* over kv; never NULL */
	struct csa_store	*store;
	struct csa_embedder	*embedder;	/* NULL: none */
	struct csa_model	*model;
	struct csa_vectors	*vectors;	/* NULL without an embedder */
	struct csa_ready	*ready;		/* findings of GET /ready */
	bool			 draining;	/* this process is told to end */
};

/* Endpoints of a program; chatsphere.fcgi has them all. */
enum csa_pool_bit {
	CSA_POOL_CHAT = 1,
	CSA_POOL_STORE = 2,
	CSA_POOL_STATUS = 4,
	CSA_POOL_ALL = 7
};

/*
 * Make everything a pool's endpoints need from the configuration.  NULL with
 * err; a dependency that is merely away is no error.
 */
struct csa_app *csa_app_new(const struct csa_config *, const char *pool,
		    struct csa_err *);
void	csa_app_free(struct csa_app *);
/* Can the files be read that the configuration names?  0, or -1 with err. */
int	csa_app_check(const struct csa_config *, struct csa_err *)
	    __attribute__((warn_unused_result));

/*
 * Serve one request: routing among the endpoints of pools, authentication,
 * limits, the handler, errors, log line, metrics.  Always sends a response.
 * req->ctx has arena, waiter and started set; deadline and request id are set
 * here.
 */
void	csa_app_serve(struct csa_app *, unsigned pools, struct csa_req *,
	    struct csa_resp *);

#endif
