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

/*
 * One answer: text, or error where that is not CSA_OK.  Asked with delta it
 * comes in pieces of `piece` bytes, and what is left of the last character (0:
 * all at once), each after delay_ms, which end with the client's leaving, the
 * deadline and the process; asked without, after the first delay.  An error
 * comes after fail_after pieces, or at once.
 */
struct csa_script_answer {
	const char	*text;
	enum csa_finish	 finish;
	enum csa_errcode error;
	size_t		 piece;
	long		 delay_ms;	/* needs a waiter in the ctx */
	unsigned	 fail_after;
};

/*
 * Gives the answers one after the other, and the last one from then on.
 * Borrows them.  prompt_tokens is the length of the messages,
 * completion_tokens that of the text, or of what was given of it where it
 * failed or nobody listened any more.
 */
struct csa_model *csa_model_script_open(const struct csa_script_answer *,
		    size_t n);

#endif
