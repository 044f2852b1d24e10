/*
 * Who a lease belongs to, and whether that one is still there.
 */

#include "config.h"

#include <sys/wait.h>

#include <signal.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/cache/flight_internal.h"
#include "tests/unit/cache_fixture.h"
#include "tests/unit/test_flight.h"

START_TEST(dead_or_alive)
{
	struct csa_peer	 self, p;
	pid_t		 pid;

	csa_peer_self(&self);
	ck_assert_uint_ne(self.host, 0);
	ck_assert_uint_ne(self.start, 0);
	ck_assert_uint_eq(self.pid, (unsigned)getpid());
	ck_assert(!csa_peer_dead(&self, &self));
	/* Another process with that number by now. */
	p = self;
	p.start++;
	ck_assert(csa_peer_dead(&self, &p));
	/* Its start is not known. */
	p.start = 0;
	ck_assert(!csa_peer_dead(&self, &p));

	pid = fork();
	ck_assert_int_ne(pid, -1);
	if (pid == 0)
		for (;;)
			pause();
	p = self;
	p.pid = (uint32_t)pid;
	p.start = 0;
	ck_assert(!csa_peer_dead(&self, &p));
	kill(pid, SIGKILL);
	/* A zombie, then nothing at all. */
	for (int i = 0; i < 500 && !csa_peer_dead(&self, &p); i++)
		nap(10);
	ck_assert(csa_peer_dead(&self, &p));
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	ck_assert(csa_peer_dead(&self, &p));
}
END_TEST

/* Of another host, or a number that is none, nothing is known. */
START_TEST(not_ours)
{
	struct csa_peer	 self, p;

	csa_peer_self(&self);
	p = self;
	p.start++;
	p.host++;
	ck_assert(!csa_peer_dead(&self, &p));
	p.host = self.host = 0;
	ck_assert(!csa_peer_dead(&self, &p));
	csa_peer_self(&self);
	p = self;
	p.start++;
	for (int i = 0; i < 3; i++) {
		p.pid = i == 0 ? 0 : i == 1 ? UINT32_MAX : 0x80000000;
		ck_assert(!csa_peer_dead(&self, &p));
	}
}
END_TEST

/* A host that is lost delays nobody for longer than its lease. */
START_TEST(lost_host)
{
	struct csa_cache_key	 key = flight_key("lost"), name;
	struct csa_flight	*f;
	struct csa_peer		 far = { .host = 4711, .start = 1, .pid = 1 };
	struct csa_lease	 lease;
	struct csa_cached	 c;
	struct csa_err		 err;
	struct host		 h;
	struct who		 w;
	int64_t			 begin = csa_now_ms();

	host_open(&h, true);
	who_open(&w, &h, patience(30000));
	csa_key_derive(&key, CSA_CACHE_FLIGHT, &name);
	csa_lease_init(&lease, h.cache, &far, &name);
	ck_assert_int_eq(csa_lease_take(&lease, &w.ctx, true), CSA_LEASE_OURS);
	csa_lease_fini(&lease);
	f = csa_flight_board(h.cache, &w.ctx, &key);
	ck_assert(!csa_flight_leads(f));
	ck_assert_int_eq(csa_flight_follow(f, NULL, &c, &err), 0);
	/* memcached counts in seconds, and its own. */
	ck_assert_int_ge(csa_now_ms() - begin, 1000 * CSA_LEASE_S - 2000);
	ck_assert_int_lt(csa_now_ms() - begin,
	    1000 * CSA_LEASE_S + patience(10000));
	csa_flight_leave(f);
	who_close(&w);
	host_close(&h);
}
END_TEST

TCase *
peers_case(void)
{
	TCase	*t = tcase_create("peers");

	tcase_add_checked_fixture(t, mc_start, mc_stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, dead_or_alive);
	tcase_add_test(t, not_ours);
	tcase_add_test(t, lost_host);
	return t;
}
