#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/gemini.h"
#include "lib/provider/provider_internal.h"

#define DEFAULT_MODEL	"gemini-embedding-001"
#define DEFAULT_DIM	768
#define MAX_BATCH	100	/* the API's own limit */

/*
 * gemini-embedding-2 takes no notice of taskType; it wants the task in the
 * text, in these words.
 */
static const struct { const char *task, *before; } kinds[] = {
	[CSA_EMBED_QUERY] =
	    { "RETRIEVAL_QUERY", "task: search result | query: " },
	[CSA_EMBED_PASSAGE] =
	    { "RETRIEVAL_DOCUMENT", "title: none | text: " },
};

/* a, b and the text as one JSON string.  Both are ours or the operator's. */
static void
add_text(struct csa_buf *b, const char *one, const char *two,
    const struct csa_text *t)
{
	struct csa_buf	 whole;

	if (one[0] == '\0' && two[0] == '\0') {
		csa_buf_json(b, t->s, t->n);
		return;
	}
	csa_buf_init(&whole, strlen(one) + strlen(two) + t->n);
	csa_buf_puts(&whole, one);
	csa_buf_puts(&whole, two);
	csa_buf_add(&whole, t->s, t->n);
	if (whole.failed)
		b->failed = true;
	else
		csa_buf_json(b, whole.data, whole.len);
	csa_buf_fini(&whole);
}

/* One request of a batch; a call for one text is the same object alone. */
static void
add_request(const struct csa_remote_embedder *e, struct csa_buf *b,
    enum csa_embed_kind kind, const struct csa_text *t)
{
	csa_buf_puts(b, "{\"content\":{\"role\":\"user\",\"parts\":["
	    "{\"text\":");
	add_text(b, e->tasks_in_text ? kinds[kind].before : "",
	    kind == CSA_EMBED_QUERY ? e->config->embedding_query_prefix :
	    e->config->embedding_passage_prefix, t);
	csa_buf_puts(b, "}]}");
	if (!e->tasks_in_text)
		csa_buf_addf(b, ",\"taskType\":\"%s\"", kinds[kind].task);
	csa_buf_addf(b, ",\"outputDimensionality\":%ld,\"model\":",
	    e->dimensions);
	csa_buf_jsonz(b, e->model_id);
	csa_buf_putc(b, '}');
}

static void
body(const struct csa_remote_embedder *e, struct csa_buf *b,
    enum csa_embed_kind kind, const struct csa_text *texts, size_t n)
{
	if (n == 1 && kind == CSA_EMBED_QUERY) {
		add_request(e, b, kind, &texts[0]);
		return;
	}
	csa_buf_puts(b, "{\"requests\":[");
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			csa_buf_putc(b, ',');
		add_request(e, b, kind, &texts[i]);
	}
	csa_buf_puts(b, "]}");
}

static const struct csa_embed_driver driver = {
	.body = body,
	.reply = csa_gemini_embed_reply,
};

struct csa_embedder *
csa_embedder_gemini_open(const struct csa_config *config,
    struct csa_http *http, struct csa_err *err)
{
	struct csa_remote_embedder *e = csa_new(struct csa_remote_embedder);
	const char			*name = config->embedding_model_name;

	if (name[0] == '\0')
		name = DEFAULT_MODEL;
	e->driver = &driver;
	e->config = config;
	e->dimensions = config->embedding_dimensions > 0 ?
	    config->embedding_dimensions : DEFAULT_DIM;
	e->batch = config->embedding_batch < MAX_BATCH ?
	    (size_t)config->embedding_batch : MAX_BATCH;
	if (csa_gemini_remote(&e->remote, config, http, err) == -1 ||
	    (e->model_id = csa_gemini_model(name, err)) == NULL ||
	    csa_remote_embedder_init(e, "gemini",
	    strrchr(e->model_id, '/') + 1, err) == -1) {
		csa_remote_embedder_free(e);
		return NULL;
	}
	e->tasks_in_text = strncmp(e->billed[CSA_EMBED_PASSAGE],
	    "gemini-embedding-2", 18) == 0;
	e->url_one = csa_gemini_url(&e->remote, config, e->model_id,
	    "embedContent");
	e->url_many = csa_gemini_url(&e->remote, config, e->model_id,
	    "batchEmbedContents");
	return &e->embedder;
}
