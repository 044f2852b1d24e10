/*
 * look: one exchange, and everything that can be seen of it.
 *
 * For tools that find out what is wrong on the way: how long each step took,
 * how the connection failed, all headers of the reply, when each piece of it
 * came, until when the certificate holds.  It waits, has a connection of its
 * own, and shares nothing with the engine of http.h.
 */

#ifndef CSA_HTTP_LOOK_H
#define CSA_HTTP_LOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

struct csa_look_req {
	const char	*method;	/* "GET", "POST" */
	const char	*url;		/* http or https */
	const char *const *headers;	/* "Name: value" */
	size_t		 nheaders;
	const void	*body;		/* POST only */
	size_t		 len;
	const char	*ca_file;	/* whom to trust, for https */
	long		 timeout_ms;	/* for all of it */
	bool		 connect_only;	/* ends where the request would go */
	/*
	 * Called with the body as it comes; false hangs up.  NULL: it is kept
	 * in csa_look.body instead.
	 */
	bool		(*each)(void *arg, const char *data, size_t n);
	void		*arg;
};

enum csa_look_end {
	CSA_LOOK_DONE,		/* a whole reply, whatever its status */
	CSA_LOOK_LEFT,		/* each returned false */
	CSA_LOOK_NAME,		/* the name does not resolve */
	CSA_LOOK_CONNECT,	/* refused, or no way to there */
	CSA_LOOK_TLS,		/* no TLS, or a certificate not to be trusted */
	CSA_LOOK_TIMEOUT,
	CSA_LOOK_BROKEN		/* cut short, or not HTTP */
};

struct csa_look {
	enum csa_look_end end;
	char		 why[256];	/* in words, "" for none */
	int		 status;	/* 0: none came */
	int		 version;	/* of HTTP: 10, 11 */
	char		 address[64];	/* of the peer, "" for none */
	long		 port;
	struct csa_buf	 headers;	/* as they came, a line each */
	struct csa_buf	 body;		/* at most 1 MiB */
	double		 name_ms;	/* when the name was resolved, ... */
	double		 connect_ms;	/* ... connected, */
	double		 tls_ms;	/* ... the handshake over (0: none), */
	double		 total_ms;	/* ... all over */
	bool		 dated;		/* the certificate's end is known */
	long		 days;		/* until then, cut to whole days */
};

/*
 * Look.  No redirects and no proxy, whatever the environment says.  The result
 * is yours to csa_look_fini, always.
 */
void	csa_look(const struct csa_look_req *, struct csa_look *);
void	csa_look_fini(struct csa_look *);

/*
 * The value of the reply's first header of that name in any case, cut to size;
 * false and "" where there is none.
 */
bool	csa_look_header(const struct csa_look *, const char *name, char *value,
	    size_t size);

#endif
