#include "config.h"

#include <sys/wait.h>

#include <dirent.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/metrics/metrics.h"
#include "tests/suite.h"
#include "tests/unit/http_fixture.h"

START_TEST(end_at_once)
{
	int	 n = many(100);

	for (int i = 0; i < n; i++)
		csa_http_end(start("/no-headers"));
	await_open(0);
	csa_http_end(NULL);
	ck_assert_uint_eq(counted("gemini|test|cancelled"), n);
	whole(start("/echo"), 200, "hello");
}
END_TEST

static int
entries(const char *dir)
{
	DIR	*d = opendir(dir);
	int	 n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

START_TEST(nothing_left)
{
	int	 fds, tasks;

	client_stop();
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	await_open(0);
	fds = entries("/proc/self/fd");
	tasks = entries("/proc/self/task");
	for (int i = 0; i < 3; i++) {
		http = engine(NULL, patience(5000));
		waiter = csa_waiter_new(http);
		run_parallel();
		client_stop();
		ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
		atomic_store(&srv->connections, 0);
		await_open(0);
	}
	/* A connection's thread at the server lives a little longer. */
	for (int i = 0; i < 100 && entries("/proc/self/task") > tasks; i++)
		poll(NULL, 0, 10);
	ck_assert_int_eq(entries("/proc/self/task"), tasks);
	ck_assert_int_eq(entries("/proc/self/fd"), fds);
}
END_TEST

START_TEST(after_fork)
{
	struct csa_http	*mine = http;
	int		 status;
	pid_t		 pid;

	whole(start("/echo"), 200, "hello");
	if ((pid = fork()) == 0) {
		/* The parent's engine is not touched; the server is there. */
		http = engine(NULL, patience(5000));
		waiter = csa_waiter_new(http);
		for (int i = 0; i < 20; i++)
			whole(start("/echo"), 200, "hello");
		_exit(0);
	}
	ck_assert_int_gt(pid, 0);
	for (int i = 0; i < 20; i++)
		whole(start("/echo"), 200, "hello");
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	ck_assert_ptr_eq(http, mine);
	ck_assert_int_eq(atomic_load(&srv->connections), 2);
}
END_TEST

START_TEST(bad_ca)
{
	static const char *const	 files[] = { "/nonexistent/ca.pem",
		"/dev/null", "/etc/passwd", "/tmp" };
	struct csa_http_opts		 opts = { .ca_file = files[_i] };

	ck_assert_ptr_null(csa_http_new(&opts, &err));
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	ck_assert_str_ne(err.detail, "");
}
END_TEST

static TCase *
ending_case(void)
{
	TCase	*t = tcase_create("ending");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, end_at_once);
	tcase_add_test(t, nothing_left);
	/* Its child has the parent's memory and not its threads: all leaks. */
	if (getenv("CSA_VALGRIND") == NULL)
		tcase_add_test(t, after_fork);
	tcase_add_loop_test(t, bad_ca, 0, 4);
	return t;
}

int
main(void)
{
	Suite	*s = suite_create("http");

	suite_add_tcase(s, calls_case());
	suite_add_tcase(s, streams_case());
	suite_add_tcase(s, ticks_case());
	/* These take minutes under valgrind, a second of waiting at a time. */
	if (!brief()) {
		suite_add_tcase(s, limits_case());
		suite_add_tcase(s, limits_h2_case());
		suite_add_tcase(s, cancel_case());
		suite_add_tcase(s, cancel_tls_case());
		suite_add_tcase(s, cancel_h2_case());
	}
	suite_add_tcase(s, tls_case());
	suite_add_tcase(s, h2_case());
	suite_add_tcase(s, ending_case());
	return run_suite(s);
}
