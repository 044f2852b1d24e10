#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/openai.h"

#define VENDOR	"https://api.openai.com"

const char *
csa_openai_base(const struct csa_config *config)
{
	return config->openai_base_url[0] != '\0' ? config->openai_base_url :
	    VENDOR "/v1";
}

bool
csa_openai_is_vendor(const struct csa_remote *r)
{
	size_t	 n = sizeof(VENDOR) - 1;

	return strncmp(r->base, VENDOR, n) == 0 &&
	    (r->base[n] == '/' || r->base[n] == '\0');
}

char *
csa_openai_url(const struct csa_remote *r, const char *path)
{
	size_t	 size = strlen(r->base) + strlen(path) + 1;
	char	*s = csa_malloc(size);

	snprintf(s, size, "%s%s", r->base, path);
	return s;
}
