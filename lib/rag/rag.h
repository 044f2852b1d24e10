/*
 * rag: what the agent does: find passages, ask, cite; and store documents.
 *
 * Everything it works with is handed in (struct csa_rag), so tests run it over
 * scripted and failing drivers.
 */

#ifndef CSA_RAG_RAG_H
#define CSA_RAG_RAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ctx.h"
#include "lib/base/err.h"
#include "lib/cache/generation.h"
#include "lib/provider/provider.h"
#include "lib/store/store.h"
#include "lib/vector/vector.h"

struct csa_arena;
struct csa_buf;
struct csa_cache;

/*
 * What is configured of embeddings and of their index, and decides what a
 * question finds; NULL: not set.  The names of embedder, model and index are with
 * those.
 */
struct csa_space {
	const char	*embedding_url;
	const char	*query_model;
	const char	*query_prefix, *passage_prefix;
	const char	*query_body, *passage_body;
	const char	*index, *index_host, *controller;
};

struct csa_rag {
	struct csa_store	*store;
	struct csa_embedder	*embedder;	/* NULL: full text alone */
	struct csa_vectors	*vectors;	/* NULL without an embedder */
	struct csa_model	*model;
	double			 text_weight;	/* 0..1, for fusion */
	long			 context_tokens;
	struct csa_cache	*cache;		/* NULL: none */
	uint32_t		 retrieval_ttl;	/* seconds; 0: none is kept */
	struct csa_space	 space;
	/* Of one question, set by who asks: one search alone will do. */
	bool			 may_degrade;
	long			 retrieve_ms;	/* for vectors, if it will */
	/*
	 * What csa_rag_generation gave for it, whatever it returned, so that it
	 * is asked once; NULL: csa_retrieve asks by itself.
	 */
	const struct csa_generation *generation;
};

/* ---- retrieve_cache.c ---- */

/*
 * Which state of the bot's documents a question meets: 1, or 0 where it cannot be
 * known, with an empty token (no cache, memcached or the store are away): then
 * nothing of this bot is looked for in a cache, or put there.  g->store is the
 * store's number wherever that could be read, else 0.
 */
int	csa_rag_generation(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_scope *, struct csa_generation *);

/*
 * May what is found now be kept for others?  Remote indexes show a change a
 * little later: for CSA_SETTLE_MS after one, what they say may be of yesterday,
 * and must not get a second life.
 */
#define CSA_SETTLE_MS	10000
bool	csa_rag_may_keep(const struct csa_rag *,
	    const struct csa_generation *);

/*
 * Add to a key whatever of the rag decides what a question finds, but for the
 * scope, the generation, the question and k.
 */
void	csa_rag_key(struct csa_buf *, const struct csa_rag *);

/*
 * The question as it is searched for: white space trimmed, runs of it one space,
 * and nothing else.  In the arena, or s itself.
 */
const char *csa_question(struct csa_arena *, const char *s);

/* How long the steps took, in nanoseconds. */
struct csa_timings { int64_t embed, retrieve, generate; };

/* ---- retrieve.c ---- */

struct csa_found {
	struct csa_passage	*passages;	/* best first, score in 0..1 */
	size_t			 n;
	struct csa_text_result	 text;		/* what full text knew */
	/*
	 * NULL, or what is missing: "embedding_unavailable" or
	 * "vectors_unavailable" (full text alone), "store_unavailable" (vectors
	 * alone, with the texts that stand beside them).
	 */
	const char		*degraded;
	/* Of each passage: only the index of vectors has its text. */
	const bool		*elsewhere;
	bool			 cached;	/* found before, by somebody */
};

/*
 * The k best passages for the question, which is normalised first: from the
 * cache, where the same was found in the same state of the documents, with the
 * texts that the store has now.
 *
 * With vectors both searches run at the same time and are fused (fuse.h).  Where
 * one fails and rag->may_degrade, the other is what is found, and vectors have
 * retrieve_ms for it, but never more than half of what is left, so that waiting
 * for them does not eat the time of the answer.  The client's leaving and the
 * process's end are never made good; what is degraded is never cached.
 */
int	csa_retrieve(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_scope *, const char *question, size_t k,
	    struct csa_found *, struct csa_timings *, struct csa_err *)
	    CSA_MUSTCHECK;

/* ---- prompt.c ---- */

struct csa_prompt {
	const char		*system;
	struct csa_message	*messages;
	size_t			 nmessages;	/* in pieces: see csa_message */
	size_t			 npassages;	/* how many fitted the budget */
};

/*
 * Put the prompt together in the arena, of pieces that are the passages' own: they
 * and the question must live as long.  The system text is the operator's and
 * ours alone; passages, history and question stand in the user's turns, between
 * marks that their own text cannot write.  The last `keep` messages of history
 * are used.
 */
void	csa_prompt_build(struct csa_arena *, const char *system_prompt,
	    const struct csa_message *history, size_t nhistory, size_t keep,
	    const struct csa_passage *, size_t n, long context_tokens,
	    const char *question, struct csa_prompt *);

/* ---- cite.c ---- */

/* Set cited[i] where text cites [i + 1]; also [1, 2] and [1-3]. */
void	csa_citations(const char *text, size_t len, bool *cited, size_t n);

/* ---- ingest.c ---- */

/*
 * Store a document: embed the chunks, write the vectors, commit; or change
 * nothing and say why.  See doc/ARCHITECTURE.md for the order and what a crash at
 * each point leaves behind.
 */
int	csa_ingest(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_scope *, const char *document_id,
	    const char *metadata, struct csa_chunk *, size_t n,
	    struct csa_err *) CSA_MUSTCHECK;

/*
 * Delete a document with its vectors.  1: it was there, and its chunks' ids are
 * in gone; 0: the store of this host has none of that name; -1, and it can be
 * tried again.
 */
int	csa_forget(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_scope *, const char *document_id,
	    struct csa_ids *gone, struct csa_err *) CSA_MUSTCHECK;

#endif
