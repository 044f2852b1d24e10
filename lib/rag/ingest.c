#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/cache/generation.h"
#include "lib/rag/rag.h"

/* The ids of one list that the other has not.  Lists are short: see limits. */
static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static struct csa_ids
ids_without(struct csa_arena *arena, const struct csa_ids *all,
    const char **sorted, size_t n)
{
	struct csa_ids	 out = { NULL, 0 };

	out.id = csa_arena_array(arena, all->n, const char *);
	for (size_t i = 0; i < all->n; i++)
		if (n == 0 || bsearch(&all->id[i], sorted, n, sizeof(*sorted),
		    compare_ids) == NULL)
			out.id[out.n++] = all->id[i];
	return out;
}

static struct csa_ids
chunk_ids(struct csa_arena *arena, const struct csa_chunk *chunks, size_t n)
{
	struct csa_ids	 out = { csa_arena_array(arena, n, const char *), n };

	for (size_t i = 0; i < n; i++)
		out.id[i] = chunks[i].id;
	return out;
}

/*
 * The far end first: vectors of the new version are written, those of chunks that
 * are gone are deleted, and only then does the store commit.  Whatever fails
 * leaves the store's old version and its list of ids in place, so the caller's
 * next try finds and mends everything; the reverse order would forget ids that
 * still have vectors.
 */
static int
put_remote(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_chunk *chunks, const struct csa_vec *vecs, size_t n,
    const struct csa_ids *old, struct csa_err *err)
{
	struct csa_ids	 now = chunk_ids(ctx->arena, chunks, n), gone;

	if (rag->vectors->ops->put(rag->vectors, ctx, scope, document_id,
	    chunks, vecs, n, old, err) == -1)
		return -1;
	qsort(now.id, now.n, sizeof(*now.id), compare_ids);
	gone = ids_without(ctx->arena, old, now.id, now.n);
	if (gone.n == 0)
		return 0;
	return rag->vectors->ops->del(rag->vectors, ctx, scope, &gone, err);
}

/*
 * All hosts are told of a change after it; also of one that failed when the far
 * end had been written to: they may have seen it half done, and keep that.
 */
static void
tell(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope)
{
	if (rag->cache != NULL)
		csa_generation_bump(rag->cache, ctx, scope);
}

/* The commit failed after the far end was written: take back what is new. */
static void
undo_remote(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_chunk *chunks, size_t n,
    const struct csa_ids *old)
{
	struct csa_ids	 now = chunk_ids(ctx->arena, chunks, n), added;
	struct csa_err	 ignored;

	qsort(old->id, old->n, sizeof(*old->id), compare_ids);
	added = ids_without(ctx->arena, &now, old->id, old->n);
	if (added.n > 0 && rag->vectors->ops->del(rag->vectors, ctx, scope,
	    &added, &ignored) == -1)
		csa_warn("vectors of a document that was refused are left "
		    "behind until it is stored again: %s", ignored.msg);
}

static int
commit(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_err *err)
{
	return rag->store->ops->put_document(rag->store, ctx, scope,
	    document_id, metadata, rag->embedder != NULL ?
	    rag->embedder->model : "", chunks, n, NULL, err);
}

static int
with_remote(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_vec *vecs, const struct csa_ids *old, struct csa_err *err)
{
	int	 rc;

	rc = put_remote(rag, ctx, scope, document_id, chunks, vecs, n, old,
	    err);
	if (rc == 0) {
		rc = commit(rag, ctx, scope, document_id, metadata, chunks, n,
		    err);
		if (rc == -1)
			undo_remote(rag, ctx, scope, chunks, n, old);
	}
	if (rc == -1)
		tell(rag, ctx, scope);
	return rc;
}

static int
with_vectors(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_vec *vecs, const struct csa_ids *old, struct csa_err *err)
{
	if (rag->vectors->remote)
		return with_remote(rag, ctx, scope, document_id, metadata,
		    chunks, n, vecs, old, err);
	for (size_t i = 0; i < n; i++) {
		chunks[i].vec = csa_vec_floats(ctx->arena, &vecs[i], 1);
		chunks[i].dim = vecs[i].dim;
	}
	return commit(rag, ctx, scope, document_id, metadata, chunks, n, err);
}

/* What a chunk is about is often said in its title alone: it is embedded too. */
static struct csa_text
with_title(struct csa_arena *arena, const struct csa_chunk *c)
{
	size_t	 n = strlen(c->title);
	char	*s;

	if (n == 0)
		return (struct csa_text){ c->text, c->len };
	s = csa_arena_alloc(arena, n + 1 + c->len);
	memcpy(s, c->title, n);
	s[n] = '\n';
	memcpy(s + n + 1, c->text, c->len);
	return (struct csa_text){ s, n + 1 + c->len };
}

static int
embed_and_put(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    const struct csa_ids *old, struct csa_err *err)
{
	struct csa_text		*texts;
	struct csa_vec		*vecs;
	struct csa_embed_job	*job;
	int			 rc;

	texts = csa_arena_array(ctx->arena, n, struct csa_text);
	vecs = csa_arena_array(ctx->arena, n, struct csa_vec);
	for (size_t i = 0; i < n; i++)
		texts[i] = with_title(ctx->arena, &chunks[i]);
	job = rag->embedder->ops->start(rag->embedder, ctx, CSA_EMBED_PASSAGE,
	    texts, n);
	rc = rag->embedder->ops->finish(job, vecs, err);
	if (rc == 0)
		rc = with_vectors(rag, ctx, scope, document_id, metadata,
		    chunks, n, vecs, old, err);
	rag->embedder->ops->end(job);
	return rc;
}

int
csa_ingest(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_err *err)
{
	struct csa_ids	 old = { NULL, 0 };
	int		 rc;

	if (rag->embedder == NULL)
		rc = commit(rag, ctx, scope, document_id, metadata, chunks, n,
		    err);
	/* A conflict must be known before anything is paid for. */
	else if (rag->store->ops->check_document(rag->store, ctx, scope,
	    document_id, chunks, n, &old, err) == -1)
		return -1;
	else
		rc = embed_and_put(rag, ctx, scope, document_id, metadata,
		    chunks, n, &old, err);
	if (rc == 0)
		tell(rag, ctx, scope);
	return rc;
}

/*
 * The far end first, as in put_remote and for the same reason: while the store
 * has the document its ids are known, and whoever tries again finds them.
 */
static int
forget_remote(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_err *err)
{
	struct csa_ids	 ids;

	if (rag->store->ops->check_document(rag->store, ctx, scope,
	    document_id, NULL, 0, &ids, err) == -1)
		return -1;
	if (ids.n == 0)
		return 0;
	return rag->vectors->ops->del(rag->vectors, ctx, scope, &ids, err) ==
	    -1 ? -1 : 1;
}

int
csa_forget(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_ids *gone, struct csa_err *err)
{
	bool	 remote = rag->vectors != NULL && rag->vectors->remote;
	int	 far = 0, rc = -1;

	*gone = (struct csa_ids){ NULL, 0 };
	if (remote)
		far = forget_remote(rag, ctx, scope, document_id, err);
	if (far != -1)
		rc = rag->store->ops->delete_document(rag->store, ctx, scope,
		    document_id, gone, err);
	if (rc == 1 || far != 0)
		tell(rag, ctx, scope);
	return rc;
}
