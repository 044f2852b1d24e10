/*
 * cached: an embedder before which stands the cache: what was embedded before, by
 * whomever, is not embedded again.
 *
 * A batch is looked up at once; only what is missing goes to the inner embedder,
 * equal texts of it once, and comes to its place by its index.  A text that comes
 * alone, as questions do, makes one call for all who want it at the same time
 * (flight.h).  Where there is no memcached that holds within a process.
 *
 * A vector is a function of the text, the model and the settings; all of them
 * stand in the key, and nothing else.  The tenant does not: two who embed the same
 * text get the same vector, whether or not it was kept.  What can be learned is,
 * by the time it takes, that somebody has embedded exactly this text of late; for
 * that it must be guessed to the last byte, title included.  Where even that is
 * too much, embedding_ttl_s = 0 and single_flight = no end it.
 */

#ifndef CSA_PROVIDER_CACHED_H
#define CSA_PROVIDER_CACHED_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cache/cache.h"
#include "lib/provider/provider.h"

struct csa_arena;
struct csa_buf;

/*
 * With inner's name and model.  Takes inner over, and borrows the others.  Returns
 * inner itself where nothing is to be kept or shared.
 */
struct csa_embedder *csa_embedder_cached_open(struct csa_embedder *inner,
		    struct csa_cache *, const struct csa_config *);

/* ---- cached_value.c; for the above and its tests ---- */

/*
 * All that shapes a vector but the text: name and model of the embedder, the
 * model's configured name and dimensions, address and version of the server, the
 * kind, and the settings for that kind: model, prefix, body.
 */
void	csa_embed_space(const struct csa_embedder *, const struct csa_config *,
	    enum csa_embed_kind, struct csa_digest *);
/* Of one text: the space and the exact bytes. */
void	csa_embed_key(const struct csa_digest *space, const struct csa_text *,
	    struct csa_cache_key *);

/*
 * A vector as it is kept: how many numbers, four bytes, and each as a float, all
 * little end first.
 */
void	csa_embed_pack(struct csa_buf *, const float *, size_t dim);
/*
 * 0 with the floats in the arena; -1 where that is no vector (another length, no
 * number, one that is not finite, all zero).
 */
int	csa_embed_unpack(struct csa_arena *, const void *, size_t n,
	    struct csa_vec *);

/*
 * What a leader tells followers who would only fail the same way: in the place of
 * a vector without numbers.
 */
void	csa_embed_pack_failure(struct csa_buf *, const struct csa_err *);
/* 1 with err; 0: that is none. */
int	csa_embed_unpack_failure(const void *, size_t n, struct csa_err *);

/* ---- cached_batch.c; for the above ---- */

/* A text of the batch, once. */
struct csa_embed_item {
	const struct csa_text	*text;
	struct csa_vec		 vec;		/* dim 0: not yet */
	bool			 fresh;		/* the inner embedder's */
};

struct csa_embed_batch {
	struct csa_ctx		*ctx;
	const struct csa_embedder *embedder;	/* whose vectors they are */
	enum csa_embed_kind	 kind;
	uint32_t		 ttl;		/* 0: nothing is kept */
	size_t			 dim;		/* 0: as they come */
	size_t			 n;
	size_t			*of;		/* text i is items[of[i]] */
	struct csa_embed_item	*items;
	struct csa_cache_key	*keys;		/* of the items */
	size_t			 nitems;
};

/*
 * Number the different texts in the order in which they come.  Two with one key
 * are one text, as two with one value in memcached would be.
 */
void	csa_embed_sort_out(struct csa_embed_batch *,
	    const struct csa_digest *space, const struct csa_text *);
void	csa_embed_look_up(struct csa_embed_batch *, struct csa_cache *);
/* 1: that is the item's vector now; 0: it is none. */
int	csa_embed_use(const struct csa_embed_batch *, struct csa_embed_item *,
	    const struct csa_cached *);
/* Count what the texts would have cost that have a vector and none that is fresh. */
void	csa_embed_saved(const struct csa_embed_batch *);
/* Are all that there are of one dimension? */
bool	csa_embed_agree(const struct csa_embed_batch *);
/* What was kept does not fit: take it for missing. */
void	csa_embed_forget(struct csa_embed_batch *);
/* A vector that came as text stays that too, for who passes it on. */
void	csa_embed_item_pack(const struct csa_embed_batch *,
	    struct csa_embed_item *, struct csa_buf *);
/* Keep what is fresh. */
void	csa_embed_keep(struct csa_embed_batch *, struct csa_cache *);

#endif
