/*
 * answer_key: everything that shapes an answer, as the name it is cached under.
 *
 * What is not in here must not change what is said: who asks (user_id, the key,
 * but for its tenant), whether as a stream, which face of the service, how long
 * he can wait.
 *
 * The passages are in it by the bot's generation and by what decides how they are
 * found (csa_rag_key), not by their text: whoever makes the key has not searched
 * yet, and that is what a hit saves.  The texts stand beside the answer
 * (answer_value.h); who takes it compares them with the store's.
 */

#ifndef CSA_RAG_ANSWER_KEY_H
#define CSA_RAG_ANSWER_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ctx.h"
#include "lib/cache/generation.h"
#include "lib/cache/key.h"
#include "lib/provider/provider.h"

struct csa_rag;

/*
 * Of what lib/rag/prompt.c writes around passages, history and question, and of
 * what lib/rag/cite.c reads: raise it when either changes.
 */
#define CSA_PROMPT_FORMAT	1

struct csa_answer_ask {
	const struct csa_scope	*scope;
	const struct csa_generation *generation;
	/*
	 * 0, or the second in which it is asked, where nobody can say that the
	 * documents did not change meanwhile.
	 */
	int64_t			 second;
	const char		*question;	/* white space around it is */
						/* left out */
	const struct csa_message *history;	/* what the model sees of it */
	size_t			 nhistory;
	const char		*system_prompt;
	/* Who is asked: the name, the address, and what he is asked for. */
	const char		*provider, *address, *model;
	/* And who answers in his place, if he may. */
	const char		*fallback_models;
	bool			 may_degrade;
	double			 temperature;
	double			 answer_threshold;	/* of quotes */
	long			 max_output_tokens;
	size_t			 k;
	const struct csa_rag	*rag;
};

/* kind: CSA_CACHE_ANSWER. */
void	csa_answer_key(const struct csa_answer_ask *, struct csa_cache_key *);
/* The same but for the question: kind CSA_CACHE_SIMILAR. */
void	csa_similar_key(const struct csa_answer_ask *, struct csa_cache_key *);

/*
 * Does the text do what the prompt asks for where the passages hold no answer:
 * say that it doesn't know?  Looks for the phrase in the languages of
 * paraphrase.h, in short texts.
 */
bool	csa_says_unknown(const char *text, size_t len);

#endif
