#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/gemini.h"
#include "lib/provider/provider_internal.h"

/* The newest generally available Flash, of September 2026. */
#define DEFAULT_MODEL	"gemini-3.8-flash"

static size_t
add_content(struct csa_buf *b, const struct csa_message *m)
{
	size_t	 n;

	csa_buf_puts(b, "{\"role\":");
	csa_buf_puts(b, m->role == CSA_ROLE_USER ? "\"user\"" : "\"model\"");
	csa_buf_puts(b, ",\"parts\":[{\"text\":");
	n = csa_chat_text(b, m);
	csa_buf_puts(b, "}]}");
	return n;
}

/* "gemini-flash-latest": always one of the families that think in levels. */
static bool
is_alias(const char *name)
{
	size_t	 n = strlen(name);

	return n > 7 && strcmp(name + n - 7, "-latest") == 0;
}

/*
 * Families that take it are asked to think less the second time; to any other
 * it would be an error.
 */
static void
add_thinking(struct csa_buf *b, const char *model)
{
	const char	*name = strrchr(model, '/');

	name = name != NULL ? name + 1 : model;
	if (strncmp(name, "gemini-3", 8) == 0 ||
	    strncmp(name, "gemini-4", 8) == 0 ||
	    (strncmp(name, "gemini-", 7) == 0 && is_alias(name)))
		csa_buf_puts(b, ",\"thinkingConfig\":"
		    "{\"thinkingLevel\":\"LOW\"}");
	else if (strncmp(name, "gemini-2.5-flash", 16) == 0)
		csa_buf_puts(b, ",\"thinkingConfig\":{\"thinkingBudget\":0}");
}

static void
body(const struct csa_remote_model *m, struct csa_buf *b,
    const struct csa_chat_try *try)
{
	const struct csa_chat_req	*req = try->req;
	const char			*sep = "";

	(void)m;
	csa_buf_puts(b, "{\"contents\":[");
	for (size_t i = 0; i < req->nmessages;) {
		/* An empty part is a 400. */
		if (req->messages[i].len == 0 && !req->messages[i].more) {
			i++;
			continue;
		}
		csa_buf_puts(b, sep);
		i += add_content(b, &req->messages[i]);
		sep = ",";
	}
	csa_buf_putc(b, ']');
	if (req->system != NULL && req->system[0] != '\0') {
		csa_buf_puts(b, ",\"systemInstruction\":{\"parts\":"
		    "[{\"text\":");
		csa_buf_jsonz(b, req->system);
		csa_buf_puts(b, "}],\"role\":\"user\"}");
	}
	csa_buf_addf(b, ",\"generationConfig\":{\"maxOutputTokens\":%ld",
	    try->max_output_tokens);
	if (req->temperature >= 0) {
		csa_buf_puts(b, ",\"temperature\":");
		csa_buf_fixed(b, req->temperature, 6);
	}
	if (try->again)
		add_thinking(b, try->model);
	csa_buf_puts(b, "}}");
}

static const char *
url(const struct csa_remote_model *m, struct csa_arena *arena,
    const struct csa_chat_try *try)
{
	struct csa_err	 ignored;
	char		*id, *u;
	const char	*copy;

	id = csa_gemini_model(try->model, &ignored);
	CSA_MUST(id != NULL);		/* model_ok said so */
	u = csa_gemini_url(&m->remote, m->config, id, try->hearer != NULL ?
	    "streamGenerateContent?alt=sse" : "generateContent");
	copy = csa_arena_strdup(arena, u);
	free(u);
	free(id);
	return copy;
}

static const struct csa_chat_driver driver = {
	.model_ok = csa_gemini_model_ok,
	.url = url,
	.body = body,
	.read = csa_gemini_chat_read,
};

struct csa_model *
csa_model_gemini_open(const struct csa_config *config, struct csa_http *http,
    struct csa_err *err)
{
	struct csa_remote_model	*m = csa_new(struct csa_remote_model);
	const char		*name = config->generative_model_name;
	char			*id = NULL;

	if (name[0] == '\0')
		name = DEFAULT_MODEL;
	m->driver = &driver;
	m->config = config;
	if (csa_gemini_remote(&m->remote, config, http, err) == -1 ||
	    (id = csa_gemini_model(name, err)) == NULL) {
		csa_remote_model_free(m);
		return NULL;
	}
	free(id);
	/* "models/" is how addresses name it, not how people do. */
	if (strncmp(name, "models/", 7) == 0)
		name += 7;
	m->model_id = csa_strdup(name);
	m->model.ops = &csa_remote_model_ops;
	m->model.name = "gemini";
	m->model.model = m->model_id;
	return &m->model;
}
