/*
 * conn: one FastCGI connection and the request on it.
 *
 * libfcgi reads (BEGIN_REQUEST, parameters, body) through the "own accept"
 * technique (see conn.c); sink.h writes.  A connection carries
 * one request: what a server may have asked with FCGI_KEEP_CONN is not
 * honoured, because an idle kept connection would pin a thread.
 *
 * A connection lives as long as its thread and is used for one descriptor after
 * the other.
 */

#ifndef CSA_FCGI_CONN_H
#define CSA_FCGI_CONN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <fcgiapp.h>

#include "fcgi/sink.h"
#include "lib/web/req.h"

/* How long a peer may take for everything before the body. */
#define CSA_HEAD_MS	5000

struct csa_conn {
	FCGX_Request	 fcgi;
	struct csa_fsink sink;
	struct csa_req	 req;
	long		 body_ms;	/* longest silence within a body */
	bool		 read_all;	/* the server sent all it has */
	/*
	 * A csa_now_ms() time by which what is being read must be there, 0
	 * while nothing is; whoever sees it pass shuts the descriptor down.
	 */
	_Atomic int64_t	 read_by;
};

void	csa_conn_init(struct csa_conn *, long body_ms);

/*
 * Read a request's head from fd and fill in c->req but for ctx.  0; or -1 where
 * there is no request to serve: fd is closed then.
 */
int	csa_conn_open(struct csa_conn *, int fd, int64_t accepted_ns);

/*
 * End the request and let go of everything but fd, which is still open.
 * Returns whether the server may still be sending, so that closing fd at once
 * would take the answer from it.
 */
bool	csa_conn_close(struct csa_conn *);

#endif
