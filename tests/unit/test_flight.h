/*
 * test_flight: two hosts in one process, one who leads and some who follow; and
 * the parts of the suite.
 */

#ifndef CSA_TESTS_TEST_FLIGHT_H
#define CSA_TESTS_TEST_FLIGHT_H

#include <pthread.h>
#include <stdatomic.h>

#include <check.h>

#include "lib/cache/flight.h"
#include "tests/unit/cache_fixture.h"

#define LOCAL	0	/* of the leader's process */
#define REMOTE	1	/* of another */

extern struct host	 hosts[2];
extern struct who	 leader;	/* of hosts[LOCAL], this thread */
extern struct csa_flight *flight;	/* the leader's */

struct csa_cache_key flight_key(const char *of);

/* Both hosts over one memcached; the second is for who has begun it anew. */
void	flight_setup(void);
void	flight_teardown(void);
void	open_hosts(bool memcached);

struct csa_flight *flight_board(struct who *, int host);
void	take_the_lead(void);
void	pause_ms(struct who *, int64_t ms);

/* One who follows, in a thread. */
struct follower {
	pthread_t	 thread;
	int		 host;		/* LOCAL, REMOTE */
	int64_t		 ms;		/* deadline */
	struct who	 who;
	struct csa_flight *flight;
	bool		 leads;		/* at once */
	int		 rc;
	struct csa_err	 err;
	struct csa_cached value;
	int64_t		 took;
	/* What its ear heard. */
	bool		 listens;
	char		 heard[4096];
	atomic_size_t	 nheard;
	size_t		 times;
	size_t		 odd;		/* not growing, not the same so far */
	size_t		 ends_at;	/* bytes after which it hangs up */
};

/* Board on a host with that deadline; follow, where it does not lead. */
void	start_follower(struct follower *, int host, int64_t ms);
/* Wait for its end: what csa_flight_follow returned. */
int	end_follower(struct follower *);
void	close_follower(struct follower *);
/* It has followed to that value. */
void	has(const struct follower *, const char *value);

TCase	*crews_case(void);
TCase	*ill_case(void);
TCase	*peers_case(void);
TCase	*told_case(void);

#endif
