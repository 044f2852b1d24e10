/*
 * answer: what the readers of chat replies share.
 */

#ifndef CSA_PROVIDER_ANSWER_H
#define CSA_PROVIDER_ANSWER_H

#include "lib/provider/reply.h"
#include "lib/text/doc.h"

/* A count of tokens, the member called name; 0 for anything that is none. */
long	csa_answer_count(const struct csa_node *o, const char *name);

/* The model that answered; NULL or a name out of all proportion: no change. */
void	csa_answer_model(struct csa_answer *, const char *name);

/* Append a string; -1 where the text has become too long. */
int	csa_answer_text(struct csa_answer *, const struct csa_node *s);

/* A vendor's word for how an answer ended; CSA_END_OTHER for one not listed. */
struct csa_ending_name {
	const char	*reason;
	enum csa_ending	 ending;
};

enum csa_ending csa_answer_ending(const struct csa_ending_name *, size_t n,
		    const char *reason);

#endif
