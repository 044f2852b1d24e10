/*
 * client: the other end of a FastCGI socket, byte by byte.
 *
 * A web server sends only what is right; this sends anything: records in any
 * order, of any type, cut anywhere.
 */

#ifndef CSA_TESTS_FCGI_CLIENT_H
#define CSA_TESTS_FCGI_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

#define FCGI_RESPONDER_ROLE	1

/* Append a record, a BEGIN_REQUEST, a parameter (to a PARAMS content). */
void	fcgi_record(struct csa_buf *, int type, int id, const void *data,
	    size_t n);
void	fcgi_begin(struct csa_buf *, int id, int role, int flags);
void	fcgi_param(struct csa_buf *, const char *name, const char *value);

/* Append data as records of a stream, the empty one that ends it included. */
void	fcgi_stream(struct csa_buf *, int type, int id, const void *data,
	    size_t n);

/*
 * Append a whole request.  length: CONTENT_LENGTH, NULL for n's own; params:
 * more parameters, made with fcgi_param, or NULL.
 */
void	fcgi_request(struct csa_buf *, const char *method, const char *uri,
	    const char *length, const struct csa_buf *params,
	    const void *body, size_t n);

int	fcgi_connect(const char *path);		/* -1 with errno */
/* 0, or -1 when the peer is gone; step: bytes a write, 0 for all. */
int	fcgi_send(int fd, const void *data, size_t n, size_t step);

struct fcgi_reply {
	int		 status;	/* of the CGI head; 0: none came */
	int		 ends;		/* END_REQUEST records */
	int		 protocol;	/* the last one's protocol status */
	int		 others;	/* records of any other type */
	bool		 closed;	/* the peer closed */
	bool		 odd;		/* what came is no FastCGI */
	struct csa_buf	 out;		/* STDOUT, with its head */
	const char	*body;		/* "" where there is none */
	size_t		 len;
};

/* Read until the peer closes, or nothing comes for so long. */
void	fcgi_read(int fd, struct fcgi_reply *, int timeout_ms);
void	fcgi_free(struct fcgi_reply *);
/* The value of a header, copied into value; false where there is none. */
bool	fcgi_header(const struct fcgi_reply *, const char *name, char *value,
	    size_t n);

/* Connect, send the request, read the reply, close.  Returns the status. */
int	fcgi_ask(const char *path, const char *uri, const void *body, size_t n,
	    struct fcgi_reply *);

#endif
