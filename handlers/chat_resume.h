/*
 * chat_resume: what a stream has said, kept in memcached for a client whose
 * connection broke.
 *
 * The value under a stream's key is a header line and the events as they were
 * sent.  "R MS\n": it runs and was last saved at MS of the wall clock; "C MS\n":
 * it is complete, its last event is `done` or `error`.  The key covers version,
 * tenant, key name, request id and the body's digest, so nobody else, and no
 * other question, gets it.
 */

#ifndef CSA_HANDLERS_CHAT_RESUME_H
#define CSA_HANDLERS_CHAT_RESUME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/routes.h"
#include "lib/base/buf.h"
#include "lib/kv/kv.h"

struct csa_digest;

struct csa_transcript {
	struct csa_kv_pool	*pool;		/* NULL: nothing is kept */
	char			 key[CSA_KV_KEYMAX + 1];
	uint32_t		 ttl;		/* s */
	struct csa_buf		 text;		/* events; header not included */
	int64_t			 saved;		/* csa_now_ms() */
	bool			 changed;
};

/* id is the request id of the stream; body the digest of its request. */
void	csa_transcript_init(struct csa_transcript *, struct csa_app *,
	    const struct csa_call *, const char *id, const struct csa_digest *);
void	csa_transcript_fini(struct csa_transcript *);

/* Events were sent; kept at once when the last time is a second ago. */
void	csa_transcript_add(struct csa_transcript *, const void *, size_t n);
/* Still at work: keep what there is, where it is time. */
void	csa_transcript_beat(struct csa_transcript *);
void	csa_transcript_end(struct csa_transcript *);

/*
 * Continue the stream whose last event was `last` ("ID.SEQ", from
 * Last-Event-ID), following it where it still runs.  As csa_handler: NOT_FOUND
 * where it is not, or no longer, kept.
 */
int	csa_chat_resume(struct csa_app *, struct csa_call *, const char *last,
	    const struct csa_digest *body, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
