#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "handlers/routes.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/fields.h"
#include "lib/web/req.h"

/* An option's offset in struct csa_config; `none` is no option. */
#define OPT(name)	OPT_##name
enum {
	OPT_none = 0,
	OPT_max_body_chat = offsetof(struct csa_config, max_body_chat),
	OPT_max_body_store = offsetof(struct csa_config, max_body_store),
	OPT_request_timeout_ms =
	    offsetof(struct csa_config, request_timeout_ms),
	OPT_store_timeout_ms = offsetof(struct csa_config, store_timeout_ms),
};

static const struct csa_route routes[] = {
#define ROUTE(m, p, h, program, w, body, time, text)			\
	{ #m, p, #h, csa_handle_##h, CSA_POOL_##program, CSA_WHO_##w,	\
	    OPT(body), OPT(time), text },
#include "handlers/routes.def"
#undef ROUTE
};

static bool
method_is(const struct csa_route *r, const char *method)
{
	return strcmp(r->method, method) == 0 ||
	    (strcmp(r->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

static void
add_allowed(char allow[64], const char *method)
{
	size_t	 n = strlen(allow);

	snprintf(allow + n, 64 - n, "%s%s%s", n > 0 ? ", " : "", method,
	    strcmp(method, "GET") == 0 ? ", HEAD" : "");
}

/*
 * The fixed part of a pattern that ends in "{name}"; 0 for an ordinary path,
 * where nothing varies.
 */
static size_t
fixed_part(const char *pattern)
{
	const char	*s = strchr(pattern, '{');

	return s != NULL ? (size_t)(s - pattern) : 0;
}

/* What stands for {name}: a segment, and not an empty one. */
static bool
path_is(const struct csa_route *r, const char *path)
{
	size_t	 n = fixed_part(r->path);

	if (n == 0)
		return strcmp(r->path, path) == 0;
	return strncmp(r->path, path, n) == 0 && path[n] != '\0' &&
	    strchr(path + n, '/') == NULL;
}

const char *
csa_call_name(const struct csa_call *call)
{
	return call->req->path + fixed_part(call->route->path);
}

const struct csa_route *
csa_route_find(unsigned pools, const char *method, const char *path,
    char allow[64], struct csa_err *err)
{
	allow[0] = '\0';
	for (size_t i = 0; i < CSA_NITEMS(routes); i++) {
		if ((routes[i].pool & pools) == 0 ||
		    !path_is(&routes[i], path))
			continue;
		if (method_is(&routes[i], method))
			return &routes[i];
		add_allowed(allow, routes[i].method);
	}
	if (allow[0] != '\0')
		(void)csa_fail(err, CSA_ERR_METHOD_NOT_ALLOWED, CSA_SRC_CLIENT,
		    "%s takes %s only", path, allow);
	else
		(void)csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT, NULL);
	return NULL;
}

static long
option(const struct csa_config *config, size_t offset)
{
	long	 v;

	memcpy(&v, (const char *)config + offset, sizeof(v));
	return v;
}

size_t
csa_route_max_body(const struct csa_route *r, const struct csa_config *config)
{
	return r->max_body > 0 ? (size_t)option(config, r->max_body) : 0;
}

long
csa_route_timeout(const struct csa_route *r, const struct csa_config *config)
{
	return option(config, r->timeout);
}

/* application/json, with parameters or without; the only charset is UTF-8. */
static bool
is_json(const char *type)
{
	static const char	 json[] = "application/json";
	const char		*p;

	if (strncasecmp(type, json, sizeof(json) - 1) != 0)
		return false;
	type += sizeof(json) - 1;
	type += strspn(type, " \t");
	if (*type != '\0' && *type != ';')
		return false;
	if ((p = strcasestr(type, "charset=")) == NULL)
		return true;
	p += strlen("charset=");
	p += *p == '"';
	return strncasecmp(p, "utf-8", 5) == 0 || strncasecmp(p, "utf8", 4) == 0;
}

int
csa_call_body(struct csa_app *app, struct csa_call *call, struct csa_buf *b,
    struct csa_err *err)
{
	csa_buf_init(b, csa_route_max_body(call->route, app->config));
	if (!is_json(call->req->content_type))
		return csa_fail(err, CSA_ERR_UNSUPPORTED_TYPE, CSA_SRC_CLIENT,
		    "the Content-Type must be application/json, in UTF-8");
	return call->req->io->body(call->req->io_arg, b, err);
}

const struct csa_node *
csa_call_fields(struct csa_app *app, struct csa_call *call,
    struct csa_arena *arena, struct csa_buf *b, struct csa_err *err)
{
	if (csa_call_body(app, call, b, err) == -1)
		return NULL;
	return csa_fields(arena, b->data, b->len, err);
}
