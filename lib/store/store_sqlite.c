#include "config.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"
#include "lib/text/utf8.h"

/* ---- reading ---- */

const char *
csa_column(struct csa_arena *arena, sqlite3_stmt *st, int i, size_t *len)
{
	const char	*s = (const char *)sqlite3_column_text(st, i);

	*len = (size_t)sqlite3_column_bytes(st, i);
	if (s == NULL || !csa_utf8_valid(s, *len, NULL))
		return NULL;
	return csa_arena_strndup(arena, s, *len);
}

int
csa_read_chunk(struct csa_arena *arena, sqlite3_stmt *st,
    struct csa_chunk *out)
{
	size_t	 len;

	memset(out, 0, sizeof(*out));
	out->document_id = csa_column(arena, st, 1, &len);
	out->title = csa_column(arena, st, 2, &len);
	out->text = csa_column(arena, st, 3, &out->len);
	out->metadata = csa_column(arena, st, 4, &len);
	if (out->document_id == NULL || out->title == NULL ||
	    out->text == NULL || (out->metadata == NULL &&
	    sqlite3_column_type(st, 4) != SQLITE_NULL))
		return SQLITE_CORRUPT;
	out->id = csa_column(arena, st, 0, &len);
	return out->id != NULL ? SQLITE_ROW : SQLITE_CORRUPT;
}

/* id NULL: by row. */
static int
read_chunks(struct csa_db *c, struct csa_arena *arena,
    const char *const *id, const int64_t *row, size_t n,
    struct csa_chunk *out)
{
	sqlite3_stmt	*st = csa_stmt(c, id != NULL ? CSA_STMT_CHUNK_BY_ID :
			    CSA_STMT_CHUNK_BY_ROW);
	int		 rc;

	if (st == NULL || csa_begin(c, false) == -1)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (id != NULL)
			csa_bind_text(st, 1, id[i]);
		else
			sqlite3_bind_int64(st, 1, row[i]);
		if ((rc = sqlite3_step(st)) == SQLITE_ROW)
			rc = csa_read_chunk(arena, st, &out[i]);
		if (csa_done(st, rc) == -1)
			return -1;
	}
	return csa_commit(c);
}

static int
chunks_of(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *const *id, const int64_t *row,
    size_t n, struct csa_chunk *out, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	if (n == 0)
		return 0;
	memset(out, 0, n * sizeof(*out));
	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	rc = read_chunks(c, ctx->arena, id, row, n, out);
	if (rc == -1)
		csa_db_fail(c, "read chunks", err);
	csa_db_give(s, c);
	return rc;
}

static int
chunks_by_id(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *const *id, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	return chunks_of(store, ctx, scope, id, NULL, n, out, err);
}

static int
chunks_by_row(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const int64_t *row, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	return chunks_of(store, ctx, scope, NULL, row, n, out, err);
}

static int
generation(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, uint64_t *generation_, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int64_t			 v = 0;
	int			 rc;

	*generation_ = 0;
	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	rc = csa_meta(c, "generation", &v);
	if (rc == -1)
		csa_db_fail(c, "read the generation", err);
	*generation_ = (uint64_t)v;
	csa_db_give(s, c);
	return rc;
}

/*
 * The directory is there, may be written, and its file system has room.  No
 * bot's file is opened: one that is damaged is that bot's trouble alone.
 */
static int
ping(struct csa_store *store, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct statvfs		 fs;
	const char		*wrong = NULL;

	if (faccessat(AT_FDCWD, s->dir, R_OK | W_OK | X_OK, AT_EACCESS) ==
	    -1 ||
	    statvfs(s->dir, &fs) == -1)
		wrong = "cannot be read and written";
	else if (fs.f_flag & ST_RDONLY)
		wrong = "is on a read-only file system";
	else if (fs.f_bavail == 0)
		wrong = "is on a full file system";
	if (wrong == NULL)
		return 0;
	csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE, NULL);
	return csa_fail_detail(err, "%s %s", s->dir, wrong);
}

static void
close_store(struct csa_store *store)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;

	csa_pool_fini(s);
	free(s);
}

static const struct csa_store_ops ops = {
	.name = "sqlite",
	.put_document = csa_sqlite_put_document,
	.check_document = csa_sqlite_check_document,
	.delete_document = csa_sqlite_delete_document,
	.search = csa_sqlite_search,
	.chunks = chunks_by_id,
	.chunks_by_row = chunks_by_row,
	.generation = generation,
	.touch = csa_sqlite_touch,
	.bots = csa_sqlite_bots,
	.bot = csa_sqlite_bot,
	.scan_vectors = csa_sqlite_scan_vectors,
	.vector_rows = csa_sqlite_vector_rows,
	.vectors_by_row = csa_sqlite_vectors_by_row,
	.ping = ping,
	.close = close_store,
};

struct csa_store *
csa_store_sqlite_open(const char *data_dir, long connections,
    struct csa_err *err)
{
	struct csa_sqlite	*s = csa_new(struct csa_sqlite);

	s->store.ops = &ops;
	if (csa_pool_init(s, data_dir, connections, err) == -1) {
		free(s);
		return NULL;
	}
	return &s->store;
}
