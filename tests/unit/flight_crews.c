/*
 * Flights between processes: 50 who want the same, in 8 of them.
 */

#include "config.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/unit/test_flight.h"

#define CREWS		8
#define BOARDERS	50

/* What the first who leads does. */
enum first { WORKS, IS_KILLED, GIVES_UP, IS_SLOW };

/* What all processes see. */
struct tally {
	atomic_bool	 go;
	atomic_uint	 boarded, leads, takeovers, got, wrong, failed;
	atomic_int	 leader;	/* pid of the first */
	_Atomic int64_t	 left, taken_over; /* when, in ms */
	atomic_uint	 landed;	/* whose value: its number among leads */
};

static struct tally	*tally;
static enum first	 first;
static bool		 with_memcached;
static unsigned		 boarders;

static void
rest(struct who *w, int64_t ms)
{
	struct csa_err	 err;

	if (csa_waiter_pause(w->ctx.waiter, csa_now_ms() + ms, &err) == -1)
		atomic_fetch_add(&tally->failed, 1);
}

static void
until_all_have_boarded(struct who *w)
{
	while (atomic_load(&tally->boarded) < boarders)
		rest(w, 2);
	rest(w, 50);
}

/* Lead: in the end there is a value, or the next one leads. */
static void
work(struct who *w, struct csa_flight *f)
{
	unsigned	 n = atomic_fetch_add(&tally->leads, 1) + 1;
	char		 value[32];

	if (n == 1) {
		atomic_store(&tally->leader, (int)getpid());
		until_all_have_boarded(w);
		if (first == GIVES_UP) {
			atomic_store(&tally->left, csa_now_ms());
			return;
		}
		if (first == IS_KILLED)
			rest(w, patience(60000));
		if (first == IS_SLOW)
			rest(w, 1000 * CSA_LEASE_S + 2500);
	} else if (with_memcached)
		rest(w, 50);
	else
		until_all_have_boarded(w);
	snprintf(value, sizeof(value), "value %u", n);
	atomic_store(&tally->landed, n);
	csa_flight_land(f, value, strlen(value));
	atomic_fetch_add(&tally->got, 1);
}

static void
wait_for_it(struct who *w, struct csa_flight *f)
{
	struct csa_cached	 c;
	struct csa_err		 err;
	char			 value[32];

	switch (csa_flight_follow(f, NULL, &c, &err)) {
	case 1:
		snprintf(value, sizeof(value), "value %u",
		    atomic_load(&tally->landed));
		if (c.len == strlen(value) && memcmp(c.data, value, c.len) == 0)
			atomic_fetch_add(&tally->got, 1);
		else
			atomic_fetch_add(&tally->wrong, 1);
		break;
	case 0:
		atomic_store(&tally->taken_over, csa_now_ms());
		atomic_fetch_add(&tally->takeovers, 1);
		work(w, f);
		break;
	default:
		atomic_fetch_add(&tally->failed, 1);
	}
}

static void *
boarder(void *host)
{
	struct csa_cache_key	 key = flight_key("crews");
	struct csa_flight	*f;
	struct who		 w;

	while (!atomic_load(&tally->go))
		nap(1);
	who_open(&w, host, patience(60000));
	f = csa_flight_board(((struct host *)host)->cache, &w.ctx, &key);
	atomic_fetch_add(&tally->boarded, 1);
	if (csa_flight_leads(f))
		work(&w, f);
	else
		wait_for_it(&w, f);
	csa_flight_leave(f);
	who_close(&w);
	return NULL;
}

static unsigned
crew_size(unsigned i)
{
	return BOARDERS / CREWS + (i < BOARDERS % CREWS);
}

_Noreturn static void
crew(unsigned n)
{
	pthread_t	 threads[BOARDERS];
	struct host	 h;
	unsigned	 i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	host_open(&h, with_memcached);
	for (i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, boarder, &h) != 0)
			_exit(3);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	host_close(&h);
	_exit(0);
}

static void
start_crews(pid_t *pids, enum first what, bool memcached)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(tally, MAP_FAILED);
	first = what;
	with_memcached = memcached;
	boarders = BOARDERS;
	for (unsigned i = 0; i < CREWS; i++) {
		pids[i] = fork();
		ck_assert_int_ne(pids[i], -1);
		if (pids[i] == 0)
			crew(crew_size(i));
	}
	atomic_store(&tally->go, true);
}

static void
end_of(pid_t pid)
{
	int	 status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
	    "a process ended with status %#x", (unsigned)status);
}

static void
end_crews(const pid_t *pids)
{
	for (unsigned i = 0; i < CREWS; i++)
		if (pids[i] != 0)
			end_of(pids[i]);
}

/* That was noticed, and not when the lease had ended, after 2 s or more. */
static void
taken_over_soon(void)
{
	ck_assert_int_ge(tally->taken_over, tally->left);
	ck_assert_int_lt(tally->taken_over - tally->left, patience(1900));
}

/* So many led, and all but so many have the value of the last of them. */
static void
came_to(unsigned leads, unsigned takeovers, unsigned without)
{
	ck_assert_uint_eq(tally->leads, leads);
	ck_assert_uint_eq(tally->takeovers, takeovers);
	ck_assert_uint_eq(tally->wrong, 0);
	ck_assert_uint_eq(tally->failed, 0);
	ck_assert_uint_eq(tally->got, BOARDERS - without);
	ck_assert_int_eq(munmap(tally, sizeof(*tally)), 0);
}

START_TEST(one_leads)
{
	pid_t	 pids[CREWS];

	start_crews(pids, WORKS, true);
	end_crews(pids);
	came_to(1, 0, 0);
}
END_TEST

/* Processes cannot know of each other; within each it holds. */
START_TEST(one_leads_in_each)
{
	pid_t	 pids[CREWS];

	start_crews(pids, WORKS, false);
	end_crews(pids);
	ck_assert_uint_eq(tally->leads, CREWS);
	/* The values differ then. */
	ck_assert_uint_eq(tally->got + tally->wrong, BOARDERS);
	ck_assert_uint_eq(tally->failed, 0);
	ck_assert_uint_eq(tally->takeovers, 0);
	ck_assert_int_eq(munmap(tally, sizeof(*tally)), 0);
}
END_TEST

START_TEST(leader_is_killed)
{
	pid_t		 pids[CREWS], first_one;
	unsigned	 lost = 0;

	start_crews(pids, IS_KILLED, true);
	while (atomic_load(&tally->boarded) < BOARDERS)
		nap(1);
	nap(100);
	first_one = (pid_t)atomic_load(&tally->leader);
	atomic_store(&tally->left, csa_now_ms());
	ck_assert_int_eq(kill(first_one, SIGKILL), 0);
	/* Its parent does not look yet: it stays a zombie. */
	for (unsigned i = 0; i < CREWS; i++)
		if (pids[i] == first_one) {
			lost = crew_size(i);
			pids[i] = 0;
		}
	ck_assert_uint_gt(lost, 0);
	end_crews(pids);
	taken_over_soon();
	ck_assert_int_eq(waitpid(first_one, NULL, 0), first_one);
	came_to(2, 1, lost);
}
END_TEST

START_TEST(leader_gives_up)
{
	pid_t	 pids[CREWS];

	start_crews(pids, GIVES_UP, true);
	end_crews(pids);
	taken_over_soon();
	came_to(2, 1, 1);
}
END_TEST

START_TEST(leader_is_slow)
{
	pid_t	 pids[CREWS];

	start_crews(pids, IS_SLOW, true);
	end_crews(pids);
	came_to(1, 0, 0);
}
END_TEST

TCase *
crews_case(void)
{
	TCase	*t = tcase_create("crews");

	tcase_add_checked_fixture(t, mc_start, mc_stop);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, one_leads);
	tcase_add_test(t, one_leads_in_each);
	tcase_add_test(t, leader_is_killed);
	tcase_add_test(t, leader_gives_up);
	tcase_add_test(t, leader_is_slow);
	return t;
}
