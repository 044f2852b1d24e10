#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "lib/store/tokenizer.h"
#include "tests/contract/store_fixture.h"
#include "tests/remove_tree.h"

char			 dir[64];
struct csa_store	*store;
struct csa_ctx		 ctx;
struct csa_err		 err;
const struct csa_scope	 one = { "", "one" };

void
fx_reopen(void)
{
	if (store != NULL)
		store->ops->close(store);
	store = csa_store_sqlite_open(dir, 4, &err);
	ck_assert_msg(store != NULL, "%s", err.detail);
}

void
fx_setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/csa-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ctx.arena = csa_arena_new();
	ctx.deadline = csa_now_ms() + 600000;
	store = NULL;
	fx_reopen();
}

void
fx_remove(void)
{
	remove_tree(dir);
}

void
fx_teardown(void)
{
	store->ops->close(store);
	csa_arena_free(ctx.arena);
	fx_remove();
}

const char *
fx_path(const char *bot, const char *tail)
{
	static char	 path[256];

	snprintf(path, sizeof(path), "%s/bots/%s.db%s", dir, bot, tail);
	return path;
}

int
fx_put(const struct csa_scope *scope, const char *doc, size_t n,
    const char *text)
{
	struct csa_chunk	*c;

	c = csa_arena_array(ctx.arena, n, struct csa_chunk);
	for (size_t i = 0; i < n; i++) {
		c[i].id = csa_arena_printf(ctx.arena, "%s-chunk-%zu", doc, i);
		c[i].text = csa_arena_printf(ctx.arena, "%s %zu", text, i);
		c[i].len = strlen(c[i].text);
		c[i].title = "";
	}
	return store->ops->put_document(store, &ctx, scope, doc, NULL, "", c,
	    n, NULL, &err);
}

void
fx_store(const struct csa_scope *scope, const char *doc, size_t n,
    const char *text)
{
	ck_assert_msg(fx_put(scope, doc, n, text) == 0, "%s: %s", err.msg,
	    err.detail);
}

struct csa_text_result
fx_ask(const struct csa_scope *scope, const char *question, size_t k)
{
	struct csa_text_result	 r;

	ck_assert_msg(store->ops->search(store, &ctx, scope, question, k, &r,
	    &err) == 0, "%s: %s", err.msg, err.detail);
	return r;
}

size_t
fx_count(const struct csa_scope *scope, const char *question)
{
	return fx_ask(scope, question, 100000).nhits;
}

uint64_t
fx_generation(const struct csa_scope *scope)
{
	uint64_t	 v;

	ck_assert_msg(store->ops->generation(store, &ctx, scope, &v, &err) ==
	    0, "%s: %s", err.msg, err.detail);
	return v;
}

static void
assert_says_ok(sqlite3 *db, const char *sql)
{
	sqlite3_stmt	*st;

	ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK,
	    "%s", sqlite3_errmsg(db));
	ck_assert_msg(sqlite3_step(st) == SQLITE_ROW, "%s",
	    sqlite3_errmsg(db));
	ck_assert_str_eq((const char *)sqlite3_column_text(st, 0), "ok");
	sqlite3_finalize(st);
}

/* Through a connection of the test's own, as a stranger would look. */
void
fx_assert_sound(const char *bot)
{
	sqlite3		*db;
	char		*msg = NULL;

	ck_assert_int_eq(sqlite3_open(fx_path(bot, ""), &db), SQLITE_OK);
	ck_assert_int_eq(csa_tokenizer_register(db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	assert_says_ok(db, "PRAGMA integrity_check");
	assert_says_ok(db, "SELECT CASE WHEN NOT EXISTS"
	    " (SELECT 1 FROM pragma_foreign_key_check) THEN 'ok' END");
	assert_says_ok(db, "SELECT CASE WHEN (SELECT value FROM meta"
	    " WHERE name = 'chunks') = (SELECT count(*) FROM chunks)"
	    " THEN 'ok' END");
	ck_assert_msg(sqlite3_exec(db, "INSERT INTO fts (fts, rank) VALUES"
	    " ('integrity-check', 1)", NULL, NULL, &msg) == SQLITE_OK, "%s",
	    msg);
	sqlite3_close(db);
}
