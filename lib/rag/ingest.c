#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/cache/generation.h"
#include "lib/rag/rag.h"

/* A document as it was when we began. */
struct seen {
	struct csa_ids	 ids;
	uint64_t	 generation;	/* of the bot, or an earlier one */
};

static int
look(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const struct csa_chunk *chunks, size_t n, struct seen *seen,
    struct csa_err *err)
{
	struct csa_store	*store = rag->store;

	seen->generation = 0;
	/* Only what is written elsewhere as well can come out of step. */
	if (rag->vectors != NULL && rag->vectors->remote &&
	    store->ops->generation(store, ctx, scope, &seen->generation,
	    err) == -1)
		return -1;
	return store->ops->check_document(store, ctx, scope, document_id,
	    chunks, n, &seen->ids, err);
}

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

	if (old->n > 1)
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
    struct csa_taken *taken, struct csa_err *err)
{
	return rag->store->ops->put_document(rag->store, ctx, scope,
	    document_id, metadata, rag->embedder != NULL ?
	    rag->embedder->model : "", chunks, n, taken, err);
}

/*
 * Somebody changed the bot between our look at the document and our commit: it may
 * be another version that we have taken the place of, and vectors of his that are
 * in no list any more would be quoted for ever.
 */
static void
clear_up(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, uint64_t seen, const struct csa_taken *t)
{
	struct csa_err	 ignored;

	if (t->generation == seen || t->ids.n == 0)
		return;
	if (rag->vectors->ops->del(rag->vectors, ctx, scope, &t->ids,
	    &ignored) == -1)
		csa_warn("some of %zu vectors of a version that was replaced "
		    "may be left behind: %s", t->ids.n, ignored.msg);
}

static int
with_remote(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_vec *vecs, const struct seen *seen, struct csa_err *err)
{
	struct csa_taken	 taken;

	if (put_remote(rag, ctx, scope, document_id, chunks, vecs, n,
	    &seen->ids, err) == -1) {
		tell(rag, ctx, scope);
		return -1;
	}
	if (commit(rag, ctx, scope, document_id, metadata, chunks, n, &taken,
	    err) == -1) {
		undo_remote(rag, ctx, scope, chunks, n, &seen->ids);
		tell(rag, ctx, scope);
		return -1;
	}
	clear_up(rag, ctx, scope, seen->generation, &taken);
	return 0;
}

static int
with_vectors(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_vec *vecs, const struct seen *seen, struct csa_err *err)
{
	if (rag->vectors->remote)
		return with_remote(rag, ctx, scope, document_id, metadata,
		    chunks, n, vecs, seen, err);
	for (size_t i = 0; i < n; i++) {
		chunks[i].vec = csa_vec_floats(ctx->arena, &vecs[i], 1);
		chunks[i].dim = vecs[i].dim;
	}
	return commit(rag, ctx, scope, document_id, metadata, chunks, n, NULL,
	    err);
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
    const struct seen *seen, struct csa_err *err)
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
		    chunks, n, vecs, seen, err);
	rag->embedder->ops->end(job);
	return rc;
}

int
csa_ingest(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, struct csa_chunk *chunks, size_t n,
    struct csa_err *err)
{
	struct seen	 seen;
	int		 rc;

	if (rag->embedder == NULL)
		rc = commit(rag, ctx, scope, document_id, metadata, chunks, n,
		    NULL, err);
	/* A conflict must be known before anything is paid for. */
	else if (look(rag, ctx, scope, document_id, chunks, n, &seen,
	    err) == -1)
		return -1;
	else
		rc = embed_and_put(rag, ctx, scope, document_id, metadata,
		    chunks, n, &seen, err);
	if (rc == 0)
		tell(rag, ctx, scope);
	return rc;
}

/*
 * The far end first, as in put_remote and for the same reason: while the store
 * has the document its ids are known, and whoever tries again finds them.  1:
 * something was deleted there; 0; -1.
 */
static int
forget_remote(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct seen *seen, struct csa_err *err)
{
	if (look(rag, ctx, scope, document_id, NULL, 0, seen, err) == -1)
		return -1;
	if (seen->ids.n == 0)
		return 0;
	if (rag->vectors->ops->del(rag->vectors, ctx, scope, &seen->ids,
	    err) == 0)
		return 1;
	tell(rag, ctx, scope);
	return -1;
}

int
csa_forget(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_ids *gone, struct csa_err *err)
{
	bool			 remote = rag->vectors != NULL &&
				    rag->vectors->remote;
	struct csa_taken	 taken;
	struct seen		 seen;
	int			 far = 0, rc;

	*gone = (struct csa_ids){ NULL, 0 };
	if (remote && (far = forget_remote(rag, ctx, scope, document_id,
	    &seen, err)) == -1)
		return -1;
	rc = rag->store->ops->delete_document(rag->store, ctx, scope,
	    document_id, &taken, err);
	if (rc == 1) {
		*gone = taken.ids;
		if (remote)
			clear_up(rag, ctx, scope, seen.generation, &taken);
	}
	if (rc == 1 || far == 1)
		tell(rag, ctx, scope);
	return rc;
}
