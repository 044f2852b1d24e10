/*
 * fuse: two rankings into one.
 *
 * A convex combination of normalised scores (Bruch, Gai and Ingber, arXiv
 * 2210.11934): full text divided by its best score (its minimum is 0), vectors
 * scaled from 1, the best, to 0, weighted w and 1 - w.  Reciprocal ranks are not
 * used: they lose wherever one list is weak.
 *
 * Where a vector's 0 is: as far below the list's last as the last is below the
 * best.  The last itself would be too high: a hundred of the best differ little,
 * and to stretch that to 0..1 is to shout the embedder's doubts.  A passage that
 * only full text found is somewhere below the last, so it gets half of the last's
 * score.
 *
 * Where the hits have their vectors at hand (the local index; Pinecone would send
 * megabytes), the question learns from what was found, once (Rocchio 1971; with
 * embeddings: Li et al., arXiv 2108.11044): the middle of the vectors of the first
 * five passages, of length 1, becomes .4 of it.  Similarities to that are worth
 * more than the first ones, so their 0 is nearer: a quarter as far below the last.
 * One passage in twenty of a list is learnt from, so a handful teaches nothing.
 *
 * Measured with multilingual-e5-small in four bits (bench/retrieval.py), nDCG@10
 * of full text, what vectors have alone, and what fusing adds to full text at
 * w = .6 without and with learning:
 *
 *	cranfield	.379	.364	+.024	+.038
 *	emanual		.735	.542	+.007	+.016
 *	scifact		.696	.654	+.028	+.020
 *	  train		.707	.667	+.031	+.028
 *
 * It is a plain, not a peak: w from .5 to .7, 1 to 8 passages, .2 to .6 of the
 * question, a 0 that lies 0 to as far below the last, each changed alone, all add
 * .03 on cranfield, .017 on scifact, .002 on emanual.  Learning pays where there
 * is more than one passage to find; where there is one, it takes back a little.
 * Without it nothing tried adds .03 on cranfield: other w, scales (min-max,
 * z-score, theoretical minimum) and depths, or the true similarities of what only
 * full text found.
 */

#ifndef CSA_RAG_FUSE_H
#define CSA_RAG_FUSE_H

#include <stddef.h>

#include "lib/provider/provider.h"
#include "lib/store/store.h"
#include "lib/vector/vector.h"

struct csa_arena;

/*
 * All passages of either list in the arena, best first, scores in 0..1; equal
 * scores are ordered by id, so the same lists always give the same order.  Text
 * that only the vector side has is taken from there, else left NULL.
 */
struct csa_passage *
	csa_fuse(struct csa_arena *, const struct csa_text_result *,
	    const struct csa_vec_hit *, size_t nvec, double w, size_t *n);

#endif
