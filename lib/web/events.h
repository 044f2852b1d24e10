/*
 * events: a response of server-sent events (text/event-stream, WHATWG HTML 9.2).
 *
 *	csa_events_begin -> csa_events_put* -> csa_events_end
 *
 * Every event goes out at once. Data is one line: JSON, which has no line ends.
 */

#ifndef CSA_WEB_EVENTS_H
#define CSA_WEB_EVENTS_H

#include <stddef.h>

struct csa_buf;
struct csa_resp;

/*
 * What fails this soon is told as an HTTP status, two attempts after the first
 * included; later the stream begins, since a client should know early that it
 * is heard.
 */
#define CSA_EVENTS_PATIENCE_MS	300

/*
 * Status 200, the headers that keep servers from holding a stream back, and a
 * first comment; nothing where it has begun.  All return 0, or -1 when the
 * client is gone.
 */
int	csa_events_begin(struct csa_resp *);

/*
 * A comment that clients ignore and by which a server sees that nobody is
 * there; the first one begins.
 */
int	csa_events_beat(struct csa_resp *);

/* Append an event to b.  id and name may be NULL.  No line end in any of them. */
void	csa_events_format(struct csa_buf *b, const char *id, const char *name,
	    const char *data, size_t n);

/* Send what csa_events_format made; the last one with csa_resp_end. */
int	csa_events_put(struct csa_resp *, const struct csa_buf *b);

#endif
