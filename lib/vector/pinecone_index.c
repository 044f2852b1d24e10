#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/vector/pinecone.h"

/* How soon a question that failed is asked again. */
#define RETRY_HOST_MS	1000
#define RETRY_METRIC_MS	60000

/* How long a request may be held up by a metric that is nice to know. */
#define METRIC_MS	1000

char *
csa_pinecone_address(const char *host)
{
	const char	*scheme = "https://";
	size_t		 n = strlen(host), size;
	char		*s;

	while (n > 0 && host[n - 1] == '/')
		n--;
	if (strncmp(host, "http://", 7) == 0 ||
	    strncmp(host, "https://", 8) == 0)
		scheme = "";
	size = strlen(scheme) + n + 1;
	s = csa_malloc(size);
	snprintf(s, size, "%s%.*s", scheme, (int)n, host);
	return s;
}

/* May a host that the control plane named stand in an address? */
static bool
is_host(const char *s)
{
	size_t	 n = strlen(s);

	return n > 0 && n < 512 && strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz0123456789.-_:/[]") == n;
}

struct csa_pinecone_at
csa_pinecone_at(struct csa_pinecone *p)
{
	struct csa_pinecone_at	 at;

	pthread_mutex_lock(&p->lock);
	at.host = p->host;
	at.metric = p->metric;
	pthread_mutex_unlock(&p->lock);
	return at;
}

/*
 * An index whose address was configured is asked itself, by its statistics: the
 * control plane may be out of reach then.
 */
struct csa_up_call *
csa_pinecone_ask(struct csa_pinecone *p, struct csa_ctx *ctx)
{
	static char	 empty[] = "{}";
	struct csa_buf	 body = { .data = empty, .len = 2 };
	const char	*url;
	bool		 ask;

	pthread_mutex_lock(&p->lock);
	ask = p->metric == CSA_METRIC_UNKNOWN && csa_now_ms() >= p->ask_after;
	/* Others need not ask at the same time, as they can do without. */
	if (ask && p->host != NULL)
		p->ask_after = csa_now_ms() + RETRY_METRIC_MS;
	pthread_mutex_unlock(&p->lock);
	if (!ask)
		return NULL;
	if (!p->host_given)
		return csa_pinecone_start(p, ctx->waiter, "describe",
		    p->describe_url, NULL, ctx->deadline);
	url = csa_arena_printf(ctx->arena, "%s/describe_index_stats", p->host);
	return csa_pinecone_start(p, ctx->waiter, "describe", url, &body,
	    csa_sooner(ctx->deadline, METRIC_MS));
}

/* Keep what the index said of itself. */
static void
keep(struct csa_pinecone *p, const struct csa_index_info *info)
{
	pthread_mutex_lock(&p->lock);
	if (p->host == NULL)
		p->host = csa_pinecone_address(info->host);
	p->metric = info->metric;
	/* It will not say tomorrow what it does not say today. */
	if (p->metric == CSA_METRIC_UNKNOWN && !p->host_given)
		p->metric = CSA_METRIC_COSINE;
	pthread_mutex_unlock(&p->lock);
}

/*
 * Remember a failure of the far end for a moment, so that a crowd does not ask
 * in vain.  A deadline or a client that left says nothing about the far end.
 */
static void
keep_failure(struct csa_pinecone *p, const struct csa_err *err)
{
	if (err->code == CSA_ERR_DEADLINE || err->code == CSA_ERR_CANCELLED)
		return;
	pthread_mutex_lock(&p->lock);
	if (p->host == NULL) {
		p->last_err = *err;
		p->ask_after = csa_now_ms() + RETRY_HOST_MS;
	} else if (err->code == CSA_ERR_PROVIDER_ERROR) {
		/* It does not know the question: never ask it again. */
		p->metric = CSA_METRIC_COSINE;
	}
	pthread_mutex_unlock(&p->lock);
}

static int
learn(struct csa_pinecone *p, struct csa_ctx *ctx, struct csa_up_call *call,
    struct csa_err *err)
{
	struct csa_index_info	 info;
	const char		*s;
	size_t			 len;
	int			 rc = csa_pinecone_wait(call, &s, &len, err);

	if (rc == -1)
		return -1;
	if (rc == 1 || csa_pinecone_index(ctx->arena, s, len, &info) == -1 ||
	    (!p->host_given && (info.host == NULL || !is_host(info.host)))) {
		csa_fail(err, CSA_ERR_PROVIDER_ERROR, CSA_SRC_PINECONE, NULL);
		return csa_fail_detail(err, "pinecone: the description of the "
		    "index does not say where it is");
	}
	keep(p, &info);
	return 0;
}

int
csa_pinecone_learn(struct csa_pinecone *p, struct csa_ctx *ctx,
    struct csa_up_call *call, struct csa_pinecone_at *at,
    struct csa_err *err)
{
	struct csa_err	 why = { .code = CSA_OK };

	if (call != NULL && learn(p, ctx, call, &why) == -1)
		keep_failure(p, &why);
	csa_up_end(call);
	*at = csa_pinecone_at(p);
	if (at->host != NULL)
		return 0;
	if (why.code == CSA_OK) {
		pthread_mutex_lock(&p->lock);
		why = p->last_err;
		pthread_mutex_unlock(&p->lock);
	}
	*err = why;
	return -1;
}
