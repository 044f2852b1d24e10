/*
 * turn_cache: which answers are given again, and which are worked out once for
 * several who ask at the same time.
 *
 *	recall -> (listener: retrieve, generate) -> settle
 *
 * An answer may be given again where the request says so (config_params.cache),
 * else the bot's line in bots_file, else the setting answer_cache.  Kept is only
 * what a model said to its end (stop), from documents, in full health, and in a
 * known state of the documents (generation.h).  Who asks does not matter, as
 * user_id goes into no prompt; what uses tools, or is for another agent than
 * this, is nobody else's.
 *
 * One flight (flight.h) for one key: who asks the same while it is worked out
 * waits for it, whether it may be kept or not, since all that shapes an answer is
 * in the key.  Where memcached is away the key has the store's number alone.  That
 * is enough where the store is what is searched: the number is read anew for
 * everyone who boards, so nobody joins a flight from before a change.  Where
 * vectors are elsewhere another host may have changed them unseen; then the
 * second is in the key, and nobody joins what began before it.
 *
 * A stream that follows tells what the leader has said so far.  Should the leader
 * be lost then, and what comes instead does not begin like it, the stream ends
 * with an error: two answers are never glued together.
 *
 * What a provider refused is refused to the followers as well, since everyone
 * asking in turn would be a herd in single file; a leader's own deadline or
 * hang-up lets the next one lead.
 */

#ifndef CSA_HANDLERS_TURN_CACHE_H
#define CSA_HANDLERS_TURN_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "handlers/turn.h"
#include "lib/base/buf.h"
#include "lib/cache/cache.h"
#include "lib/cache/flight.h"
#include "lib/cache/generation.h"
#include "lib/config/bots.h"

struct csa_turn_cache {
	struct csa_app		*app;
	struct csa_call		*call;
	struct csa_rag		*rag;
	const struct csa_scope	*scope;
	struct csa_turn		*t;
	const struct csa_listener *l;	/* the client's; NULL: no stream */

	enum csa_reuse		 use;
	bool			 known;		/* the generation is */
	struct csa_generation	 generation;
	struct csa_cache_key	 key, similar;
	const float		*unit;		/* the question's vector, for */
	size_t			 dim;		/* similar; NULL: not made */
	bool			 remember;	/* there, if it is kept */
	int64_t			 began, waiting;	/* ns, since when */

	struct csa_flight	*flight;	/* NULL: none */
	struct csa_ctx		 patient;	/* the flight's: who follows */
						/* may have to give up */
	struct csa_listener	 tap;		/* between the model and l */
	struct csa_buf		 progress;	/* what a leader tells */
	/* What the client has been told. */
	bool			 following;	/* still */
	bool			 shown;		/* found */
	struct csa_buf		 said;		/* text, while following */
	size_t			 came;		/* of the text that comes now */
	const char		*head;		/* of what was told to us */
	size_t			 nhead;
	bool			 broken;	/* it does not go on like that */
};

/*
 * Before anything is looked for.  Sets rag->generation, and takes rag->cache away
 * where the request wants none.  csa_turn_cache_fini must follow; until then all
 * must live.
 */
void	csa_turn_cache_init(struct csa_turn_cache *, struct csa_app *,
	    struct csa_call *, struct csa_rag *, const struct csa_scope *,
	    const struct csa_listener *, struct csa_turn *);
void	csa_turn_cache_fini(struct csa_turn_cache *);

/*
 * 1: t is the answer, and a stream has been told all of it; 0: work it out and
 * settle it; -1 with err.
 */
int	csa_turn_recall(struct csa_turn_cache *, struct csa_err *)
	    CSA_MUSTCHECK;
/* Who listens while it is worked out; NULL where no stream is wanted. */
const struct csa_listener *
	csa_turn_listener(struct csa_turn_cache *);
/*
 * It was worked out (0), or not (-1 with err): keep it, share it.  Returns rc, or
 * -1 with err where it does not go on as the client was told.
 */
int	csa_turn_settle(struct csa_turn_cache *, int rc, struct csa_err *)
	    CSA_MUSTCHECK;

/* Add X-Cache, where the response has not begun. */
void	csa_turn_header(struct csa_call *, const struct csa_turn *);

#endif
