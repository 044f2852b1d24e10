/*
 * openai: what the two drivers for OpenAI-compatible servers share.
 */

#ifndef CSA_PROVIDER_OPENAI_H
#define CSA_PROVIDER_OPENAI_H

#include <stdbool.h>

#include "lib/provider/provider_internal.h"

/* The configured address, or the vendor's own. */
const char *csa_openai_base(const struct csa_config *);

/* Is that address the vendor's own service, which has outgrown old members? */
bool	csa_openai_is_vendor(const struct csa_remote *);

/* base + path, from malloc. */
char	*csa_openai_url(const struct csa_remote *, const char *path);

#endif
