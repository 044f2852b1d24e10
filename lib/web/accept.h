/*
 * accept: what an Accept header (RFC 9110 12.5.1) asks for.
 */

#ifndef CSA_WEB_ACCEPT_H
#define CSA_WEB_ACCEPT_H

#include <stdbool.h>

/*
 * Does the header (NULL: none) name text/event-stream, and give application/json
 * no greater weight?  Where both weigh the same it is the stream: plain JSON is
 * what comes without asking.
 */
bool	csa_accepts_events(const char *header);

#endif
