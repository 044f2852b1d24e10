/*
 * answer: what the readers of chat replies share.
 */

#ifndef CSA_PROVIDER_ANSWER_H
#define CSA_PROVIDER_ANSWER_H

#include "lib/provider/reply.h"
#include "lib/text/json.h"

/* A count of tokens at path, 0 for anything that is none. */
long	csa_answer_count(struct json_object *o, const char *path);

/* The model that answered; NULL or a name out of all proportion: no change. */
void	csa_answer_model(struct csa_answer *, const char *name);

/* Append a JSON string; -1 where the text has become too long. */
int	csa_answer_text(struct csa_answer *, struct json_object *s);

#endif
