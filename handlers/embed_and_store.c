/*
 * POST /embed_and_store: store a document's chunks, all of them or none.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/auth.h"
#include "handlers/rag_of.h"
#include "handlers/routes.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/metrics/metrics.h"
#include "lib/text/fields.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

/* A request, checked.  Strings are borrowed from the body or the arena. */
struct store_request {
	const char		*bot, *document;
	const char		*metadata;	/* the document's, JSON or NULL */
	const struct csa_node	*shared;	/* the same, for every chunk */
	const char		*title;		/* the document's, "" for none */
	struct csa_chunk	*chunks;
	size_t			 n;
};

static int
required(int rc, const char *name, struct csa_err *err)
{
	if (rc == 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s is missing", name);
	return rc == 1 ? 0 : -1;
}

/* What the index searches as the title, where the metadata has a usable one. */
static const char *
title_of(const struct csa_node *metadata, const char *otherwise)
{
	const char	*s = csa_node_str(csa_node_get(metadata, "title"));

	return s != NULL ? s : otherwise;
}

/* metadata must name the bot: {"bot_id": "b1", ...}. */
static int
parse_metadata(const struct csa_node *body, const struct csa_config *config,
    struct csa_arena *arena, struct store_request *r, struct csa_err *err)
{
	size_t	 n;

	if (required(csa_field_obj(body, "", "metadata", &r->shared, err),
	    "metadata", err) == -1 ||
	    required(csa_field_str(r->shared, "metadata", "bot_id", &r->bot,
	    &n, err), "metadata.bot_id", err) == -1 ||
	    csa_check_bot("metadata.bot_id", r->bot, n, err) == -1)
		return -1;
	r->title = title_of(r->shared, "");
	return csa_check_metadata(arena, "metadata", r->shared, NULL, "bot_id",
	    (size_t)config->max_metadata_bytes, &r->metadata, err);
}

/* A chunk that is an object: {"id", "text", "metadata"}. */
static int
parse_object(const struct csa_node *o, const char *at,
    const struct csa_config *config, struct csa_arena *arena,
    const struct store_request *r, struct csa_chunk *c, struct csa_err *err)
{
	const struct csa_node	*metadata = NULL;
	char			 name[64];
	size_t			 n;
	int			 rc;

	snprintf(name, sizeof(name), "%s.text", at);
	if (required(csa_field_str(o, at, "text", &c->text, &c->len, err), name,
	    err) == -1)
		return -1;
	if ((rc = csa_field_str(o, at, "id", &c->id, &n, err)) == -1)
		return -1;
	snprintf(name, sizeof(name), "%s.id", at);
	if (rc == 1 && csa_check_id(name, c->id, n, err) == -1)
		return -1;
	if ((rc = csa_field_obj(o, at, "metadata", &metadata, err)) != 1)
		return rc;
	c->title = title_of(metadata, r->title);
	snprintf(name, sizeof(name), "%s.metadata", at);
	return csa_check_metadata(arena, name, r->shared, metadata, "bot_id",
	    (size_t)config->max_metadata_bytes, &c->metadata, err);
}

static int
parse_chunk(const struct csa_node *o, size_t i, const struct csa_config *config,
    struct csa_arena *arena, const struct store_request *r,
    struct csa_chunk *c, struct csa_err *err)
{
	char	 at[48];

	snprintf(at, sizeof(at), "chunks[%zu]", i);
	c->document_id = r->document;
	c->title = r->title;
	c->metadata = r->metadata;
	switch (o->type) {
	case CSA_NODE_STRING:
		c->text = o->s;
		c->len = o->n;
		break;
	case CSA_NODE_OBJECT:
		if (parse_object(o, at, config, arena, r, c, err) == -1)
			return -1;
		break;
	default:
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s must be a string or an object", at);
	}
	if (c->id == NULL)
		c->id = csa_arena_printf(arena, "%s-chunk-%zu", r->document, i);
	return csa_check_text(at, c->text, c->len,
	    (size_t)config->max_chunk_bytes, err);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int
given_twice(const struct store_request *r, const char *id, struct csa_err *err)
{
	size_t	 i = r->n - 1;

	while (strcmp(r->chunks[i].id, id) != 0)
		i--;
	return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "chunks[%zu] has the id of another chunk: %.100s", i, id);
}

static int
unique_ids(struct csa_arena *arena, const struct store_request *r,
    struct csa_err *err)
{
	const char	**ids = csa_arena_array(arena, r->n, const char *);

	for (size_t i = 0; i < r->n; i++)
		ids[i] = r->chunks[i].id;
	qsort(ids, r->n, sizeof(*ids), compare);
	for (size_t i = 1; i < r->n; i++)
		if (strcmp(ids[i - 1], ids[i]) == 0)
			return given_twice(r, ids[i], err);
	return 0;
}

static int
parse_chunks(const struct csa_node *body, const struct csa_config *config,
    struct csa_arena *arena, struct store_request *r, struct csa_err *err)
{
	const struct csa_node	*list, *o;
	size_t			 i = 0;

	if (required(csa_field_arr(body, "", "chunks", &list, err), "chunks",
	    err) == -1)
		return -1;
	r->n = list->n;
	if (r->n < 1 || r->n > (size_t)config->max_chunks)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "chunks has %zu members; it must have 1 to %ld", r->n,
		    config->max_chunks);
	r->chunks = csa_arena_array(arena, r->n, struct csa_chunk);
	for (o = list->first; o != NULL; o = o->next, i++)
		if (parse_chunk(o, i, config, arena, r, &r->chunks[i],
		    err) == -1)
			return -1;
	return unique_ids(arena, r, err);
}

/* Queued storing comes with the job queue; until then it is refused plainly. */
static int
parse_mode(const struct csa_node *body, struct csa_err *err)
{
	const char	*mode, *url;
	size_t		 n;
	int		 rc;

	if ((rc = csa_field_str(body, "", "mode", &mode, &n, err)) == -1 ||
	    csa_field_str(body, "", "callback_url", &url, &n, err) == -1)
		return -1;
	if (rc == 1 && strcmp(mode, "sync") != 0)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "mode must be sync: this version has no queue");
	return 0;
}

static int
parse(const struct csa_node *body, const struct csa_config *config,
    struct csa_arena *arena, struct store_request *r, struct csa_err *err)
{
	size_t	 n;

	memset(r, 0, sizeof(*r));
	if (required(csa_field_str(body, "", "document_id", &r->document, &n,
	    err), "document_id", err) == -1 ||
	    csa_check_id("document_id", r->document, n, err) == -1)
		return -1;
	if (parse_metadata(body, config, arena, r, err) == -1 ||
	    parse_chunks(body, config, arena, r, err) == -1)
		return -1;
	return parse_mode(body, err);
}

static void
reply(struct csa_call *call, const struct store_request *r)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 64u << 20);
	csa_buf_puts(&b, "{\"status\":\"success\",\"document_id\":");
	csa_buf_jsonz(&b, r->document);
	csa_buf_puts(&b, ",\"stored_vector_ids\":[");
	for (size_t i = 0; i < r->n; i++) {
		if (i > 0)
			csa_buf_putc(&b, ',');
		csa_buf_jsonz(&b, r->chunks[i].id);
	}
	csa_buf_addf(&b, "],\"stored_vector_count\":%zu,"
	    "\"error_message\":null,\"request_id\":", r->n);
	csa_buf_jsonz(&b, call->req->ctx.request_id);
	csa_buf_putc(&b, '}');
	(void)csa_resp_send(call->resp, 200, "application/json; charset=utf-8",
	    b.data, b.len);
	csa_buf_fini(&b);
}

static int
store(struct csa_app *app, struct csa_call *call, struct store_request *r,
    struct csa_err *err)
{
	struct csa_rag	 rag = csa_rag_of(app);
	struct csa_scope scope;

	if (csa_authorize_bot(call, r->bot, &scope, err) == -1)
		return -1;
	if (csa_ingest(&rag, &call->req->ctx, &scope, r->document, r->metadata,
	    r->chunks, r->n, err) == -1)
		return -1;
	csa_count(CSA_M_chunks_stored, NULL, r->n);
	reply(call, r);
	return 0;
}

int
csa_handle_embed_and_store(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct store_request	 r;
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*body;
	struct csa_buf		 b;
	int			 rc = -1;

	if ((body = csa_call_fields(app, call, arena, &b, err)) != NULL &&
	    parse(body, app->config, call->req->ctx.arena, &r, err) == 0) {
		csa_buf_fini(&b);
		rc = store(app, call, &r, err);
	}
	csa_arena_free(arena);
	csa_buf_fini(&b);
	return rc;
}
