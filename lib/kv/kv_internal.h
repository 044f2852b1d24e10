/*
 * kv_internal: between the files of lib/kv, and for nobody else.
 */

#ifndef CSA_KV_KV_INTERNAL_H
#define CSA_KV_KV_INTERNAL_H

#include <pthread.h>

#include "lib/kv/kv.h"

#define CSA_KV_SERVERS	64
#define CSA_KV_GROUP	100	/* keys asked for, or put, at once */

/* ---- kv_farm.c: what is known of servers, by all handles of a pool ---- */

/*
 * A server and its breaker.  libmemcached never leaves out one that does not
 * answer, whatever its behaviours are set to: every call would cost the whole
 * timeout.
 */
struct csa_kv_far {
	char		*name;		/* as it was configured */
	char		*host;		/* or the path of a socket */
	unsigned short	 port;		/* 0: a socket */

	pthread_mutex_t	 lock;		/* over what follows */
	unsigned	 failures;	/* in a row */
	bool		 open;		/* it is left alone */
	int64_t		 until;		/* csa_now_ms() time */
	int64_t		 said;		/* when a refusal was logged last */
};

struct csa_kv_farm {
	unsigned		 n;
	struct csa_kv_far	 far[CSA_KV_SERVERS];
};

/* NULL with err where servers cannot be understood. */
struct csa_kv_farm *csa_kv_farm_new(const char *servers, struct csa_err *);
void	csa_kv_farm_free(struct csa_kv_farm *);	/* NULL: nothing to do */

/*
 * May an operation begin?  *probe is set for the one that tries again, while
 * all others are refused.  What became of it must be told.
 */
bool	csa_kv_far_enter(struct csa_kv_far *, bool *probe);
void	csa_kv_far_worked(struct csa_kv_far *);
void	csa_kv_far_failed(struct csa_kv_far *, bool probe, const char *what,
	    const char *why);
/* It answers, but will not have this: in the log now and then. */
void	csa_kv_far_refused(struct csa_kv_far *, const char *what,
	    const char *why);

/* ---- kv_ring.c: whose a key is ---- */

/* NULL: libmemcached takes none of such names. */
struct csa_kv_ring *csa_kv_ring_new(const struct csa_kv_farm *);
void	csa_kv_ring_free(struct csa_kv_ring *);	/* NULL: nothing to do */
/* The number of its server. */
unsigned csa_kv_ring_find(const struct csa_kv_ring *, const char *key);

/* ---- kv_warden.c: no operation takes longer than it may ---- */

/* A handle, as the warden sees it. */
struct csa_kv_watch {
	pthread_mutex_t	 lock;
	int64_t		 due;		/* csa_now_ms() time; 0: idle */
	bool		 cut;		/* it is late, and cut short */
	int32_t		*limit;		/* what the library waits at most */
	struct csa_kv_warden *warden;	/* NULL: nobody does */
};

void	csa_kv_watch_init(struct csa_kv_watch *);
void	csa_kv_watch_fini(struct csa_kv_watch *);
/* An operation begins, and is due then; it ends. */
void	csa_kv_watch_begin(struct csa_kv_watch *, int64_t due);
void	csa_kv_watch_end(struct csa_kv_watch *);
/*
 * *limit is what the library waits at a time for what comes next; set to ms,
 * and by the warden to 0 when the operation is late.  False: it is late
 * already.
 */
bool	csa_kv_watch_on(struct csa_kv_watch *, int32_t *limit, int32_t ms);
/* From here on the library waits for nothing. */
void	csa_kv_watch_off(struct csa_kv_watch *, int32_t *limit);

/* One is for all handles of a pool; it runs a thread.  NULL: it cannot. */
struct csa_kv_warden *csa_kv_warden_new(long timeout_ms);
void	csa_kv_warden_free(struct csa_kv_warden *);
/* Watch it, from before its first operation on, for as long as it runs. */
void	csa_kv_warden_add(struct csa_kv_warden *, struct csa_kv_watch *);

/* ---- kv_server.c: one server by libmemcached, for one thread ---- */

struct csa_kv_server;

/* Borrows far and watch.  NULL: the name is none. */
struct csa_kv_server *csa_kv_server_new(struct csa_kv_far *,
		    struct csa_kv_watch *, long timeout_ms);
void	csa_kv_server_free(struct csa_kv_server *);

/* One of some keys in ascending order, none twice. */
struct csa_kv_wanted {
	const char	*key;
	size_t		 first, n;	/* for kv_memcached.c alone */
	unsigned	 server;	/* likewise */
	bool		 given;		/* found was told of it */
};
typedef void csa_kv_found(void *arg, struct csa_kv_wanted *, const void *val,
	    size_t len);

/* At most CSA_KV_GROUP.  0, or -1 when it failed; some may be found even so. */
int	csa_kv_server_get(struct csa_kv_server *, struct csa_kv_wanted *,
	    size_t n, csa_kv_found *, void *arg);
/* As the op of their names. */
int	csa_kv_server_set(struct csa_kv_server *, const struct csa_kv_item *);
int	csa_kv_server_add(struct csa_kv_server *, const struct csa_kv_item *);
int	csa_kv_server_del(struct csa_kv_server *, const char *key);
/* At most CSA_KV_GROUP; returns how many were not stored. */
size_t	csa_kv_server_set_many(struct csa_kv_server *,
	    const struct csa_kv_item *const *, size_t n);

/* ---- kv_memcached.c ---- */

/* Borrows both; warden may be NULL. */
struct csa_kv	*csa_kv_memcached_of(struct csa_kv_farm *,
		    struct csa_kv_warden *, long timeout_ms, struct csa_err *);

#endif
