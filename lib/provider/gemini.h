/*
 * gemini: what the Gemini embedder and the Gemini chat model share.
 */

#ifndef CSA_PROVIDER_GEMINI_H
#define CSA_PROVIDER_GEMINI_H

#include <stdbool.h>

#include "lib/provider/provider_internal.h"

/* As csa_remote_init, with address and key of the configuration. */
int	csa_gemini_remote(struct csa_remote *, const struct csa_config *,
	    struct csa_http *, struct csa_err *);

/* Is this a model's name that may stand in an address ("a", "models/a")? */
bool	csa_gemini_model_ok(const char *name);

/* "models/NAME" (or "tunedModels/NAME" as it is) from malloc; NULL with err. */
char	*csa_gemini_model(const char *name, struct csa_err *);

/* The address of one method of a model, from malloc. */
char	*csa_gemini_url(const struct csa_remote *, const struct csa_config *,
	    const char *model_id, const char *method);

#endif
