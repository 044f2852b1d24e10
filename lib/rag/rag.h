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

#include "lib/base/ctx.h"
#include "lib/base/err.h"
#include "lib/provider/provider.h"
#include "lib/store/store.h"
#include "lib/vector/vector.h"

struct csa_rag {
	struct csa_store	*store;
	struct csa_embedder	*embedder;	/* NULL: full text alone */
	struct csa_vectors	*vectors;	/* NULL without an embedder */
	struct csa_model	*model;
	double			 text_weight;	/* 0..1, for fusion */
	long			 context_tokens;
	/* Of one question, set by who asks: one search alone will do. */
	bool			 may_degrade;
	long			 retrieve_ms;	/* for vectors, if it will */
};

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
};

/*
 * The k best passages for the question.  With vectors both searches run at the
 * same time and are fused (fuse.h).  Where one fails and rag->may_degrade, the
 * other is what is found, and vectors have retrieve_ms for it, but never more
 * than half of what is left, so that waiting for them does not eat the time of
 * the answer.  The client's leaving and the process's end are never made good.
 */
int	csa_retrieve(const struct csa_rag *, struct csa_ctx *,
	    const struct csa_scope *, const char *question, size_t k,
	    struct csa_found *, struct csa_timings *, struct csa_err *)
	    CSA_MUSTCHECK;

/* ---- prompt.c ---- */

struct csa_prompt {
	const char		*system;
	struct csa_message	*messages;
	size_t			 nmessages;
	size_t			 npassages;	/* how many fitted the budget */
};

/*
 * Put the prompt together in the arena.  The system text is the operator's and
 * ours alone; passages, history and question stand in the user's turns, between
 * marks that their own text cannot write.  The last `keep` messages of history
 * are used.
 */
void	csa_prompt_build(struct csa_arena *, const char *system_prompt,
	    const struct csa_message *history, size_t nhistory, size_t keep,
	    const struct csa_passage *, size_t n, long context_tokens,
	    const char *question, struct csa_prompt *);

/* Tokens that a text comes to, estimated: bytes / 4 for ASCII, one for every
 * other character. */
size_t	csa_tokens_estimate(const char *s, size_t n);

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

#endif
