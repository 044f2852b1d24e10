/*
 * chat_stream: an answer of POST /chat as server-sent events.
 *
 *	meta  -> delta* -> done | error		(doc/API.md, "Streams")
 */

#ifndef CSA_HANDLERS_CHAT_STREAM_H
#define CSA_HANDLERS_CHAT_STREAM_H

#include "handlers/chat_request.h"
#include "handlers/routes.h"

struct csa_digest;

/*
 * As csa_handler: -1 with err before anything was written, so that the client
 * gets a status.  -1 after it: the error was told in the stream.  body: the
 * digest of the request's, for resuming.
 */
int	csa_chat_stream(struct csa_app *, struct csa_call *,
	    const struct csa_chat_request *, const struct csa_digest *body,
	    struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
