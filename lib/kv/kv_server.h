/*
 * kv_server: between the two files about one server, and for nobody else.
 */

#ifndef CSA_KV_KV_SERVER_H
#define CSA_KV_KV_SERVER_H

#include <libmemcached/memcached.h>

#include "lib/kv/kv_internal.h"

/* See kv_server.c; its start is what malloc gave. */
struct csa_kv_tray {
	memcached_result_st	 result;
	char			 beyond[UINT16_MAX];
};

struct csa_kv_server {
	memcached_st		*mc;
	struct csa_kv_far	*far;
	struct csa_kv_watch	*watch;
	struct csa_kv_tray	*tray;
	bool			 tray_lost;	/* the library "freed" it */
	bool			 warm;		/* it answered on this socket */
	int64_t			 patience_ms;
	int32_t			 reply_ms;
};

/* An operation: of one try or two. */
struct csa_kv_trial {
	bool	 probe;
	int64_t	 began;
};

/* False: it must not be tried now. */
bool	csa_kv_trial_begin(struct csa_kv_server *, struct csa_kv_trial *);
/* After a try that failed: another one at once? */
bool	csa_kv_trial_again(struct csa_kv_server *, const struct csa_kv_trial *);
/* What became of it, one of them; the second returns -1. */
void	csa_kv_trial_worked(struct csa_kv_server *);
int	csa_kv_trial_failed(struct csa_kv_server *, const struct csa_kv_trial *,
	    const char *what, memcached_return_t);
/* The error behind rc, which says less. */
memcached_return_t csa_kv_error(const struct csa_kv_server *,
		    memcached_return_t rc);

#endif
