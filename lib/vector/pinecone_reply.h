/*
 * pinecone_reply: what Pinecone answers, read with distrust.
 *
 * Nothing here knows the network, so that the fuzzers and the tests can feed it
 * any bytes.
 */

#ifndef CSA_VECTOR_PINECONE_REPLY_H
#define CSA_VECTOR_PINECONE_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/vector/vector.h"

enum csa_metric {
	CSA_METRIC_UNKNOWN = 0,		/* taken as cosine */
	CSA_METRIC_COSINE,
	CSA_METRIC_DOTPRODUCT,
	CSA_METRIC_EUCLIDEAN
};

#define CSA_VECTOR_ID_MAX	512	/* bytes, Pinecone's limit */

struct csa_match_want {
	struct csa_arena *arena;
	const char	*ns;		/* namespace asked for */
	const char	*bot;
	size_t		 k;
	size_t		 max_text;	/* bytes; a longer one is dropped */
	enum csa_metric	 metric;
};

/*
 * The matches of a query, best first, in the arena.  Dropped are: all of
 * another namespace's reply, matches of another bot, without a finite score,
 * without an id, with a text that is too long, and an id seen before; *dropped
 * counts those that were somebody else's.  -1 with *why where it is no such
 * reply.
 */
int	csa_pinecone_matches(const struct csa_match_want *, const char *s,
	    size_t len, struct csa_vec_hit **hits, size_t *n, size_t *dropped,
	    const char **why);

/* upsertedCount, or -1 where the reply does not say. */
long	csa_pinecone_upserted(const char *s, size_t len);

/* Is it any JSON object, as the reply to a deletion is? */
bool	csa_pinecone_is_object(const char *s, size_t len);

/*
 * What an index says of itself, in either generation of the control plane's
 * shape or as the index's own statistics.  host is in the arena, NULL where
 * absent. -1 where it is no JSON object.
 */
struct csa_index_info {
	const char	*host;
	enum csa_metric	 metric;
};
int	csa_pinecone_index(struct csa_arena *, const char *s, size_t len,
	    struct csa_index_info *);

/*
 * The message of an error: either envelope, or plain text; one printable line
 * of at most size - 1 bytes.  Nothing of it where it repeats key.  Returns
 * whether it says that the namespace does not exist, which is no error for a
 * reader.
 */
bool	csa_pinecone_error(const char *s, size_t len, const char *key,
	    char *out, size_t size);

/*
 * The vector id of a chunk id: itself, with % and two hex digits for what is
 * not ASCII, and for a % that would read as one.  No two chunk ids give the
 * same.  -1 where it would be longer than CSA_VECTOR_ID_MAX; out takes one
 * byte more.
 */
int	csa_vector_id(const char *chunk_id, char *out);

/*
 * Append the metadata object of a chunk: its own members flattened, then ours.
 * The text is cut, and text_truncated set, where the whole would pass
 * Pinecone's limit.  -1 INVALID_VALUE where it cannot be stored.
 */
int	csa_pinecone_metadata(struct csa_buf *, const char *bot,
	    const struct csa_chunk *, struct csa_err *);

#endif
