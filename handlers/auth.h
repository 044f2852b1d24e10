/*
 * auth: whose key is this, and what may it do?
 */

#ifndef CSA_HANDLERS_AUTH_H
#define CSA_HANDLERS_AUTH_H

#include "handlers/routes.h"
#include "lib/base/ctx.h"

/*
 * Find the call's key in X-Internal-API-Key or Authorization: Bearer and check
 * its right to the route.  0 with call->key set (for OPEN routes NULL where no good
 * key came).  -1: UNAUTHORIZED, FORBIDDEN, or BAD_REQUEST where two keys came that
 * contradict each other, or one header twice.
 */
int	csa_authenticate(struct csa_app *, struct csa_call *, struct csa_err *)
	    __attribute__((warn_unused_result));

/*
 * The scope of a bot for this call's key; FORBIDDEN where the key has no right
 * to the bot.  The bot's name must have been validated.
 */
int	csa_authorize_bot(const struct csa_call *, const char *bot,
	    struct csa_scope *, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
