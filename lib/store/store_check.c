#include "config.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/store/store_check.h"
#include "lib/store/store_sqlite.h"
#include "lib/store/tokenizer.h"

#define STEPS	1000	/* of SQLite's machine between looks at the clock */

struct walk {
	bool	(*each)(void *, const char *, int64_t);
	void	*arg;
	long	 n;
	bool	 over;
};

static bool
is_bot(const char *name)
{
	size_t	 n = strlen(name);

	return n > 3 && name[0] != '.' && strcmp(name + n - 3, ".db") == 0;
}

/* depth 1: bots and tenants, 0: the bots of a tenant. */
static int
walk_dir(struct walk *w, const char *dir, int depth)
{
	char		 path[PATH_MAX];
	struct dirent	*e;
	struct stat	 st;
	DIR		*d;

	if ((d = opendir(dir)) == NULL)
		return -1;
	while (!w->over && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.' || snprintf(path, sizeof(path),
		    "%s/%s", dir, e->d_name) >= (int)sizeof(path) ||
		    lstat(path, &st) == -1)
			continue;
		if (S_ISDIR(st.st_mode) && depth > 0)
			(void)walk_dir(w, path, depth - 1);
		else if (S_ISREG(st.st_mode) && is_bot(e->d_name)) {
			w->n++;
			w->over = !w->each(w->arg, path, st.st_mtime);
		}
	}
	closedir(d);
	return 0;
}

long
csa_store_files(const char *data_dir, bool (*each)(void *, const char *,
    int64_t), void *arg)
{
	struct walk	 w = { each, arg, 0, false };
	char		 dir[PATH_MAX];

	if (snprintf(dir, sizeof(dir), "%s/bots", data_dir) >=
	    (int)sizeof(dir)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (walk_dir(&w, dir, 1) == -1)
		return errno == ENOENT ? 0 : -1;
	return w.n;
}

static int
on_progress(void *deadline)
{
	return csa_left_ms(*(int64_t *)deadline) == 0;
}

/* The first column of the first row as a number; -1 where there is none. */
static int
number(sqlite3 *db, const char *sql, int64_t *v)
{
	sqlite3_stmt	*st;
	int		 rc;

	if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	if ((rc = sqlite3_step(st)) == SQLITE_ROW)
		*v = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : -1;
}

/* Not in this time; that says nothing about the file. */
static bool
busy(sqlite3 *db)
{
	int	 rc = sqlite3_errcode(db);

	return rc == SQLITE_INTERRUPT || rc == SQLITE_BUSY;
}

static int
damaged(const char *path, const char *why, struct csa_err *err)
{
	csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE, NULL);
	return csa_fail_detail(err, "%s: %s", path, why);
}

/* quick_check's first row is "ok", or the first thing that is wrong. */
static int
quick_check(sqlite3 *db, const char *path, struct csa_store_file *f,
    struct csa_err *err)
{
	sqlite3_stmt	*st;
	const char	*said;
	int		 rc;

	if (sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &st, NULL) !=
	    SQLITE_OK)
		return damaged(path, sqlite3_errmsg(db), err);
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW) {
		said = (const char *)sqlite3_column_text(st, 0);
		f->whole = said != NULL && strcmp(said, "ok") == 0;
		if (!f->whole)
			rc = damaged(path, said != NULL ? said : "damaged",
			    err);
		else
			rc = 0;
	} else if (busy(db))
		rc = 0;
	else
		rc = damaged(path, sqlite3_errmsg(db), err);
	sqlite3_finalize(st);
	return rc;
}

static int
check(sqlite3 *db, const char *path, struct csa_store_file *f,
    struct csa_err *err)
{
	int64_t	 id = 0, version = 0;
	int	 ours;

	csa_schema_mark(&ours, &f->known);
	if (number(db, "PRAGMA user_version", &version) == -1 ||
	    number(db, "PRAGMA application_id", &id) == -1)
		return busy(db) ? 0 : damaged(path, sqlite3_errmsg(db), err);
	f->schema = (int)version;
	if (version == 0 && id == 0)
		return 0;
	if (id != ours)
		return damaged(path, "not a file of chatsphere", err);
	if (version > f->known)
		return damaged(path, "stored by a newer version", err);
	/* Nothing to tell is no fault: it may be locked just now. */
	(void)number(db, "SELECT value FROM meta WHERE name = 'chunks'",
	    &f->chunks);
	return quick_check(db, path, f, err);
}

int
csa_store_check(const char *path, int64_t deadline, struct csa_store_file *f,
    struct csa_err *err)
{
	char		 wal[PATH_MAX];
	struct stat	 st;
	sqlite3		*db = NULL;
	int		 rc;

	memset(f, 0, sizeof(*f));
	if (snprintf(wal, sizeof(wal), "%s-wal", path) < (int)sizeof(wal) &&
	    stat(wal, &st) == 0)
		f->wal = st.st_size;
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY |
	    SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK ||
	    csa_tokenizer_register(db) != SQLITE_OK)
		rc = damaged(path, db != NULL ? sqlite3_errmsg(db) :
		    "out of memory", err);
	else {
		sqlite3_busy_timeout(db, 200);
		sqlite3_progress_handler(db, STEPS, on_progress, &deadline);
		rc = check(db, path, f, err);
	}
	sqlite3_close(db);
	return rc;
}
