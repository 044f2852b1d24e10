/*
 * v1_messages: the conversation in the body of POST /v1/chat/completions.
 */

#ifndef CSA_HANDLERS_V1_MESSAGES_H
#define CSA_HANDLERS_V1_MESSAGES_H

#include "handlers/chat_request.h"

/*
 * The last message of a user is the question; what stands before it is the
 * history, what stands after it is left out.  Messages of the system and the
 * developer, wherever they stand, become the system text.  Messages of tools,
 * and those without text, are left out: nobody here has called a tool.  Of the
 * history, no more is looked at than the model will see.
 *
 * Fills in message, history, nhistory and, where there is such text,
 * system_prompt, all in the arena; r->keep must be set.  0, or -1 with err.
 */
int	csa_v1_messages_parse(const struct csa_node *body,
	    const struct csa_config *, struct csa_arena *,
	    struct csa_chat_request *r, struct csa_err *)
	    __attribute__((warn_unused_result));

/* "AT WHAT" as BAD_REQUEST; returns -1. */
int	csa_v1_bad(struct csa_err *, const char *at, const char *what);

/*
 * What a getter of lib/text/fields.h returned for a field that must be there: 0
 * where it was, -1 with err (BAD_REQUEST where the field is missing).
 */
int	csa_v1_required(int rc, const char *at, const char *name,
	    struct csa_err *);

#endif
