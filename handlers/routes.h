/*
 * routes: from a method and a path to a handler.
 */

#ifndef CSA_HANDLERS_ROUTES_H
#define CSA_HANDLERS_ROUTES_H

#include <stdbool.h>
#include <stddef.h>

#include "handlers/app.h"
#include "lib/base/buf.h"

struct csa_arena;
struct csa_key;
struct csa_node;
struct csa_route;

/* A request on its way through a handler. */
struct csa_call {
	struct csa_req		*req;
	struct csa_resp		*resp;
	const struct csa_route	*route;
	const struct csa_key	*key;	/* NULL where none was needed or given */
	const char		*phase;	/* what it is about; a metric's label */
};

enum csa_who { CSA_WHO_KEY, CSA_WHO_OPEN, CSA_WHO_SCRAPE };

/*
 * 0 after the whole response was written; -1 with err before anything was, so
 * that the caller can answer with the error.
 */
typedef int csa_handler(struct csa_app *, struct csa_call *, struct csa_err *);

struct csa_route {
	const char	*method;
	const char	*path;		/* may end in a variable segment: */
					/* "/v1/models/{bot}" */
	const char	*name;		/* the metrics' endpoint label */
	csa_handler	*handle;
	unsigned	 pool;		/* enum csa_pool_bit */
	enum csa_who	 who;
	size_t		 max_body;	/* offset of the option in csa_config; 0 */
	size_t		 timeout;	/* offset of the option */
	const char	*summary;
};

#define ROUTE(m, p, h, ...)	csa_handler csa_handle_##h;
#include "handlers/routes.def"
#undef ROUTE

/*
 * Find the route among the programs in pools.  NULL with err NOT_FOUND, or
 * METHOD_NOT_ALLOWED with the methods that exist in allow ("GET, HEAD").
 * HEAD is answered as GET; the web server leaves the body out.
 */
const struct csa_route *
	csa_route_find(unsigned pools, const char *method, const char *path,
	    char allow[64], struct csa_err *);

/* What stands in the place of the variable segment; decoded, never empty. */
const char *csa_call_name(const struct csa_call *);

/* The route's limits, from the configuration. */
size_t	csa_route_max_body(const struct csa_route *, const struct csa_config *);
long	csa_route_timeout(const struct csa_route *, const struct csa_config *);

/*
 * Read the body within the route's limit into b (initialised here; the caller
 * always gives it back with csa_buf_fini).  Refuses a content type other than
 * JSON with UNSUPPORTED_TYPE first.
 */
int	csa_call_body(struct csa_app *, struct csa_call *, struct csa_buf *b,
	    struct csa_err *) __attribute__((warn_unused_result));

/* The same, read into the arena (fields.h): an object, or NULL with err. */
const struct csa_node *
	csa_call_fields(struct csa_app *, struct csa_call *, struct csa_arena *,
	    struct csa_buf *b, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
