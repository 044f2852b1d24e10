/*
 * sse: the events of a text/event-stream, out of pieces cut anywhere.
 *
 * Format: WHATWG HTML, section 9.2.6.  Lines end with LF, CR or CRLF; a BOM at
 * the start, comments and fields that nobody knows are passed over; the data
 * lines of an event are joined by LF; an event without data is none.  How the
 * bytes are cut into pieces makes no difference.
 *
 * Two things go beyond the standard, because providers do them:
 * - An event that lacks its blank line, or even the end of its last line, is
 *   given out at the end of the stream.  Whether it is whole its data must tell.
 * - A line that begins with { where no event is under way begins a bare JSON
 *   text, up to the next blank line: that is how Gemini breaks off.
 */

#ifndef CSA_TEXT_SSE_H
#define CSA_TEXT_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

/* Borrowed until the next call; all of them NUL-terminated. */
struct csa_sse_event {
	const char	*name;		/* "" where none is given: a message */
	const char	*data;
	size_t		 n;
	const char	*id;		/* the last one seen; "" for none */
	bool		 bare;		/* no event, but a JSON text */
};

struct csa_sse {
	struct csa_buf	 line;		/* whose end has not come */
	struct csa_buf	 data, name, id;
	long		 retry_ms;	/* as told; -1: never */
	bool		 first;		/* no line has ended yet */
	bool		 cr;		/* an LF now belongs to the CR before */
	bool		 any;		/* a data line has come */
	bool		 bare;
	bool		 given;		/* the event is out: begin a new one */
};

/*
 * max: the most bytes of a line, and of an event's data.  Memory grows to what
 * the events need and is used again for each.
 */
void	csa_sse_init(struct csa_sse *, size_t max);
void	csa_sse_fini(struct csa_sse *);

/*
 * Read on in *s, *n bytes, and move both behind what was read.  1 with an event
 * (call again: there may be more), 0 when all is read, -1 for good once a line
 * or an event is longer than max.
 */
int	csa_sse_next(struct csa_sse *, const char **s, size_t *n,
	    struct csa_sse_event *);

/* The stream has ended: 1 with what had no end of its own, 0, -1 as above. */
int	csa_sse_end(struct csa_sse *, struct csa_sse_event *);

#endif
