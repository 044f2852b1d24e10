/*
 * http_internal: between the files of lib/http, and for nobody else.
 *
 * Two locks.  `curl` guards the multi handle and everything curl calls back
 * into; `state` guards who drives, who waits, and what a call has come to.
 * Order: curl before state.  Nobody but the driver ever blocks on `curl`: what
 * another thread wants done it leaves in `jobs`, and whoever holds the lock
 * does it before, or at the latest right after, letting go.
 */

#ifndef CSA_HTTP_HTTP_INTERNAL_H
#define CSA_HTTP_HTTP_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "lib/base/buf.h"
#include "lib/http/http.h"

#define CSA_AWAKE	INT64_MIN	/* asleep_until of a busy driver */

/*
 * A waiter's memory lives until the engine is freed, so that a late signal or a
 * stale event finds something; csa_waiter_free only gives it back.
 */
struct csa_waiter {
	struct csa_http		*http;
	pthread_cond_t		 cond;
	atomic_bool		 notified;	/* look again before sleeping */
	uint32_t		 slot;		/* in http->waiters */
	uint32_t		 turn;		/* of fd: tells stale events */
	int			 fd;		/* the client's, or -1 */
	bool			 armed;		/* fd is in the epoll set */
	bool			 gone;
	bool			 woken;		/* by csa_waiter_wake */
	/* The owner's alone. */
	LIST_HEAD(, csa_tick)	 ticks;
	struct csa_tick		 beat;		/* call NULL: none */
	uintptr_t		 stack;		/* its lowest address; 0: ? */
	int64_t			 lost;		/* ms in ticks so far */
	LIST_ENTRY(csa_waiter)	 entry;		/* followers or spare_waiters */
};
LIST_HEAD(csa_waiters, csa_waiter);

/* A provider's address, and who wants to talk to it.  See host.c. */
enum csa_host_kind {
	CSA_HOST_UNKNOWN = 0,
	CSA_HOST_ALONE,			/* a connection serves one call */
	CSA_HOST_SHARED			/* many, over HTTP/2 */
};

struct csa_host {
	char			*origin;	/* "https://host:port" */
	enum csa_host_kind	 kind;
	unsigned		 nshared;	/* such connections open */
	unsigned		 ncalls;	/* given to curl */
	struct csa_http_call	*pioneer;	/* sent to make a connection */
	TAILQ_HEAD(, csa_http_call) line;	/* not yet given to curl */
	LIST_HEAD(, csa_http_call) calls;	/* given to curl */
	LIST_ENTRY(csa_host)	 entry;
};

/* What is known of a descriptor that curl uses; indexed by the descriptor. */
struct csa_sock {
	uint8_t	 ours;		/* opened by us: we learn when it is closed */
	uint8_t	 wanted;	/* curl waits for it */
	uint8_t	 mask;		/* what the epoll set has, 0: nothing */
};

/* What a call's buffers are made for. */
enum csa_easy_kind { CSA_EASY_PLAIN, CSA_EASY_TLS, CSA_EASY_STREAM,
	CSA_EASY_BULK, CSA_EASY__MAX };

/* Easy handles that may be used again. */
struct csa_spare {
	CURL	**easy;
	size_t	  n;
};

/* An address, taken to pieces: see url.c. */
struct csa_url {
	char	*text;		/* NULL: none */
	CURLU	*parts;
	unsigned users;
};

#define CSA_URLS	16

struct csa_http {
	int			 epfd;
	int			 evfd;		/* wakes a sleeping driver */
	/*
	 * The clients' descriptors have a set of their own, inside epfd's:
	 * ours are closed by curl at its leisure, and what is late for one of
	 * them must not take a client's out.
	 */
	int			 watchfd;
	long			 connect_timeout_ms;
	X509_STORE		*store;

	_Atomic(struct csa_http_call *) jobs;	/* a stack, newest first */
	atomic_bool		 claimed;	/* the driver wants `curl` */

	pthread_mutex_t		 curl;
	CURLM			*multi;
	CURLSH			*share;		/* TLS sessions */
	int64_t			 timer;		/* curl's, in ms; -1: none */
	int64_t			 asleep_until;	/* the driver's sleep, ms */
	struct csa_sock		*socks;
	size_t			 nsocks;
	LIST_HEAD(, csa_host)	 hosts;
	unsigned		 nhosts;
	bool			 hosts_due;	/* to let somebody through */
	LIST_HEAD(, csa_http_call) sending;	/* their bodies, over TLS */
	struct csa_spare	 spare[CSA_EASY__MAX];
	struct csa_url		 urls[CSA_URLS];
	unsigned		 oldest_url;

	pthread_mutex_t		 state;
	struct csa_waiter	*driver;	/* NULL: nobody */
	int64_t			 drain;		/* ms; all ends then */
	struct csa_waiters	 followers;	/* newest first */
	atomic_uint		 nfollowers;
	struct csa_waiters	 spare_waiters;
	struct csa_waiter	**waiters;	/* by slot */
	uint32_t		 nwaiters;
};

/* Which limit ended a call. */
enum csa_limit {
	CSA_LIMIT_NONE = 0,
	CSA_LIMIT_FIRST_BYTE,
	CSA_LIMIT_IDLE
};

/* What a thread may ask the holder of the lock to do with a call. */
enum csa_job {
	CSA_JOB_START = 1,
	CSA_JOB_UNPAUSE = 2,
	CSA_JOB_REMOVE = 4
};

struct csa_http_call {
	struct csa_http		*http;
	struct csa_waiter	*waiter;
	struct csa_http_call	*next;		/* in http->jobs */
	atomic_uint		 jobs;		/* asked for, not yet done */

	/* What was asked: constant. */
	enum csa_source		 source;
	char			 operation[32];
	bool			 post;
	bool			 stream;
	bool			 tls;
	enum csa_easy_kind	 kind;
	const char		*url;		/* behind nodes */
	const void		*data;		/* borrowed */
	size_t			 len;
	int64_t			 deadline;	/* ms */
	int64_t			 started;	/* ns */
	long			 first_byte_ms;	/* 0: none */
	long			 idle_ms;	/* 0: none */

	/* Written under the curl lock; csa_now_ms() times. */
	_Atomic int64_t		 sent;		/* began to be; 0: not yet */
	_Atomic int64_t		 heard;		/* last piece; 0: none yet */

	/* Under the curl lock. */
	struct csa_host		*host;		/* NULL: not over TLS */
	TAILQ_ENTRY(csa_http_call) line;
	LIST_ENTRY(csa_http_call) fellow;
	bool			 in_line;
	bool			 sending;	/* in http->sending */
	LIST_ENTRY(csa_http_call) send;
	SSL			*connection;	/* NULL: not yet */
	bool			 shared;	/* that is, HTTP/2 */
	unsigned		 again;		/* tries after the first */

	/* Written under the curl lock until `done`. */
	CURL			*easy;		/* NULL: not with curl */
	struct csa_url		*parts;		/* url's, while with curl */
	int			 status;
	bool			 in_body;
	bool			 too_large;
	size_t			 header_bytes;
	size_t			 received;	/* of the body */
	size_t			 max_reply;
	struct csa_buf		 kept;		/* "name\0value\0"... */
	long			 connects;
	char			 errbuf[CURL_ERROR_SIZE];

	/* Under the state lock. */
	struct csa_buf		 body;		/* once done, or of a stream */
	size_t			 taken;		/* of body, by csa_http_read */
	bool			 paused;
	bool			 unpaused;	/* JOB_UNPAUSE was asked for */
	bool			 done;		/* curl has ended it */
	bool			 removed;	/* JOB_REMOVE was done */
	CURLcode		 result;
	enum csa_errcode	 verdict;	/* as told to the caller */
	enum csa_limit		 limit;		/* what the verdict is about */
	int64_t			 ended;		/* ns; 0: no verdict yet */
	int64_t			 since;		/* silence counts from here */
	int64_t			 waited;	/* ms of it, between two reads */

	struct curl_slist	 nodes[];	/* headers; then the texts */
};

/* engine.c */

/* Before anything else of curl's; safe from any thread. */
void	csa_engine_global(void);

/* Have a job done: here and now where the lock is free, else by its holder. */
void	csa_engine_ask(struct csa_http_call *, enum csa_job);
/* One turn of the driver: sleep until something comes, serve it. */
void	csa_engine_turn(struct csa_http *, int64_t until);
/* With the curl lock held, the state lock not. */
void	csa_engine_notify(struct csa_waiter *, bool driving);

/* sock.c: curl's view of epoll.  With the curl lock held. */
int	csa_sock_wanted(CURL *, curl_socket_t, int what, void *http, void *);
int	csa_sock_timer(CURLM *, long ms, void *http);
curl_socket_t csa_sock_open(void *http, curlsocktype, struct curl_sockaddr *);
int	csa_sock_close(void *http, curl_socket_t);
void	csa_sock_ready(struct csa_http *, int fd, uint32_t events);
/* What an event in epfd is about: the upper two bits of its data. */
#define CSA_EVENT_WAKE		((uint64_t)0 << 62)
#define CSA_EVENT_SOCK		((uint64_t)1 << 62)	/* and the descriptor */
#define CSA_EVENT_WATCH		((uint64_t)2 << 62)
#define CSA_EVENT_KIND		((uint64_t)3 << 62)

/* easy.c: one exchange as curl sees it.  With the curl lock held. */

/* Hand the call to the multi handle; CURLE_OK or why not. */
CURLcode csa_easy_start(struct csa_http_call *);
/*
 * Has the body been handed to the network?  Then what curl kept of it is freed.
 */
bool	csa_easy_sent(struct csa_http_call *);
/*
 * Did a kept connection die under it, before a word of the reply, so that it may
 * be tried again?  To be asked before csa_easy_stop.
 */
bool	csa_easy_stale(const struct csa_http_call *, CURLcode);
/* Take it back; what it has come to is in the call.  cut: before its end. */
void	csa_easy_stop(struct csa_http_call *, bool cut);

/* host.c.  With the curl lock held. */

/* May the call be given to curl?  If not it stands in line. */
bool	csa_host_enter(struct csa_http_call *);
/* The next in line who may, or NULL. */
struct csa_http_call *csa_host_next(struct csa_host *);
/* The call has a connection now. */
void	csa_host_connected(struct csa_http_call *, SSL *);
/*
 * Its connection died, although curl may keep it until the last call has seen
 * that: make no more of it, so that those of its calls that we try again stand
 * in line for a new one.  (Those that curl tries again do not.)
 */
void	csa_host_dead(struct csa_http_call *);
/* Another call on the same connection, or NULL. */
struct csa_http_call *csa_host_fellow(const struct csa_http_call *);
/* The call is over.  True where there is no hope for those in line either. */
bool	csa_host_leave(struct csa_http_call *, CURLcode);
void	csa_hosts_free(struct csa_http *);

/* url.c.  With the curl lock held. */

/*
 * The address in pieces, for CURLOPT_CURLU; csa_url_done must follow.  NULL:
 * curl may take it to pieces itself, or say what is wrong with it.
 */
struct csa_url *csa_url_use(struct csa_http *, const char *text);
void	csa_url_done(struct csa_url *);			/* NULL is fine */
void	csa_urls_free(struct csa_http *);

/* waiter.c */

/* Sleep until notified or `until`, driving where nobody else does.  With the
 * state lock held; may return early. */
void	csa_waiter_sleep(struct csa_waiter *, int64_t until);
/*
 * The waiter's thread, which calls this, is about to wait: in a crowd it gives
 * back what its stack no longer needs.
 */
void	csa_waiter_slim(struct csa_waiter *);
/* Hand the driving over where it is ours.  With the state lock held. */
void	csa_waiter_leave(struct csa_waiter *);
/* Someone hung up. */
void	csa_waiter_events(struct csa_http *);

/* limit.c */

/* Its request begins to be sent; must be sent anew; a piece of reply came. */
void	csa_limit_sent(struct csa_http_call *);
void	csa_limit_unsent(struct csa_http_call *);
void	csa_limit_heard(struct csa_http_call *);
/* The owner begins, and ends, to wait; progress: with a piece of the reply. */
void	csa_limit_enter(struct csa_http_call *);
void	csa_limit_leave(struct csa_http_call *, bool progress);
/* Has it been silent too long?  Sets `limit`. */
bool	csa_limit_passed(struct csa_http_call *);
/*
 * csa_waiter_sleep for the owner of n calls of one waiter: until a deadline or
 * limit of theirs may have come, or `until`.
 */
void	csa_limit_sleep(struct csa_http_call *const *, size_t n,
	    int64_t until);

/* ca.c */

/* NULL with err where file is unusable.  NULL or "": an empty store. */
X509_STORE *csa_ca_load(const char *file, struct csa_err *);
CURLcode csa_ca_use(CURL *, void *ssl_ctx, void *store);

#endif
