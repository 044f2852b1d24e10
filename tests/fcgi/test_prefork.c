/*
 * The real master over the real worker, with a raw client as the load and no web
 * server: kills, rolls, storms of signals, workers that do not start.
 */

#include "config.h"

#include <sys/stat.h>
#include <sys/wait.h>

#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/fcgi/client.h"
#include "tests/fcgi/pool.h"
#include "tests/suite.h"

#define CLIENTS	3
#define STUB	"stub.fcgi"
#define MASTER	"chatsphere-pref"	/* what the kernel keeps of it */
#define WORKERS	8

static struct pool	 p;

static void
setup(void)
{
	pool_make(&p, "workers = 2\nthreads = 4\ndrain_ms = 1000\n");
}

static void
teardown(void)
{
	pool_remove(&p);
}

/* Clients that ask without a pause. */
struct load {
	pthread_t	 thread[CLIENTS];
	_Atomic bool	 stop;
	_Atomic unsigned good, bad;
};

static void *
ask_on(void *arg)
{
	struct load		*l = arg;
	struct fcgi_reply	 r;
	const char		*uri;

	for (unsigned n = 0; !l->stop; n++) {
		uri = n % 5 == 0 ? "/sleep?20" : "/echo";
		if (fcgi_ask(p.sock, uri, "body", 4, &r) == 200 && r.ends == 1)
			l->good++;
		else
			l->bad++;
		fcgi_free(&r);
	}
	return NULL;
}

static void
load_start(struct load *l)
{
	memset(l, 0, sizeof(*l));
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_int_eq(pthread_create(&l->thread[i], NULL, ask_on,
		    l), 0);
}

static void
load_stop(struct load *l)
{
	l->stop = true;
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(l->thread[i], NULL);
}

static void
assert_no_failure(struct load *l)
{
	int64_t	 end = csa_now_ms() + 10000;

	/* Enough to mean something, on a busy machine too. */
	while (l->good <= 20 && csa_now_ms() < end)
		pool_sleep(20);
	load_stop(l);
	fprintf(stderr, "%u requests, %u failed\n", l->good, l->bad);
	ck_assert_uint_gt(l->good, 20);
	ck_assert_uint_eq(l->bad, 0);
}

/* A worker that does what stands in the pool's file `how` before it serves. */
static const char *
fickle(const char *how)
{
	static char	 path[128];
	char		 stub[256];
	FILE		*f;

	snprintf(path, sizeof(path), "%s/fickle.fcgi", p.dir);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	fprintf(f, "#!/bin/sh\necho started >&2\n. %s/how\nexec %s \"$@\"\n",
	    p.dir, pool_program("tests/fcgi/stub.fcgi", stub, sizeof(stub)));
	fclose(f);
	ck_assert_int_eq(chmod(path, 0755), 0);
	snprintf(stub, sizeof(stub), "%s/how", p.dir);
	ck_assert_ptr_nonnull(f = fopen(stub, "w"));
	fprintf(f, "%s\n", how);
	fclose(f);
	return path;
}

/* The log line comes first, the gauge a moment later. */
static bool
wait_gauge(const char *state, int64_t n)
{
	int64_t	 end = csa_now_ms() + 10000;
	char	 labels[64];

	snprintf(labels, sizeof(labels), "stub|%s", state);
	while ((int64_t)csa_metric_value(CSA_M_workers, labels) != n) {
		if (csa_now_ms() >= end)
			return false;
		pool_sleep(5);
	}
	return true;
}

/* Wait until a process has read a signal that it blocks. */
static bool
wait_taken(pid_t pid, int sig)
{
	int64_t			 end = csa_now_ms() + 10000;
	unsigned long long	 pending;
	char			 path[64], line[128];
	FILE			*f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	do {
		pending = 0;
		ck_assert_ptr_nonnull(f = fopen(path, "r"));
		while (fgets(line, sizeof(line), f) != NULL)
			if (sscanf(line, "ShdPnd: %llx", &pending) == 1)
				break;
		fclose(f);
		if ((pending & 1ULL << (sig - 1)) == 0)
			return true;
		pool_sleep(5);
	} while (csa_now_ms() < end);
	return false;
}

/* Wait until the master has n workers, none of them among old. */
static bool
wait_workers(size_t n, const pid_t *old, size_t nold, int ms)
{
	int64_t	 end = csa_now_ms() + ms;
	pid_t	 now[WORKERS];
	size_t	 got;
	bool	 mixed;

	do {
		got = pool_children(&p, STUB, now, WORKERS);
		mixed = false;
		for (size_t i = 0; i < got; i++)
			for (size_t j = 0; j < nold; j++)
				mixed = mixed || now[i] == old[j];
		if (got == n && !mixed)
			return true;
		pool_sleep(10);
	} while (csa_now_ms() < end);
	return false;
}

START_TEST(the_killed_are_replaced_at_once)
{
	struct load	 l;
	pid_t		 pids[WORKERS], first[WORKERS];
	int64_t		 t;

	pool_start_master(&p, NULL);
	ck_assert(wait_workers(2, NULL, 0, 10000));
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	load_start(&l);
	for (int i = 0; i < 10; i++) {
		ck_assert_uint_eq(pool_children(&p, STUB, pids, WORKERS), 2);
		memcpy(first, pids, sizeof(first));
		t = csa_now_ms();
		ck_assert_int_eq(kill(pids[i % 2], SIGKILL), 0);
		ck_assert(wait_workers(2, &first[i % 2], 1, 10000));
		fprintf(stderr, "replaced in %d ms\n", (int)(csa_now_ms() - t));
		ck_assert(pool_wait_log(&p, "is ready", 3 + (unsigned)i,
		    10000));
	}
	load_stop(&l);
	/* Only what ran in the killed process is lost. */
	ck_assert_uint_le(l.bad, 10 * CLIENTS);
	ck_assert_uint_eq(pool_logged(&p, "workers do not start"), 0);
	ck_assert_uint_eq(pool_logged(&p, "killed by signal 9"), 10);
}
END_TEST

START_TEST(one_that_crashes_is_replaced)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b;
	int			 fd;

	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	pool_sleep(1100);
	(void)fcgi_ask(p.sock, "/die", "", 0, &r);
	ck_assert_int_eq(r.ends, 0);
	fcgi_free(&r);
	ck_assert(pool_wait_log(&p, "crashed by signal 6", 1, 10000));
	ck_assert(pool_wait_log(&p, "is ready", 3, 10000));
	/*
	 * The allow-list's only entry: lengths near 2^31 meet an assertion of
	 * libfcgi (Debian 12's), or the sanitizer's limit of an allocation.  It
	 * costs that worker.
	 */
	p.crashes = true;
	pool_sleep(1100);
	csa_buf_init(&b, 4096);
	fcgi_begin(&b, 1, 1, 0);
	fcgi_record(&b, 4, 1, "\xff\xff\xff\xfe\xff\xff\xff\xfe""abcd", 12);
	fd = fcgi_connect(p.sock);
	(void)fcgi_send(fd, b.data, b.len, 0);
	fcgi_read(fd, &r, 1000);
	close(fd);
	fcgi_free(&r);
	csa_buf_fini(&b);
	ck_assert(wait_workers(2, NULL, 0, 10000));
	ck_assert_int_ne(pool_ask_pid(&p), 0);
	ck_assert_uint_eq(pool_logged(&p, "workers do not start"), 0);
}
END_TEST

START_TEST(one_that_cannot_start_backs_off_and_comes_back)
{
	int64_t	 t = csa_now_ms();

	/* Not the stub's environment: this one ends before it says ready. */
	setenv("STUB_START", "", 1);
	pool_start_master(&p, fickle("exit 1"));
	unsetenv("STUB_START");
	/* 2 at once, then after 0.1, 0.2, 0.4, 0.8, 1.6 s. */
	ck_assert(pool_wait_log(&p, "started", 7, 30000));
	ck_assert_int_ge(csa_now_ms() - t, 1500);
	ck_assert_uint_ge(pool_logged(&p, "workers do not start"), 4);
	ck_assert_uint_ge(pool_logged(&p, "failed with exit status 1"), 4);
	t = csa_now_ms();
	(void)fickle(":");
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert_int_le(csa_now_ms() - t, 9000);
	ck_assert_int_ne(pool_ask_pid(&p), 0);
}
END_TEST

/* Hundreds of threads do without malloc's caches, unless told otherwise. */
START_TEST(many_threads_share_what_is_freed)
{
	static const char	 none[] = "glibc.malloc.tcache_count=0";
	static const char	 say[] = "echo \"tunables=$GLIBC_TUNABLES.\" >&2";

	unsetenv("GLIBC_TUNABLES");
	pool_start_master(&p, fickle(say));
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert_uint_eq(pool_logged(&p, "tunables=."), 2);
	pool_configure(&p, "workers = 2\nthreads = 300\ndrain_ms = 1000\n");
	kill(p.pid, SIGHUP);
	ck_assert(pool_wait_log(&p, "tunables=glibc", 2, 10000));
	ck_assert_uint_eq(pool_logged(&p, none), 2);
	kill(p.pid, SIGTERM);
	ck_assert_int_eq(pool_wait(&p, 10000), 0);
	setenv("GLIBC_TUNABLES", "glibc.malloc.check=0", 1);
	pool_start_master(&p, fickle(say));
	unsetenv("GLIBC_TUNABLES");
	ck_assert(pool_wait_log(&p, "tunables=glibc.malloc.check=0.", 2,
	    10000));
}
END_TEST

START_TEST(a_refused_configuration_is_tried_slowly)
{
	setenv("STUB_START", "config", 1);
	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "refused its configuration", 1, 10000));
	ck_assert(pool_wait_log(&p, "the next attempt is in 5.0 s", 1, 10000));
	pool_sleep(1500);
	ck_assert_uint_le(pool_logged(&p, "refused its configuration"), 2);
	kill(p.pid, SIGTERM);
	ck_assert_int_eq(pool_wait(&p, 10000), 0);
}
END_TEST

START_TEST(rolling_replacement_loses_nothing)
{
	struct load	 l;
	pid_t		 old[WORKERS];
	size_t		 n;

	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	load_start(&l);
	for (int i = 0; i < 5; i++) {
		n = pool_children(&p, STUB, old, WORKERS);
		ck_assert_uint_eq(n, 2);
		ck_assert_int_eq(kill(p.pid, SIGHUP), 0);
		ck_assert(wait_workers(2, old, n, 10000));
	}
	assert_no_failure(&l);
	ck_assert_uint_eq(pool_logged(&p, "killed"), 0);
}
END_TEST

START_TEST(a_new_number_of_workers_is_taken)
{
	struct load	 l;
	pid_t		 old[WORKERS];

	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	load_start(&l);
	ck_assert_uint_eq(pool_children(&p, STUB, old, WORKERS), 2);
	pool_configure(&p, "workers = 4\nthreads = 4\n");
	kill(p.pid, SIGHUP);
	ck_assert(wait_workers(4, old, 2, 15000));
	ck_assert_uint_eq(pool_children(&p, STUB, old, WORKERS), 4);
	pool_configure(&p, "workers = 1\nthreads = 8\n");
	kill(p.pid, SIGHUP);
	ck_assert(wait_workers(1, old, 4, 15000));
	assert_no_failure(&l);
}
END_TEST

START_TEST(a_bad_configuration_changes_nothing)
{
	pid_t	 before[WORKERS], after[WORKERS];

	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert_uint_eq(pool_children(&p, STUB, before, WORKERS), 2);
	pool_configure(&p, "threads = 0\n");
	kill(p.pid, SIGHUP);
	ck_assert(pool_wait_log(&p, "the configuration is bad; the old", 1,
	    5000));
	kill(p.pid, SIGUSR2);
	ck_assert(pool_wait_log(&p, "going on as before", 1, 10000));
	ck_assert_uint_eq(pool_children(&p, STUB, after, WORKERS), 2);
	ck_assert_int_eq(memcmp(before, after, 2 * sizeof(pid_t)), 0);
	ck_assert_int_ne(pool_ask_pid(&p), 0);
}
END_TEST

START_TEST(a_replacement_that_cannot_start_leaves_the_old)
{
	struct load	 l;
	pid_t		 before[WORKERS], after[WORKERS];

	pool_start_master(&p, fickle(":"));
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert_uint_eq(pool_children(&p, STUB, before, WORKERS), 2);
	load_start(&l);
	/* Its configuration is good; it is the program that is broken. */
	(void)fickle("case \"$*\" in *-t*) ;; *) exit 1 ;; esac");
	kill(p.pid, SIGHUP);
	ck_assert(pool_wait_log(&p, "the replacement did not start", 1, 10000));
	pool_sleep(500);
	ck_assert_uint_eq(pool_children(&p, STUB, after, WORKERS), 2);
	ck_assert_int_eq(memcmp(before, after, 2 * sizeof(pid_t)), 0);
	assert_no_failure(&l);
	/* And a good one is taken again. */
	(void)fickle(":");
	kill(p.pid, SIGHUP);
	ck_assert(wait_workers(2, before, 2, 10000));
}
END_TEST

START_TEST(the_master_replaces_itself)
{
	struct load	 l;
	pid_t		 before[WORKERS], after[WORKERS];

	ck_assert_int_eq(csa_metrics_open(p.dir, &(struct csa_err){ 0 }), 0);
	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	load_start(&l);
	ck_assert_uint_eq(pool_children(&p, STUB, before, WORKERS), 2);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_int_eq(kill(p.pid, SIGUSR2), 0);
		ck_assert(pool_wait_log(&p, "2 taken over", i + 1, 10000));
	}
	ck_assert_uint_eq(pool_children(&p, STUB, after, WORKERS), 2);
	ck_assert_int_eq(memcmp(before, after, 2 * sizeof(pid_t)), 0);
	ck_assert(wait_gauge("ready", 2));
	/* It still knows them: killed ones are replaced, all can be. */
	load_stop(&l);
	ck_assert_uint_eq(l.bad, 0);
	kill(before[0], SIGKILL);
	ck_assert(wait_workers(2, before, 1, 10000));
	ck_assert(pool_wait_log(&p, "is ready", 3, 10000));
	load_start(&l);
	ck_assert_uint_eq(pool_children(&p, STUB, before, WORKERS), 2);
	/* One right behind the other: the second comes while the first runs. */
	kill(p.pid, SIGHUP);
	kill(p.pid, SIGUSR2);
	ck_assert(wait_workers(2, before, 2, 10000));
	ck_assert_uint_ge(pool_logged(&p, "taken over"), 6);
	assert_no_failure(&l);
}
END_TEST

/* The new program's check reads the configuration: a pipe holds it up. */
START_TEST(what_is_asked_for_while_it_replaces_itself_is_done)
{
	pid_t	 before[WORKERS], check;
	char	 aside[128];
	FILE	*f;

	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert_uint_eq(pool_children(&p, STUB, before, WORKERS), 2);
	snprintf(aside, sizeof(aside), "%s/aside", p.dir);
	ck_assert_int_eq(rename(p.conf, aside), 0);
	ck_assert_int_eq(mkfifo(p.conf, 0600), 0);
	ck_assert_int_eq(kill(p.pid, SIGUSR2), 0);
	/* Open once the check has: everyone else finds the file again. */
	ck_assert_ptr_nonnull(f = fopen(p.conf, "w"));
	ck_assert_uint_eq(pool_children(&p, MASTER, &check, 1), 1);
	ck_assert_int_eq(rename(aside, p.conf), 0);
	ck_assert_int_eq(kill(p.pid, SIGHUP), 0);
	ck_assert(wait_taken(p.pid, SIGHUP));
	fprintf(f, "run_dir = %s\ndata_dir = %s\n", p.dir, p.dir);
	ck_assert_int_eq(fclose(f), 0);
	ck_assert(pool_wait_log(&p, "2 taken over", 1, 10000));
	ck_assert(wait_workers(2, before, 2, 10000));
}
END_TEST

START_TEST(sigterm_ends_all)
{
	struct csa_buf		 b;
	struct fcgi_reply	 r;
	pid_t			 pids[WORKERS];
	int			 fd;

	ck_assert_int_eq(csa_metrics_open(p.dir, &(struct csa_err){ 0 }), 0);
	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert(wait_gauge("ready", 2));
	ck_assert(wait_gauge("starting", 0));
	ck_assert_uint_eq(pool_children(&p, STUB, pids, WORKERS), 2);
	csa_buf_init(&b, 4096);
	fcgi_request(&b, "GET", "/sleep?1400", NULL, NULL, "", 0);
	fd = fcgi_connect(p.sock);
	(void)fcgi_send(fd, b.data, b.len, 0);
	/* A worker has it by then. */
	pool_sleep(700);
	kill(p.pid, SIGTERM);
	fcgi_read(fd, &r, 8000);
	ck_assert_int_eq(r.status, 200);
	close(fd);
	fcgi_free(&r);
	csa_buf_fini(&b);
	ck_assert_int_eq(pool_wait(&p, 10000), 0);
	for (int i = 0; i < 2; i++)
		ck_assert_int_eq(kill(pids[i], 0), -1);
	ck_assert(wait_gauge("ready", 0));
	ck_assert_uint_eq(csa_metric_value(CSA_M_worker_exits, "stub|ended"),
	    2);
	csa_metrics_close();
}
END_TEST

START_TEST(workers_follow_a_killed_master)
{
	struct load	 l;
	pid_t		 pids[WORKERS];

	ck_assert_int_eq(csa_metrics_open(p.dir, &(struct csa_err){ 0 }), 0);
	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	ck_assert_uint_eq(pool_children(&p, STUB, pids, WORKERS), 2);
	load_start(&l);
	pool_sleep(100);
	kill(p.pid, SIGKILL);
	ck_assert_int_ne(pool_wait(&p, 10000), -1);
	/* Who waits in the socket's queue meanwhile is served by the next. */
	ck_assert(pool_wait_log(&p, "ended after", 2, 10000));
	ck_assert(wait_gauge("ready", 0));
	pool_sleep(200);
	pool_start_master(&p, NULL);
	pool_sleep(300);
	assert_no_failure(&l);
	csa_metrics_close();
}
END_TEST

START_TEST(a_worker_that_retires_is_replaced_before_it_is_gone)
{
	struct load	 l;

	pool_configure(&p, "workers = 2\nthreads = 4\nmax_requests = 200\n");
	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	load_start(&l);
	ck_assert(pool_wait_log(&p, "max_requests served", 6, 20000));
	assert_no_failure(&l);
	ck_assert_uint_eq(pool_logged(&p, "workers do not start"), 0);
}
END_TEST

START_TEST(storms_of_signals_are_survived)
{
	static const int	 sigs[] = { SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD,
				    SIGHUP, SIGUSR2, SIGUSR1 };
	struct load		 l;

	pool_start_master(&p, NULL);
	ck_assert(pool_wait_log(&p, "is ready", 2, 10000));
	load_start(&l);
	for (int i = 0; i < 100; i++) {
		ck_assert_int_eq(kill(p.pid, sigs[i % 7]), 0);
		pool_sleep(i % 11);
	}
	pool_sleep(1000);
	ck_assert(wait_workers(2, NULL, 0, 10000));
	assert_no_failure(&l);
	kill(p.pid, SIGTERM);
	kill(p.pid, SIGINT);
	kill(p.pid, SIGHUP);
	ck_assert_int_eq(pool_wait(&p, 10000), 0);
}
END_TEST

static void
add(TCase *t)
{
	tcase_add_test(t, the_killed_are_replaced_at_once);
	tcase_add_test(t, one_that_crashes_is_replaced);
	tcase_add_test(t, one_that_cannot_start_backs_off_and_comes_back);
	tcase_add_test(t, many_threads_share_what_is_freed);
	tcase_add_test(t, a_refused_configuration_is_tried_slowly);
	tcase_add_test(t, rolling_replacement_loses_nothing);
	tcase_add_test(t, a_new_number_of_workers_is_taken);
	tcase_add_test(t, a_bad_configuration_changes_nothing);
	tcase_add_test(t, a_replacement_that_cannot_start_leaves_the_old);
	tcase_add_test(t, the_master_replaces_itself);
	tcase_add_test(t,
	    what_is_asked_for_while_it_replaces_itself_is_done);
	tcase_add_test(t, sigterm_ends_all);
	tcase_add_test(t, workers_follow_a_killed_master);
	tcase_add_test(t, a_worker_that_retires_is_replaced_before_it_is_gone);
	tcase_add_test(t, storms_of_signals_are_survived);
}

int
main(void)
{
	Suite	*s = suite_create("prefork");
	TCase	*t = tcase_create("prefork");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	add(t);
	suite_add_tcase(s, t);
	return run_suite(s);
}
