#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/gemini.h"

int
csa_gemini_remote(struct csa_remote *r, const struct csa_config *config,
    struct csa_http *http, struct csa_err *err)
{
	return csa_remote_init(r, config, http, CSA_SRC_GEMINI,
	    config->google_gemini_base_url, "x-goog-api-key: ",
	    config->google_api_key, err);
}

bool
csa_gemini_model_ok(const char *name)
{
	static const char	 allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._-/";
	size_t			 n = strlen(name);

	/* A colon would choose the method, dots another path. */
	return n > 0 && n <= CSA_MAX_MODEL_NAME &&
	    strspn(name, allowed) == n && strstr(name, "..") == NULL &&
	    strstr(name, "//") == NULL && name[0] != '/' &&
	    name[n - 1] != '/';
}

char *
csa_gemini_model(const char *name, struct csa_err *err)
{
	const char	*before = strchr(name, '/') == NULL ? "models/" : "";
	size_t		 size = strlen(before) + strlen(name) + 1;
	char		*s;

	if (!csa_gemini_model_ok(name)) {
		csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_AGENT,
		    "that is no name of a Gemini model");
		return NULL;
	}
	s = csa_malloc(size);
	snprintf(s, size, "%s%s", before, name);
	return s;
}

char *
csa_gemini_url(const struct csa_remote *r, const struct csa_config *config,
    const char *model_id, const char *method)
{
	const char	*version = config->gemini_api_version;
	size_t		 size;
	char		*s;

	/* The vendor's own clients know this short form. */
	if (strcmp(version, "beta") == 0)
		version = "v1beta";
	size = strlen(r->base) + strlen(version) + strlen(model_id) +
	    strlen(method) + 4;
	s = csa_malloc(size);
	snprintf(s, size, "%s/%s/%s:%s", r->base, version, model_id, method);
	return s;
}
