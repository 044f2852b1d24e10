#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/store/store_sqlite.h"

/* What is done under the file's lock: 1, 0 where there is nothing to do, -1. */
struct work {
	int		(*run)(struct csa_db *, const struct work *);
	const char	*doing;		/* for the error */
	const char	*document_id;
	struct csa_arena *arena;
	struct csa_taken *taken;
};

static int
remove_document(struct csa_db *c, const struct work *w)
{
	int64_t	 doc = csa_doc_find(c, w->document_id), generation;

	if (doc == -1 || doc == 0)
		return (int)doc;
	if (csa_meta(c, "generation", &generation) == -1 ||
	    csa_doc_ids(c, w->arena, doc, &w->taken->ids) == -1 ||
	    csa_doc_clear(c, doc) == -1 ||
	    csa_run_with(c, CSA_STMT_DELETE_DOC, doc) == -1 ||
	    csa_run_with(c, CSA_STMT_COUNT_CHUNKS,
	    -(int64_t)w->taken->ids.n) == -1 || csa_raise(c) == -1)
		return -1;
	w->taken->generation = (uint64_t)generation;
	return 1;
}

static int
raise_alone(struct csa_db *c, const struct work *w)
{
	(void)w;
	return csa_raise(c) == -1 ? -1 : 1;
}

static int
do_locked(struct csa_db *c, const struct work *w, struct csa_err *err)
{
	int	 rc = -1;

	if (csa_begin(c, true) == 0)
		rc = w->run(c, w);
	if (rc == 1 && csa_commit(c) == -1)
		rc = -1;
	if (rc == 1)
		csa_db_checkpoint(c);
	else if (rc == -1)
		csa_db_fail(c, w->doing, err);
	csa_rollback(c);
	return rc;
}

static int
do_work(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct work *w, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	if ((rc = csa_db_lock(c, err)) == 0) {
		rc = do_locked(c, w, err);
		csa_db_unlock(c);
	}
	csa_db_give(s, c);
	return rc;
}

int
csa_sqlite_delete_document(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_taken *taken, struct csa_err *err)
{
	const struct work	 w = { remove_document, "delete a document",
				    document_id, ctx->arena, taken };
	int			 rc;

	memset(taken, 0, sizeof(*taken));
	rc = do_work(store, ctx, scope, &w, err);
	if (rc != 1)
		taken->ids.n = 0;
	return rc;
}

int
csa_sqlite_touch(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, struct csa_err *err)
{
	const struct work	 w = { .run = raise_alone,
				    .doing = "raise the generation" };

	return do_work(store, ctx, scope, &w, err);
}
