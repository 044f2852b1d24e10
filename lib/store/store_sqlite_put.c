#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"

/* ---- what others share ---- */

int64_t
csa_doc_find(struct csa_db *c, const char *document_id)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_DOC);
	int64_t		 doc = 0;
	int		 rc;

	if (st == NULL)
		return -1;
	csa_bind_text(st, 1, document_id);
	if ((rc = sqlite3_step(st)) == SQLITE_ROW)
		doc = sqlite3_column_int64(st, 0);
	return csa_done(st, rc) == -1 ? -1 : doc;
}

/*
 * 1 where a chunk's id belongs to another document than doc, with err; 0; -1 for
 * SQLite's own errors.
 */
static int
find_conflict(struct csa_db *c, int64_t doc, const struct csa_chunk *chunks,
    size_t n, struct csa_err *err)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_DOC_OF_CHUNK);
	int		 rc, found = 0;

	if (st == NULL)
		return -1;
	for (size_t i = 0; i < n && !found; i++) {
		csa_bind_text(st, 1, chunks[i].id);
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW && sqlite3_column_int64(st, 0) != doc) {
			csa_fail(err, CSA_ERR_CONFLICT, CSA_SRC_CLIENT,
			    "the chunk id \"%.128s\" belongs to another "
			    "document of the bot", chunks[i].id);
			found = 1;
		}
		if (csa_done(st, rc) == -1)
			return -1;
	}
	return found;
}

int
csa_doc_ids(struct csa_db *c, struct csa_arena *arena, int64_t doc,
    struct csa_ids *ids)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_DOC_CHUNKS);
	const char	**more, *id;
	size_t		 size = 0, len;
	int		 rc;

	*ids = (struct csa_ids){ NULL, 0 };
	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, doc);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (ids->n == size) {
			size = size == 0 ? 64 : size * 2;
			more = csa_arena_array(arena, size, const char *);
			if (ids->n > 0)
				memcpy(more, ids->id, ids->n * sizeof(*more));
			ids->id = more;
		}
		id = csa_column(arena, st, 0, &len);
		if (id == NULL) {
			rc = SQLITE_CORRUPT;
			break;
		}
		ids->id[ids->n++] = id;
	}
	return csa_done(st, rc);
}

int
csa_run_with(struct csa_db *c, enum csa_stmt which, int64_t v)
{
	sqlite3_stmt	*st = csa_stmt(c, which);

	if (st != NULL)
		sqlite3_bind_int64(st, 1, v);
	return csa_run(st);
}

int
csa_doc_clear(struct csa_db *c, int64_t doc)
{
	if (csa_run_with(c, CSA_STMT_UNINDEX_DOC, doc) == -1)
		return -1;
	return csa_run_with(c, CSA_STMT_DELETE_CHUNKS, doc);
}

int
csa_raise(struct csa_db *c)
{
	return csa_run_with(c, CSA_STMT_BUMP, csa_wall_ms());
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Keep of ids only those that no chunk has any more. */
static void
drop_kept(struct csa_arena *arena, struct csa_ids *ids,
    const struct csa_chunk *chunks, size_t n)
{
	const char	**now = csa_arena_array(arena, n, const char *);
	size_t		 kept = 0;

	for (size_t i = 0; i < n; i++)
		now[i] = chunks[i].id;
	if (n > 1)
		qsort(now, n, sizeof(*now), by_text);
	for (size_t i = 0; i < ids->n; i++)
		if (n == 0 || bsearch(&ids->id[i], now, n, sizeof(*now),
		    by_text) == NULL)
			ids->id[kept++] = ids->id[i];
	ids->n = kept;
}

/* ---- put_document ---- */

struct put {
	struct csa_db	*c;
	const char	*document_id, *metadata, *model;
	const struct csa_chunk *chunks;
	size_t		 n;
	int64_t		 doc;
	struct csa_ids	 old;
	int64_t		 generation;	/* before */
};

static int
write_document(struct put *p)
{
	sqlite3_stmt	*st = csa_stmt(p->c, CSA_STMT_PUT_DOC);

	if (st == NULL)
		return -1;
	csa_bind_text(st, 1, p->document_id);
	csa_bind_text(st, 2, p->metadata);
	sqlite3_bind_int64(st, 3, csa_wall_ms());
	if (csa_run(st) == -1)
		return -1;
	if (p->doc == 0)
		p->doc = sqlite3_last_insert_rowid(p->c->db);
	if (*p->model == '\0')
		return 0;
	if ((st = csa_stmt(p->c, CSA_STMT_PUT_MODEL)) != NULL)
		csa_bind_text(st, 1, p->model);
	return csa_run(st);
}

static int
write_vector(struct put *p, int64_t row, const struct csa_chunk *chunk)
{
	sqlite3_stmt	*st = csa_stmt(p->c, CSA_STMT_PUT_VECTOR);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, row);
	csa_bind_text(st, 2, p->model);
	CSA_MUST(sqlite3_bind_blob64(st, 3, chunk->vec,
	    chunk->dim * sizeof(float), SQLITE_STATIC) == SQLITE_OK);
	return csa_run(st);
}

static int
index_chunk(struct put *p, int64_t row, const struct csa_chunk *chunk,
    const char *title)
{
	sqlite3_stmt	*st = csa_stmt(p->c, CSA_STMT_INDEX_CHUNK);

	if (st == NULL)
		return -1;
	sqlite3_bind_int64(st, 1, row);
	csa_bind_text(st, 2, title);
	csa_bind_textn(st, 3, chunk->text, chunk->len);
	return csa_run(st);
}

static int
write_chunk(struct put *p, size_t i)
{
	const struct csa_chunk	*chunk = &p->chunks[i];
	const char		*title = chunk->title;
	sqlite3_stmt		*st = csa_stmt(p->c, CSA_STMT_PUT_CHUNK);
	int64_t			 row;

	if (st == NULL)
		return -1;
	if (title == NULL)
		title = "";
	csa_bind_text(st, 1, chunk->id);
	sqlite3_bind_int64(st, 2, p->doc);
	sqlite3_bind_int64(st, 3, (int64_t)i);
	csa_bind_text(st, 4, title);
	csa_bind_textn(st, 5, chunk->text, chunk->len);
	csa_bind_text(st, 6, chunk->metadata);
	if (csa_run(st) == -1)
		return -1;
	row = sqlite3_last_insert_rowid(p->c->db);
	if (index_chunk(p, row, chunk, title) == -1)
		return -1;
	if (chunk->vec == NULL || *p->model == '\0')
		return 0;
	return write_vector(p, row, chunk);
}

static int
write_meta(struct put *p)
{
	if (csa_run_with(p->c, CSA_STMT_COUNT_CHUNKS, (int64_t)p->n -
	    (int64_t)p->old.n) == -1)
		return -1;
	return csa_raise(p->c);
}

static int
transaction(struct put *p, struct csa_arena *arena)
{
	if (csa_begin(p->c, true) == -1)
		return -1;
	if (csa_meta(p->c, "generation", &p->generation) == -1 ||
	    (p->doc = csa_doc_find(p->c, p->document_id)) == -1 ||
	    csa_doc_ids(p->c, arena, p->doc, &p->old) == -1 ||
	    (p->old.n > 0 && csa_doc_clear(p->c, p->doc) == -1) ||
	    write_document(p) == -1)
		return -1;
	for (size_t i = 0; i < p->n; i++)
		if (write_chunk(p, i) == -1)
			return -1;
	return write_meta(p) == -1 ? -1 : csa_commit(p->c);
}

/*
 * Say in err why the transaction failed, while it is still there.  A chunk's id
 * that is taken is noticed where it is inserted, and whose it is looked up only
 * then: to ask before, for each chunk, is a tenth of a store.
 */
static void
tell(struct put *p, struct csa_err *err)
{
	int	 rc = 0;

	if (sqlite3_extended_errcode(p->c->db) == SQLITE_CONSTRAINT_UNIQUE) {
		rc = find_conflict(p->c, p->doc, p->chunks, p->n, err);
		if (rc == 0)
			csa_fail(err, CSA_ERR_CONFLICT, CSA_SRC_CLIENT,
			    "a chunk id is given twice");
	} else
		rc = -1;
	if (rc == -1)
		csa_db_fail(p->c, "store a document", err);
}

static int
put_locked(struct put *p, struct csa_arena *arena, struct csa_err *err)
{
	if (transaction(p, arena) == 0) {
		csa_db_checkpoint(p->c);
		return 0;
	}
	tell(p, err);
	csa_rollback(p->c);
	return -1;
}

int
csa_sqlite_put_document(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, const char *model, const struct csa_chunk *chunks,
    size_t n, struct csa_taken *taken, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct put		 p = { NULL, document_id, metadata, model,
				    chunks, n, 0, { NULL, 0 }, 0 };
	int			 rc;

	if (csa_db_take(s, ctx, scope, true, &p.c, err) != 1)
		return -1;
	if ((rc = csa_db_lock(p.c, err)) == 0) {
		rc = put_locked(&p, ctx->arena, err);
		csa_db_unlock(p.c);
	}
	csa_db_give(s, p.c);
	if (rc == 0 && taken != NULL) {
		drop_kept(ctx->arena, &p.old, chunks, n);
		taken->ids = p.old;
		taken->generation = (uint64_t)p.generation;
	}
	return rc;
}

/* ---- check_document ---- */

static int
check(struct csa_db *c, struct csa_arena *arena, const char *document_id,
    const struct csa_chunk *chunks, size_t n, struct csa_ids *old,
    struct csa_err *err)
{
	int64_t	 doc;
	int	 rc;

	if (csa_begin(c, false) == -1)
		return -1;
	if ((doc = csa_doc_find(c, document_id)) == -1)
		return -1;
	rc = find_conflict(c, doc, chunks, n, err);
	if (rc != 0)
		return rc;
	if (csa_doc_ids(c, arena, doc, old) == -1)
		return -1;
	return csa_commit(c);
}

int
csa_sqlite_check_document(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const struct csa_chunk *chunks, size_t n, struct csa_ids *old,
    struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	*old = (struct csa_ids){ NULL, 0 };
	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	rc = check(c, ctx->arena, document_id, chunks, n, old, err);
	if (rc == -1)
		csa_db_fail(c, "look for a document", err);
	csa_db_give(s, c);
	return rc == 0 ? 0 : -1;
}
