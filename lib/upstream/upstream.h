/*
 * upstream: the one layer that tries again.
 *
 * A call through here is a call of lib/http that is repeated where that is safe
 * and of use, sent with whichever key is in health, and not made at all where
 * the far end is known to be down.  It mirrors csa_http_call function by
 * function; the decisions fall inside csa_up_wait and csa_up_read, so that
 * several calls in flight each try again on their own while they are waited
 * for.  Whatever goes through here must be safe to send twice: embed, query,
 * fetch, delete, an upsert by ids that are the same each time, and generate as
 * long as nobody has seen a byte of the answer.
 *
 * What is tried again (guide: reliability.md 2.2 and rule 9; statuses as the
 * vendors' own clients have them, apis.md 1.6, 2 and 3):
 *
 *	no connection (refused, unreachable, timed out)	yes
 *	connection broken before a byte was handed out	yes
 *	silent past first_byte_timeout_ms		yes
 *	408, 429, 500, 502, 503, 504			yes
 *	other statuses, 400, 401, 403, 404 above all	no (see keys)
 *	certificate not trusted, name not found		no
 *	no HTTP, reply too large			no
 *	the request's own deadline, the client's leaving,
 *	the process's end				no
 *	anything after the first byte of a stream	no
 *
 * - At most retry_attempts (3) exchanges a call, those with another key and
 *   hedges included.
 * - Back-off with full jitter: before attempt n + 1 a random time up to
 *   retry_base_ms * 2^(n - 1), 2 s at most; or, where the far end names a time
 *   (Retry-After, or RetryInfo in the body), that and a little more.  Where it
 *   names more than retry_wait_ms, or than the deadline leaves, the reply is
 *   handed on as it is: csa_up_status_error tells the time to the client.
 * - Retries are at most a tenth of the calls to that address, or retry_floor
 *   (10) where that is more, in any 10 s, over all processes; moving to another
 *   key, which rests the first, is not counted.
 * - A breaker for each address, operation and part (a model): embedding may
 *   work where generating does not, one model where another is overloaded.  It
 *   opens when of at least breaker_calls exchanges in 10 s breaker_percent
 *   failed, or when five in a row found no connection; then calls fail at once.
 *   After breaker_open_ms one call is let through, and another each
 *   breaker_open_ms while that one is not back (its process may have died):
 *   a success closes it.  Failures are those that are tried again, but for 408
 *   and 429: who says that is alive.  A deadline is one where the far end had
 *   the exchange for a second at least; a client's leaving is neither.
 * - Keys: up to eight, comma-separated, first come first.  401, 403 and 429
 *   rest a key for that operation and part, in all processes: 60 s, or the
 *   time named (10 s without) up to 60 s; and the next key is tried at once.
 *   Where all rest: one that was refused is asked nevertheless; for one that is
 *   busy the call waits, or fails with PROVIDER_BUSY.  A single key rests only
 *   where a 429 names a time.  Quotas are by model (apis.md 1.6), so a key that
 *   rests for one model works for another.
 * - Hedging (setting hedge, off): a call that may be hedged and whose reply is
 *   later than 19 of 20 is sent a second time; the first good reply is taken
 *   and the other cancelled.  At most a twentieth of the calls, after 20.
 *
 * What the processes share is in one file of run_dir; nothing in it is ever
 * locked (see share.h).
 */

#ifndef CSA_UPSTREAM_UPSTREAM_H
#define CSA_UPSTREAM_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

struct csa_config;
struct csa_http;
struct csa_waiter;
struct csa_upstream;		/* one far end of this process */
struct csa_up_call;		/* one call, of one or more exchanges */

/*
 * Map run_dir's file, made where it is missing; before any csa_upstream_open,
 * after forking or before.  With NULL, or where it fails (-1 with err
 * INTERNAL), this process counts for itself alone, which must stop no request.
 */
int	csa_upstream_share(const char *run_dir, struct csa_err *);
void	csa_upstream_unshare(void);

/* ---- far ends ---- */

#define CSA_UP_KEYS	8

/* What a reply with an error status says in its own way. */
struct csa_up_hint {
	long	 retry_s;	/* wait so long; 0: it does not say */
	bool	 key_refused;	/* as 401, whatever the status */
};

struct csa_upstream_opts {
	enum csa_source	 source;	/* gemini, openai, pinecone */
	const char	*base;		/* "https://host[:port]..." */
	const char	*auth;		/* "Authorization: Bearer " */
	const char	*keys;		/* "key", "key1,key2", or "" for none */
	/*
	 * Read the body of an error status (408, 429, 5xx and 4xx); hint is
	 * zeroed.  NULL: only headers tell.
	 */
	void		(*hint)(int status, const char *body, size_t len,
			    struct csa_up_hint *);
};

/* Can it stand in a header line or an address, without breaking out of it? */
bool	csa_up_plain(const char *s, size_t n);

/*
 * Nothing is sent.  config's settings are copied, http is borrowed.  NULL with
 * err where a key cannot stand in a header or there are more than CSA_UP_KEYS.
 */
struct csa_upstream *csa_upstream_open(const struct csa_config *,
		    struct csa_http *, const struct csa_upstream_opts *,
		    struct csa_err *);
/* All calls must have ended.  NULL is fine. */
void	csa_upstream_close(struct csa_upstream *);

/* Is a breaker of this source open, in whatever process?  For /ready. */
bool	csa_upstream_is_open(enum csa_source);

/* ---- calls ---- */

struct csa_up_req {
	const char	*operation;	/* "generate"; a metric's label */
	const char	*part;		/* a model; NULL: not told apart */
	const char	*method;	/* "POST" or "GET" */
	const char	*url;		/* below base, or elsewhere of it */
	const char *const *headers;	/* "Name: value", without the key */
	size_t		 nheaders;
	const void	*body;		/* borrowed until csa_up_end */
	size_t		 len;
	size_t		 max_reply;	/* bytes; more is PROVIDER_ERROR */
	int64_t		 deadline;	/* csa_now_ms() time, for all of it */
	bool		 stream;	/* csa_up_read as it comes */
	bool		 slow;		/* the first byte comes when all is
					   done: no first_byte_timeout_ms */
	bool		 hedge;		/* may be sent twice at a time */
};

/*
 * Start a call; never waits.  Everything but the body is copied.  Returns:
 * yours to csa_up_end, always.
 */
struct csa_up_call *
	csa_up_start(struct csa_upstream *, struct csa_waiter *,
	    const struct csa_up_req *);

/*
 * As csa_http_wait, of the last exchange.  0: a whole reply is there, whatever
 * its status.  -1 besides: PROVIDER_UNAVAILABLE with retry_after where the
 * breaker is open ("circuit open" in detail), PROVIDER_BUSY with retry_after
 * where all keys rest.
 */
int	csa_up_wait(struct csa_up_call *, struct csa_err *) CSA_MUSTCHECK;

/* As csa_http_read; -1 besides as csa_up_wait. */
long	csa_up_read(struct csa_up_call *, void *data, size_t size,
	    int64_t until, struct csa_err *) CSA_MUSTCHECK;

/*
 * Of the last exchange: as their namesakes in http.h.  csa_up_status is 0 where
 * there was no reply.
 */
int	csa_up_status(const struct csa_up_call *);
char	*csa_up_body(const struct csa_up_call *, size_t *len);
const char *csa_up_header(const struct csa_up_call *, const char *name);

/* Has the far end sent a byte of the reply? */
bool	csa_up_begun(const struct csa_up_call *);

/* Exchanges so far, and the key of the last one, to be kept out of logs; "". */
unsigned csa_up_attempts(const struct csa_up_call *);
const char *csa_up_key(const struct csa_up_call *);

/* As csa_http_status_error, with the time that opts.hint found. */
int	csa_up_status_error(const struct csa_up_call *, struct csa_err *);

/* Cancel what still runs, at once, and free the call.  NULL is fine. */
void	csa_up_end(struct csa_up_call *);

#endif
