/*
 * upstream_internal: between the files of lib/upstream, and for nobody else.
 */

#ifndef CSA_UPSTREAM_UPSTREAM_INTERNAL_H
#define CSA_UPSTREAM_UPSTREAM_INTERNAL_H

#include "lib/base/buf.h"
#include "lib/http/http.h"
#include "lib/upstream/share.h"
#include "lib/upstream/upstream.h"

/* ---- far ends: upstream.c ---- */

struct csa_up_key {
	char		*text;		/* "" for none; then the only one */
	char		*header;	/* NULL for none */
	uint64_t	 hash;		/* of the address and the key */
};

struct csa_upstream {
	struct csa_http	*http;
	enum csa_source	 source;
	uint64_t	 id;		/* of the address */
	struct csa_up_key key[CSA_UP_KEYS];
	unsigned	 nkeys;		/* 1 at least */
	void		(*hint)(int, const char *, size_t,
			    struct csa_up_hint *);
	struct csa_breaker_opts breaker;
	unsigned	 attempts;
	unsigned	 floor;		/* retries that are always allowed */
	int64_t		 base_ms, wait_ms;
	long		 first_byte_ms, idle_ms;
	bool		 hedge;
};

/* ---- keys.c ---- */

/* Which key to use, for this circuit. */
struct csa_choice {
	unsigned	 key;
	int64_t		 rest_ms;	/* it is busy for so long; 0: not */
	bool		 refused;	/* all were, of late */
};

void	csa_up_choose(const struct csa_upstream *, uint64_t circuit,
	    int64_t now, struct csa_choice *);
/* The key rests for ms, at most a minute. */
void	csa_up_rest(const struct csa_upstream *, uint64_t circuit,
	    unsigned key, int64_t now, int64_t ms, bool refused);

/* ---- one exchange: exchange.c ---- */

struct csa_exchange {
	struct csa_http_call	*http;		/* NULL: none */
	csa_pass		 pass;
	unsigned		 key;
	int64_t			 started;	/* ms */
	bool			 told;		/* the breaker knows */
};

/* What came of it, as far as it decides what to do. */
enum csa_outcome {
	CSA_TAKE,		/* hand it on, whatever it is */
	CSA_AGAIN,		/* worth another try, some time later */
	CSA_OTHER_KEY		/* worth another try with another key */
};

struct csa_found {
	enum csa_outcome	 outcome;
	enum csa_verdict	 verdict;
	const char		*reason;	/* a metric's label */
	bool			 refused;	/* the key is no good */
	int64_t			 hint_ms;	/* the far end's; 0: none */
};

struct csa_up_call {
	struct csa_upstream	*up;
	struct csa_waiter	*waiter;
	struct csa_far		*far;		/* NULL: no room */
	struct csa_circuit	*circuit;	/* NULL: no room */
	uint64_t		 circuit_id;
	struct csa_up_req	 req;		/* texts: behind */

	struct csa_exchange	 now;		/* that which counts */
	struct csa_exchange	 hedge;
	unsigned		 attempts;
	unsigned		 tried;		/* keys, as bits */
	int64_t			 not_before;	/* the next one, ms */
	long			 hint_s;	/* of the last reply */
	bool			 over;		/* verdict is final */
	struct csa_err		 verdict;	/* code CSA_OK: a reply */
	/* Of a stream: */
	bool			 given;		/* may be handed on */
	bool			 ended;		/* nothing comes but early */
	struct csa_buf		 early;		/* read ahead to decide */
	size_t			 early_at;	/* handed on */
	char			 before[80];	/* the last failure */
	const char		*headers[];	/* a key's last; then texts */
};

/*
 * Begin one with the key.  0; or the ms for which the circuit stays open.
 */
int64_t	csa_exchange_begin(struct csa_up_call *, struct csa_exchange *,
	    unsigned key);
/* Cancel or forget it; whoever was let through alone has found nothing. */
void	csa_exchange_end(struct csa_up_call *, struct csa_exchange *);
/* Tell the breaker, once. */
void	csa_exchange_tell(struct csa_up_call *, struct csa_exchange *,
	    enum csa_verdict);

/*
 * What came of it: rc and err are those of csa_http_wait or of a read that
 * ended it; body that of an error status.
 */
void	csa_exchange_judge(struct csa_up_call *, const struct csa_exchange *,
	    int rc, const struct csa_err *, const char *body, size_t len,
	    struct csa_found *);

/* ---- trying again: again.c ---- */

/*
 * After f came of c->now: is there to be another exchange?  Then c->now is
 * ended and c->not_before set.
 */
bool	csa_up_again(struct csa_up_call *, const struct csa_found *);
/*
 * Wait for not_before, until `until` at most, and begin.  0: begun; -2: until
 * came first; -1 with err and the call over.
 */
int	csa_up_begin(struct csa_up_call *, int64_t until, struct csa_err *);

/* ---- hedge.c ---- */

/* As csa_http_wait of c->now, which may become another exchange meanwhile. */
int	csa_up_wait_hedged(struct csa_up_call *, struct csa_err *);

#endif
