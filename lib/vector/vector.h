/*
 * vector: where the nearest passages are found.
 *
 * Drivers: local (exact scan over the store's vectors), pinecone, script, fail.
 */

#ifndef CSA_VECTOR_VECTOR_H
#define CSA_VECTOR_VECTOR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/ctx.h"
#include "lib/base/err.h"
#include "lib/text/vec.h"
#include "lib/store/store.h"

struct csa_vec_hit {
	struct csa_chunk chunk;		/* text NULL where only the store has it;
					 * vec in the arena as it was stored
					 * (csa_ingest: of length 1), or NULL
					 * where it is not at hand */
	double		 score;		/* similarity, larger is better */
};

struct csa_vectors {
	const struct csa_vectors_ops *ops;
	const char	*name;		/* "pinecone" */
	bool		 remote;	/* put and del are calls to somewhere */
};

struct csa_vec_query;			/* a search under way */

struct csa_vectors_ops {
	/*
	 * Start a search for the k nearest; never waits where remote.  Everything
	 * borrowed must live until finish or cancel, one of which must follow; but
	 * a remote one has no use for the vector once this has returned.
	 */
	struct csa_vec_query *
		(*query)(struct csa_vectors *, struct csa_ctx *,
		    const struct csa_scope *, const struct csa_vec *, size_t k);
	/* 0 with hits in the arena, best first; -1.  Ends q either way. */
	int	(*finish)(struct csa_vec_query *q, struct csa_vec_hit **,
		    size_t *n, struct csa_err *) CSA_MUSTCHECK;
	void	(*cancel)(struct csa_vec_query *q);

	/*
	 * Write the vectors of a document (vecs[i] belongs to chunks[i]); all or
	 * nothing as far as the far end allows: what was written of ids not in old is
	 * taken back before -1 is returned.  Local: nothing to do, the store's
	 * transaction has them.
	 */
	int	(*put)(struct csa_vectors *, struct csa_ctx *,
		    const struct csa_scope *, const char *document_id,
		    const struct csa_chunk *, const struct csa_vec *, size_t n,
		    const struct csa_ids *old, struct csa_err *) CSA_MUSTCHECK;
	int	(*del)(struct csa_vectors *, struct csa_ctx *,
		    const struct csa_scope *, const struct csa_ids *,
		    struct csa_err *) CSA_MUSTCHECK;

	/* For /ready: 0 or -1, never a paid call, within ms. */
	int	(*probe)(struct csa_vectors *, long ms);
	void	(*close)(struct csa_vectors *);
};

struct csa_config;
struct csa_http;

/* model: the embedding model's name; vectors of another are not compared. */
struct csa_vectors *csa_vectors_local_open(struct csa_store *,
		    const char *model);
struct csa_vectors *csa_vectors_pinecone_open(const struct csa_config *,
		    struct csa_http *, struct csa_err *);
struct csa_vectors *csa_vectors_fail_open(void);

#endif
