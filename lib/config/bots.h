/*
 * bots: what holds for single bots, from bots_file.
 *
 * A line of that file is
 *
 *	BOT cache=off|exact|semantic [tenant=TENANT]
 *
 * BOT is a bot's id, or * for every bot; without tenant= it holds for the bots of
 * that name of every tenant, and of none.  The line that says most about a bot
 * counts, wherever it stands: its name and tenant, its name, * and its tenant, *.
 * # begins a comment line.
 *
 * Constant once loaded, and safe to use from any thread; a change of the file
 * takes a new process.
 */

#ifndef CSA_CONFIG_BOTS_H
#define CSA_CONFIG_BOTS_H

#include "lib/base/ctx.h"
#include "lib/base/err.h"

/* May answers be given again? */
enum csa_reuse {
	CSA_REUSE_UNSAID,	/* whoever is asked next decides */
	CSA_REUSE_NEVER,	/* a request's false: not even shared */
	CSA_REUSE_OFF,
	CSA_REUSE_EXACT,	/* to the same question */
	CSA_REUSE_SEMANTIC	/* and to the same one in other words */
};

/* "off", "exact" or "semantic"; UNSAID for anything else. */
enum csa_reuse	csa_reuse_of(const char *);

struct csa_bots;

/*
 * file: "" or NULL for none, which says nothing of any bot.  NULL with err
 * INTERNAL whose msg is "FILE:LINE: what is wrong", for the operator who starts
 * the service.
 */
struct csa_bots	*csa_bots_load(const char *file, struct csa_err *);
void		 csa_bots_free(struct csa_bots *);	/* NULL is fine */

/* What the file says of this bot, or UNSAID.  bots may be NULL. */
enum csa_reuse	 csa_bots_cache(const struct csa_bots *,
		    const struct csa_scope *);

#endif
