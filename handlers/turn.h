/*
 * turn: one question and its answer, whatever they are written in.
 *
 * Authorize, look whether the answer is there (turn_cache.h); else find passages,
 * build the prompt, ask the model, cite, and keep it; count.  /chat and the OpenAI
 * face are renderers of it.
 */

#ifndef CSA_HANDLERS_TURN_H
#define CSA_HANDLERS_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "handlers/chat_request.h"
#include "handlers/routes.h"
#include "lib/provider/provider.h"
#include "lib/rag/rag.h"

struct csa_turn {
	const struct csa_chat_request *r;
	const char		*model;		/* the one asked */
	struct csa_found	 found;
	struct csa_chat_res	 res;
	bool			*cited;		/* found.n of them */
	size_t			 bytes;		/* of all passages */
	struct csa_timings	 t;
	int64_t			 total;		/* ns */
	const char		*degraded;	/* NULL, or why */
	/* "miss"; "retrieval": the passages, "answer": all of it was there. */
	const char		*cache;
	const char		*match;		/* of an answer: "exact", "semantic" */
};

/*
 * Told how the answer comes along, for a stream; each returns -1 when nobody
 * listens any more.
 */
struct csa_listener {
	/* The sources are known: model and found are set. */
	int	(*found)(void *arg, const struct csa_turn *);
	/* More text; all of it together is res.text. */
	int	(*delta)(void *arg, const char *s, size_t n);
	void	*arg;
};

/*
 * 0 with everything in t, in the arena; -1 with err.  A NULL listener wants no
 * stream.  What a failed or abandoned answer has cost is counted all the same.
 */
int	csa_turn_run(struct csa_app *, struct csa_call *,
	    const struct csa_chat_request *, const struct csa_listener *,
	    struct csa_turn *t, struct csa_err *)
	    __attribute__((warn_unused_result));

#endif
