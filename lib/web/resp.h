/*
 * resp: a response that is written as a stream.
 *
 * Status and headers first, then the body in as many pieces as it comes in.
 * Nothing goes out before csa_resp_begin; once it has, the status is said and an
 * error can only be told inside the body.
 */

#ifndef CSA_WEB_RESP_H
#define CSA_WEB_RESP_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Where bytes go: a FastCGI stream, or memory in tests. */
struct csa_sink {
	const struct csa_sink_ops *ops;
};

struct csa_sink_ops {
	/* 0, or -1 when the client is gone; then nothing more is worth writing. */
	int	(*write)(struct csa_sink *, const void *data, size_t n);
	int	(*flush)(struct csa_sink *);
	/*
	 * Write these last bytes and flush; nothing follows.  What ends a
	 * response goes out with it, in the same system call.  NULL: write and
	 * flush will do.
	 */
	int	(*end)(struct csa_sink *, const void *data, size_t n);
};

struct csa_resp {
	struct csa_sink	*sink;
	int		 status;	/* 0 until begun */
	bool		 gone;		/* a write failed */
	size_t		 written;	/* body bytes */
	struct csa_buf	 headers;	/* "Name: value\r\n" */

	/*
	 * Called, where not NULL, right before the last bytes go out: whoever reads a
	 * counter after an answer finds that answer in it.
	 */
	void		(*ending)(void *arg, int status);
	void		*ending_arg;
};

void	csa_resp_init(struct csa_resp *, struct csa_sink *);
void	csa_resp_fini(struct csa_resp *);

/* Before csa_resp_begin only.  Control characters in value are a bug. */
void	csa_resp_header(struct csa_resp *, const char *name, const char *value);

/*
 * Send status, the headers every response has (no-store, nosniff, the content
 * type) and those added.  length: of the body, or -1 where it is a stream.
 */
int	csa_resp_begin(struct csa_resp *, int status, const char *type,
	    long length);
int	csa_resp_write(struct csa_resp *, const void *data, size_t n);
int	csa_resp_flush(struct csa_resp *);

/* The last bytes of a body, 0 of them for none; nothing follows. */
int	csa_resp_end(struct csa_resp *, const void *data, size_t n);

/* begin and end in one. */
int	csa_resp_send(struct csa_resp *, int status, const char *type,
	    const void *body, size_t n);

/* The reason phrase of a status ("Not Found"). */
const char *csa_status_text(int status);

#endif
