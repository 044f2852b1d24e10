#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/chain.h"
#include "lib/provider/prices.h"
#include "lib/provider/provider.h"

/* The configured one, as many others, and quotes. */
#define MAX_LINKS	16

/* The links as they come together. */
struct made {
	const struct csa_config	*config;
	struct csa_http		*http;
	struct csa_link		 link[MAX_LINKS];
	size_t			 n;
	char			*names;		/* fallback_models, cut up */
};

static struct csa_model *
open_one(const struct made *m, const char *provider, struct csa_err *err)
{
	/* Links of one provider share what there is of it. */
	for (size_t i = 0; i < m->n; i++)
		if (strcmp(m->link[i].model->name, provider) == 0)
			return m->link[i].model;
	if (strcmp(provider, "gemini") == 0)
		return csa_model_gemini_open(m->config, m->http, err);
	if (strcmp(provider, "openai") == 0)
		return csa_model_openai_open(m->config, m->http, err);
	return csa_model_extractive_open(m->config);
}

static int
add(struct made *m, const char *provider, const char *ask,
    struct csa_err *err)
{
	struct csa_model	*model;

	if (m->n == MAX_LINKS)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "fallback_models: more than %d models", MAX_LINKS - 2);
	if ((model = open_one(m, provider, err)) == NULL)
		return -1;
	m->link[m->n++] = (struct csa_link){ model, ask };
	return 0;
}

/* "NAME" is one of the configured provider's. */
static int
add_named(struct made *m, char *name, struct csa_err *err)
{
	static const char *const	 providers[] = { "gemini", "openai" };
	size_t				 n;

	name += strspn(name, " ");
	name[strcspn(name, " ")] = '\0';
	if (*name == '\0')
		return 0;
	for (size_t i = 0; i < CSA_NITEMS(providers); i++) {
		n = strlen(providers[i]);
		if (strncmp(name, providers[i], n) == 0 && name[n] == ':')
			return add(m, providers[i], name + n + 1, err);
	}
	return add(m, m->config->chat, name, err);
}

static int
add_all(struct made *m, struct csa_err *err)
{
	char	*rest = m->names, *name;

	if (add(m, m->config->chat, NULL, err) == -1)
		return -1;
	while ((name = strsep(&rest, ",")) != NULL)
		if (add_named(m, name, err) == -1)
			return -1;
	return add(m, "extractive", NULL, err);
}

static void
close_all(struct made *m)
{
	for (size_t i = m->n; i-- > 0;) {
		bool	 again = false;

		for (size_t k = 0; k < i; k++)
			again |= m->link[k].model == m->link[i].model;
		if (!again)
			m->link[i].model->ops->close(m->link[i].model);
	}
}

struct csa_model *
csa_model_open(const struct csa_config *config, struct csa_http *http,
    struct csa_err *err)
{
	struct made		 m = { .config = config, .http = http };
	struct csa_model	*model = NULL;
	struct csa_prices	*prices;

	if (strcmp(config->chat, "extractive") == 0)
		return csa_model_extractive_open(config);
	if ((prices = csa_prices_new(config->prices, err)) == NULL)
		return NULL;
	m.names = csa_strdup(config->fallback_models);
	if (add_all(&m, err) == 0)
		model = csa_model_chain_new(m.link, m.n, prices);
	else {
		close_all(&m);
		csa_prices_free(prices);
	}
	free(m.names);
	return model;
}
