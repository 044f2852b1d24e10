/*
 * answer: what the readers of chat replies share.
 */

#ifndef CSA_PROVIDER_ANSWER_H
#define CSA_PROVIDER_ANSWER_H

#include "lib/provider/reply.h"
#include "lib/text/doc.h"

/*
 * What a vendor calls the counts of tokens: a path within its object of them,
 * and which of the answer's it adds to.  One that is no count is 0.
 */
struct csa_usage_name {
	const char	*path;
	size_t		 field;		/* offset of a long in csa_answer */
};

/* Take the counts in o, unless there are none; NULL is fine. */
void	csa_answer_usage(struct csa_answer *, const struct csa_node *o,
	    const struct csa_usage_name *, size_t n);

/* The model that answered; NULL or a name out of all proportion: no change. */
void	csa_answer_model(struct csa_answer *, const char *name);

/* Is there more than blanks? */
bool	csa_answer_has_text(const struct csa_answer *);

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
