/*
 * linger: connections that are answered and not yet closed, without a thread.
 *
 * A unix socket closed with something unread resets its peer, which then may
 * lose the answer or report a failure of its own.  So the sending side is shut,
 * what still comes is thrown away, and the descriptor is closed when the web
 * server has closed its end, or after a second.
 *
 * Refusals live here too: the 503 needs the request's number, which may not
 * have arrived when the connection is accepted.
 */

#ifndef CSA_FCGI_LINGER_H
#define CSA_FCGI_LINGER_H

#include <poll.h>
#include <stddef.h>
#include <stdint.h>

#define CSA_LINGER_MAX	256	/* more than that: the oldest is cut off */

struct csa_linger;

struct csa_linger *csa_linger_new(void);
void	csa_linger_free(struct csa_linger *);

/* Takes fd: say 503 to what is on it, as soon as it can be said. */
void	csa_linger_refuse(struct csa_linger *, int fd);
/* Takes fd, whose answer has been sent. */
void	csa_linger_close(struct csa_linger *, int fd);

/* Fill in p (room for CSA_LINGER_MAX); returns how many. */
size_t	csa_linger_poll(struct csa_linger *, struct pollfd *p);
/* After poll(2) with the n entries that csa_linger_poll made. */
void	csa_linger_turn(struct csa_linger *, const struct pollfd *p, size_t n);
/* When csa_linger_turn is due even if nothing happens; INT64_MAX: never. */
int64_t	csa_linger_due(const struct csa_linger *);

#endif
