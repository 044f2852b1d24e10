/*
 * pinecone: inside the Pinecone driver.
 *
 * vector_pinecone.c opens, asks and reads; vector_pinecone_write.c writes and
 * deletes; pinecone_index.c finds out where the index is and what it measures.
 */

#ifndef CSA_VECTOR_PINECONE_H
#define CSA_VECTOR_PINECONE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/http/http.h"
#include "lib/upstream/upstream.h"
#include "lib/vector/pinecone_reply.h"
#include "lib/vector/vector.h"

#define CSA_PINECONE_HEADERS	2

struct csa_pinecone {
	struct csa_vectors	 vectors;	/* must be first */
	struct csa_http		*http;		/* borrowed */
	struct csa_upstream	*up;
	char			*header[CSA_PINECONE_HEADERS];
	size_t			 nheaders;
	char			*describe_url;	/* of the control plane */
	size_t			 max_text;
	bool			 host_given;	/* by the configuration */

	pthread_mutex_t		 lock;		/* for what follows */
	char			*host;		/* set once; NULL: unknown */
	enum csa_metric		 metric;
	int64_t			 ask_after;	/* csa_now_ms() time */
	struct csa_err		 last_err;	/* why host is unknown */
};

/* Where to write and how; host is good until close. */
struct csa_pinecone_at {
	const char		*host;		/* "https://…", NULL: unknown */
	enum csa_metric		 metric;
};

/* One exchange with the index or the control plane. */
struct csa_up_call *
	csa_pinecone_start(struct csa_pinecone *, struct csa_waiter *,
	    const char *operation, const char *url, const struct csa_buf *body,
	    int64_t deadline);

/*
 * Wait for it.  0 with the body of a 2xx reply; 1 where the far end says there
 * is no such namespace; -1 with err.
 */
int	csa_pinecone_wait(struct csa_up_call *, const char **s, size_t *len,
	    struct csa_err *);

/* The namespace of a scope, in the arena. */
const char *csa_pinecone_namespace(struct csa_arena *,
	    const struct csa_scope *);

/* Append vec as a JSON array, scaled where the metric needs it. */
void	csa_pinecone_values(struct csa_arena *, struct csa_buf *,
	    const struct csa_vec *, enum csa_metric);

/* ---- pinecone_index.c ---- */

/* "host", "http://host/" and so on as an address without a slash; malloc. */
char	*csa_pinecone_address(const char *host);

struct csa_pinecone_at csa_pinecone_at(struct csa_pinecone *);

/*
 * Start asking what is not known yet; NULL where all is, or where the last try
 * failed so lately that this one would too.
 */
struct csa_up_call *
	csa_pinecone_ask(struct csa_pinecone *, struct csa_ctx *);

/*
 * Wait for that answer (NULL: nothing was asked) and end the call.  0 with *at
 * complete as far as known; -1 with err where the index's address is not.
 */
int	csa_pinecone_learn(struct csa_pinecone *, struct csa_ctx *,
	    struct csa_up_call *, struct csa_pinecone_at *at,
	    struct csa_err *);

/* ---- vector_pinecone_write.c ---- */

int	csa_pinecone_put(struct csa_vectors *, struct csa_ctx *,
	    const struct csa_scope *, const char *document_id,
	    const struct csa_chunk *, const struct csa_vec *, size_t n,
	    const struct csa_ids *old, struct csa_err *);
int	csa_pinecone_del(struct csa_vectors *, struct csa_ctx *,
	    const struct csa_scope *, const struct csa_ids *,
	    struct csa_err *);

#endif
