/*
 * retrieve_cache: what a question has found, for the next who asks the same.
 *
 * The key covers tenant, bot, both parts of the generation, the question as it is
 * searched for, k, and every setting that decides what is found (csa_rag_key).
 * The value has ids and scores, and what the extractive model needs of full text;
 * the texts come from the store when it is used, so that nothing which is gone
 * from there is ever quoted.  Only a passage whose text the store of the host
 * that kept it did not have, another host's, carries it in the value.
 */

#ifndef CSA_RAG_RETRIEVE_CACHE_H
#define CSA_RAG_RETRIEVE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/cache/key.h"
#include "lib/rag/rag.h"

/*
 * Raise it with every change to what the same question finds in the same
 * documents: searching, ranking, fusing.
 */
#define CSA_RETRIEVE_VERSION	1

/* A question on its way: looked for once, and kept when it was found. */
struct csa_lookup {
	bool			 may_keep;
	struct csa_cache_key	 key;
};

/*
 * 1 with all of found, in the arena; 0: search, and give l to csa_lookup_keep
 * with what was found.  question is a csa_question.
 */
int	csa_lookup_find(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_scope *, const char *question, size_t k,
	    struct csa_lookup *l, struct csa_found *found);
void	csa_lookup_keep(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_lookup *, const struct csa_found *);

/* The key alone. */
void	csa_lookup_key(const struct csa_rag *, const struct csa_scope *,
	    const struct csa_generation *, const char *question, size_t k,
	    struct csa_cache_key *);

/* ---- found.c ---- */

/*
 * Move found to another arena, without the vectors, and without what full text
 * says of passages that are not among the found ones.
 */
void	csa_found_copy(struct csa_arena *, struct csa_found *);

/* ---- retrieve_value.c ---- */

/*
 * The value, appended to b:
 *
 *	format (1), number of passages (4), of terms (4), of hits (4), ideal (8)
 *	a passage: score (8), elsewhere (1), id; where elsewhere is 1: document_id,
 *	    title, text, has metadata (1), metadata where that is 1
 *	a term: text, idf (8), df (8), prefix (1)
 *	a hit of full text: number of its passage (4), score (8), bm25 (8)
 *
 * A string is its length (4) and its bytes; numbers are little end first, and a
 * double is its bits.
 */
void	csa_found_encode(struct csa_buf *, const struct csa_found *);

/*
 * 1 with found, in the arena, of at most k passages, or 0 for anything that
 * csa_found_encode cannot have made.  A passage that is not `elsewhere` has an id
 * and a score alone, and the hits have no chunks: (*of)[i] is the number of hit
 * i's passage.
 */
int	csa_found_decode(struct csa_arena *, const void *, size_t n, size_t k,
	    struct csa_found *, const uint32_t **of);

#endif
