#include "config.h"

#include <stdio.h>

#include "lib/base/mem.h"
#include "lib/store/store_sqlite.h"

/* "CSag": a file that carries a version but not this is somebody else's. */
#define APPLICATION_ID	0x43536167

/*
 * Version N of the schema is what the first N of these make; one is never
 * changed once released, only followed by another.  Each runs in a transaction
 * of its own with its version.
 *
 * seq is the chunk's place in its document.  vec is float32 in the byte order
 * of the host, dim * 4 bytes.  fts keeps no text of its own (content=): the
 * driver tells it of every change, in the same transaction.
 */
static const char *const migrations[] = {
	/* 1 */
	"CREATE TABLE meta ("
	"	name TEXT PRIMARY KEY,"
	"	value INTEGER NOT NULL"
	") WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('generation', 0), ('chunks', 0);"
	"CREATE TABLE documents ("
	"	doc INTEGER PRIMARY KEY,"
	"	id TEXT NOT NULL UNIQUE,"
	"	metadata TEXT,"
	"	stored INTEGER NOT NULL"
	");"
	"CREATE TABLE chunks ("
	"	row INTEGER PRIMARY KEY AUTOINCREMENT,"
	"	id TEXT NOT NULL UNIQUE,"
	"	doc INTEGER NOT NULL REFERENCES documents,"
	"	seq INTEGER NOT NULL,"
	"	title TEXT NOT NULL,"
	"	text TEXT NOT NULL,"
	"	metadata TEXT"
	");"
	"CREATE INDEX chunks_doc ON chunks (doc, seq);"
	"CREATE TABLE models ("
	"	model INTEGER PRIMARY KEY,"
	"	name TEXT NOT NULL UNIQUE"
	");"
	"CREATE TABLE vectors ("
	"	row INTEGER PRIMARY KEY REFERENCES chunks ON DELETE CASCADE,"
	"	model INTEGER NOT NULL REFERENCES models,"
	"	vec BLOB NOT NULL"
	");"
	"CREATE INDEX vectors_model ON vectors (model);"
	"CREATE VIRTUAL TABLE fts USING fts5 (title, text,"
	"	content = 'chunks', content_rowid = 'row', tokenize = 'csa');",
};

#define SCHEMA_VERSION	((int)CSA_NITEMS(migrations))

void
csa_schema_mark(int *application_id, int *version)
{
	*application_id = APPLICATION_ID;
	*version = SCHEMA_VERSION;
}

static int
pragma(struct csa_db *c, const char *sql, int *v)
{
	sqlite3_stmt	*st;
	int		 rc;

	if (sqlite3_prepare_v2(c->db, sql, -1, &st, NULL) != SQLITE_OK)
		return -1;
	rc = sqlite3_step(st);
	if (rc == SQLITE_ROW)
		*v = sqlite3_column_int(st, 0);
	sqlite3_finalize(st);
	return rc == SQLITE_ROW ? 0 : -1;
}

static int
migrate(struct csa_db *c, int from)
{
	char	 set[96];

	for (int v = from; v < SCHEMA_VERSION; v++) {
		snprintf(set, sizeof(set), "PRAGMA application_id = %d;"
		    "PRAGMA user_version = %d", APPLICATION_ID, v + 1);
		if (csa_begin(c, true) == -1)
			return -1;
		if (sqlite3_exec(c->db, migrations[v], NULL, NULL, NULL) !=
		    SQLITE_OK || sqlite3_exec(c->db, set, NULL, NULL, NULL) !=
		    SQLITE_OK || csa_commit(c) == -1)
			return -1;
	}
	return 0;
}

/*
 * How a new file begins; one that is there keeps its size of pages.  16 KiB hold
 * five vectors of 768 numbers, where 4 KiB held one and a quarter of nothing, and
 * a document is stored with less than half of the writes.
 */
static const char new_file[] =
    "PRAGMA page_size = 16384;"
    "PRAGMA journal_mode = WAL";

/* Another process may have done it while this one waited for the lock. */
static int
migrate_locked(struct csa_db *c, struct csa_err *err)
{
	int	 v, rc = -1;

	if (csa_db_lock(c, err) == -1)
		return -1;
	if (sqlite3_exec(c->db, new_file, NULL, NULL, NULL) == SQLITE_OK &&
	    pragma(c, "PRAGMA user_version", &v) == 0 &&
	    (v >= SCHEMA_VERSION || migrate(c, v) == 0) &&
	    pragma(c, "PRAGMA page_size", &c->page_size) == 0)
		rc = 0;
	if (rc == -1) {
		csa_db_fail(c, "make the tables", err);
		csa_rollback(c);
	}
	csa_db_unlock(c);
	return rc;
}

int
csa_schema(struct csa_db *c, bool create, struct csa_err *err)
{
	int	 v, id;

	if (pragma(c, "PRAGMA user_version", &v) == -1 ||
	    pragma(c, "PRAGMA application_id", &id) == -1 ||
	    pragma(c, "PRAGMA page_size", &c->page_size) == -1)
		return csa_db_fail(c, "open", err);
	if (v == SCHEMA_VERSION && id == APPLICATION_ID)
		return 1;
	if (v < 0 || v > SCHEMA_VERSION || (v != 0 && id != APPLICATION_ID)) {
		csa_fail(err, CSA_ERR_STORE_UNAVAILABLE, CSA_SRC_STORE,
		    v > SCHEMA_VERSION && id == APPLICATION_ID ?
		    "the bot's documents were stored by a newer version" :
		    "the bot's documents are not in a format known here");
		return csa_fail_detail(err, "%s: schema %d, this program "
		    "knows %d", c->path, v, SCHEMA_VERSION);
	}
	/* Made, and the process died before the tables were: nothing there. */
	if (v == 0 && !create)
		return 0;
	return migrate_locked(c, err) == -1 ? -1 : 1;
}
