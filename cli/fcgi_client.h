/*
 * fcgi_client: one FastCGI request without a web server (FastCGI 1.0, 3.3 and
 * 5; a responder's).
 */

#ifndef CSA_CLI_FCGI_CLIENT_H
#define CSA_CLI_FCGI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

enum csa_fcgi_end {
	CSA_FCGI_REPLY,		/* a whole one, whatever its status */
	CSA_FCGI_CONNECT,	/* connecting failed: see error */
	CSA_FCGI_TIMEOUT,
	CSA_FCGI_CLOSED,	/* closed without a whole reply */
	CSA_FCGI_FOREIGN	/* whatever that is, it is no FastCGI */
};

struct csa_fcgi_reply {
	enum csa_fcgi_end end;
	int		 error;		/* errno of connecting */
	int		 status;	/* 200 where the reply names none */
	struct csa_buf	 out;		/* head and body, at most 256 KiB */
	const char	*body;		/* in out; "" for none */
	double		 ms;
};

/*
 * GET uri of the pool at the unix socket, within timeout_ms.  key: the value of
 * X-Internal-API-Key, NULL for none.  The reply is yours to csa_fcgi_fini.
 */
void	csa_fcgi_get(const char *socket, const char *uri, const char *key,
	    long timeout_ms, struct csa_fcgi_reply *);
void	csa_fcgi_fini(struct csa_fcgi_reply *);

/*
 * Take apart what has come so far: 1 when it is a whole reply (out, status and
 * body are set), 0 where more must come, -1 where it is no FastCGI.  For
 * csa_fcgi_get and tests.
 */
int	csa_fcgi_parse(const void *data, size_t n, struct csa_fcgi_reply *);

#endif
