/*
 * POST /v1/embeddings: the OpenAI API's embeddings, by the configured model.
 */
#include "config.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "handlers/routes.h"
#include "handlers/validate.h"
#include "lib/base/arena.h"
#include "lib/config/config.h"
#include "lib/provider/provider.h"
#include "lib/text/base64.h"
#include "lib/text/fields.h"
#include "lib/text/utf8.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

#define INPUTS_MAX	2048
#define DIMENSIONS_MAX	20000		/* as embedding_dimensions */
#define PIECE		65536		/* of the reply, written at a time */

struct embed_request {
	struct csa_text	*texts;
	size_t		 n, bytes;
	int64_t		 dimensions;	/* 0: not said */
	enum csa_embed_kind kind;
	bool		 base64;
};

static int
missing(const char *name, struct csa_err *err)
{
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "%s is missing", name);
}

/* ---- the request ---- */

static int
check_model(const struct csa_node *body, const struct csa_app *app,
    struct csa_err *err)
{
	const char	*s;
	size_t		 n;
	int		 rc;

	if ((rc = csa_field_str(body, "", "model", &s, &n, err)) != 1)
		return rc == 0 ? missing("model", err) : -1;
	if (app->embedder == NULL)
		return csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE,
		    CSA_SRC_AGENT, "no embedding model is configured here");
	if (strcmp(s, app->config->embedding_model_name) == 0)
		return 0;
	return csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT,
	    "model: there is no %.100s here, only %.100s", s,
	    app->config->embedding_model_name);
}

static int
add_text(const struct csa_node *o, const char *at,
    const struct csa_config *config, struct csa_arena *arena,
    struct embed_request *r, struct csa_err *err)
{
	struct csa_text	*t = &r->texts[r->n];

	if (o->type != CSA_NODE_STRING)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s must be a string; tokens are not taken, their "
		    "vocabulary is not known here", at);
	t->s = o->s;
	t->n = o->n;
	if (csa_check_text(at, t->s, t->n, (size_t)config->max_chunk_bytes,
	    err) == -1)
		return -1;
	t->s = csa_arena_strndup(arena, t->s, t->n);
	r->bytes += t->n;
	r->n++;
	return 0;
}

static int
parse_input(const struct csa_node *body, const struct csa_config *config,
    struct csa_arena *arena, struct embed_request *r, struct csa_err *err)
{
	const struct csa_node	*o = csa_node_get(body, "input");
	char			 at[32];
	size_t			 n, i = 0;

	if (o == NULL)
		return missing("input", err);
	if (o->type != CSA_NODE_ARRAY) {
		r->texts = csa_arena_array(arena, 1, struct csa_text);
		return add_text(o, "input", config, arena, r, err);
	}
	n = o->n;
	if (n < 1 || n > INPUTS_MAX)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "input has %zu texts; 1 to %d are taken", n, INPUTS_MAX);
	r->texts = csa_arena_array(arena, n, struct csa_text);
	for (o = o->first; o != NULL; o = o->next) {
		snprintf(at, sizeof(at), "input[%zu]", i++);
		if (add_text(o, at, config, arena, r, err) == -1)
			return -1;
	}
	return 0;
}

/* One of two names: *second tells which.  As it was where it is absent. */
static int
parse_choice(const struct csa_node *body, const char *name, const char *a,
    const char *b, bool *second, struct csa_err *err)
{
	const char	*s;
	size_t		 n;
	int		 rc;

	if ((rc = csa_field_str(body, "", name, &s, &n, err)) != 1)
		return rc;
	if (strcmp(s, a) != 0 && strcmp(s, b) != 0)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "%s must be %s or %s", name, a, b);
	*second = strcmp(s, b) == 0;
	return 0;
}

static int
wrong_dimensions(int64_t have, struct csa_err *err)
{
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "dimensions must be %lld, which is what this service's vectors "
	    "have", (long long)have);
}

static int
parse(const struct csa_node *body, const struct csa_app *app,
    struct csa_arena *arena, struct embed_request *r, struct csa_err *err)
{
	const struct csa_config	*config = app->config;
	bool			 query = false;

	memset(r, 0, sizeof(*r));
	if (check_model(body, app, err) == -1 ||
	    parse_choice(body, "encoding_format", "float", "base64",
	    &r->base64, err) == -1 ||
	    parse_choice(body, "input_type", "passage", "query", &query,
	    err) == -1 ||
	    csa_field_int(body, "", "dimensions", 1, DIMENSIONS_MAX,
	    &r->dimensions, err) == -1)
		return -1;
	r->kind = query ? CSA_EMBED_QUERY : CSA_EMBED_PASSAGE;
	if (r->dimensions > 0 && config->embedding_dimensions > 0 &&
	    r->dimensions != config->embedding_dimensions)
		return wrong_dimensions(config->embedding_dimensions, err);
	return parse_input(body, config, arena, r, err);
}

/* ---- the reply ---- */

/* The floats' bytes, little-endian whatever this machine is. */
static void
add_base64(struct csa_buf *b, struct csa_arena *arena, struct csa_vec *v)
{
	const float	*f = csa_vec_floats(arena, v, 0);
	uint32_t	*bits = csa_arena_array(arena, v->dim, uint32_t);

	memcpy(bits, f, v->dim * sizeof(*bits));
	for (size_t i = 0; i < v->dim; i++)
		bits[i] = htole32(bits[i]);
	csa_buf_putc(b, '"');
	csa_base64_encode(b, bits, v->dim * sizeof(*bits));
	csa_buf_putc(b, '"');
}

/* 2,048 vectors as text are some 80 MB: they are written as they are made. */
static int
flush(struct csa_call *call, struct csa_buf *b, size_t least)
{
	int	 rc = 0;

	if (b->len >= least)
		rc = csa_resp_write(call->resp, b->data, b->len);
	if (b->len >= least)
		csa_buf_reset(b);
	return rc;
}

static void
add_tail(struct csa_buf *b, const struct csa_app *app,
    const struct embed_request *r)
{
	size_t	 tokens = 0;

	for (size_t i = 0; i < r->n; i++)
		tokens += csa_tokens_estimate(r->texts[i].s, r->texts[i].n);
	csa_buf_puts(b, "],\"model\":");
	csa_buf_jsonz(b, app->config->embedding_model_name);
	csa_buf_addf(b, ",\"usage\":{\"prompt_tokens\":%zu,"
	    "\"total_tokens\":%zu}}", tokens, tokens);
}

static void
reply(struct csa_app *app, struct csa_call *call,
    const struct embed_request *r, struct csa_vec *vecs)
{
	struct csa_arena	*arena = call->req->ctx.arena;
	struct csa_buf		 b;
	int			 rc;

	csa_buf_init(&b, 4u << 20);
	csa_buf_puts(&b, "{\"object\":\"list\",\"data\":[");
	rc = csa_resp_begin(call->resp, 200, "application/json; charset=utf-8",
	    -1);
	for (size_t i = 0; i < r->n && rc == 0; i++) {
		csa_buf_addf(&b, "%s{\"object\":\"embedding\",\"index\":%zu,"
		    "\"embedding\":", i > 0 ? "," : "", i);
		if (r->base64)
			add_base64(&b, arena, &vecs[i]);
		else
			csa_vec_json(&b, &vecs[i]);
		csa_buf_putc(&b, '}');
		rc = flush(call, &b, PIECE);
	}
	add_tail(&b, app, r);
	if (rc == 0)
		(void)csa_resp_end(call->resp, b.data, b.len);
	csa_buf_fini(&b);
}

static int
embed(struct csa_app *app, struct csa_call *call, const struct embed_request *r,
    struct csa_err *err)
{
	struct csa_embedder	*e = app->embedder;
	struct csa_embed_job	*job;
	struct csa_vec		*vecs;
	int			 rc;

	vecs = csa_arena_array(call->req->ctx.arena, r->n, struct csa_vec);
	call->phase = "embed";
	job = e->ops->start(e, &call->req->ctx, r->kind, r->texts, r->n);
	rc = e->ops->finish(job, vecs, err);
	/* Where the operator has not said how many, only now is it known. */
	if (rc == 0 && r->dimensions > 0 &&
	    (size_t)r->dimensions != vecs[0].dim)
		rc = wrong_dimensions((int64_t)vecs[0].dim, err);
	if (rc == 0) {
		call->phase = "write";
		reply(app, call, r, vecs);
	}
	e->ops->end(job);
	return rc;
}

int
csa_handle_v1_embeddings(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct embed_request	 r;
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*body;
	struct csa_buf		 b;
	int			 rc = -1;

	if ((body = csa_call_fields(app, call, arena, &b, err)) != NULL)
		rc = parse(body, app, call->req->ctx.arena, &r, err);
	csa_arena_free(arena);
	csa_buf_fini(&b);
	return rc == 0 ? embed(app, call, &r, err) : -1;
}
