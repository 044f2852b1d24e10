/*
 * req: one parsed request, whatever brought it here.
 *
 * fcgi/ fills it in from FastCGI parameters, tests from a string.  Everything is
 * borrowed from the request's arena or the connection and dies with the request.
 */

#ifndef CSA_WEB_REQ_H
#define CSA_WEB_REQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/ctx.h"
#include "lib/base/err.h"

struct csa_req {
	struct csa_ctx	 ctx;
	const char	*method;	/* as sent: methods are case-sensitive */
	const char	*target;	/* REQUEST_URI as sent */
	const char	*path;		/* decoded, url_prefix taken off */
	const char	*query;		/* raw, "" for none */
	const char	*remote_addr;	/* the web server's word for it */
	const char	*content_type;	/* "" for none */
	int64_t		 started;	/* csa_now_ns() at accept */
	const struct csa_req_io *io;	/* the connection */
	void		*io_arg;
};

/* What only the connection knows. */
struct csa_req_io {
	/*
	 * The value of a header by its CGI name ("HTTP_AUTHORIZATION"), NULL where
	 * absent or empty.  *count, where not NULL, gets how many variables of that name
	 * arrived: a server may fold several spellings into one name.
	 */
	const char *(*header)(void *arg, const char *name, unsigned *count);

	/*
	 * Read the whole body into b (initialised by the caller with the endpoint's
	 * ceiling).  -1: TOO_LARGE, BAD_REQUEST (shorter than announced), BODY_TIMEOUT.
	 * Called at most once.
	 */
	int	(*body)(void *arg, struct csa_buf *b, struct csa_err *);
};

/*
 * Fill in path and query from target: an absolute form loses its scheme and
 * host, %XX is decoded, and anything that is not the one canonical spelling of a
 * path (//, /./, /../, an encoded slash or NUL, a backslash, bad UTF-8) is
 * NOT_FOUND.  prefix is url_prefix ("" for none); a path outside of it is
 * NOT_FOUND too.  Uses r->ctx.arena.
 */
int	csa_req_parse_target(struct csa_req *r, const char *prefix,
	    struct csa_err *);

#endif
