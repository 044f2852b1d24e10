/*
 * kv_fixture: memcacheds of a test's own, and what the tests of kv share.
 */

#ifndef CSA_TESTS_KV_FIXTURE_H
#define CSA_TESTS_KV_FIXTURE_H

#include <sys/types.h>

#include <stddef.h>
#include <stdint.h>

#include <check.h>

#include "lib/kv/kv.h"

#define TIMEOUT_MS	1200	/* a busy machine takes less for an operation */
#define BRIEF_MS	150	/* where nothing answers however long one waits */

/* What a busy machine may add.  Who waits without a limit takes longer. */
#define SLACK_MS	3000
extern pid_t		 pids[8];	/* ended by teardown */
extern size_t		 npids;
extern char		 servers[400];
extern struct csa_err	 err;
/* One more option and its value, for those started from now on, or NULL. */
extern const char	*memcached_option[2];

void	setup(void);
void	teardown(void);
void	nap(long ms);
/* Any free port where *port is 0. */
int	listen_on(unsigned short *port);
/* Start one, whose name is written to server. */
void	start_tcp(char *server, size_t size);
void	start_unix(char *server, size_t size);
/* Until SIGCONT pids[i] says nothing; it may for a moment after the signal. */
void	stop_server(size_t i);
/* End pids[i] and start it anew, empty, under the same name. */
void	start_again(size_t i, const char *server);

/* Is there exactly this, or nothing, under the key? */
void	holds(struct csa_kv *, const char *key, const void *val, size_t n);
void	lacks(struct csa_kv *, const char *key);

/* The contract of get_many and set_many, for any driver that works. */
void	check_get_many(struct csa_kv *);

void	add_ill_tests(TCase *);
void	add_pool_tests(TCase *);
void	add_lying_tests(TCase *);

#endif
