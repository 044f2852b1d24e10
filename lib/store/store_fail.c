#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/store/store.h"

static int
refuse(struct csa_err *err)
{
	csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE, NULL);
	return csa_fail_detail(err, "this store always fails");
}

static int
put_document(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, const char *model, const struct csa_chunk *chunks,
    size_t n, struct csa_taken *taken, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)document_id, (void)metadata;
	(void)model, (void)chunks, (void)n, (void)taken;
	return refuse(err);
}

static int
check_document(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const struct csa_chunk *chunks, size_t n, struct csa_ids *old,
    struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)document_id, (void)chunks;
	(void)n, (void)old;
	return refuse(err);
}

static int
delete_document(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_taken *taken, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)document_id, (void)taken;
	return refuse(err);
}

static int
search(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_text_result *out, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)question, (void)k, (void)out;
	return refuse(err);
}

static int
chunks_by_id(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *const *id, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)id, (void)n, (void)out;
	return refuse(err);
}

static int
chunks_by_row(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const int64_t *row, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)row, (void)n, (void)out;
	return refuse(err);
}

static int
generation(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, uint64_t *v, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)v;
	return refuse(err);
}

static int
touch(struct csa_store *s, struct csa_ctx *ctx, const struct csa_scope *scope,
    struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope;
	return refuse(err);
}

static int
bots(struct csa_store *s, struct csa_ctx *ctx, const char *tenant,
    struct csa_ids *out, struct csa_err *err)
{
	(void)s, (void)ctx, (void)tenant, (void)out;
	return refuse(err);
}

static int
bot(struct csa_store *s, struct csa_ctx *ctx, const struct csa_scope *scope,
    int64_t *since, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)since;
	return refuse(err);
}

static int
scan_vectors(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *model, int64_t after,
    bool (*each)(void *, const struct csa_stored_vec *), void *arg,
    struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)model, (void)after;
	(void)each, (void)arg;
	return refuse(err);
}

static int
vector_rows(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *model, int64_t **rows,
    size_t *n, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)model;
	*rows = NULL;
	*n = 0;
	return refuse(err);
}

static int
vectors_by_row(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const int64_t *row, size_t n,
    const float **out, size_t dim, struct csa_err *err)
{
	(void)s, (void)ctx, (void)scope, (void)row, (void)n, (void)out;
	(void)dim;
	return refuse(err);
}

static int
ping(struct csa_store *s, struct csa_err *err)
{
	(void)s;
	return refuse(err);
}

static void
close_store(struct csa_store *s)
{
	free(s);
}

static const struct csa_store_ops ops = {
	.name = "fail",
	.put_document = put_document,
	.check_document = check_document,
	.delete_document = delete_document,
	.search = search,
	.chunks = chunks_by_id,
	.chunks_by_row = chunks_by_row,
	.generation = generation,
	.touch = touch,
	.bots = bots,
	.bot = bot,
	.scan_vectors = scan_vectors,
	.vector_rows = vector_rows,
	.vectors_by_row = vectors_by_row,
	.ping = ping,
	.close = close_store,
};

struct csa_store *
csa_store_fail_open(void)
{
	struct csa_store	*s = csa_new(struct csa_store);

	s->ops = &ops;
	return s;
}
