#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/openai.h"
#include "lib/provider/provider_internal.h"
#include "lib/text/json.h"

#define DEFAULT_MODEL	"text-embedding-3-small"

/* The text behind its prefix, as one JSON string. */
static void
add_text(struct csa_buf *b, const char *prefix, const struct csa_text *t)
{
	struct csa_buf	 whole;

	if (prefix[0] == '\0') {
		csa_buf_json(b, t->s, t->n);
		return;
	}
	csa_buf_init(&whole, strlen(prefix) + t->n);
	csa_buf_puts(&whole, prefix);
	csa_buf_add(&whole, t->s, t->n);
	if (whole.failed)
		b->failed = true;
	else
		csa_buf_json(b, whole.data, whole.len);
	csa_buf_fini(&whole);
}

static void
body(const struct csa_remote_embedder *e, struct csa_buf *b,
    enum csa_embed_kind kind, const struct csa_text *texts, size_t n)
{
	const struct csa_config	*c = e->config;
	const char		*prefix;

	prefix = kind == CSA_EMBED_QUERY ? c->embedding_query_prefix :
	    c->embedding_passage_prefix;
	csa_buf_puts(b, "{\"model\":");
	csa_buf_jsonz(b, e->billed[kind]);
	csa_buf_puts(b, ",\"input\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			csa_buf_putc(b, ',');
		add_text(b, prefix, &texts[i]);
	}
	csa_buf_putc(b, ']');
	if (!e->no_format)
		csa_buf_puts(b, ",\"encoding_format\":\"base64\"");
	if (e->dimensions > 0 && !e->no_dimensions)
		csa_buf_addf(b, ",\"dimensions\":%ld", e->dimensions);
	if (e->extra[kind] != NULL)
		csa_buf_puts(b, e->extra[kind]);
	csa_buf_putc(b, '}');
}

/*
 * The operator's own members, checked once and kept as the text that goes
 * before the closing brace.  They win over ours, save for what the call is
 * about.
 */
static int
extra_members(struct csa_remote_embedder *e, enum csa_embed_kind kind,
    const char *name, const char *text, struct csa_err *err)
{
	struct json_object	*o;
	const char		*from, *to;
	size_t			 n;

	if (text[0] == '\0')
		return 0;
	o = csa_json_parse(text, strlen(text), &csa_json_request_limits, err);
	if (o == NULL || !json_object_is_type(o, json_type_object) ||
	    json_object_object_get_ex(o, "model", NULL) ||
	    json_object_object_get_ex(o, "input", NULL)) {
		csa_json_free(o);
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT, "%s must "
		    "be a JSON object without model and input", name);
	}
	if (json_object_object_get_ex(o, "encoding_format", NULL))
		e->no_format = true;
	if (json_object_object_get_ex(o, "dimensions", NULL))
		e->no_dimensions = true;
	if (json_object_object_length(o) > 0) {
		from = strchr(text, '{') + 1;
		to = strrchr(text, '}');
		n = (size_t)(to - from);
		e->extra[kind] = csa_malloc(n + 2);
		snprintf(e->extra[kind], n + 2, ",%.*s", (int)n, from);
	}
	csa_json_free(o);
	return 0;
}

static const struct csa_embed_driver driver = {
	.body = body,
	.reply = csa_openai_embed_reply,
};

struct csa_embedder *
csa_embedder_openai_open(const struct csa_config *config,
    struct csa_http *http, struct csa_err *err)
{
	struct csa_remote_embedder *e = csa_new(struct csa_remote_embedder);
	const char			*base = csa_openai_base(config);
	const char			*name = config->embedding_model_name;

	if (config->openai_embedding_base_url[0] != '\0')
		base = config->openai_embedding_base_url;
	if (name[0] == '\0')
		name = DEFAULT_MODEL;
	e->driver = &driver;
	e->config = config;
	e->dimensions = config->embedding_dimensions;
	e->batch = (size_t)config->embedding_batch;
	e->model_id = csa_strdup(name);
	if (csa_remote_init(&e->remote, config, http, CSA_SRC_OPENAI, base,
	    "Authorization: Bearer ", config->openai_api_key, err) == -1 ||
	    extra_members(e, CSA_EMBED_QUERY, "embedding_query_body",
	    config->embedding_query_body, err) == -1 ||
	    extra_members(e, CSA_EMBED_PASSAGE, "embedding_passage_body",
	    config->embedding_passage_body, err) == -1 ||
	    csa_remote_embedder_init(e, "openai", e->model_id, err) == -1) {
		csa_remote_embedder_free(e);
		return NULL;
	}
	if (config->embedding_query_model[0] != '\0')
		e->billed[CSA_EMBED_QUERY] = config->embedding_query_model;
	e->url_many = csa_openai_url(&e->remote, "/embeddings");
	return &e->embedder;
}
