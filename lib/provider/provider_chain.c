#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/chain.h"
#include "lib/provider/prices.h"

/* What quotes are left of the time: a tenth, but no more than this. */
#define QUOTES_MS	500

struct chain {
	struct csa_model	 model;		/* must be first */
	struct csa_link		*links;
	size_t			 n;
	struct csa_prices	*prices;
};

bool
csa_provider_failed(const struct csa_err *err)
{
	switch (err->code) {
	case CSA_ERR_PROVIDER_ERROR:
	case CSA_ERR_PROVIDER_FAULT:
	case CSA_ERR_PROVIDER_BUSY:
	case CSA_ERR_PROVIDER_UNAVAILABLE:
	case CSA_ERR_DEADLINE:
		return true;
	default:
		return false;
	}
}

static bool
quotes(const struct csa_link *l)
{
	return strcmp(l->model->name, "extractive") == 0;
}

/* What a link is called in metrics and in the log. */
static const char *
label(const struct csa_link *l)
{
	return l->ask != NULL ? l->ask : l->model->model;
}

/* Who wants the text, if there was any, and until when writers may take. */
struct tap {
	int	(*delta)(void *, const char *, size_t);
	void	*arg;
	bool	 given;
	int64_t	 until;
};

static int
pass(void *arg, const char *s, size_t n)
{
	struct tap	*t = arg;

	t->given = true;
	return t->delta(t->arg, s, n);
}

/*
 * The next link worth asking after i, or n.  The same model again is not, nor a
 * writer who has no time.
 */
static size_t
next(const struct chain *c, size_t i, const struct csa_chat_req *req,
    int64_t until)
{
	const struct csa_link	*first = &c->links[0];
	const char		*asked = req->model;

	if (asked == NULL || asked[0] == '\0')
		asked = label(first);
	for (i++; i < c->n; i++)
		if (quotes(&c->links[i]) || (csa_left_ms(until) > 0 &&
		    (c->links[i].model != first->model ||
		    strcmp(label(&c->links[i]), asked) != 0)))
			break;
	return i;
}

/* Until when writers may take: what quotes need is kept back once, for all. */
static int64_t
writers_until(const struct csa_ctx *ctx)
{
	int64_t	 spare = csa_left_ms(ctx->deadline) / 10;

	return ctx->deadline - (spare < QUOTES_MS ? spare : QUOTES_MS);
}

/* Until when link i may take; see chain.h. */
static int64_t
deadline(const struct chain *c, size_t i, const struct csa_ctx *ctx,
    const struct csa_chat_req *req, const struct tap *tap)
{
	size_t	 to = next(c, i, req, tap->until);

	if (!req->may_degrade || to == c->n)
		return ctx->deadline;
	if (!quotes(&c->links[to]) && tap->delta == NULL)
		return tap->until - csa_left_ms(tap->until) / 3;
	return tap->until;
}

/* Ask link i alone. */
static int
ask(const struct chain *c, size_t i, struct csa_ctx *ctx,
    const struct csa_chat_req *req, struct tap *tap,
    struct csa_chat_res *res, struct csa_err *err)
{
	const struct csa_link	*l = &c->links[i];
	struct csa_ctx		 own = *ctx;
	struct csa_chat_req	 its = *req;
	int			 rc;

	own.deadline = deadline(c, i, ctx, req, tap);
	/* The first is asked for the model that the request names, if any. */
	if (i > 0)
		its.model = l->ask;
	/* A call that failed may not have set anything. */
	memset(res, 0, sizeof(*res));
	rc = l->model->ops->generate(l->model, &own, &its,
	    tap->delta != NULL ? pass : NULL, tap, res, err);
	csa_prices_settle(c->prices, res);
	res->provider = l->model->name;
	return rc;
}

/* May link i's failure be mended by another? */
static bool
may_go_on(size_t i, const struct csa_ctx *ctx, const struct csa_chat_req *req,
    const struct tap *tap, const struct csa_err *err)
{
	if (!req->may_degrade || tap->given || csa_left_ms(ctx->deadline) == 0)
		return false;
	/* The names of other models are the operator's, not the client's. */
	return csa_provider_failed(err) ||
	    (i > 0 && err->code == CSA_ERR_INVALID_VALUE);
}

static bool
gone(const struct csa_ctx *ctx)
{
	return ctx->waiter != NULL && csa_waiter_gone(ctx->waiter);
}

static void
note(const struct csa_link *from, const struct csa_link *to,
    const struct csa_err *err)
{
	const char	*code = csa_errinfo(err->code)->code;
	char		 labels[512];

	snprintf(labels, sizeof(labels), "%.200s|%.200s|%s", label(from),
	    label(to), code);
	csa_count(CSA_M_fallbacks, labels, 1);
	csa_warn("%.100s did not answer, %.100s is asked instead: %s: %s%s%s",
	    label(from), label(to), code, err->msg,
	    err->detail[0] != '\0' ? ": " : "", err->detail);
}

static int
generate(struct csa_model *model, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	const struct chain	*c = (const struct chain *)model;
	struct tap		 tap = {
		.delta = delta, .arg = arg, .until = writers_until(ctx)
	};
	struct csa_err		 e;
	double			 spent = 0;
	size_t			 i = 0, to;

	while (ask(c, i, ctx, req, &tap, res, &e) == -1) {
		spent += res->cost_usd;
		res->cost_usd = spent;
		/* Of those who could not answer, the first counts. */
		if (i == 0 || tap.given || e.code == CSA_ERR_CANCELLED ||
		    e.code == CSA_ERR_OVERLOADED)
			*err = e;
		if (!may_go_on(i, ctx, req, &tap, &e) ||
		    (to = next(c, i, req, tap.until)) == c->n)
			return -1;
		if (gone(ctx))
			return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT,
			    NULL);
		note(&c->links[i], &c->links[to], &e);
		i = to;
	}
	res->cost_usd += spent;
	if (i > 0)
		res->degraded = "model_unavailable";
	return 0;
}

static int
probe(struct csa_model *model, long ms)
{
	struct csa_model	*m = ((struct chain *)model)->links[0].model;

	return m->ops->probe(m, ms);
}

/* Did a link before i close this one's model already? */
static bool
closed(const struct chain *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (c->links[k].model == c->links[i].model)
			return true;
	return false;
}

static void
close_model(struct csa_model *model)
{
	struct chain	*c = (struct chain *)model;

	for (size_t i = c->n; i-- > 0;) {
		free((char *)(uintptr_t)c->links[i].ask);
		if (!closed(c, i))
			c->links[i].model->ops->close(c->links[i].model);
	}
	free(c->links);
	csa_prices_free(c->prices);
	free(c);
}

static const struct csa_model_ops ops = {
	.generate = generate,
	.probe = probe,
	.close = close_model,
};

struct csa_model *
csa_model_chain_new(const struct csa_link *links, size_t n,
    struct csa_prices *prices)
{
	struct chain	*c = csa_new(struct chain);

	CSA_MUST(n > 0);
	c->links = csa_new_array(n, struct csa_link);
	for (size_t i = 0; i < n; i++) {
		c->links[i].model = links[i].model;
		if (links[i].ask != NULL)
			c->links[i].ask = csa_strdup(links[i].ask);
	}
	c->n = n;
	c->prices = prices;
	c->model.ops = &ops;
	c->model.name = links[0].model->name;
	c->model.model = links[0].model->model;
	return &c->model;
}
