#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/openai.h"
#include "lib/provider/provider_internal.h"

#define DEFAULT_MODEL	"gpt-4o-mini"

static size_t
add_message(struct csa_buf *b, const char *role, const struct csa_message *m)
{
	size_t	 n;

	csa_buf_addf(b, "{\"role\":\"%s\",\"content\":", role);
	n = csa_chat_text(b, m);
	csa_buf_putc(b, '}');
	return n;
}

/* The vendor's reasoning models refuse any temperature but their own. */
static bool
reasons(const struct csa_remote_model *m, const char *model)
{
	return csa_openai_is_vendor(&m->remote) &&
	    (strncmp(model, "gpt-5", 5) == 0 ||
	    (model[0] == 'o' && isdigit((unsigned char)model[1])));
}

/* include_usage: or a stream never says what it cost. */
static void
add_stream(struct csa_buf *b, const struct csa_chat_try *try)
{
	csa_buf_puts(b, ",\"stream\":true");
	if (!try->no_usage)
		csa_buf_puts(b, ",\"stream_options\":"
		    "{\"include_usage\":true}");
}

static void
body(const struct csa_remote_model *m, struct csa_buf *b,
    const struct csa_chat_try *try)
{
	const struct csa_chat_req	*req = try->req;
	struct csa_message		 system = { .text = req->system };
	const char			*sep = "";

	csa_buf_puts(b, "{\"model\":");
	csa_buf_jsonz(b, try->model);
	csa_buf_puts(b, ",\"messages\":[");
	if (req->system != NULL && req->system[0] != '\0') {
		system.len = strlen(req->system);
		add_message(b, "system", &system);
		sep = ",";
	}
	for (size_t i = 0; i < req->nmessages;) {
		const struct csa_message	*t = &req->messages[i];

		csa_buf_puts(b, sep);
		i += add_message(b, t->role == CSA_ROLE_USER ? "user" :
		    "assistant", t);
		sep = ",";
	}
	/* The vendor wants the new name, many others know only the old. */
	csa_buf_addf(b, "],\"%s\":%ld", csa_openai_is_vendor(&m->remote) ?
	    "max_completion_tokens" : "max_tokens", try->max_output_tokens);
	if (req->temperature >= 0 && !reasons(m, try->model)) {
		csa_buf_puts(b, ",\"temperature\":");
		csa_buf_fixed(b, req->temperature, 6);
	}
	if (try->again && reasons(m, try->model))
		csa_buf_puts(b, ",\"reasoning_effort\":\"low\"");
	if (try->hearer != NULL)
		add_stream(b, try);
	csa_buf_putc(b, '}');
}

static const char *
url(const struct csa_remote_model *m, struct csa_arena *arena,
    const struct csa_chat_try *try)
{
	(void)try;
	return csa_arena_printf(arena, "%s/chat/completions", m->remote.base);
}

/* It stands in the body alone, as a string. */
static bool
model_ok(const char *model)
{
	return strlen(model) <= CSA_MAX_MODEL_NAME;
}

static const struct csa_chat_driver driver = {
	.model_ok = model_ok,
	.url = url,
	.body = body,
	.read = csa_openai_chat_read,
};

struct csa_model *
csa_model_openai_open(const struct csa_config *config, struct csa_http *http,
    struct csa_err *err)
{
	struct csa_remote_model	*m = csa_new(struct csa_remote_model);
	const char		*name = config->generative_model_name;

	m->driver = &driver;
	m->config = config;
	if (csa_remote_init(&m->remote, config, http, CSA_SRC_OPENAI,
	    csa_openai_base(config), "Authorization: Bearer ",
	    config->openai_api_key, err) == -1) {
		csa_remote_model_free(m);
		return NULL;
	}
	m->model_id = csa_strdup(name[0] != '\0' ? name : DEFAULT_MODEL);
	m->model.ops = &csa_remote_model_ops;
	m->model.name = "openai";
	m->model.model = m->model_id;
	return &m->model;
}
