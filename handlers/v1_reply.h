/*
 * v1_reply: the JSON that an answer and its stream have in common.
 */

#ifndef CSA_HANDLERS_V1_REPLY_H
#define CSA_HANDLERS_V1_REPLY_H

#include <stdint.h>

#include "handlers/routes.h"
#include "handlers/v1_chat_request.h"

struct csa_digest;
struct csa_turn;

/* What stands in front of the choices, the same in every chunk of a stream. */
struct csa_v1_head {
	const char	*request_id;
	const char	*model;		/* the bot */
	int64_t		 created;	/* seconds since 1970 */
};

/* Append `{"id":"chatcmpl-...","object":...,...,"choices":`. */
void	csa_v1_add_head(struct csa_buf *, const struct csa_v1_head *,
	    const char *object);

/* Append `"usage":{...}`. */
void	csa_v1_add_usage(struct csa_buf *, const struct csa_turn *);

/* As csa_handler; see csa_chat_stream. */
int	csa_v1_chat_stream(struct csa_app *, struct csa_call *,
	    const struct csa_v1_request *, const struct csa_v1_head *,
	    struct csa_err *) __attribute__((warn_unused_result));

#endif
