/*
 * httpresp: where an HTTP/1.1 response ends, and with what status.
 *
 * Knows Content-Length, chunked, and a body that ends with the connection.
 */

#ifndef CSA_BENCH_HTTPRESP_H
#define CSA_BENCH_HTTPRESP_H

#include <stdbool.h>
#include <stddef.h>

#include "bench/io.h"

enum csa_framing { CSA_FRAMED_LENGTH, CSA_FRAMED_CHUNKS, CSA_FRAMED_CLOSE };

/* All zero is a response of which nothing has come.  Append bytes to in. */
struct csa_httpresp {
	struct csa_bytes	 in;
	int			 status;	/* 0 until the head is whole */
	size_t			 head_len;
	size_t			 body_len;	/* CSA_FRAMED_LENGTH */
	size_t			 chunk;		/* where the next one begins */
	enum csa_framing	 framing;
	bool			 keeps;		/* the connection may go on */
};

/* Forget the response but keep the buffer. */
void	 csa_httpresp_reset(struct csa_httpresp *r);

/* Look at what was added.  1: whole; 0: more must come; -1: not HTTP. */
int	 csa_httpresp_check(struct csa_httpresp *r);

/* The peer closed: was that the end of the body? */
bool	 csa_httpresp_closed(const struct csa_httpresp *r);

/* Append the body of a whole response to out, without chunk heads. */
void	 csa_httpresp_body(const struct csa_httpresp *r,
	    struct csa_bytes *out);

#endif
