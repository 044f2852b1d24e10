/*
 * provider_internal: what the drivers that speak HTTP have in common.
 *
 * Not for callers.  The flow (batches in flight, one retry, errors) is here
 * once; a driver gives the bytes of a request and reads the bytes of a reply.
 */

#ifndef CSA_PROVIDER_INTERNAL_H
#define CSA_PROVIDER_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/http/http.h"
#include "lib/provider/provider.h"
#include "lib/provider/reply.h"
#include "lib/upstream/upstream.h"

#define CSA_MAX_MODEL_NAME	256

/* Where a driver's calls go. */
struct csa_remote {
	struct csa_upstream *up;
	enum csa_source	 source;
	char		*base;		/* no slash at the end */
};

/*
 * Fill r in.  base is copied.  auth is the name of the key's header with
 * whatever stands before the key ("Authorization: Bearer "); not sent without
 * a key.  keys: one, or several with commas.  -1 with err where the address or
 * a key cannot stand in a request.
 */
int	csa_remote_init(struct csa_remote *r, const struct csa_config *,
	    struct csa_http *, enum csa_source, const char *base,
	    const char *auth, const char *keys, struct csa_err *err);
void	csa_remote_fini(struct csa_remote *r);

/* Start a POST; what req lacks (method, headers, deadline) is filled in. */
struct csa_up_call *
	csa_remote_start(const struct csa_remote *r, struct csa_ctx *,
	    struct csa_up_req req);

/*
 * A reply whose status is not 2xx, as an error: status, the far end's own
 * words in detail (shortened; left out where they repeat the key), its retry
 * hint.  -1.
 */
int	csa_remote_status_error(const struct csa_remote *r,
	    const struct csa_up_call *, struct csa_err *err);
/* The same of a stream, whose body was read. */
int	csa_remote_body_error(const struct csa_remote *r,
	    const struct csa_up_call *, const char *body, size_t len,
	    struct csa_err *err);

/* "NAME#DIMENSIONS", or NAME alone for 0; from malloc. */
char	*csa_space_name(const char *model, long dimensions);

/* ---- embeddings: embed_job.c ---- */

struct csa_remote_embedder {
	struct csa_embedder	 embedder;	/* must be first */
	const struct csa_embed_driver *driver;
	struct csa_remote	 remote;
	const struct csa_config	*config;	/* borrowed */
	char			*model_id;	/* as requests name it */
	char			*space;		/* embedder.model */
	const char		*billed[2];	/* by kind: the model's bare
						 * name; borrowed */
	struct csa_prices	*prices;
	long			 dimensions;	/* 0: the model's own */
	size_t			 batch;
	char			*url_one;	/* NULL: as url_many */
	char			*url_many;
	char			*extra[2];	/* by kind: `,"k":v`, or NULL */
	bool			 no_format, no_dimensions; /* extra has them */
	bool			 tasks_in_text;	/* gemini-embedding-2 */
};

struct csa_embed_driver {
	/* Append the body of one call to b. */
	void	(*body)(const struct csa_remote_embedder *, struct csa_buf *b,
		    enum csa_embed_kind, const struct csa_text *, size_t n);
	/* See reply.h. */
	int	(*reply)(const struct csa_embed_want *, char *s,
		    size_t len, struct csa_vec *vecs, const char **why);
};

extern const struct csa_embedder_ops csa_remote_embedder_ops;

/*
 * What all drivers have: ops, the model's names, and what it costs.  model_id and
 * dimensions are set; name is the model without its path.  -1 with err where the
 * setting `prices` is wrong.
 */
int	csa_remote_embedder_init(struct csa_remote_embedder *,
	    const char *provider, const char *name, struct csa_err *err);

/* Frees what is set in e, and e.  For a failed open, and for close. */
void	csa_remote_embedder_free(struct csa_remote_embedder *e);

/* ---- chat: chat_call.c, chat_exchange.c ---- */

struct csa_remote_model {
	struct csa_model	 model;		/* must be first */
	const struct csa_chat_driver *driver;
	struct csa_remote	 remote;
	const struct csa_config	*config;	/* borrowed */
	char			*model_id;
};

/* Who hears the text as it comes. */
struct csa_hearer {
	int		(*delta)(void *arg, const char *s, size_t n);
	void		*arg;
	size_t		 given;		/* bytes of the answer so far */
};

/* One call's share of a request. */
struct csa_chat_try {
	const struct csa_chat_req *req;
	const char	*model;		/* checked: see driver->model_ok */
	long		 max_output_tokens;
	bool		 again;		/* the first gave no text */
	struct csa_hearer *hearer;	/* NULL: no stream is asked for */
	bool		 no_usage;	/* nor usage in the stream, please */
	bool		 begun;		/* a good reply has begun */
};

struct csa_chat_driver {
	/* May this stand in an address and a body? */
	bool	(*model_ok)(const char *model);
	/* In the arena. */
	const char *(*url)(const struct csa_remote_model *, struct csa_arena *,
		    const struct csa_chat_try *);
	void	(*body)(const struct csa_remote_model *, struct csa_buf *,
		    const struct csa_chat_try *);
	csa_chat_reader	*read;		/* see reply.h */
};

/*
 * Append the text of the message that m[0] begins as a JSON string.  Returns of
 * how many pieces it is.
 */
size_t	csa_chat_text(struct csa_buf *, const struct csa_message *m);

extern const struct csa_model_ops csa_remote_model_ops;

void	csa_remote_model_free(struct csa_remote_model *m);

/*
 * One exchange, read into a; a stream where the try has a hearer, who is given
 * text once it is more than blanks.  -1 with err; a then has what came.
 */
int	csa_chat_exchange(const struct csa_remote_model *, struct csa_ctx *,
	    struct csa_chat_try *, struct csa_answer *a,
	    struct csa_err *) CSA_MUSTCHECK;

#endif
