#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"
#include "lib/store/tokenizer.h"

/* SQLite asks for the time after so many steps of its machine. */
#define STEPS		20000

/*
 * A WAL of so many bytes is copied into the file; one of so many is cut down
 * too, for which readers are waited for a little.
 */
#define WAL_COPY	(8 << 20)
#define WAL_CUT		(16 << 20)
#define WAL_CUT_MS	200

static const char *const sql[CSA_STMT__MAX] = {
#define STMT(name, text)	[CSA_STMT_##name] = text,
#include "lib/store/statements.def"
#undef STMT
};

/* ---- errors ---- */

int
csa_db_fail(struct csa_db *c, const char *doing, struct csa_err *err)
{
	int	 rc = sqlite3_extended_errcode(c->db);
	int	 kind = rc & 0xff;

	if ((kind == SQLITE_INTERRUPT || kind == SQLITE_BUSY) &&
	    csa_left_ms(c->deadline) == 0) {
		csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
		return csa_fail_detail(err, "%s: %s", c->path, doing);
	}
	/* Whatever it was, the next request starts with a file just opened. */
	c->broken = true;
	csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE, NULL);
	/* SQLite is content with what we are not. */
	if (kind == SQLITE_OK || kind == SQLITE_ROW || kind == SQLITE_DONE)
		return csa_fail_detail(err, "%s: %s: the file is damaged",
		    c->path, doing);
	return csa_fail_detail(err, "%s: %s: %s (%d)", c->path, doing,
	    sqlite3_errmsg(c->db), rc);
}

int
csa_fail_errno(const char *path, const char *doing, struct csa_err *err)
{
	int	 error = errno;

	csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE, NULL);
	return csa_fail_detail(err, "%s: %s: %s", path, doing,
	    strerror(error));
}

/* ---- the lock ---- */

static void
sleep_us(long us)
{
	struct timespec	 ts = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&ts, NULL);
}

static int
open_lock(struct csa_db *c)
{
	char	 path[PATH_MAX];

	if (c->lock != -1)
		return 0;
	snprintf(path, sizeof(path), "%s-lock", c->path);
	c->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	return c->lock == -1 ? -1 : 0;
}

/*
 * flock and not fcntl: it belongs to the open descriptor, so it holds between
 * the threads of one process too, and ends with a process that is killed.  It
 * has no time limit of its own, hence the asking again.
 */
int
csa_db_lock(struct csa_db *c, struct csa_err *err)
{
	long	 us = 50;

	if (open_lock(c) == -1)
		return csa_fail_errno(c->path, "open its lock", err);
	while (flock(c->lock, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return csa_fail_errno(c->path, "lock", err);
		if (csa_left_ms(c->deadline) == 0) {
			csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
			return csa_fail_detail(err, "%s: others are writing",
			    c->path);
		}
		sleep_us(us);
		if (us < 2000)
			us *= 2;
	}
	return 0;
}

void
csa_db_unlock(struct csa_db *c)
{
	(void)flock(c->lock, LOCK_UN);
}

void
csa_db_checkpoint(struct csa_db *c)
{
	int64_t	 deadline = c->deadline;
	int64_t	 size = (int64_t)c->wal_pages * c->page_size;
	bool	 cut = size >= WAL_CUT;
	int	 rc;

	if (size < WAL_COPY)
		return;
	c->deadline = csa_now_ms() + WAL_CUT_MS;
	rc = sqlite3_wal_checkpoint_v2(c->db, NULL,
	    cut ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE,
	    NULL, NULL);
	c->deadline = deadline;
	/* What is in the WAL is on the disk as well; the next writer tries. */
	if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
		csa_warn("%s: checkpoint: %s", c->path, sqlite3_errmsg(c->db));
}

/* ---- SQLite's callbacks ---- */

static int
on_busy(void *arg, int times)
{
	struct csa_db	*c = arg;

	(void)times;
	if (csa_left_ms(c->deadline) == 0)
		return 0;
	sleep_us(1000);
	return 1;
}

static int
on_progress(void *arg)
{
	struct csa_db	*c = arg;

	return csa_left_ms(c->deadline) == 0;
}

static int
on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct csa_db	*c = arg;

	(void)db;
	(void)name;
	c->wal_pages = pages;
	return SQLITE_OK;
}

/* ---- statements ---- */

sqlite3_stmt *
csa_stmt(struct csa_db *c, enum csa_stmt which)
{
	if (c->st[which] == NULL && sqlite3_prepare_v3(c->db, sql[which], -1,
	    SQLITE_PREPARE_PERSISTENT, &c->st[which], NULL) != SQLITE_OK)
		return NULL;
	return c->st[which];
}

int
csa_done(sqlite3_stmt *st, int rc)
{
	sqlite3_reset(st);
	return rc == SQLITE_DONE || rc == SQLITE_ROW ? 0 : -1;
}

int
csa_run(sqlite3_stmt *st)
{
	return st == NULL ? -1 : csa_done(st, sqlite3_step(st));
}

int
csa_begin(struct csa_db *c, bool write)
{
	return csa_run(csa_stmt(c, write ? CSA_STMT_BEGIN_WRITE :
	    CSA_STMT_BEGIN_READ));
}

int
csa_commit(struct csa_db *c)
{
	return csa_run(csa_stmt(c, CSA_STMT_COMMIT));
}

void
csa_rollback(struct csa_db *c)
{
	/* After some errors SQLite has done it by itself. */
	if (sqlite3_get_autocommit(c->db))
		return;
	if (csa_run(csa_stmt(c, CSA_STMT_ROLLBACK)) == -1)
		c->broken = true;
}

void
csa_bind_textn(sqlite3_stmt *st, int at, const char *s, size_t n)
{
	CSA_MUST(sqlite3_bind_text64(st, at, s, n, SQLITE_STATIC,
	    SQLITE_UTF8) == SQLITE_OK);
}

void
csa_bind_text(sqlite3_stmt *st, int at, const char *s)
{
	if (s == NULL)
		CSA_MUST(sqlite3_bind_null(st, at) == SQLITE_OK);
	else
		csa_bind_textn(st, at, s, strlen(s));
}

int
csa_meta(struct csa_db *c, const char *name, int64_t *v)
{
	sqlite3_stmt	*st = csa_stmt(c, CSA_STMT_META);
	int		 rc;

	if (st == NULL)
		return -1;
	csa_bind_text(st, 1, name);
	if ((rc = sqlite3_step(st)) == SQLITE_ROW)
		*v = sqlite3_column_int64(st, 0);
	sqlite3_reset(st);
	return rc == SQLITE_ROW ? 0 : -1;
}

/* ---- opening ---- */

void
csa_db_close(struct csa_db *c)
{
	for (int i = 0; i < CSA_STMT__MAX; i++)
		sqlite3_finalize(c->st[i]);
	/* Never a checkpoint here (NO_CKPT_ON_CLOSE): the lock isn't held. */
	sqlite3_close(c->db);
	if (c->lock != -1)
		close(c->lock);
	csa_rank_free(c);
	free(c->path);
	free(c);
}

static void
add_encoded(struct csa_buf *b, const char *path, const char *tail)
{
	for (const char *s = path; *s != '\0'; s++)
		if (isalnum((unsigned char)*s) || strchr("/._-", *s) != NULL)
			csa_buf_putc(b, *s);
		else
			csa_buf_addf(b, "%%%02x", (unsigned char)*s);
	csa_buf_puts(b, tail);
}

/*
 * modeof: the new file gets the mode of its lock file, 0600, whatever the umask
 * is. Making it by hand first would mean closing a descriptor of it, and with
 * that all of SQLite's locks on it in this process would be gone.
 */
static int
open_file(struct csa_db *c, bool create)
{
	struct csa_buf	 uri;
	int		 rc;

	csa_buf_init(&uri, 8 * PATH_MAX);
	csa_buf_puts(&uri, "file:");
	add_encoded(&uri, c->path, "");
	if (create) {
		csa_buf_puts(&uri, "?modeof=");
		add_encoded(&uri, c->path, "-lock");
	}
	CSA_MUST(!uri.failed);
	rc = sqlite3_open_v2(uri.data, &c->db, SQLITE_OPEN_URI |
	    SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0) |
	    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE, NULL);
	csa_buf_fini(&uri);
	return rc == SQLITE_OK ? 0 : -1;
}

/*
 * FULL: a commit is on the disk, not only in the WAL's cache.  No mmap: with
 * several writers it makes damage worse.  The
 * checkpoint is ours to make, under the lock.
 */
static const char settings[] =
    "PRAGMA synchronous = FULL;"
    "PRAGMA mmap_size = 0;"
    "PRAGMA wal_autocheckpoint = 0;"
    "PRAGMA journal_size_limit = 16777216;"
    "PRAGMA cell_size_check = ON;"
    "PRAGMA temp_store = MEMORY;";

static int
set_up(struct csa_db *c)
{
	static const struct { int op, on; } flags[] = {
		{ SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 },
		{ SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
		{ SQLITE_DBCONFIG_ENABLE_TRIGGER, 0 },
		{ SQLITE_DBCONFIG_ENABLE_VIEW, 0 },
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 },
	};

	sqlite3_extended_result_codes(c->db, 1);
	for (size_t i = 0; i < CSA_NITEMS(flags); i++)
		if (sqlite3_db_config(c->db, flags[i].op, flags[i].on,
		    NULL) != SQLITE_OK)
			return -1;
	sqlite3_busy_handler(c->db, on_busy, c);
	sqlite3_progress_handler(c->db, STEPS, on_progress, c);
	if (csa_tokenizer_register(c->db) != SQLITE_OK ||
	    csa_rank_register(c) != SQLITE_OK ||
	    sqlite3_exec(c->db, settings, NULL, NULL, NULL) != SQLITE_OK)
		return -1;
	/* After the settings: wal_autocheckpoint takes the hook for itself. */
	sqlite3_wal_hook(c->db, on_commit, c);
	return 0;
}

static struct csa_db *
conn_new(const char *path, int64_t deadline)
{
	struct csa_db	*c = csa_new(struct csa_db);

	c->path = csa_strdup(path);
	c->lock = -1;
	c->deadline = deadline;
	return c;
}

/* The directories above path, of which dir is there. */
static int
make_directory(const char *dir, const char *path, struct csa_err *err)
{
	char	*copy = csa_strdup(path);
	int	 rc = 0, fd;

	*strrchr(copy, '/') = '\0';
	if (mkdir(copy, 0700) == 0) {
		/* Its name must be on the disk before what is in it counts. */
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd != -1) {
			rc = fsync(fd);
			close(fd);
		}
	} else if (errno != EEXIST)
		rc = -1;
	if (rc == -1)
		csa_fail_errno(copy, "make the directory", err);
	free(copy);
	return rc;
}

int
csa_db_open(const char *dir, const char *path, bool create,
    int64_t deadline, struct csa_db **out, struct csa_err *err)
{
	struct csa_db	*c;
	struct stat	 sb;
	int		 rc = -1;

	if (create && make_directory(dir, path, err) == -1)
		return -1;
	c = conn_new(path, deadline);
	if (create && open_lock(c) == -1)
		csa_fail_errno(path, "make its lock", err);
	else if (open_file(c, create) == -1 || set_up(c) == -1)
		csa_db_fail(c, "open", err);
	else if ((rc = csa_schema(c, create, err)) == 1) {
		if (stat(path, &sb) == -1)
			rc = csa_fail_errno(path, "stat", err);
		c->dev = sb.st_dev;
		c->ino = sb.st_ino;
	}
	if (rc == 1)
		*out = c;
	else
		csa_db_close(c);
	return rc;
}
