#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"

/* SQLite may hand out a blob at any address; floats need an aligned one. */
struct aligned {
	float	*f;
	size_t	 size;			/* in floats */
};

/* The floats of st's column, or NULL for a blob that can't be any. */
static const float *
read_vec(struct aligned *a, sqlite3_stmt *st, int column, size_t *dim)
{
	const void	*blob = sqlite3_column_blob(st, column);
	size_t		 n = (size_t)sqlite3_column_bytes(st, column);

	if (blob == NULL || n == 0 || n % sizeof(float) != 0)
		return NULL;
	*dim = n / sizeof(float);
	if (*dim > a->size) {
		a->size = *dim;
		a->f = csa_realloc(a->f, a->size, sizeof(float));
	}
	memcpy(a->f, blob, n);
	return a->f;
}

static int
scan(struct csa_db *c, const char *model, int64_t after,
    bool (*each)(void *, const struct csa_stored_vec *), void *arg)
{
	sqlite3_stmt		*st = csa_stmt(c, CSA_STMT_VECTORS_AFTER);
	struct aligned		 a = { NULL, 0 };
	struct csa_stored_vec	 v;
	int			 rc;

	if (st == NULL)
		return -1;
	csa_bind_text(st, 1, model);
	sqlite3_bind_int64(st, 2, after);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		v.row = sqlite3_column_int64(st, 0);
		v.vec = read_vec(&a, st, 1, &v.dim);
		if (v.vec != NULL && !each(arg, &v))
			break;
	}
	free(a.f);
	return csa_done(st, rc);
}

int
csa_sqlite_scan_vectors(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *model, int64_t after,
    bool (*each)(void *, const struct csa_stored_vec *), void *arg,
    struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	if ((rc = scan(c, model, after, each, arg)) == -1)
		csa_db_fail(c, "read the vectors", err);
	csa_db_give(s, c);
	return rc;
}

static int
list_rows(struct csa_db *c, const char *model, int64_t **rows, size_t *n)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_VECTOR_ROWS);
	size_t		 size = 0;
	int		 rc;

	if (st == NULL)
		return -1;
	csa_bind_text(st, 1, model);
	while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
		if (*n == size) {
			size = size == 0 ? 256 : size * 2;
			*rows = csa_realloc(*rows, size, sizeof(**rows));
		}
		(*rows)[(*n)++] = sqlite3_column_int64(st, 0);
	}
	return csa_done(st, rc);
}

int
csa_sqlite_vector_rows(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *model, int64_t **rows,
    size_t *n, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	*rows = NULL;
	*n = 0;
	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	if ((rc = list_rows(c, model, rows, n)) == -1) {
		csa_db_fail(c, "list the vectors", err);
		free(*rows);
		*rows = NULL;
		*n = 0;
	}
	csa_db_give(s, c);
	return rc;
}

static int
read_some(struct csa_db *c, struct csa_arena *arena, const int64_t *row,
    size_t n, const float **out, size_t dim)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_VECTOR_BY_ROW);
	float		*f;
	int		 rc;

	if (st == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		sqlite3_bind_int64(st, 1, row[i]);
		rc = sqlite3_step(st);
		if (rc == SQLITE_ROW && (size_t)sqlite3_column_bytes(st, 0) ==
		    dim * sizeof(float)) {
			f = csa_arena_alloc(arena, dim * sizeof(float));
			memcpy(f, sqlite3_column_blob(st, 0),
			    dim * sizeof(float));
			out[i] = f;
		}
		if (csa_done(st, rc) == -1)
			return -1;
	}
	return 0;
}

int
csa_sqlite_vectors_by_row(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, const int64_t *row, size_t n,
    const float **out, size_t dim, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	int			 rc;

	CSA_MUST(dim > 0);
	for (size_t i = 0; i < n; i++)
		out[i] = NULL;
	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	rc = 0;
	if (csa_begin(c, false) == -1 ||
	    read_some(c, ctx->arena, row, n, out, dim) == -1 ||
	    csa_commit(c) == -1)
		rc = csa_db_fail(c, "read vectors", err);
	csa_db_give(s, c);
	return rc;
}
