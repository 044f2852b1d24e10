/*
 * chat_stream: the body of a streamed answer, out of pieces cut anywhere, put
 * together in a csa_answer.  Like all of reply.h it knows no network.
 *
 * Formats: Gemini's streamGenerateContent?alt=sse and OpenAI's stream: true.
 * The answer is whole once the vendor said why it ended; neither a blank line,
 * nor [DONE], nor the usage must follow, and what is wrong with what follows no
 * longer matters.  A body that is JSON, from a proxy that does not stream, is
 * read as a whole reply, or (Gemini's without alt=sse) as a list of events.
 *
 * Bounds: an event has a megabyte at most.  64 KiB, which no token needs, would
 * refuse honest servers: some send the whole text as one event, and Gemini's
 * signatures of thoughts and lists of sources come in one piece.
 */

#ifndef CSA_PROVIDER_CHAT_STREAM_H
#define CSA_PROVIDER_CHAT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/provider/reply.h"
#include "lib/text/sse.h"

#define CSA_STREAM_EVENT_MAX	(1u << 20)
#define CSA_STREAM_PLAIN_MAX	(8u << 20)

enum csa_stream_form {
	CSA_STREAM_UNKNOWN,		/* nothing but blanks so far */
	CSA_STREAM_EVENTS,
	CSA_STREAM_PLAIN
};

struct csa_chat_stream {
	csa_chat_reader	*read;
	enum csa_source	 source;
	const char	*key;		/* borrowed; kept out of details */
	struct csa_answer *a;		/* borrowed */
	enum csa_stream_form form;
	struct csa_sse	 sse;
	struct csa_buf	 plain;
	struct csa_arena *arena;	/* of one event */
	bool		 done;		/* nothing that matters can follow */
};

void	csa_chat_stream_init(struct csa_chat_stream *, csa_chat_reader *,
	    enum csa_source, const char *key, struct csa_answer *);
void	csa_chat_stream_fini(struct csa_chat_stream *);

/*
 * Read the next n bytes; 0.  -1 with err: the error that the stream itself
 * brought (see csa_provider_error_fail), or PROVIDER_ERROR for nonsense.  The
 * text that stood before it is in the answer.
 */
int	csa_chat_stream_feed(struct csa_chat_stream *, const char *s, size_t n,
	    struct csa_err *) CSA_MUSTCHECK;

/*
 * The body has ended: 0 if the answer is whole.  -1 as above, or
 * PROVIDER_UNAVAILABLE where it is truncated.
 */
int	csa_chat_stream_end(struct csa_chat_stream *, struct csa_err *)
	    CSA_MUSTCHECK;

/* Has the vendor said why the answer ended?  Then what came is whole. */
bool	csa_chat_stream_whole(const struct csa_chat_stream *);

#endif
