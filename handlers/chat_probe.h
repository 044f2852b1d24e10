/*
 * chat_probe: POST /chat?probe=EVENTS,GAP_MS, a stream that costs nothing.
 *
 * It goes the way of every stream of /chat, through the same web server, pool
 * and headers, but no model is asked: EVENTS times (1 to 100) a `delta` whose
 * text counts from 1, one every GAP_MS (1 to 1,000), 30 s in all at most, and a
 * `done`.  Whoever reads it can tell from the gaps what is held back on the way
 * ("chatsphere doctor" does), and by leaving it, whether that is noticed: it is
 * counted in chatsphere_client_gone_total under the phase "probe".
 */

#ifndef CSA_HANDLERS_CHAT_PROBE_H
#define CSA_HANDLERS_CHAT_PROBE_H

#include <stdbool.h>

#include "handlers/routes.h"

/* Does the raw query ask for it? */
bool	csa_chat_probe_wanted(const char *query);

/*
 * As a csa_handler; the body is read and not looked at.  INVALID_VALUE for
 * figures out of range, or a stream longer than the request may take;
 * CANCELLED where the client left.
 */
int	csa_chat_probe(struct csa_app *, struct csa_call *, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
