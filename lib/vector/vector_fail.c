#include "config.h"

#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/vector/vector.h"

struct csa_vec_query {
	int	 unused;
};

static struct csa_vec_query *
query(struct csa_vectors *v, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_vec *vec, size_t k)
{
	(void)v, (void)scope, (void)vec, (void)k;
	return csa_arena_array(ctx->arena, 1, struct csa_vec_query);
}

static int
refuse(struct csa_err *err)
{
	csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE, CSA_SRC_AGENT, NULL);
	return csa_fail_detail(err, "this index always fails");
}

static int
finish(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	(void)q;
	*hits = NULL;
	*n = 0;
	return refuse(err);
}

static void
cancel(struct csa_vec_query *q)
{
	(void)q;
}

static int
put(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const char *document_id, const struct csa_chunk *chunks,
    const struct csa_vec *vecs, size_t n, const struct csa_ids *old,
    struct csa_err *err)
{
	(void)v, (void)ctx, (void)scope, (void)document_id, (void)chunks;
	(void)vecs, (void)n, (void)old;
	return refuse(err);
}

static int
del(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const struct csa_ids *ids, struct csa_err *err)
{
	(void)v, (void)ctx, (void)scope, (void)ids;
	return refuse(err);
}

static int
probe(struct csa_vectors *v, long ms)
{
	(void)v;
	(void)ms;
	return -1;
}

static void
close_fail(struct csa_vectors *v)
{
	free(v);
}

static const struct csa_vectors_ops ops = {
	.query = query,
	.finish = finish,
	.cancel = cancel,
	.put = put,
	.del = del,
	.probe = probe,
	.close = close_fail,
};

struct csa_vectors *
csa_vectors_fail_open(void)
{
	struct csa_vectors	*v = csa_new(struct csa_vectors);

	v->ops = &ops;
	v->name = "fail";
	v->remote = true;
	return v;
}
