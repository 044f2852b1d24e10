/*
 * store_sqlite: what the files of the SQLite driver share, and nobody else.
 *
 * store_sqlite.c		the driver's table, reading
 * store_sqlite_bots.c		which bots there are
 * store_sqlite_put.c		storing a document
 * store_sqlite_delete.c	deleting one, raising the generation
 * store_sqlite_conn.c		one connection: its lock, statements, errors
 * store_sqlite_pool.c		those that are open, and the names of files
 * store_sqlite_schema.c	the tables and their migrations
 * store_sqlite_search.c	a question's way into MATCH and back
 * store_sqlite_rank.c		the score of a passage
 * store_sqlite_vec.c		stored vectors
 */

#ifndef CSA_STORE_STORE_SQLITE_H
#define CSA_STORE_STORE_SQLITE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <sqlite3.h>

#include "lib/store/store.h"

enum csa_stmt {
#define STMT(name, sql)	CSA_STMT_##name,
#include "lib/store/statements.def"
#undef STMT
	CSA_STMT__MAX
};

struct csa_ranking;

/* One open file; serves one thread at a time. */
struct csa_db {
	struct csa_db	*next;		/* in the pool, last used first */
	char		*path;
	dev_t		 dev;		/* of the file when it was opened, so */
	ino_t		 ino;		/* another in its place is noticed */
	sqlite3		*db;
	sqlite3_stmt	*st[CSA_STMT__MAX];
	int		 lock;		/* descriptor of the lock file, or -1 */
	int64_t		 deadline;	/* of the request that has it */
	int		 page_size;	/* of the file */
	int		 wal_pages;	/* in the WAL after the last commit */
	bool		 broken;	/* to be closed, not kept */
	struct csa_ranking *rank;
};

struct csa_sqlite {
	struct csa_store store;
	char		*dir;
	_Atomic int64_t	 stood;		/* dir was there then, csa_now_ms */
	long		 keep;		/* idle connections, at most */
	pthread_mutex_t	 mutex;		/* of the next two */
	struct csa_db	*idle;
	long		 nidle;
};

/*
 * Is the directory there?  Where it isn't (a file system that was not mounted),
 * a bot without a file is not one without documents.  0, or -1.
 */
int	csa_pool_stands(struct csa_sqlite *, struct csa_err *) CSA_MUSTCHECK;
/*
 * The scope's connection: 1, 0 where the bot has no file and create is false,
 * or -1.  It must go back with csa_db_give.
 */
int	csa_db_take(struct csa_sqlite *, struct csa_ctx *,
	    const struct csa_scope *, bool create, struct csa_db **,
	    struct csa_err *) CSA_MUSTCHECK;
void	csa_db_give(struct csa_sqlite *, struct csa_db *);
/* May a bot or a tenant have this name?  Only such a one can be a scope's. */
bool	csa_db_is_name(const char *);

/*
 * The file at path, in dir or in a directory of it.  1 and *out, 0 where it is
 * empty and create is false, -1.
 */
int	csa_db_open(const char *dir, const char *path, bool create,
	    int64_t deadline, struct csa_db **out, struct csa_err *)
	    CSA_MUSTCHECK;
void	csa_db_close(struct csa_db *);

/* data_dir/bots, made where it is missing, and no connection yet.  0 or -1. */
int	csa_pool_init(struct csa_sqlite *, const char *data_dir, long keep,
	    struct csa_err *) CSA_MUSTCHECK;
void	csa_pool_fini(struct csa_sqlite *);

/*
 * The one lock of the file, over all threads and processes, for whoever writes
 * or checkpoints.  SQLite before 3.51.3 can corrupt a WAL that two connections
 * commit to and checkpoint at the same moment.  Waits until the deadline.
 */
int	csa_db_lock(struct csa_db *, struct csa_err *) CSA_MUSTCHECK;
void	csa_db_unlock(struct csa_db *);

/* With the lock held, after a commit: shorten the WAL where it has grown. */
void	csa_db_checkpoint(struct csa_db *);

/* The statement, ready to be bound; NULL where it can't be prepared. */
sqlite3_stmt *csa_stmt(struct csa_db *, enum csa_stmt);
/* Step once and reset: 0, or -1 for anything but SQLITE_DONE and SQLITE_ROW. */
int	csa_run(sqlite3_stmt *);	/* NULL gives -1 */
/* Let go of a statement; returns -1 where the step before had failed. */
int	csa_done(sqlite3_stmt *, int rc);

/* BEGIN, and whatever ends it; none of them touches err. */
int	csa_begin(struct csa_db *, bool write);
int	csa_commit(struct csa_db *);
void	csa_rollback(struct csa_db *);

/* Say in err what SQLite's last error means, or errno.  They return -1. */
int	csa_db_fail(struct csa_db *, const char *doing, struct csa_err *);
int	csa_fail_errno(const char *path, const char *doing, struct csa_err *);

/* Bind what lives until the statement is reset. */
void	csa_bind_text(sqlite3_stmt *, int at, const char *s);
void	csa_bind_textn(sqlite3_stmt *, int at, const char *s, size_t n);

/*
 * Bring the file to this program's schema.  1, 0 where it is empty and create
 * is false, -1 (a newer schema, a foreign file, an SQLite error).
 */
int	csa_schema(struct csa_db *, bool create, struct csa_err *)
	    CSA_MUSTCHECK;
/* What marks a file as ours, and the schema's version that is written. */
void	csa_schema_mark(int *application_id, int *version);

/*
 * A text of st's row, copied; NULL where there is none, or none that UTF-8
 * could be: SQLite has no checksums, and hands out what a damaged page says.
 */
const char *csa_column(struct csa_arena *, sqlite3_stmt *, int i, size_t *len);

/*
 * Read the chunk of st's row, which CHUNK_BY_... has selected.  Returns
 * SQLITE_ROW, or SQLITE_CORRUPT where something is missing.
 */
int	csa_read_chunk(struct csa_arena *, sqlite3_stmt *, struct csa_chunk *)
	    CSA_MUSTCHECK;

/* meta's value of that name: 0 and *v, or -1. */
int	csa_meta(struct csa_db *, const char *name, int64_t *v);

/* ---- ranking ---- */

#define CSA_TERMS_MAX	64		/* of one question */
#define CSA_BM25_K1	1.2

/* A passage that may be among the best, and what speaks for it. */
struct csa_candidate {
	int64_t		 row;
	double		 bm25;
	double		 coverage;	/* share of the question's idf in it */
	double		 title;		/* ... in its title */
	double		 near;		/* the question's neighbors, near */
	double		 score;
};

/* What is remembered of a row; row 0 is none.  See length_of. */
struct csa_length {
	uint32_t	 row;
	int32_t		 words;
};
#define CSA_LENGTHS	16384		/* 128 KiB a connection; a power of 2 */

struct csa_ranking {
	int64_t		 deadline;
	int		 nterms;
	bool		 ready;		/* the figures below are there */
	double		 n;		/* chunks of the bot */
	double		 mean;		/* their mean length, in words */
	double		 df[CSA_TERMS_MAX];
	double		 idf[CSA_TERMS_MAX];
	double		 sum_idf;
	struct csa_candidate *best;	/* a heap, worst first */
	size_t		 nbest, want, size;
	void		*near;		/* buffers of the positions */
	struct csa_length *lengths;
};

/* Make csa_rank known to the connection.  Returns an SQLite code. */
int	csa_rank_register(struct csa_db *);
void	csa_rank_free(struct csa_db *);

/* Before MATCH: forget the last question, keep the want best of this one. */
void	csa_rank_start(struct csa_db *, int nterms, size_t want);
/* After it: best first.  idf and df are those of n chunks without any match
 * where no row has passed. */
void	csa_rank_finish(struct csa_db *, int64_t n);

/* ---- writing, inside a transaction; 0 or -1 unless said otherwise ---- */

/* The document's number, 0 where there is none, or -1. */
int64_t	csa_doc_find(struct csa_db *, const char *document_id);
/* Its chunks' ids, in their order. */
int	csa_doc_ids(struct csa_db *, struct csa_arena *, int64_t doc,
	    struct csa_ids *);
/* Its chunks go, with all that the index and the vectors have of them. */
int	csa_doc_clear(struct csa_db *, int64_t doc);
/* Run a statement that has one number. */
int	csa_run_with(struct csa_db *, enum csa_stmt, int64_t v);
/* The generation, last of all: whoever sees it sees all that was written. */
int	csa_raise(struct csa_db *);

/* The parts of the driver, for its table. */
int	csa_sqlite_put_document(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const char *, const char *, const char *,
	    const struct csa_chunk *, size_t, struct csa_taken *,
	    struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_check_document(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const char *, const struct csa_chunk *,
	    size_t, struct csa_ids *, struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_delete_document(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const char *, struct csa_taken *,
	    struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_touch(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_bots(struct csa_store *, struct csa_ctx *, const char *,
	    struct csa_ids *, struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_bot(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, int64_t *, struct csa_err *)
	    CSA_MUSTCHECK;
int	csa_sqlite_search(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const char *, size_t,
	    struct csa_text_result *, struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_scan_vectors(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const char *, int64_t,
	    bool (*)(void *, const struct csa_stored_vec *), void *,
	    struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_vector_rows(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const char *, int64_t **, size_t *,
	    struct csa_err *) CSA_MUSTCHECK;
int	csa_sqlite_vectors_by_row(struct csa_store *, struct csa_ctx *,
	    const struct csa_scope *, const int64_t *, size_t, const float **,
	    size_t, struct csa_err *) CSA_MUSTCHECK;

#endif
