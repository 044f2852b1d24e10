#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/vector/pinecone.h"

#define MAX_REPLY	(8u << 20)	/* a result may have 4 MB */
#define MAX_QUERY	(1u << 20)
#define MAX_TOP_K	10000

/* What a query takes as a rule: a number, and all but the numbers. */
#define NUMBER_ROOM	13
#define QUERY_ROOM	256

/* A text that others stored may be as large as their metadata. */
#define MIN_MAX_TEXT	40960

struct csa_vec_query {
	struct csa_pinecone	*p;
	struct csa_ctx		*ctx;
	const char		*bot, *ns;
	size_t			 k;
	struct csa_buf		 body;
	struct csa_up_call	*ask;		/* where is the index? */
	struct csa_up_call	*call;
};

struct csa_up_call *
csa_pinecone_start(struct csa_pinecone *p, struct csa_waiter *waiter,
    const char *operation, const char *url, const struct csa_buf *body,
    int64_t deadline)
{
	const char	*header[CSA_PINECONE_HEADERS];
	struct csa_up_req req = {
		.operation = operation,
		.method = body != NULL ? "POST" : "GET",
		.url = url,
		.headers = header,
		.nheaders = p->nheaders,
		.body = body != NULL ? body->data : NULL,
		.len = body != NULL ? body->len : 0,
		.max_reply = MAX_REPLY,
		.deadline = deadline,
		.hedge = strcmp(operation, "query") == 0,
	};

	for (size_t i = 0; i < p->nheaders; i++)
		header[i] = p->header[i];
	return csa_up_start(p->up, waiter, &req);
}

int
csa_pinecone_wait(struct csa_up_call *call, const char **s, size_t *len,
    struct csa_err *err)
{
	char	 text[160];
	bool	 missing;
	int	 status;

	if (csa_up_wait(call, err) == -1)
		return -1;
	status = csa_up_status(call);
	*s = csa_up_body(call, len);
	if (status >= 200 && status <= 299)
		return 0;
	missing = csa_pinecone_error(*s, *len, csa_up_key(call), text,
	    sizeof(text));
	if (status == 404 && missing)
		return 1;
	csa_up_status_error(call, err);
	return csa_fail_detail(err, "pinecone: status %d: %s", status, text);
}

/*
 * A tenant's bots have namespaces of their own, so that nobody's bot name
 * leads to another's vectors.
 */
const char *
csa_pinecone_namespace(struct csa_arena *arena, const struct csa_scope *scope)
{
	if (scope->tenant == NULL || scope->tenant[0] == '\0')
		return csa_arena_strdup(arena, scope->bot);
	return csa_arena_printf(arena, "%s.%s", scope->tenant, scope->bot);
}

void
csa_pinecone_values(struct csa_arena *arena, struct csa_buf *b,
    const struct csa_vec *vec, enum csa_metric metric)
{
	struct csa_vec	 copy = *vec;
	const float	*f = NULL;

	if (metric == CSA_METRIC_DOTPRODUCT)
		f = csa_vec_floats(arena, &copy, 1);
	if (f != NULL)
		csa_numarr_write(b, f, vec->dim);
	else
		csa_vec_json(b, vec);
}

static void
send_query(struct csa_vec_query *q, const char *host)
{
	q->call = csa_pinecone_start(q->p, q->ctx->waiter, "query",
	    csa_arena_printf(q->ctx->arena, "%s/query", host), &q->body,
	    q->ctx->deadline);
}

/*
 * The numbers go on as the embedder wrote them; only a dotproduct index needs
 * them scaled.  For a question even there it is no more than a matter of
 * score: while the metric is not known yet, the order is right all the same.
 */
static void
write_query(struct csa_vec_query *q, const struct csa_vec *vec,
    enum csa_metric metric)
{
	struct csa_buf	*b = &q->body;

	csa_buf_init(b, MAX_QUERY);
	(void)csa_buf_reserve(b, QUERY_ROOM + vec->dim * NUMBER_ROOM);
	csa_buf_puts(b, "{\"namespace\":");
	csa_buf_jsonz(b, q->ns);
	csa_buf_addf(b, ",\"topK\":%zu,\"includeMetadata\":true,\"vector\":",
	    q->k);
	csa_pinecone_values(q->ctx->arena, b, vec, metric);
	csa_buf_putc(b, '}');
}

static struct csa_vec_query *
query(struct csa_vectors *vectors, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_vec *vec, size_t k)
{
	struct csa_vec_query	*q = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*q));
	struct csa_pinecone_at	 at;

	q->p = (struct csa_pinecone *)vectors;
	q->ctx = ctx;
	q->bot = scope->bot;
	q->ns = csa_pinecone_namespace(ctx->arena, scope);
	q->k = k < 1 ? 1 : k > MAX_TOP_K ? MAX_TOP_K : k;
	q->ask = csa_pinecone_ask(q->p, ctx);
	at = csa_pinecone_at(q->p);
	write_query(q, vec, at.metric);
	if (at.host != NULL && !q->body.failed)
		send_query(q, at.host);
	return q;
}

static void
cancel(struct csa_vec_query *q)
{
	if (q == NULL)
		return;
	csa_up_end(q->ask);
	csa_up_end(q->call);
	csa_buf_fini(&q->body);
	q->ask = q->call = NULL;
}

/* Read the matches; others' are a fault to be told, and nothing more. */
static int
read_reply(struct csa_vec_query *q, enum csa_metric metric, const char *s,
    size_t len, struct csa_vec_hit **hits, size_t *n, struct csa_err *err)
{
	struct csa_match_want	 want = {
		.arena = q->ctx->arena, .ns = q->ns, .bot = q->bot, .k = q->k,
		.max_text = q->p->max_text, .metric = metric,
	};
	const char		*why;
	size_t			 dropped;

	if (csa_pinecone_matches(&want, s, len, hits, n, &dropped, &why) ==
	    -1) {
		csa_fail(err, CSA_ERR_PROVIDER_ERROR, CSA_SRC_PINECONE, NULL);
		return csa_fail_detail(err, "pinecone: query: %s", why);
	}
	if (dropped > 0)
		csa_error("pinecone answered with %zu matches of another "
		    "namespace or bot, dropped", dropped);
	return 0;
}

static int
finish_query(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	struct csa_pinecone_at	 at;
	struct csa_up_call	*ask = q->ask;
	const char		*s;
	size_t			 len;
	int			 rc;

	if (q->body.failed)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the question's vector is too large");
	if (q->call == NULL) {
		q->ask = NULL;
		if (csa_pinecone_learn(q->p, q->ctx, ask, &at, err) == -1)
			return -1;
		send_query(q, at.host);
	}
	if ((rc = csa_pinecone_wait(q->call, &s, &len, err)) == -1)
		return -1;
	if (rc == 1)
		return 0;		/* no such namespace: no hits */
	ask = q->ask;
	q->ask = NULL;
	(void)csa_pinecone_learn(q->p, q->ctx, ask, &at, err);
	return read_reply(q, at.metric, s, len, hits, n, err);
}

static int
finish(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	int	 rc;

	*hits = NULL;
	*n = 0;
	rc = finish_query(q, hits, n, err);
	cancel(q);
	return rc;
}

static int
probe(struct csa_vectors *vectors, long ms)
{
	struct csa_pinecone	*p = (struct csa_pinecone *)vectors;
	struct csa_pinecone_at	 at = csa_pinecone_at(p);

	return csa_http_probe(at.host != NULL ? at.host : p->describe_url, ms);
}

static void
close_vectors(struct csa_vectors *vectors)
{
	struct csa_pinecone	*p = (struct csa_pinecone *)vectors;

	if (p == NULL)
		return;
	for (size_t i = 0; i < p->nheaders; i++)
		free(p->header[i]);
	csa_upstream_close(p->up);
	free(p->describe_url);
	free(p->host);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static const struct csa_vectors_ops ops = {
	.query = query,
	.finish = finish,
	.cancel = cancel,
	.put = csa_pinecone_put,
	.del = csa_pinecone_del,
	.probe = probe,
	.close = close_vectors,
};

static bool
is_plain(const char *s)
{
	return csa_up_plain(s, strlen(s));
}

static char *
header(const char *name, const char *value)
{
	size_t	 size = strlen(name) + strlen(value) + 3;
	char	*s = csa_malloc(size);

	snprintf(s, size, "%s: %s", name, value);
	return s;
}

static char *
describe_url(const struct csa_config *config)
{
	char	*base = csa_pinecone_address(config->pinecone_controller_host);
	size_t	 size;
	char	*s;

	size = strlen(base) + strlen(config->pinecone_index_name) + 10;
	s = csa_malloc(size);
	snprintf(s, size, "%s/indexes/%s", base, config->pinecone_index_name);
	free(base);
	return s;
}

/* The control plane and the index have other operations, so other breakers. */
static int
open_upstream(struct csa_pinecone *p, const struct csa_config *config,
    struct csa_err *err)
{
	struct csa_upstream_opts o = { .source = CSA_SRC_PINECONE,
		.base = p->host_given ? p->host : p->describe_url,
		.auth = "Api-Key: ", .keys = config->pinecone_api_key };

	p->up = csa_upstream_open(config, p->http, &o, err);
	return p->up != NULL ? 0 : -1;
}

struct csa_vectors *
csa_vectors_pinecone_open(const struct csa_config *config,
    struct csa_http *http, struct csa_err *err)
{
	struct csa_pinecone	*p;

	if (!is_plain(config->pinecone_index_host) ||
	    !is_plain(config->pinecone_controller_host) ||
	    !is_plain(config->pinecone_index_name) ||
	    strpbrk(config->pinecone_index_name, "/?#%.") != NULL) {
		csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT, "the index or "
		    "an address configured for Pinecone has a character that "
		    "cannot be there");
		return NULL;
	}
	if (config->pinecone_index_host[0] == '\0' &&
	    config->pinecone_index_name[0] == '\0') {
		csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "Pinecone needs pinecone_index_name or "
		    "pinecone_index_host");
		return NULL;
	}
	p = csa_new(struct csa_pinecone);
	p->vectors = (struct csa_vectors){ &ops, "pinecone", true };
	p->http = http;
	p->header[p->nheaders++] = header("Content-Type", "application/json");
	p->header[p->nheaders++] = header("X-Pinecone-Api-Version",
	    config->pinecone_api_version);
	p->max_text = config->max_chunk_bytes > MIN_MAX_TEXT ?
	    (size_t)config->max_chunk_bytes : MIN_MAX_TEXT;
	p->describe_url = describe_url(config);
	p->host_given = config->pinecone_index_host[0] != '\0';
	if (p->host_given)
		p->host = csa_pinecone_address(config->pinecone_index_host);
	CSA_MUST(pthread_mutex_init(&p->lock, NULL) == 0);
	if (open_upstream(p, config, err) == 0)
		return &p->vectors;
	close_vectors(&p->vectors);
	return NULL;
}
