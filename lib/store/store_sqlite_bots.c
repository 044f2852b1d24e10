#include "config.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"

#define TAIL	".db"

/* ---- the names ---- */

struct names {
	struct csa_arena *arena;
	char		**name;		/* from malloc, the names are not */
	size_t		  n, size;
};

static int
by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* A bot's name in the arena, where this is the name of a bot's file. */
static char *
bot_of(struct csa_arena *arena, int dir, const char *file)
{
	size_t		 n = strlen(file), tail = sizeof(TAIL) - 1;
	struct stat	 sb;
	char		*name;

	if (n <= tail || strcmp(file + n - tail, TAIL) != 0 ||
	    fstatat(dir, file, &sb, AT_SYMLINK_NOFOLLOW) == -1 ||
	    !S_ISREG(sb.st_mode))
		return NULL;
	name = csa_arena_strndup(arena, file, n - tail);
	/* Somebody else's file is no bot. */
	return csa_db_is_name(name) ? name : NULL;
}

static void
add(struct names *l, char *name)
{
	if (l->n == l->size) {
		l->size = l->size == 0 ? 64 : l->size * 2;
		l->name = csa_realloc(l->name, l->size, sizeof(*l->name));
	}
	l->name[l->n++] = name;
}

static int
read_names(struct csa_sqlite *s, const char *path, struct names *l,
    struct csa_err *err)
{
	struct dirent	*e;
	char		*name;
	DIR		*d;

	if ((d = opendir(path)) == NULL)
		return errno == ENOENT ? csa_pool_stands(s, err) :
		    csa_fail_errno(path, "read the directory", err);
	while ((e = readdir(d)) != NULL)
		if ((name = bot_of(l->arena, dirfd(d), e->d_name)) != NULL)
			add(l, name);
	closedir(d);
	return 0;
}

int
csa_sqlite_bots(struct csa_store *store, struct csa_ctx *ctx,
    const char *tenant, struct csa_ids *out, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct names		 l = { .arena = ctx->arena };
	const char		*path = s->dir;

	out->n = 0;
	if (tenant != NULL && *tenant != '\0') {
		CSA_MUST(csa_db_is_name(tenant));
		path = csa_arena_printf(ctx->arena, "%s/%s", s->dir, tenant);
	}
	if (read_names(s, path, &l, err) == -1)
		return -1;
	if (l.n > 0)
		qsort(l.name, l.n, sizeof(*l.name), by_name);
	out->id = csa_arena_array(ctx->arena, l.n, const char *);
	for (; out->n < l.n; out->n++)
		out->id[out->n] = l.name[out->n];
	free(l.name);
	return 0;
}

/* ---- one of them ---- */

/*
 * What is found is not remembered under the files' times and sizes: a commit
 * writes to the WAL, waits for the disk and only then shows itself, in shared
 * memory, which changes no time.  What was read in between would be believed
 * for ever.
 */
int
csa_sqlite_bot(struct csa_store *store, struct csa_ctx *ctx,
    const struct csa_scope *scope, int64_t *since, struct csa_err *err)
{
	struct csa_sqlite	*s = (struct csa_sqlite *)store;
	struct csa_db		*c;
	sqlite3_stmt		*st;
	int			 rc, step;

	if ((rc = csa_db_take(s, ctx, scope, false, &c, err)) != 1)
		return rc;
	rc = -1;
	if ((st = csa_stmt(c, CSA_STMT_FIRST_DOC)) != NULL) {
		if ((step = sqlite3_step(st)) == SQLITE_ROW)
			*since = sqlite3_column_int64(st, 0);
		if (csa_done(st, step) == 0)
			rc = step == SQLITE_ROW;
	}
	if (rc == -1)
		csa_db_fail(c, "look for documents", err);
	csa_db_give(s, c);
	return rc;
}
