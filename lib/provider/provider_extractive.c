#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/provider/quote.h"
#include "lib/text/utf8.h"

/* A "sentence" without an end, say a table, is quoted up to here. */
#define MAX_QUOTE	1000

struct extractive {
	struct csa_model	 model;		/* must be first */
	double			 threshold;
};

/* Cut between words if there is one to cut at. */
static size_t
cut(const char *s, size_t len)
{
	size_t	 n, at;

	if (len <= MAX_QUOTE)
		return len;
	n = csa_utf8_cut(s, len, MAX_QUOTE);
	for (at = n; at > n / 2; at--)
		if (s[at] == ' ' || s[at] == '\n')
			return at;
	return n;
}

/*
 * In reading order: passages as their best sentence ranks, and within a
 * passage as the sentences stand in it.
 */
static void
order(struct csa_quotes *q)
{
	struct csa_quote	 t;
	size_t			 rank[CSA_QUOTES];

	for (size_t i = 0; i < q->n; i++)
		for (rank[i] = 0; q->q[rank[i]].passage != q->q[i].passage;
		    rank[i]++)
			;
	for (size_t i = 1; i < q->n; i++)
		for (size_t k = i; k > 0 && (rank[k] < rank[k - 1] ||
		    (rank[k] == rank[k - 1] && q->q[k].s < q->q[k - 1].s));
		    k--) {
			size_t	 r = rank[k];

			t = q->q[k];
			q->q[k] = q->q[k - 1];
			rank[k] = rank[k - 1];
			q->q[k - 1] = t;
			rank[k - 1] = r;
		}
}

/* Where the sentences of an answer end: what is given out at a time. */
struct ends {
	size_t	 at[CSA_QUOTES + 1];
	size_t	 n;
};

static void
write_quotes(struct csa_buf *b, struct csa_quotes *q, struct ends *ends)
{
	order(q);
	for (size_t i = 0; i < q->n; i++) {
		if (i > 0)
			csa_buf_puts(b, q->q[i].passage ==
			    q->q[i - 1].passage ? " " : "\n\n");
		csa_buf_add(b, q->q[i].s, cut(q->q[i].s, q->q[i].len));
		csa_buf_addf(b, " [%zu]", q->q[i].passage + 1);
		ends->at[ends->n++] = b->len;
	}
}

static void
write_unknown(struct csa_buf *b, const struct csa_quotes *q, struct ends *ends)
{
	csa_buf_puts(b, "I don't know: I found nothing about this in the "
	    "documents.");
	ends->at[ends->n++] = b->len;
	if (q->missing[0] == '\0')
		return;
	csa_buf_addf(b, " Not found in them: %s.", q->missing);
	ends->at[ends->n++] = b->len;
}

static int
give(const struct csa_chat_res *res, const struct ends *ends,
    int (*delta)(void *, const char *, size_t), void *arg, struct csa_err *err)
{
	size_t	 from = 0;

	for (size_t i = 0; i < ends->n; from = ends->at[i++])
		if (delta(arg, res->text + from, ends->at[i] - from) == -1)
			return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT,
			    NULL);
	return 0;
}

static int
generate(struct csa_model *model, struct csa_ctx *ctx,
    const struct csa_chat_req *req,
    int (*delta)(void *, const char *, size_t), void *arg,
    struct csa_chat_res *res, struct csa_err *err)
{
	const struct extractive	*e = (const struct extractive *)model;
	struct csa_quotes	 q;
	struct csa_buf		 b;
	struct ends		 ends = { .n = 0 };

	memset(res, 0, sizeof(*res));
	csa_quote(ctx->arena, req->question, req->passages, req->npassages,
	    req->text, &q);
	res->unknown = q.n == 0 || q.confidence < e->threshold;
	csa_buf_init(&b, 1u << 20);
	if (res->unknown)
		write_unknown(&b, &q, &ends);
	else
		write_quotes(&b, &q, &ends);
	CSA_MUST(!b.failed);
	res->text = csa_arena_strndup(ctx->arena, b.data, b.len);
	res->len = b.len;
	csa_buf_fini(&b);
	res->finish = CSA_FINISH_STOP;
	res->model = "extractive";
	return delta != NULL ? give(res, &ends, delta, arg, err) : 0;
}

static int
probe(struct csa_model *model, long ms)
{
	(void)model;
	(void)ms;
	return 0;
}

static void
close_model(struct csa_model *model)
{
	free(model);
}

static const struct csa_model_ops ops = {
	.generate = generate,
	.probe = probe,
	.close = close_model,
};

struct csa_model *
csa_model_extractive_open(const struct csa_config *config)
{
	struct extractive	*e = csa_new(struct extractive);

	e->model.ops = &ops;
	e->model.name = e->model.model = "extractive";
	e->threshold = config->answer_threshold;
	return &e->model;
}
