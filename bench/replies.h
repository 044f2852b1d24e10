/*
 * replies: the fixed answers of the fake upstream, whole HTTP/1.1 responses.
 *
 * Shapes and sizes are those of the measurement that the project's bars come
 * from: a pretty-printed 768-number embedding of 15,079 bytes, 1.66 MB for a
 * hundred of them, five Pinecone matches in 4,758 bytes, a generated answer in
 * 1,175 bytes.  Every process makes the same bytes.
 */

#ifndef CSA_BENCH_REPLIES_H
#define CSA_BENCH_REPLIES_H

#include <stddef.h>

#include "bench/io.h"

#define CSA_REPLIES_DIMS	768
#define CSA_REPLIES_BATCH	100	/* Gemini takes no more in one call */

enum csa_index_shape { CSA_INDEX_CLASSIC, CSA_INDEX_2026_07 };

/*
 * Make the replies for matches that belong to bot (Pinecone's metadata).
 * Call once, before the others.
 */
void	 csa_replies_init(const char *bot);

/* Borrowed, valid for the life of the program. */
const struct csa_bytes
	*csa_reply_embed(void);
const struct csa_bytes
	*csa_reply_query(void);
const struct csa_bytes
	*csa_reply_answer(void);

/* n embeddings, 1 to CSA_REPLIES_BATCH, kept once made. */
const struct csa_bytes
	*csa_reply_batch(size_t n);

/* Overwrite out with a response made for this request. */
void	 csa_reply_upserted(struct csa_bytes *out, size_t n);
void	 csa_reply_index(struct csa_bytes *out, const char *name,
	    size_t namelen, const char *scheme, const char *host,
	    enum csa_index_shape shape);
void	 csa_reply_json(struct csa_bytes *out, int status, const char *body);

#endif
