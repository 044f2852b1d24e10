/*
 * chain: one model after the other, until one answers.
 *
 * The first is the one that is configured, or that the request names; the next
 * are other models (setting `fallback_models`), and the last quotes instead of
 * writing (extractive).  What another than the first says is marked degraded,
 * "model_unavailable", and res->model names who said it.
 *
 * Another is asked only where
 * - the request allows it (may_degrade);
 * - the fault is a provider's: it refused, failed, answered nonsense, could not
 *   be reached or took too long.  Not the client's mistake, not our own end
 *   (draining), and not where the client has left;
 * - no text was handed out yet: nobody wants two answers glued together;
 * - there is time.  So that there is, a tenth of it, half a second at most, is
 *   kept from all that write where quotes may follow, which need a few
 *   milliseconds.  Of the rest one that writes a plain answer, not a stream,
 *   gets two thirds where a model follows that writes as well.  (A stream that
 *   has begun must not be cut off for the next one's sake.)
 *
 * Where nobody answers, the error is the first one's.
 */

#ifndef CSA_PROVIDER_CHAIN_H
#define CSA_PROVIDER_CHAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/provider/provider.h"

struct csa_prices;

struct csa_link {
	struct csa_model *model;
	const char	*ask;		/* NULL: the model's own; copied */
};

/*
 * A chain of n >= 1 links; it closes the models (several links may share one)
 * and frees prices.  It is what settles costs (prices.h): res->cost_usd is
 * everything that the question came to, failed calls included.  name and model
 * are the first link's, and probe asks it.
 */
struct csa_model *csa_model_chain_new(const struct csa_link *, size_t n,
		    struct csa_prices *);

#endif
