/*
 * httpreq: as much of an HTTP/1.1 request head as the fake upstream needs.
 */

#ifndef CSA_BENCH_HTTPREQ_H
#define CSA_BENCH_HTTPREQ_H

#include <stdbool.h>
#include <stddef.h>

/* A slice of the buffer that was parsed; not NUL-terminated. */
struct csa_slice {
	const char	*p;
	size_t		 len;
};

struct csa_httpreq {
	struct csa_slice	 method;
	struct csa_slice	 path;		/* without the query */
	struct csa_slice	 query;		/* after '?', may be empty */
	struct csa_slice	 host;
	struct csa_slice	 proto;		/* X-Forwarded-Proto */
	struct csa_slice	 api_version;	/* Pinecone */
	size_t			 head_len;	/* with the blank line */
	size_t			 body_len;	/* Content-Length, or 0 */
	bool			 expects;	/* waits for 100 Continue */
	bool			 closes;	/* no keep-alive */
	bool			 chunked;
};

/*
 * Parse the head at buf.  1: req is filled in; 0: it is not all there yet;
 * -1: it is no request.
 */
int	 csa_httpreq_parse(struct csa_httpreq *req, const char *buf,
	    size_t len);

bool	 csa_slice_is(struct csa_slice s, const char *text);
bool	 csa_slice_ends(struct csa_slice s, const char *text);
bool	 csa_slice_starts(struct csa_slice s, const char *text);

#endif
