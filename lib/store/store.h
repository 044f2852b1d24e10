/*
 * store: documents and their chunks, durable, one world per bot.
 *
 * The embedded driver keeps one SQLite file per bot
 * (data_dir/bots/[TENANT/]BOT.db): another bot's text cannot be reached from
 * it, its statistics do not blur the ranking, and writers of two bots do not
 * wait for each other.
 *
 * Drivers: sqlite, script (plays expected calls), fail (every call fails).  A
 * store is safe to use from many threads; what it returns is in the arena of
 * ctx. Failures are STORE_UNAVAILABLE, source store, unless said otherwise.
 */

#ifndef CSA_STORE_STORE_H
#define CSA_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ctx.h"
#include "lib/base/err.h"

struct csa_chunk {
	const char	*id;		/* unique in the bot */
	const char	*document_id;
	const char	*text;
	size_t		 len;
	const char	*title;		/* "" for none; searched too */
	const char	*metadata;	/* JSON object text, or NULL */
	const float	*vec;		/* NULL: none, or kept elsewhere */
	size_t		 dim;
};

struct csa_ids {
	const char	**id;
	size_t		 n;
};

/* What a transaction has found, and taken away. */
struct csa_taken {
	struct csa_ids	 ids;		/* that no chunk has any more */
	uint64_t	 generation;	/* before it: who knew another one was
					 * not alone */
};

/* A passage found by full text. */
struct csa_text_hit {
	struct csa_chunk chunk;		/* without vec */
	double		 score;		/* what the hits are sorted by: bm25 and
					 * what is added for a passage that has
					 * all the words, has them together, or
					 * in its title; >= bm25 */
	double		 bm25;		/* >= 0, larger is better */
};

/* What is needed to judge the hits and to quote from them. */
struct csa_term {
	const char	*text;		/* as indexed: folded and stemmed */
	double		 idf;		/* ln(1 + (N - df + .5) / (df + .5)) */
	uint64_t	 df;		/* chunks of the bot that have it */
	bool		 prefix;	/* text begins the words that match */
};

struct csa_text_result {
	struct csa_text_hit *hits;	/* best first */
	size_t		 nhits;
	struct csa_term	*terms;		/* of the question, no stop words */
	size_t		 nterms;
	double		 ideal;		/* the bm25 a perfect chunk would have:
					 * sum of idf * (k1 + 1) */
};

/* A stored vector, for the local index. */
struct csa_stored_vec {
	int64_t		 row;		/* rises with every chunk stored */
	const float	*vec;		/* valid during the callback */
	size_t		 dim;
};

struct csa_store {
	const struct csa_store_ops *ops;
};

struct csa_store_ops {
	const char	*name;

	/*
	 * Replace document_id of the scope by these chunks, its old ones gone,
	 * in one transaction that is on the disk when this returns 0; the bot's
	 * generation rises with it.  metadata is the document's, JSON or
	 * NULL.  model names what made the vectors ("" for none).  taken (may
	 * be NULL) gets the ids that the old version had and the new one has
	 * not.  -1 CONFLICT (source client) where an id belongs to another
	 * document of the bot, with nothing changed.
	 */
	int	(*put_document)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *document_id,
		    const char *metadata, const char *model,
		    const struct csa_chunk *, size_t n, struct csa_taken *,
		    struct csa_err *) CSA_MUSTCHECK;

	/* Before anything is paid for: the same CONFLICT check, and old_ids. */
	int	(*check_document)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *document_id,
		    const struct csa_chunk *, size_t n, struct csa_ids *old_ids,
		    struct csa_err *) CSA_MUSTCHECK;

	/*
	 * Delete document_id with its chunks, what full text knows of them and
	 * their vectors, in one transaction that is on the disk when this
	 * returns 1; the bot's generation rises with it.  taken gets the ids
	 * its chunks had.  0 where there is none of that name: nothing is
	 * changed.
	 */
	int	(*delete_document)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *document_id,
		    struct csa_taken *, struct csa_err *) CSA_MUSTCHECK;

	/*
	 * The k best chunks for a question, by full text.  The question is
	 * anyone's text and never reaches MATCH as it is.  A bot without
	 * documents: no hits.
	 */
	int	(*search)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *question, size_t k,
		    struct csa_text_result *, struct csa_err *) CSA_MUSTCHECK;

	/*
	 * The chunks of these ids, out[i] for id[i]; out[i].id is NULL where
	 * there is none.  With rows instead (see scan_vectors) the second form.
	 */
	int	(*chunks)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *const *id, size_t n,
		    struct csa_chunk *out, struct csa_err *) CSA_MUSTCHECK;
	int	(*chunks_by_row)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const int64_t *row, size_t n,
		    struct csa_chunk *out, struct csa_err *) CSA_MUSTCHECK;

	/* Rises with every change of the bot; 0 for a bot without a store. */
	int	(*generation)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, uint64_t *, struct csa_err *)
		    CSA_MUSTCHECK;
	/*
	 * Raise it and nothing else, so that what was worked out from the bot's
	 * documents is worked out anew: 1 when that is on the disk; 0 for a bot
	 * without a store, where there is nothing to raise; -1.
	 */
	int	(*touch)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, struct csa_err *) CSA_MUSTCHECK;

	/*
	 * The names that a tenant's ("" or NULL: none) bots may have, sorted:
	 * every bot with documents is among them.  Costs no more than reading a
	 * list.  And whether one has documents: 1 with since, the time its
	 * first one was stored (csa_wall_ms), 0 where it has none, or -1.
	 */
	int	(*bots)(struct csa_store *, struct csa_ctx *,
		    const char *tenant, struct csa_ids *, struct csa_err *)
		    CSA_MUSTCHECK;
	int	(*bot)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, int64_t *since,
		    struct csa_err *) CSA_MUSTCHECK;

	/*
	 * Calls each(arg, vec) for every vector of the model with row > after,
	 * in rising order; each returns false to stop.  And the rows that
	 * exist, for dropping the ones that do not: *rows from malloc, yours to
	 * free, in rising order.
	 */
	int	(*scan_vectors)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *model, int64_t after,
		    bool (*each)(void *arg, const struct csa_stored_vec *),
		    void *arg, struct csa_err *) CSA_MUSTCHECK;
	int	(*vector_rows)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const char *model,
		    int64_t **rows, size_t *n, struct csa_err *) CSA_MUSTCHECK;
	/* The vectors of some rows: out[i] in the arena, NULL where gone. */
	int	(*vectors_by_row)(struct csa_store *, struct csa_ctx *,
		    const struct csa_scope *, const int64_t *row, size_t n,
		    const float **out, size_t dim, struct csa_err *)
		    CSA_MUSTCHECK;

	/* Can documents be read and written?  For /ready. */
	int	(*ping)(struct csa_store *, struct csa_err *);
	void	(*close)(struct csa_store *);
};

/* connections: how many open files one process keeps.  NULL with err. */
struct csa_store *csa_store_sqlite_open(const char *data_dir, long connections,
		    struct csa_err *);
struct csa_store *csa_store_fail_open(void);

#endif
