/*
 * sink: a response as FastCGI records, written by hand.
 *
 * libfcgi's writer takes EINTR and a full socket for the end of the connection,
 * pads with whatever was in its buffer, and spends a second system call on the
 * end of a request.  This one collects what is
 * written into one record and sends it with the end of the request: an answer
 * is one send(2).  It never raises SIGPIPE.  What is large is sent from where it
 * is: a thousand waiting threads have a thousand sinks.
 */

#ifndef CSA_FCGI_SINK_H
#define CSA_FCGI_SINK_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/web/resp.h"

#define CSA_SINK_ROOM	1024

struct csa_fsink {
	struct csa_sink	 base;
	int		 fd;
	int		 id;		/* FastCGI request id */
	int		 wait_ms;	/* longest wait for a slow reader */
	bool		 gone;		/* the peer is; send no more */
	bool		 ended;
	size_t		 used;
	/* A record's head and what is collected for it. */
	unsigned char	 buf[8 + CSA_SINK_ROOM];
};

/* fd is borrowed and stays open. */
void	csa_fsink_init(struct csa_fsink *, int fd, int id, int wait_ms);

/*
 * Send what is left and the end of the request with this protocol status
 * (FCGI_REQUEST_COMPLETE, ...).  The second time it does nothing.  0, or -1
 * when the peer is gone.
 */
int	csa_fsink_end(struct csa_fsink *, int protocol_status);

#endif
