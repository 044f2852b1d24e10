/*
 * provider_script: an embedder and a model that do what they are told, for
 * tests of what stands above them.  They speak to nobody and share no state;
 * one test uses one of them from one thread.
 */

#ifndef CSA_PROVIDER_SCRIPT_H
#define CSA_PROVIDER_SCRIPT_H

#include "lib/provider/provider.h"

/*
 * Vectors of dim numbers that count hashed words: the same text always has the
 * same vector, and texts that share words are near.  The fail_at-th finish (1:
 * the first, 0: none) is PROVIDER_UNAVAILABLE.
 */
struct csa_embedder *csa_embedder_script_open(size_t dim, unsigned fail_at);

/* error, where it is not CSA_OK, instead of text. */
struct csa_script_answer {
	const char	*text;
	enum csa_finish	 finish;
	enum csa_errcode error;
};

/*
 * Gives the answers one after the other, and the last one from then on.
 * Borrows them.  prompt_tokens is the length of the messages,
 * completion_tokens that of the text.
 */
struct csa_model *csa_model_script_open(const struct csa_script_answer *,
		    size_t n);

#endif
