/*
 * prices: what a call of a model came to.
 *
 * prices.def has what vendors publish, phased by date; the setting `prices`
 * adds models or replaces what is said of them:
 *
 *	NAME=INPUT/OUTPUT[/CACHED] in US dollars a million tokens
 *
 * separated by commas, or, where the setting is the path of a file, a line each
 * (# begins a comment).  A NAME that ends with * stands for all that begin so;
 * the longest that fits is taken.  Without CACHED cached tokens cost what
 * others do.  A server of one's own: `prices = *=0/0`.
 *
 * A name of prices.def stands also for its dated and numbered versions
 * ("gemini-3.8-flash-001"), but not for another model of the family
 * ("gemini-3.5-flash" says nothing of "gemini-3.5-flash-lite").
 *
 * An embedding call is a call without output.  Where its reply does not say how
 * many tokens it took, as Gemini's older models don't, they are estimated.
 */

#ifndef CSA_PROVIDER_PRICES_H
#define CSA_PROVIDER_PRICES_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

struct csa_chat_res;
struct csa_prices;

/* setting may be "".  NULL with err where it or a line of its file is wrong. */
struct csa_prices *csa_prices_new(const char *setting, struct csa_err *);
void	csa_prices_free(struct csa_prices *);		/* NULL is fine */

/*
 * The cost of res by its model and tokens at wall_ms (csa_wall_ms) in *usd;
 * false and 0 where nobody says what the model costs.
 */
bool	csa_price(const struct csa_prices *, int64_t wall_ms,
	    const struct csa_chat_res *, double *usd);

/*
 * A call is over, whatever became of it: set res->cost_usd, and count tokens
 * and cost.  Without a model or tokens there is nothing to settle.  A model
 * without a price is logged once.
 */
void	csa_prices_settle(struct csa_prices *, struct csa_chat_res *res);

#endif
