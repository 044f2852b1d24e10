/*
 * chat_request: the body of POST /chat, checked.
 */

#ifndef CSA_HANDLERS_CHAT_REQUEST_H
#define CSA_HANDLERS_CHAT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"
#include "lib/config/bots.h"
#include "lib/provider/provider.h"

struct csa_config;
struct csa_arena;
struct csa_node;

/*
 * Everything is in the arena or the configuration's: the JSON object, ten times
 * as large, can be freed before the model is waited for.
 */
struct csa_chat_request {
	const char		*bot;
	const char		*message;
	struct csa_message	*history;
	size_t			 nhistory;
	const char		*model;		/* NULL: the configured one */
	const char		*system_prompt;
	double			 temperature;
	size_t			 k;		/* retriever_k */
	size_t			 keep;		/* chat_history_length */
	long			 max_output_tokens; /* 0: the configured */
	bool			 stream;
	bool			 may_degrade;	/* fallback is not "none" */
	enum csa_reuse		 cache;		/* of the request: UNSAID, NEVER */
						/* (false), EXACT, SEMANTIC */
	bool			 alone;		/* for tools, or another agent: */
						/* nobody else's answer */
};

/* What holds where a request says nothing. */
void	csa_chat_request_defaults(const struct csa_config *,
	    struct csa_chat_request *);

/*
 * Parse member "cache" of o, whose own path is at: true (as "exact"), false,
 * "exact" or "semantic".  0, or -1 with err.
 */
int	csa_chat_cache_parse(const struct csa_node *o, const char *at,
	    enum csa_reuse *, struct csa_err *)
	    __attribute__((warn_unused_result));

/* 0, or -1 with err that names the field and the allowed range. */
int	csa_chat_request_parse(const struct csa_node *body,
	    const struct csa_config *, struct csa_arena *,
	    struct csa_chat_request *, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
