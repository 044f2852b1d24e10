/*
 * v1_chat_request: the body of POST /v1/chat/completions, checked and turned
 * into a question to a bot.
 */

#ifndef CSA_HANDLERS_V1_CHAT_REQUEST_H
#define CSA_HANDLERS_V1_CHAT_REQUEST_H

#include <stdbool.h>

#include "handlers/chat_request.h"

/* What becomes of the answer's [n]: chatsphere.citations. */
enum csa_v1_citations {
	CSA_V1_MARKS,		/* they stay: "marks" */
	CSA_V1_LIST,		/* and what they stand for follows: "list" */
	CSA_V1_NONE		/* they are taken out: "none" */
};

struct csa_v1_request {
	struct csa_chat_request chat;
	bool		 include_usage;
	enum csa_v1_citations citations;
};

/*
 * 0, or -1 with err that names the field.  What the fields mean and which are
 * ignored: doc/API.md.
 */
int	csa_v1_chat_request_parse(const struct csa_node *body,
	    const struct csa_config *, struct csa_arena *,
	    struct csa_v1_request *, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
