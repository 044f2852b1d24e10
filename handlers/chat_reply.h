/*
 * chat_reply: what is told of an answer, in JSON; the parts that /chat, its
 * stream and the OpenAI face have in common.
 */

#ifndef CSA_HANDLERS_CHAT_REPLY_H
#define CSA_HANDLERS_CHAT_REPLY_H

#include <stdbool.h>

struct csa_buf;
struct csa_err;
struct csa_resp;
struct csa_turn;

/* A reply's ceiling: 100 passages of the longest chunk, escaped, and more. */
#define CSA_REPLY_MAX	(64u << 20)

/*
 * Append `"sources":[...]`; with what is cited where cited is wanted (before
 * the answer nobody knows).
 */
void	csa_reply_sources(struct csa_buf *, const struct csa_turn *,
	    bool cited);

/*
 * Append, between braces of the caller's, model, finish_reason, tokens_used,
 * cost_usd, timings_ms, cache, cache_match, degraded and degraded_reason.
 */
void	csa_reply_outcome(struct csa_buf *, const struct csa_turn *);

/* Append `"cited":[1,3]`: numbers into sources. */
void	csa_reply_cited(struct csa_buf *, const struct csa_turn *);

/* Send b as JSON and free it; -1 with err where it outgrew CSA_REPLY_MAX. */
int	csa_reply_send(struct csa_resp *, struct csa_buf *b, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
