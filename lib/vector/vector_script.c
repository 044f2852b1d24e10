#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/vector/vector_script.h"

struct script_vectors {
	struct csa_vectors	 vectors;	/* must be first */
	struct csa_vectors_script *s;
};

struct csa_vec_query {
	struct csa_vectors_script *s;
	struct csa_ctx		*ctx;
	size_t			 k;
};

static struct csa_vectors_script *
script(struct csa_vectors *v)
{
	return ((struct script_vectors *)v)->s;
}

static int
fails(struct csa_vectors_script *s, struct csa_err *err)
{
	if (++s->calls != s->fail_at)
		return 0;
	return csa_fail(err, CSA_ERR_PROVIDER_UNAVAILABLE, CSA_SRC_AGENT, NULL);
}

static struct csa_vec_query *
query(struct csa_vectors *v, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_vec *vec, size_t k)
{
	struct csa_vec_query	*q = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*q));

	(void)scope;
	(void)vec;
	q->s = script(v);
	q->ctx = ctx;
	q->k = k;
	q->s->queries++;
	return q;
}

static int
finish(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	*hits = NULL;
	*n = 0;
	if (fails(q->s, err) == -1)
		return -1;
	*n = q->s->nhits < q->k ? q->s->nhits : q->k;
	*hits = csa_arena_array(q->ctx->arena, *n + 1, struct csa_vec_hit);
	if (*n > 0)
		memcpy(*hits, q->s->hits, *n * sizeof(**hits));
	return 0;
}

static void
cancel(struct csa_vec_query *q)
{
	q->s->cancelled++;
}

static int
put(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const char *document_id, const struct csa_chunk *chunks,
    const struct csa_vec *vecs, size_t n, const struct csa_ids *old,
    struct csa_err *err)
{
	struct csa_vectors_script	*s = script(v);

	(void)ctx;
	(void)scope;
	(void)document_id;
	(void)chunks;
	(void)vecs;
	(void)old;
	if (fails(s, err) == -1)
		return -1;
	s->puts++;
	s->last_put = n;
	return 0;
}

static int
del(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const struct csa_ids *ids, struct csa_err *err)
{
	struct csa_vectors_script	*s = script(v);
	size_t				 used = 0;

	(void)ctx;
	(void)scope;
	if (fails(s, err) == -1)
		return -1;
	s->dels++;
	s->last_del[0] = '\0';
	for (size_t i = 0; i < ids->n && used < sizeof(s->last_del); i++)
		used += (size_t)snprintf(s->last_del + used,
		    sizeof(s->last_del) - used, "%s ", ids->id[i]);
	return 0;
}

static int
probe(struct csa_vectors *v, long ms)
{
	(void)v;
	(void)ms;
	return 0;
}

static void
close_vectors(struct csa_vectors *v)
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
	.close = close_vectors,
};

struct csa_vectors *
csa_vectors_script_open(struct csa_vectors_script *s)
{
	struct script_vectors	*v = csa_new(struct script_vectors);

	v->vectors = (struct csa_vectors){ &ops, "script", s->remote };
	v->s = s;
	return &v->vectors;
}
