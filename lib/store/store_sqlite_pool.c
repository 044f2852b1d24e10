#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"

#define STOOD_MS	1000	/* so long the directory is taken for there */

#define NAMEMAX		128		/* of a bot or a tenant */

/* ---- once for all ---- */

/*
 * What fails a request is in its error.  The rest is no trouble: frames
 * recovered from a WAL, a schema read again, the file of a bot that somebody
 * took away.
 */
static void
on_log(void *arg, int rc, const char *text)
{
	(void)arg;
	csa_debug("sqlite: %s (%d)", text, rc);
}

static pthread_once_t	 once = PTHREAD_ONCE_INIT;

static void
configure(void)
{
	/* Refused where somebody has used SQLite before; no harm. */
	(void)sqlite3_config(SQLITE_CONFIG_LOG, on_log, NULL);
	/* Nobody asks SQLite how much it has; counting takes a lock. */
	(void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	CSA_MUST(sqlite3_threadsafe() != 0);
}

/* ---- taking and giving ---- */

/*
 * Names that could leave the directory, or be taken for a file beside another
 * bot's, never come this far; that is checked where they come in.
 */
bool
csa_db_is_name(const char *s)
{
	size_t	 n = strlen(s);

	return n >= 1 && n <= NAMEMAX && *s != '.' && strspn(s,
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	    "0123456789._-") == n;
}

static const char *
path_of(struct csa_sqlite *s, struct csa_ctx *ctx,
    const struct csa_scope *scope)
{
	const char	*t = scope->tenant;

	CSA_MUST(csa_db_is_name(scope->bot));
	if (t == NULL || *t == '\0')
		return csa_arena_printf(ctx->arena, "%s/%s.db", s->dir,
		    scope->bot);
	CSA_MUST(csa_db_is_name(t));
	return csa_arena_printf(ctx->arena, "%s/%s/%s.db", s->dir, t,
	    scope->bot);
}

static struct csa_db *
find_idle(struct csa_sqlite *s, const char *path)
{
	struct csa_db	**at, *c = NULL;

	pthread_mutex_lock(&s->mutex);
	for (at = &s->idle; *at != NULL; at = &(*at)->next)
		if (strcmp((*at)->path, path) == 0) {
			c = *at;
			*at = c->next;
			s->nidle--;
			break;
		}
	pthread_mutex_unlock(&s->mutex);
	return c;
}

int
csa_pool_stands(struct csa_sqlite *s, struct csa_err *err)
{
	struct stat	 sb;

	if (stat(s->dir, &sb) == 0) {
		if (S_ISDIR(sb.st_mode))
			return 0;
		errno = ENOTDIR;
	}
	return csa_fail_errno(s->dir, "look into the directory", err);
}

/* Looked at once a second: of a bot without documents a chat asks three times. */
static int
stood_lately(struct csa_sqlite *s, struct csa_err *err)
{
	int64_t	 now = csa_now_ms();

	if (now - atomic_load(&s->stood) < STOOD_MS)
		return 0;
	if (csa_pool_stands(s, err) == -1)
		return -1;
	atomic_store(&s->stood, now);
	return 0;
}

int
csa_db_take(struct csa_sqlite *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, bool create, struct csa_db **out,
    struct csa_err *err)
{
	const char	*path = path_of(s, ctx, scope);
	struct csa_db	*c;
	struct stat	 sb;
	int		 there;

	/* A tenant's directory may not have the name of a bot's file. */
	if (scope->tenant != NULL && strstr(scope->tenant, ".db") != NULL)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_STORE,
		    "a tenant's name may not contain \".db\"");
	there = stat(path, &sb);
	if (there == -1 && errno != ENOENT && errno != ENOTDIR)
		return csa_fail_errno(path, "stat", err);
	while ((c = find_idle(s, path)) != NULL) {
		if (there == 0 && c->dev == sb.st_dev && c->ino == sb.st_ino) {
			c->deadline = ctx->deadline;
			*out = c;
			return 1;
		}
		csa_db_close(c);
	}
	if (there == -1 && !create)
		return stood_lately(s, err);
	return csa_db_open(s->dir, path, create, ctx->deadline, out, err);
}

/* Take the one that was not used for longest out of the pool, if it is full. */
static struct csa_db *
surplus(struct csa_sqlite *s)
{
	struct csa_db	**at = &s->idle, *c;

	if (s->nidle <= s->keep)
		return NULL;
	while ((*at)->next != NULL)
		at = &(*at)->next;
	c = *at;
	*at = NULL;
	s->nidle--;
	return c;
}

void
csa_db_give(struct csa_sqlite *s, struct csa_db *c)
{
	struct csa_db	*old;

	/* Nothing that was begun may be left for the next one who takes it. */
	csa_rollback(c);
	c->deadline = INT64_MAX;
	if (c->broken) {
		csa_db_close(c);
		return;
	}
	pthread_mutex_lock(&s->mutex);
	c->next = s->idle;
	s->idle = c;
	s->nidle++;
	old = surplus(s);
	pthread_mutex_unlock(&s->mutex);
	if (old != NULL)
		csa_db_close(old);
}

/* ---- the store ---- */

static int
make_dir(const char *path, struct csa_err *err)
{
	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return csa_fail_errno(path, "make the directory", err);
	return 0;
}

int
csa_pool_init(struct csa_sqlite *s, const char *data_dir, long keep,
    struct csa_err *err)
{
	size_t	 n = strlen(data_dir) + sizeof("/bots");

	CSA_MUST(pthread_once(&once, configure) == 0);
	/* Room for a tenant, a bot and "-lock"; see open_lock. */
	if (*data_dir == '\0' || n + 2 * NAMEMAX + 16 > PATH_MAX) {
		errno = *data_dir == '\0' ? ENOENT : ENAMETOOLONG;
		return csa_fail_errno(data_dir, "use as data_dir", err);
	}
	s->dir = csa_malloc(n);
	snprintf(s->dir, n, "%s/bots", data_dir);
	if (make_dir(data_dir, err) == -1 || make_dir(s->dir, err) == -1) {
		free(s->dir);
		return -1;
	}
	s->keep = keep;
	pthread_mutex_init(&s->mutex, NULL);
	return 0;
}

void
csa_pool_fini(struct csa_sqlite *s)
{
	struct csa_db	*c;

	while ((c = s->idle) != NULL) {
		s->idle = c->next;
		csa_db_close(c);
	}
	pthread_mutex_destroy(&s->mutex);
	free(s->dir);
}
