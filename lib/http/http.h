/*
 * http: one engine per process that speaks to every upstream.
 *
 * The engine is one epoll set and one curl multi handle: all connections of
 * the process live there, kept alive and, where the upstream offers HTTP/2,
 * shared.  A request thread starts calls and waits for them on its own waiter,
 * which also watches the client's descriptor.  There is no thread of the
 * engine's own: one of those who wait serves the others meanwhile (engine.c).
 * So a call that nobody waits for, while nobody else does either, gets no
 * further than its first send.
 *
 * Make it after forking, and block or ignore SIGPIPE.
 *
 * No redirects, no proxy from the environment, http and https only;
 * certificates come from one store loaded once (see ca.c).
 */

#ifndef CSA_HTTP_HTTP_H
#define CSA_HTTP_HTTP_H

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

struct csa_http;		/* the engine */
struct csa_waiter;		/* where one thread waits */
struct csa_http_call;		/* one exchange */

struct csa_http_opts {
	const char	*ca_file;
	long		 connect_timeout_ms;
	long		 max_connections;	/* to one host */
};

/*
 * NULL with err where the CA file is unusable.  Without a CA file (NULL or "")
 * no certificate is trusted.
 */
struct csa_http	*csa_http_new(const struct csa_http_opts *, struct csa_err *);
/* All calls must have ended.  NULL: nothing to do. */
void	csa_http_free(struct csa_http *);
/*
 * The process is to end: what still runs at `until` (a csa_now_ms() time) ends
 * there with OVERLOADED of the agent's own.  From any thread.
 */
void	csa_http_drain(struct csa_http *, int64_t until);

struct csa_waiter *csa_waiter_new(struct csa_http *);
void	csa_waiter_free(struct csa_waiter *);
/*
 * Watch the client's descriptor from now on; -1 stops.  Must be stopped before
 * fd is closed.  csa_waiter_gone: has the client hung up since?
 */
void	csa_waiter_watch(struct csa_waiter *, int fd);
bool	csa_waiter_gone(struct csa_waiter *);
/*
 * What a thread does now and then while it waits: call(arg) at `at` (a csa_now_ms()
 * time) and every every_ms after the end of the last; -1 from it means that the
 * client is gone.  It may take its time: somebody else drives meanwhile, and it
 * counts for no limit.  It must not end itself.  The memory is the caller's, until
 * csa_waiter_untick; the waiter's thread alone may begin and end one.
 */
struct csa_tick {
	int64_t		 at;
	long		 every_ms;
	int		(*call)(void *arg);
	void		*arg;
	LIST_ENTRY(csa_tick) entry;	/* the waiter's */
};
void	csa_waiter_tick(struct csa_waiter *, struct csa_tick *);
void	csa_waiter_untick(struct csa_waiter *, struct csa_tick *);
/*
 * The client's heartbeat is one whose memory is the waiter's: from `first` on;
 * NULL ends it.
 */
void	csa_waiter_beat(struct csa_waiter *, int64_t first, long every_ms,
	    int (*beat)(void *), void *arg);

/*
 * Sleep until `until`, ticking.  0; -1 where the client left (CANCELLED) or the
 * process is to end (OVERLOADED).
 */
int	csa_waiter_pause(struct csa_waiter *, int64_t until, struct csa_err *)
	    CSA_MUSTCHECK;
/*
 * The same, but csa_waiter_wake, from any thread while the waiter is not freed,
 * ends it with 0 at once, or the next one where none is on.  Why is for the two
 * to know: somebody else may have waked this waiter for an older reason.
 */
int	csa_waiter_nap(struct csa_waiter *, int64_t until, struct csa_err *)
	    CSA_MUSTCHECK;
void	csa_waiter_wake(struct csa_waiter *);

struct csa_http_req {
	enum csa_source	 source;	/* gemini, openai, pinecone */
	const char	*operation;	/* "generate"; a metric's label */
	const char	*method;	/* "POST" or "GET" */
	const char	*url;
	const char *const *headers;	/* "Name: value" */
	size_t		 nheaders;
	const void	*body;		/* borrowed until csa_http_end */
	size_t		 len;
	size_t		 max_reply;	/* bytes; more is PROVIDER_ERROR */
	int64_t		 deadline;	/* csa_now_ms() time */
	long		 first_byte_ms;	/* see below; 0: no such limit */
	long		 idle_ms;
	bool		 stream;	/* csa_http_read as it comes */
};

/*
 * A kept connection may be closed by the far end in the very moment a request
 * is sent on it; its owner cannot know.  So a request that was sent on a kept
 * connection which then broke or ended before a word of the reply is sent again,
 * at last on a new one, POST or not: RFC 9112, 9.3.1 permits it for what may be
 * repeated, and our requests (embed, search, generate) change nothing but the
 * bill; upsert and delete name the records they are about.  What was sent on a
 * new connection, or answered by a single header, is never repeated here.  The
 * deadline stands, and it counts as one request.
 */

/*
 * Limits beside the deadline; what passes one is PROVIDER_UNAVAILABLE, and its
 * detail says which.  first_byte_ms: from the moment the request has a
 * connection and begins to be sent (making one has a limit of its own) to the
 * first line of the reply, an interim one (1xx) included.  idle_ms: from then on
 * between two pieces of the reply, headers or body, of whatever size.  Both run
 * only while the call's owner waits for this call: a reader that is slow or busy
 * elsewhere is not the provider's fault.
 */

/*
 * Start an exchange; never waits.  Everything but the body is copied.  Returns:
 * yours to csa_http_end, always.
 */
struct csa_http_call *
	csa_http_start(struct csa_http *, struct csa_waiter *,
	    const struct csa_http_req *);

/*
 * Wait until the exchange is over; not for stream.  0: a whole reply is there,
 * whatever its status.  -1: DEADLINE, CANCELLED (the client left), OVERLOADED
 * (csa_http_drain), PROVIDER_UNAVAILABLE (refused, reset, truncated, silent
 * beyond a limit, name, TLS), PROVIDER_ERROR (reply too large or not HTTP), with
 * source set and the network's own words in detail; INTERNAL for a request that
 * cannot be made (URL, line break in a header).  Only the thread that owns the
 * waiter may wait, and end.
 */
int	csa_http_wait(struct csa_http_call *, struct csa_err *) CSA_MUSTCHECK;

/*
 * Wait until one of n calls of one waiter is over, not streams, or `until` (a
 * csa_now_ms() time) has come.  Returns its index: csa_http_wait will not wait
 * for that one; or -1.
 */
int	csa_http_await(struct csa_http_call *const *, size_t n, int64_t until);

/*
 * Why csa_http_wait or csa_http_read said PROVIDER_UNAVAILABLE; NONE where they
 * did not.
 */
enum csa_http_fault {
	CSA_FAULT_NONE = 0,
	CSA_FAULT_NAME,			/* it does not resolve */
	CSA_FAULT_CONNECT,		/* refused, unreachable, too slow */
	CSA_FAULT_TLS,			/* not trusted, or no handshake */
	CSA_FAULT_BROKEN,		/* reset, truncated */
	CSA_FAULT_SILENT		/* first_byte_ms or idle_ms */
};
enum csa_http_fault csa_http_fault(const struct csa_http_call *);

/*
 * For stream: copy what has come, at most size bytes, waiting for at least one
 * or the end, until `until` (a csa_now_ms() time) at the latest.  Returns > 0
 * bytes; 0 at the end of a whole reply; -2 when `until` has come and nothing
 * else (time for a heartbeat); -1 as csa_http_wait.  The status is known once
 * this returned anything but -2 and -1; the body of an error status comes the
 * same way.
 */
long	csa_http_read(struct csa_http_call *, void *data, size_t size,
	    int64_t until, struct csa_err *) CSA_MUSTCHECK;

/*
 * Has anything of the reply come by now, if only a header?  Before that, and
 * only then, a call that failed may be made again.
 */
bool	csa_http_begun(const struct csa_http_call *);

/* Of a whole reply (or, for a stream, one that has begun). */
int	csa_http_status(const struct csa_http_call *);
/* It is the caller's to write in, until csa_http_end. */
char	*csa_http_body(const struct csa_http_call *, size_t *len);
/* Value of a reply header by its lower-case name, of the few kept:
 * retry-after, content-type, x-pinecone-*; NULL where absent. */
const char *csa_http_header(const struct csa_http_call *, const char *name);

/* Seconds that Retry-After names, up to a day; 0 where it names none. */
long	csa_http_retry_after(const struct csa_http_call *);

/* Cancel what still runs, at once, and free the call.  NULL is fine. */
void	csa_http_end(struct csa_http_call *);

/* CSA_OK for 2xx, else the code that csa_http_status_error gives it. */
enum csa_errcode csa_http_code(int status);

/*
 * Turn a reply whose status is not 2xx into an error as doc/API.md says: 429
 * and 503 PROVIDER_BUSY with retry_after (header, or hint_s > 0 where the body
 * named one), 500 PROVIDER_FAULT, 504 and 502 PROVIDER_UNAVAILABLE, other 4xx
 * PROVIDER_ERROR.  Returns -1.
 */
int	csa_http_status_error(const struct csa_http_call *, long hint_s,
	    struct csa_err *);

/* Can host:port of url be connected to?  For /ready; within ms.  0 or -1. */
int	csa_http_probe(const char *url, long ms);

#endif
