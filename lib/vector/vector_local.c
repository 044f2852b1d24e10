#include "config.h"

#include <math.h>
#include <stdlib.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/vector/cache.h"
#include "lib/vector/index.h"
#include "lib/vector/vector.h"

/*
 * So many does the scan in eight bits hand on, to be looked at with the stored
 * floats.  Measured with 768 numbers: the k nearest of 100,000 are all among
 * them, for k = 10 and 100; 4 * k found no more and took twice the time.
 */
#define WANT(k)		((k) + (k) / 4 + 32)

struct local {
	struct csa_vectors vectors;
	struct csa_store *store;	/* borrowed */
	struct csa_vcache *cache;
	char		*model;
};

struct csa_vec_query {
	struct local	*local;
	struct csa_ctx	*ctx;
	struct csa_scope scope;
	struct csa_vec	 vec;
	size_t		 k;
};

/* Something near with its stored floats; near is first for csa_near_order. */
struct hit {
	struct csa_near	 near;
	const float	*vec;
};

/* What is known of one question. */
struct search {
	struct local	*local;
	struct csa_ctx	*ctx;
	const struct csa_scope *scope;
	const float	*unit;
	size_t		 dim, k;
	struct csa_near	*near;
	size_t		 nnear;
	struct hit	*hits;		/* near, looked at again */
	size_t		 nhits;
	struct csa_err	*err;
};

/* ---- searching ---- */

static int
scan_index(struct search *s, const struct csa_vcached *c)
{
	size_t	 want = WANT(s->k);
	long	 n;

	if (want > c->index.n)
		want = c->index.n;
	s->near = csa_arena_array(s->ctx->arena, want, struct csa_near);
	n = csa_index_search(&c->index, s->unit, want, s->near,
	    s->ctx->deadline);
	if (n == -1)
		return csa_fail(s->err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
	s->nnear = (size_t)n;
	if (c->index.n > 0 || c->others == 0)
		return 0;
	return csa_fail(s->err, CSA_ERR_CONFLICT, CSA_SRC_STORE,
	    "the bot's documents were embedded with %zu dimensions, the "
	    "question with %zu: store the documents again", c->others, s->dim);
}

/* The cosine; unit has the length 1. */
static float
cosine(const struct search *s, const float *v)
{
	double	 length = sqrt(csa_dot(v, v, s->dim));

	return length > 0 ? (float)(csa_dot(s->unit, v, s->dim) / length) : 0;
}

static bool
compare_stored(void *arg, const struct csa_stored_vec *v)
{
	struct search	*s = arg;

	if (v->dim == s->dim)
		csa_near_keep(s->near, &s->nnear, s->k,
		    (struct csa_near){ v->row, cosine(s, v->vec) });
	return true;
}

/* For a bot that is too large to be kept. */
static int
scan_store(struct search *s)
{
	struct csa_store	*store = s->local->store;

	s->near = csa_arena_array(s->ctx->arena, s->k, struct csa_near);
	return store->ops->scan_vectors(store, s->ctx, s->scope,
	    s->local->model, 0, compare_stored, s, s->err);
}

static int
find_near(struct search *s)
{
	struct csa_vcache		*cache = s->local->cache;
	const struct csa_vcached		*c;
	bool				 too_large;
	int				 rc;

	rc = csa_vcache_enter(cache, s->ctx, s->scope, s->dim, &c, s->err);
	if (rc != 1)
		return rc;
	rc = (too_large = c->too_large) ? 0 : scan_index(s, c);
	csa_vcache_leave(cache, c);
	/* A long reading of the store is nothing to hold an entry for. */
	return too_large ? scan_store(s) : rc;
}

/* With the stored floats: the exact order of what the scan has found. */
static int
look_again(struct search *s)
{
	struct csa_store	*store = s->local->store;
	int64_t			*row;
	const float		**v;
	size_t			 n = 0;

	s->hits = csa_arena_array(s->ctx->arena, s->nnear, struct hit);
	row = csa_arena_array(s->ctx->arena, s->nnear, int64_t);
	v = csa_arena_array(s->ctx->arena, s->nnear, const float *);
	for (size_t i = 0; i < s->nnear; i++)
		row[i] = s->near[i].row;
	if (store->ops->vectors_by_row(store, s->ctx, s->scope, row, s->nnear,
	    v, s->dim, s->err) == -1)
		return -1;
	for (size_t i = 0; i < s->nnear; i++)
		if (v[i] != NULL)
			s->hits[n++] = (struct hit){ { row[i],
			    cosine(s, v[i]) }, v[i] };
	if (n > 1)
		qsort(s->hits, n, sizeof(*s->hits), csa_near_order);
	s->nhits = n < s->k ? n : s->k;
	return 0;
}

static int
read_texts(struct search *s, struct csa_vec_hit **hits, size_t *n)
{
	struct csa_store	*store = s->local->store;
	struct csa_chunk	*chunks;
	int64_t			*row;

	chunks = csa_arena_array(s->ctx->arena, s->nhits, struct csa_chunk);
	row = csa_arena_array(s->ctx->arena, s->nhits, int64_t);
	*hits = csa_arena_array(s->ctx->arena, s->nhits, struct csa_vec_hit);
	for (size_t i = 0; i < s->nhits; i++)
		row[i] = s->hits[i].near.row;
	if (store->ops->chunks_by_row(store, s->ctx, s->scope, row, s->nhits,
	    chunks, s->err) == -1)
		return -1;
	for (size_t i = 0; i < s->nhits; i++) {
		/* Replaced since the scan. */
		if (chunks[i].id == NULL)
			continue;
		(*hits)[*n].chunk = chunks[i];
		(*hits)[*n].chunk.vec = s->hits[i].vec;
		(*hits)[*n].chunk.dim = s->dim;
		(*hits)[(*n)++].score = s->hits[i].near.score;
	}
	return 0;
}

/* ---- the driver ---- */

static struct csa_vec_query *
query(struct csa_vectors *v, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_vec *vec, size_t k)
{
	struct csa_vec_query	*q;

	q = csa_arena_array(ctx->arena, 1, struct csa_vec_query);
	q->local = (struct local *)v;
	q->ctx = ctx;
	q->scope = *scope;
	q->vec = *vec;
	q->k = k;
	return q;
}

static int
finish(struct csa_vec_query *q, struct csa_vec_hit **hits, size_t *n,
    struct csa_err *err)
{
	struct search	 s = { .local = q->local, .ctx = q->ctx,
			    .scope = &q->scope, .dim = q->vec.dim, .k = q->k,
			    .err = err };

	*hits = NULL;
	*n = 0;
	if (q->k == 0 || s.dim == 0)
		return 0;
	if (s.dim > CSA_INDEX_DIM_MAX)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_AGENT,
		    "an embedding of %zu dimensions is too large", s.dim);
	s.unit = csa_vec_floats(q->ctx->arena, &q->vec, 1);
	/* No direction, so nothing lies in it. */
	if (s.unit == NULL)
		return 0;
	if (find_near(&s) == -1 || look_again(&s) == -1)
		return -1;
	return read_texts(&s, hits, n);
}

static void
cancel(struct csa_vec_query *q)
{
	/* Nothing was begun, and q is the arena's. */
	(void)q;
}

/* The store's transaction has the vectors already. */
static int
put(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const char *document_id, const struct csa_chunk *chunks,
    const struct csa_vec *vecs, size_t n, const struct csa_ids *old,
    struct csa_err *err)
{
	(void)v, (void)ctx, (void)scope, (void)document_id, (void)chunks;
	(void)vecs, (void)n, (void)old, (void)err;
	return 0;
}

static int
del(struct csa_vectors *v, struct csa_ctx *ctx, const struct csa_scope *scope,
    const struct csa_ids *ids, struct csa_err *err)
{
	(void)v, (void)ctx, (void)scope, (void)ids, (void)err;
	return 0;
}

static int
probe(struct csa_vectors *v, long ms)
{
	/* It is the store's ping that tells. */
	(void)v;
	(void)ms;
	return 0;
}

static void
close_local(struct csa_vectors *v)
{
	struct local	*l = (struct local *)v;

	csa_vcache_free(l->cache);
	free(l->model);
	free(l);
}

static const struct csa_vectors_ops ops = {
	.query = query,
	.finish = finish,
	.cancel = cancel,
	.put = put,
	.del = del,
	.probe = probe,
	.close = close_local,
};

struct csa_vectors *
csa_vectors_local_open(struct csa_store *store, const char *model)
{
	struct local	*l = csa_new(struct local);

	l->vectors.ops = &ops;
	l->vectors.name = "local";
	l->store = store;
	l->model = csa_strdup(model);
	l->cache = csa_vcache_new(store, model);
	return &l->vectors;
}
