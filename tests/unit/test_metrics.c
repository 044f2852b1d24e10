#include "config.h"

#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "lib/metrics/table.h"
#include "tests/suite.h"

#define PROCESSES	8
#define ADDS		100000

static char		 dir[] = "/tmp/csa-metrics-XXXXXX";
static char		 file[128];
static struct csa_err	 err;

static void
find_file(void)
{
	FILE	*p;
	char	 cmd[128];

	snprintf(cmd, sizeof(cmd), "ls %s/metrics-*", dir);
	ck_assert_ptr_nonnull(p = popen(cmd, "r"));
	ck_assert_ptr_nonnull(fgets(file, sizeof(file), p));
	pclose(p);
	file[strcspn(file, "\n")] = '\0';
}

static void
setup(void)
{
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(csa_metrics_open(dir, &err), 0);
	find_file();
}

static void
teardown(void)
{
	char	 cmd[128];

	csa_metrics_close();
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

static void
page(struct csa_buf *b)
{
	csa_buf_init(b, 8 << 20);
	csa_metrics_expose(b);
	ck_assert(!b->failed);
}

static void
has(const char *line)
{
	struct csa_buf	 b;

	page(&b);
	if (strstr(b.data, line) == NULL)
		ck_abort_msg("\"%s\" is not in\n%s", line, b.data);
	csa_buf_fini(&b);
}

static pid_t
start(void (*f)(int), int arg)
{
	pid_t	 pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		f(arg);
		_exit(0);
	}
	return pid;
}

static void
all_ended_well(pid_t *pids, int n)
{
	int	 status;

	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(waitpid(pids[i], &status, 0), pids[i]);
		ck_assert_int_eq(status, 0);
	}
}

/* Each maps the file itself, as a program of its own would. */
static void
add_many(int which)
{
	struct csa_err	 e;
	char		 label[32];

	csa_metrics_close();
	if (csa_metrics_open(dir, &e) == -1)
		_exit(1);
	for (int i = 0; i < ADDS; i++) {
		snprintf(label, sizeof(label), "chat|%d", 200 + i % 7);
		csa_count(CSA_M_http_requests, label, 1);
		csa_count(CSA_M_chunks_stored, NULL, 3);
		csa_observe(CSA_M_http_duration, which % 2 ? "chat" : "store",
		    1e-4 * (i % 1000));
	}
}

START_TEST(labels_are_joined_as_far_as_there_is_room)
{
	char	 labels[8];

	CSA_LABELS(labels, "a", "", "bc");
	ck_assert_str_eq(labels, "a||bc");
	CSA_LABELS(labels, "abcd", "efg");
	ck_assert_str_eq(labels, "abcd|ef");
	CSA_LABELS(labels, "abcdefg", "h");
	ck_assert_str_eq(labels, "abcdefg");
	CSA_LABELS(labels, "abcdef", "h");
	ck_assert_str_eq(labels, "abcdef|");
}
END_TEST

START_TEST(adds_of_eight_processes_sum_exactly)
{
	pid_t		 pids[PROCESSES];
	uint64_t	 sum = 0;
	char		 label[32];

	for (int i = 0; i < PROCESSES; i++)
		pids[i] = start(add_many, i);
	all_ended_well(pids, PROCESSES);
	for (int i = 0; i < 7; i++) {
		snprintf(label, sizeof(label), "chat|%d", 200 + i);
		sum += csa_metric_value(CSA_M_http_requests, label);
	}
	ck_assert_uint_eq(sum, PROCESSES * ADDS);
	ck_assert_uint_eq(csa_metric_value(CSA_M_http_requests, "chat|200"),
	    PROCESSES * ((ADDS + 6) / 7));
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL),
	    3 * PROCESSES * ADDS);
	ck_assert_uint_eq(csa_metric_value(CSA_M_http_duration, "chat"),
	    PROCESSES / 2 * ADDS);
	/* 0 to 0.0999 s: 4 x 100 x sum(0..999) x 1e-4. */
	has("chatsphere_http_request_duration_seconds_sum{endpoint=\"chat\"} "
	    "19980.000000000\n");
	has("chatsphere_http_request_duration_seconds_bucket{endpoint=\"chat\","
	    "le=\"0.05\"} 200400\n");
}
END_TEST

/* One word of a page that the killed share with us; not of the table. */
static _Atomic uint64_t	*done;

static void
add_until_killed(int which)
{
	struct csa_err	 e;
	char		 label[32];

	csa_metrics_close();
	if (csa_metrics_open(dir, &e) == -1)
		_exit(1);
	for (int i = 0;; i++) {
		/* New series all the time: that is where it could break. */
		snprintf(label, sizeof(label), "c%d|%d", which, i % 50);
		csa_count(CSA_M_http_requests, label, 1);
		csa_gauge_add(CSA_M_requests_in_flight, "chat", 1);
		++*done;
	}
}

START_TEST(the_killed_leave_nothing_broken)
{
	pid_t		 pids[4];
	struct timespec	 t = { 0, 0 };
	uint64_t	 sum = 0;
	char		 label[32];

	done = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(done, MAP_FAILED);
	for (int round = 0; round < 60; round++) {
		for (int i = 0; i < 4; i++)
			pids[i] = start(add_until_killed, round % 15);
		t.tv_nsec = 200000 + round * 50000;
		nanosleep(&t, NULL);
		for (int i = 0; i < 4; i++) {
			kill(pids[i], SIGKILL);
			waitpid(pids[i], NULL, 0);
		}
		/* The next addition works, and nobody is in flight. */
		csa_count(CSA_M_chunks_stored, NULL, 1);
		ck_assert_uint_eq(csa_metric_value(CSA_M_requests_in_flight,
		    "chat"), 0);
	}
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 60);
	for (int c = 0; c < 15; c++)
		for (int i = 0; i < 50; i++) {
			snprintf(label, sizeof(label), "c%d|%d", c, i);
			sum += csa_metric_value(CSA_M_http_requests, label);
		}
	/* Killed between the two additions, at most once a process. */
	ck_assert_uint_gt(*done, 0);
	ck_assert_uint_ge(sum, *done);
	ck_assert_uint_le(sum, *done + 4 * 60);
	munmap(done, 4096);
}
END_TEST

/* Half-claimed slots are what a kill at the worst instants leaves. */
START_TEST(half_made_series_are_completed_or_ignored)
{
	struct csa_series	*s;
	struct csa_buf		 b;

	csa_count(CSA_M_http_requests, "chat|200", 5);
	for (size_t i = 0; i < CSA_SERIES; i++) {
		s = &csa_table->series[i];
		if (s->hash == 0)
			continue;
		s->ready = 0;		/* claimed, not named */
		memset(s->text, 'x', 5);
	}
	page(&b);
	ck_assert_ptr_null(strstr(b.data, "requests_total{"));
	csa_buf_fini(&b);
	csa_count(CSA_M_http_requests, "chat|200", 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_http_requests, "chat|200"), 6);
	has("requests_total{endpoint=\"chat\",code=\"200\"} 6\n");
}
END_TEST

static void
hold_gauge(int n)
{
	struct timespec	 t = { 0, 20000000 };

	csa_gauge_add(CSA_M_requests_in_flight, "chat", n);
	nanosleep(&t, NULL);
	csa_gauge_add(CSA_M_requests_in_flight, "chat", -n);
}

START_TEST(gauges_are_of_the_living)
{
	pid_t	 pids[3];

	csa_gauge_add(CSA_M_requests_in_flight, "chat", 2);
	ck_assert_uint_eq(csa_metric_value(CSA_M_requests_in_flight, "chat"),
	    2);
	for (int i = 0; i < 3; i++)
		pids[i] = start(hold_gauge, 10);
	for (int i = 0; i < 1000 && csa_metric_value(CSA_M_requests_in_flight,
	    "chat") != 32; i++)
		usleep(10);
	kill(pids[0], SIGKILL);
	all_ended_well(pids + 1, 2);
	waitpid(pids[0], NULL, 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_requests_in_flight, "chat"),
	    2);
	csa_gauge_add(CSA_M_requests_in_flight, "chat", -2);
	csa_gauge_set(CSA_M_workers, "chat|idle", 7);
	csa_gauge_set(CSA_M_workers, "chat|idle", 4);
	has("chatsphere_workers{pool=\"chat\",state=\"idle\"} 4\n");
	csa_gauge_add(CSA_M_workers, "chat|idle", -6);
	has("chatsphere_workers{pool=\"chat\",state=\"idle\"} -2\n");
}
END_TEST

START_TEST(rows_of_the_dead_are_used_again)
{
	int	 status;

	for (int i = 0; i < CSA_PROCESSES + 20; i++) {
		pid_t	 pid = start(hold_gauge, 0);

		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	csa_gauge_add(CSA_M_requests_in_flight, "store", 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_requests_in_flight, "store"),
	    1);
	/* In a row of its own, not in the common cell. */
	for (size_t i = 0; i < CSA_SERIES; i++)
		ck_assert_uint_eq(csa_table->series[i].cell[0], 0);
}
END_TEST

START_TEST(past_the_table_is_other)
{
	char	 label[64];

	for (int i = 0; i < 3000; i++) {
		snprintf(label, sizeof(label), "model-%d|prompt", i);
		csa_count(CSA_M_tokens, label, 2);
		csa_count(CSA_M_tokens, label, 2);
	}
	ck_assert_uint_eq(csa_metric_value(CSA_M_tokens, "model-0|prompt"), 4);
	ck_assert_uint_eq(csa_metric_value(CSA_M_tokens, "model-1023|prompt"),
	    4);
	has("chatsphere_tokens_total{model=\"other\",kind=\"other\"} 7904\n");
	/* Another metric has its own. */
	csa_observe(CSA_M_http_duration, "late", 1);
	has("chatsphere_http_request_duration_seconds_count{endpoint=\"other\"}"
	    " 1\n");
}
END_TEST

START_TEST(odd_labels_are_escaped_or_other)
{
	char	 text[400];

	csa_count(CSA_M_tokens, "a\"b\\c\nd|prompt", 1);
	has("{model=\"a\\\"b\\\\c\\nd\",kind=\"prompt\"} 1\n");
	csa_count(CSA_M_tokens, "short", 1);
	has("{model=\"short\",kind=\"\"} 1\n");
	csa_count(CSA_M_tokens, "a|b|c", 1);
	has("{model=\"a\",kind=\"b|c\"} 1\n");
	csa_count(CSA_M_tokens, "gr\xc3\xbc\xc3\x9f|x", 1);
	has("{model=\"gr\xc3\xbc\xc3\x9f\",kind=\"x\"} 1\n");
	csa_count(CSA_M_tokens, "\xc0\xaf|x", 1);
	memset(text, 'y', sizeof(text));
	text[CSA_LABELMAX + 1] = '\0';
	csa_count(CSA_M_tokens, text, 1);
	has("{model=\"other\",kind=\"other\"} 2\n");
	text[CSA_LABELMAX] = '\0';
	csa_count(CSA_M_tokens, text, 1);
	ck_assert_uint_eq(csa_metric_value(CSA_M_tokens, text), 1);
}
END_TEST

START_TEST(money_is_shown_to_the_billionth)
{
	csa_count(CSA_M_cost, "m", 1);
	has("# TYPE chatsphere_cost_usd_total counter\n");
	has("chatsphere_cost_usd_total{model=\"m\"} 0.000000001\n");
	csa_count(CSA_M_cost, "m", 12000000000);
	has("chatsphere_cost_usd_total{model=\"m\"} 12.000000001\n");
	ck_assert_uint_eq(csa_metric_value(CSA_M_cost, "m"), 12000000001);
}
END_TEST

START_TEST(buckets_are_upper_bounds)
{
	static const double	 in[] = { -1, 0, 0.0005, 0.00051, 119.9, 120,
		120.1, 1e300, NAN };

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		csa_observe(CSA_M_http_duration, "x", in[i]);
#define B "chatsphere_http_request_duration_seconds_bucket{endpoint=\"x\",le="
	has(B "\"0.0005\"} 4\n" B "\"0.001\"} 5\n");
	has(B "\"60\"} 5\n" B "\"120\"} 7\n" B "\"+Inf\"} 9\n");
	has("seconds_count{endpoint=\"x\"} 9\n");
}
END_TEST

START_TEST(value_survives_close_and_open)
{
	struct stat	 st;

	csa_count(CSA_M_chunks_stored, NULL, 41);
	csa_metrics_close();
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 0);
	csa_count(CSA_M_chunks_stored, NULL, 1);	/* private */
	ck_assert_int_eq(csa_metrics_open(dir, &err), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 41);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0660);
}
END_TEST

/* Whatever lies where the file should be. */
static const struct { const char *what, *cmd; } foreign[] = {
	{ "empty", ": >%s" },
	{ "short", "truncate -s 100 %s" },
	{ "a page short", "truncate -s -4096 %s" },
	{ "long", "truncate -s +1 %s" },
	{ "text", "yes nonsense | head -c 400000 >%s" },
	{ "another layout", "printf XXXXXXXX | dd of=%s bs=1 seek=8 "
	    "conv=notrunc status=none" },
	{ "a link", "ln -sf /etc/passwd %s" },
	{ "a fifo", "rm %1$s && mkfifo %1$s" },
};

START_TEST(foreign_files_are_replaced)
{
	char	 cmd[400];

	csa_count(CSA_M_chunks_stored, NULL, 1);
	csa_metrics_close();
	snprintf(cmd, sizeof(cmd), "f=%s; ", file);
	for (const char *s = foreign[_i].cmd; *s != '\0'; s++) {
		size_t	 n = strlen(cmd);

		if (strncmp(s, "%s", 2) == 0)
			snprintf(cmd + n, sizeof(cmd) - n, "$f"), s += 1;
		else if (strncmp(s, "%1$s", 4) == 0)
			snprintf(cmd + n, sizeof(cmd) - n, "$f"), s += 3;
		else
			snprintf(cmd + n, sizeof(cmd) - n, "%c", *s);
	}
	ck_assert_int_eq(system(cmd), 0);
	ck_assert_msg(csa_metrics_open(dir, &err) == 0, "%s: %s",
	    foreign[_i].what, err.detail);
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 0);
	csa_count(CSA_M_chunks_stored, NULL, 8);
	csa_metrics_close();
	ck_assert_int_eq(csa_metrics_open(dir, &err), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 8);
}
END_TEST

/* A sound head over a body of rubbish: no crash, no wrong page. */
START_TEST(rubbish_inside_is_survived)
{
	struct csa_buf	 b;
	unsigned	 seed = 5;

	for (unsigned char *p = (unsigned char *)csa_table->series;
	    p < (unsigned char *)(csa_table + 1); p++)
		*p = (unsigned char)((seed = seed * 1103515245 + 12345) >> 16);
	csa_count(CSA_M_http_requests, "chat|200", 1);
	csa_observe(CSA_M_http_duration, "chat", 1);
	csa_gauge_add(CSA_M_requests_in_flight, "chat", 1);
	page(&b);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_directory_that_cannot_be_used)
{
	csa_metrics_close();
	ck_assert_int_eq(csa_metrics_open("/nonexistent/x", &err), -1);
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	ck_assert_ptr_nonnull(strstr(err.detail, "/nonexistent/x"));
	csa_count(CSA_M_chunks_stored, NULL, 2);
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 2);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL), 0);
}
END_TEST

static void
open_and_add(int n)
{
	struct csa_err	 e;

	csa_metrics_close();
	if (csa_metrics_open(dir, &e) == -1)
		_exit(1);
	csa_count(CSA_M_chunks_stored, NULL, (uint64_t)n);
}

/* All at once on a torn file: one makes it, and all have the same one. */
START_TEST(openers_race_to_one_file)
{
	pid_t	 pids[PROCESSES];

	for (int round = 0; round < 20; round++) {
		csa_metrics_close();
		ck_assert_int_eq(truncate(file, 64), 0);
		for (int i = 0; i < PROCESSES; i++)
			pids[i] = start(open_and_add, 1);
		all_ended_well(pids, PROCESSES);
		ck_assert_int_eq(csa_metrics_open(dir, &err), 0);
		ck_assert_uint_eq(csa_metric_value(CSA_M_chunks_stored, NULL),
		    PROCESSES);
	}
}
END_TEST

START_TEST(page_pleases_promtool)
{
	struct csa_buf	 b;
	char		 path[128], cmd[256];
	FILE		*f;

	if (system("command -v promtool >/dev/null 2>&1") != 0) {
		fprintf(stderr, "promtool is not here: not checked\n");
		return;
	}
	for (int i = 0; i < 1200; i++) {
		snprintf(path, sizeof(path), "m\"%d\\|prompt", i);
		csa_count(CSA_M_tokens, path, 1);
	}
	csa_observe(CSA_M_http_duration, "chat", 0.1);
	csa_observe(CSA_M_upstream_duration, "gemini|embed", 0.1);
	csa_gauge_set(CSA_M_workers, "chat|idle", 3);
	page(&b);
	snprintf(path, sizeof(path), "%s/page", dir);
	ck_assert_ptr_nonnull(f = fopen(path, "w"));
	ck_assert_uint_eq(fwrite(b.data, 1, b.len, f), b.len);
	fclose(f);
	ck_assert_int_eq(b.data[b.len - 1], '\n');
	csa_buf_fini(&b);
	snprintf(cmd, sizeof(cmd), "promtool check metrics <%s >&2", path);
	ck_assert_int_eq(system(cmd), 0);
}
END_TEST

START_TEST(page_is_stable)
{
	struct csa_buf	 a, b;

	csa_count(CSA_M_http_requests, "store|200", 1);
	csa_count(CSA_M_http_requests, "chat|500", 1);
	csa_count(CSA_M_http_requests, "chat|200", 1);
	page(&a);
	page(&b);
	ck_assert_str_eq(a.data, b.data);
	has("{endpoint=\"chat\",code=\"200\"} 1\n"
	    "chatsphere_http_requests_total{endpoint=\"chat\",code=\"500\"} 1\n"
	    "chatsphere_http_requests_total{endpoint=\"store\",code=\"200\"}");
	has("chatsphere_build_info{version=\"" PACKAGE_VERSION "\"} 1\n");
	csa_buf_fini(&a);
	csa_buf_fini(&b);
}
END_TEST

/* Printed for people; only something absurd fails. */
START_TEST(an_addition_is_cheap)
{
	int64_t		 t = csa_now_ns();
	const int	 n = 2000000;

	for (int i = 0; i < n; i += 2) {
		csa_count(CSA_M_http_requests, "chat|200", 1);
		csa_observe(CSA_M_upstream_duration, "gemini|generate", 0.02);
	}
	t = csa_now_ns() - t;
	fprintf(stderr, "%.1f ns an addition\n", (double)t / n);
	ck_assert_int_lt(t / n, 20000);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("metrics");
	TCase	*t = tcase_create("metrics");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, labels_are_joined_as_far_as_there_is_room);
	tcase_add_test(t, adds_of_eight_processes_sum_exactly);
	tcase_add_test(t, the_killed_leave_nothing_broken);
	tcase_add_test(t, half_made_series_are_completed_or_ignored);
	tcase_add_test(t, gauges_are_of_the_living);
	tcase_add_test(t, rows_of_the_dead_are_used_again);
	tcase_add_test(t, past_the_table_is_other);
	tcase_add_test(t, odd_labels_are_escaped_or_other);
	tcase_add_test(t, money_is_shown_to_the_billionth);
	tcase_add_test(t, buckets_are_upper_bounds);
	tcase_add_test(t, value_survives_close_and_open);
	tcase_add_loop_test(t, foreign_files_are_replaced, 0,
	    (int)(sizeof(foreign) / sizeof(foreign[0])));
	tcase_add_test(t, rubbish_inside_is_survived);
	tcase_add_test(t, a_directory_that_cannot_be_used);
	tcase_add_test(t, openers_race_to_one_file);
	tcase_add_test(t, page_pleases_promtool);
	tcase_add_test(t, page_is_stable);
	tcase_add_test(t, an_addition_is_cheap);
	suite_add_tcase(s, t);
	return run_suite(s);
}
