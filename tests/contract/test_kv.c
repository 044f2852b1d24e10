#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kv/kv.h"

#define TIMEOUT_MS	150
#define SLACK_MS	40	/* for a busy machine */

static int64_t		 most;		/* for one operation, in ms */
static char		 dir[] = "/tmp/csa-kv-XXXXXX";
static pid_t		 pids[4];
static size_t		 npids;
static char		 servers[300];
static struct csa_err	 err;

static void
nap(long ms)
{
	struct timespec	 t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static int
listen_on(unsigned short *port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(*port);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static bool
answers(const char *server)
{
	struct csa_kv	*kv = csa_kv_memcached_open(server, 1000, &err);
	int		 rc;

	ck_assert_ptr_nonnull(kv);
	rc = kv->ops->ping(kv);
	kv->ops->close(kv);
	return rc == 0;
}

static void
spawn(const char *where, const char *arg, const char *server)
{
	pid_t	 pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(126);
		/* It will not run as root unless told who to be. */
		execlp("memcached", "memcached", where, arg, "-l", "127.0.0.1",
		    "-U", "0", "-t", "1", "-m", "16",
		    getuid() == 0 ? "-u" : NULL, "nobody", (char *)NULL);
		_exit(127);
	}
	pids[npids++] = pid;
	for (int i = 0; i < 100; i++, nap(20)) {
		ck_assert_msg(waitpid(pid, NULL, WNOHANG) == 0,
		    "memcached did not start");
		if (answers(server))
			return;
	}
	ck_abort_msg("memcached did not answer");
}

static void
start_tcp(char *server, size_t size)
{
	unsigned short	 port = 0;
	char		 text[8];

	close(listen_on(&port));
	snprintf(text, sizeof(text), "%u", port);
	snprintf(server, size, "127.0.0.1:%s", text);
	spawn("-p", text, server);
}

static void
start_unix(char *server, size_t size)
{
	snprintf(server, size, "%s/mc", dir);
	spawn("-s", server, server);
}

static void
setup(void)
{
	csa_log_open("test_kv", "/dev/null", CSA_ERROR);
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* memcached binds there as nobody. */
	if (getuid() == 0)
		ck_assert_int_eq(chmod(dir, 0777), 0);
	npids = 0;
}

static void
teardown(void)
{
	char	 cmd[64];

	while (npids > 0) {
		kill(pids[--npids], SIGKILL);
		waitpid(pids[npids], NULL, 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
}

/* ---- what every driver that works does ---- */

static struct csa_kv *
open_mem(void)
{
	return csa_kv_mem_open();
}

static struct csa_kv *
open_tcp(void)
{
	start_tcp(servers, sizeof(servers));
	return csa_kv_memcached_open(servers, TIMEOUT_MS, &err);
}

static struct csa_kv *
open_unix(void)
{
	start_unix(servers, sizeof(servers));
	return csa_kv_memcached_open(servers, TIMEOUT_MS, &err);
}

static struct csa_kv *
open_both(void)
{
	char	 a[128], b[128];

	start_tcp(a, sizeof(a));
	start_unix(b, sizeof(b));
	snprintf(servers, sizeof(servers), " %s , %s ", a, b);
	return csa_kv_memcached_open(servers, TIMEOUT_MS, &err);
}

static struct csa_kv *(*const openers[])(void) = {
	open_mem, open_tcp, open_unix, open_both,
};

static void
holds(struct csa_kv *kv, const char *key, const void *val, size_t n)
{
	void	*got;
	size_t	 len;

	ck_assert_int_eq(kv->ops->get(kv, key, &got, &len), 1);
	ck_assert_uint_eq(len, n);
	ck_assert_ptr_nonnull(got);
	ck_assert(n == 0 || memcmp(got, val, n) == 0);
	free(got);
}

static void
lacks(struct csa_kv *kv, const char *key)
{
	void	*got = &got;
	size_t	 len = 9;

	ck_assert_int_eq(kv->ops->get(kv, key, &got, &len), 0);
	ck_assert_ptr_null(got);
	ck_assert_uint_eq(len, 0);
}

static void
check_values(struct csa_kv *kv)
{
	static char	 big[CSA_KV_VALMAX + 1];
	static const char bytes[] = "\0\r\nEND\r\n\xff";

	lacks(kv, "a");
	ck_assert_int_eq(kv->ops->set(kv, "a", "one", 3, 0), 0);
	holds(kv, "a", "one", 3);
	ck_assert_int_eq(kv->ops->set(kv, "a", bytes, sizeof(bytes), 60), 0);
	holds(kv, "a", bytes, sizeof(bytes));
	ck_assert_int_eq(kv->ops->set(kv, "a", NULL, 0, 60), 0);
	holds(kv, "a", "", 0);
	memset(big, 'x', sizeof(big));
	ck_assert_int_eq(kv->ops->set(kv, "big", big, CSA_KV_VALMAX, 0), 0);
	holds(kv, "big", big, CSA_KV_VALMAX);
	ck_assert_int_eq(kv->ops->set(kv, "big", big, CSA_KV_VALMAX + 1, 0),
	    -1);
	ck_assert_int_eq(kv->ops->add(kv, "b2", big, CSA_KV_VALMAX + 1, 0), -1);
	lacks(kv, "b2");
	ck_assert_int_eq(kv->ops->del(kv, "big"), 1);
	ck_assert_int_eq(kv->ops->del(kv, "big"), 0);
	lacks(kv, "big");
}

static void
check_add(struct csa_kv *kv)
{
	ck_assert_int_eq(kv->ops->add(kv, "lock", "me", 2, 10), 0);
	ck_assert_int_eq(kv->ops->add(kv, "lock", "you", 3, 10), 1);
	holds(kv, "lock", "me", 2);
	ck_assert_int_eq(kv->ops->del(kv, "lock"), 1);
	ck_assert_int_eq(kv->ops->add(kv, "lock", "you", 3, 10), 0);
	holds(kv, "lock", "you", 3);
}

static void
check_keys(struct csa_kv *kv)
{
	static const char *const bad[] = { "", " ", "a b", "a\r\nset x 0 0 1",
		"a\tb", "\x7f", "gr\xc3\xbc\xc3\x9f" };
	char	 key[CSA_KV_KEYMAX + 2];
	void	*got;
	size_t	 len;

	memset(key, '~', sizeof(key));
	key[CSA_KV_KEYMAX + 1] = '\0';
	ck_assert_int_eq(kv->ops->get(kv, key, &got, &len), -1);
	ck_assert_int_eq(kv->ops->set(kv, key, "x", 1, 0), -1);
	key[CSA_KV_KEYMAX] = '\0';
	ck_assert_int_eq(kv->ops->set(kv, key, "x", 1, 0), 0);
	holds(kv, key, "x", 1);
	for (size_t i = 0; i < CSA_NITEMS(bad); i++) {
		ck_assert_int_eq(kv->ops->get(kv, bad[i], &got, &len), -1);
		ck_assert_ptr_null(got);
		ck_assert_int_eq(kv->ops->set(kv, bad[i], "x", 1, 0), -1);
		ck_assert_int_eq(kv->ops->add(kv, bad[i], "x", 1, 0), -1);
		ck_assert_int_eq(kv->ops->del(kv, bad[i]), -1);
	}
	/* The caller's slips say nothing about the server. */
	ck_assert_int_eq(kv->ops->set(kv, "!", "x", 1, 0), 0);
	holds(kv, "!", "x", 1);
}

static void
check_many(struct csa_kv *kv)
{
	char	 key[20], val[20];

	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		snprintf(val, sizeof(val), "val-%d", i);
		ck_assert_int_eq(kv->ops->set(kv, key, val, strlen(val), 0), 0);
	}
	for (int i = 0; i < 300; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		snprintf(val, sizeof(val), "val-%d", i);
		holds(kv, key, val, strlen(val));
	}
}

static void
check_ttl(struct csa_kv *kv)
{
	ck_assert_int_eq(kv->ops->set(kv, "t", "x", 1, 1), 0);
	/* More than a month is no date in 1970. */
	ck_assert_int_eq(kv->ops->set(kv, "u", "x", 1, 40 * 86400), 0);
	holds(kv, "u", "x", 1);
	nap(2200);
	lacks(kv, "t");
	holds(kv, "u", "x", 1);
	ck_assert_int_eq(kv->ops->add(kv, "t", "y", 1, 0), 0);
	holds(kv, "t", "y", 1);
}

START_TEST(drivers_keep_the_contract)
{
	struct csa_kv	*kv = openers[_i]();

	ck_assert_ptr_nonnull(kv);
	ck_assert_int_eq(kv->ops->ping(kv), 0);
	check_values(kv);
	check_add(kv);
	check_keys(kv);
	check_many(kv);
	check_ttl(kv);
	ck_assert_int_eq(kv->ops->ping(kv), 0);
	kv->ops->close(kv);
}
END_TEST

START_TEST(fail_fails)
{
	struct csa_kv	*kv = csa_kv_fail_open();
	void		*got = &got;
	size_t		 len;

	ck_assert_int_eq(kv->ops->get(kv, "a", &got, &len), -1);
	ck_assert_ptr_null(got);
	ck_assert_int_eq(kv->ops->set(kv, "a", "x", 1, 0), -1);
	ck_assert_int_eq(kv->ops->add(kv, "a", "x", 1, 0), -1);
	ck_assert_int_eq(kv->ops->del(kv, "a"), -1);
	ck_assert_int_eq(kv->ops->ping(kv), -1);
	kv->ops->close(kv);
}
END_TEST

START_TEST(mem_is_bounded)
{
	struct csa_kv	*kv = csa_kv_mem_open();
	char		 key[20];

	for (int i = 0; i < 80000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		ck_assert_int_eq(kv->ops->set(kv, key, key, 1, 0), 0);
	}
	holds(kv, "79999", "7", 1);
	kv->ops->close(kv);
}
END_TEST

/* ---- far ends that are not well ---- */

enum odd { DEAD, SILENT, DEAF, HANGS_UP, HTTP, GARBAGE, STOPPED, ODD__MAX };

static const char *const	 odd_names[] = {
	[DEAD] = "dead",
	[SILENT] = "silent",
	[DEAF] = "deaf",
	[HANGS_UP] = "hangs up",
	[HTTP] = "http",
	[GARBAGE] = "garbage",
	[STOPPED] = "stopped",
};

static _Noreturn void
serve(int fd, enum odd how)
{
	static const char	 http[] = "HTTP/1.1 400 Bad Request\r\n"
	    "Content-Length: 0\r\n\r\n";
	char			 buf[4096];
	int			 c, kept[64];
	size_t			 n = 0;

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		if ((c = accept(fd, NULL, NULL)) == -1)
			_exit(1);
		if (how == SILENT) {
			kept[n++ % 64] = c;
			continue;
		}
		(void)kept;
		if (how != HANGS_UP && read(c, buf, sizeof(buf)) > 0 &&
		    write(c, how == HTTP ? http : "\x81\xff\xff\xff\xff\xff\xff"
		    "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
		    "\xff\xff\xff", how == HTTP ? sizeof(http) - 1 : 24) == -1)
			_exit(1);
		close(c);
	}
}

/* Fill a queue of one, so that connecting is never answered. */
static void
deafen(int fd, unsigned short port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(port);
	ck_assert_int_eq(listen(fd, 0), 0);
	for (int i = 0; i < 4; i++) {
		int	 c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

		/* Left open until the test's process ends. */
		(void)connect(c, (struct sockaddr *)&a, sizeof(a));
	}
}

static void
start_odd(enum odd how)
{
	unsigned short	 port = 0;
	int		 fd;

	if (how == STOPPED) {
		start_tcp(servers, sizeof(servers));
		kill(pids[0], SIGSTOP);
		return;
	}
	fd = listen_on(&port);
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", port);
	if (how == DEAD)
		close(fd);
	else if (how == DEAF)
		deafen(fd, port);
	else {
		ck_assert_int_ne(pids[npids] = fork(), -1);
		if (pids[npids] == 0)
			serve(fd, how);
		npids++;
		close(fd);
	}
}

static int64_t	 longest;

static int
timed(struct csa_kv *kv, int what)
{
	int64_t	 t = csa_now_ms();
	void	*got = NULL;
	size_t	 len;
	int	 rc;

	switch (what % 5) {
	case 0:
		rc = kv->ops->set(kv, "a", "x", 1, 0);
		break;
	case 1:
		rc = kv->ops->get(kv, "a", &got, &len);
		free(got);
		break;
	case 2:
		rc = kv->ops->add(kv, "a", "x", 1, 0);
		break;
	case 3:
		rc = kv->ops->del(kv, "a");
		break;
	default:
		rc = kv->ops->ping(kv);
	}
	t = csa_now_ms() - t;
	if (t > longest)
		longest = t;
	ck_assert_msg(t <= most, "operation %d: %d ms",
	    what % 5, (int)t);
	return rc;
}

START_TEST(ill_servers_fail_in_time_and_are_left_alone)
{
	struct csa_kv	*kv;
	int64_t		 t;

	start_odd(_i / 5);
	ck_assert_ptr_nonnull(kv = csa_kv_memcached_open(servers, TIMEOUT_MS,
	    &err));
	longest = 0;
	/* Each operation in turn is the first one that notices. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(timed(kv, _i % 5 + i), -1);
	t = csa_now_ms();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(timed(kv, i), -1);
	/* A thousand that waited would take minutes. */
	ck_assert_int_lt(csa_now_ms() - t, 10 * most);
	fprintf(stderr, "%s: the longest took %d ms of %d\n",
	    odd_names[_i / 5], (int)longest, TIMEOUT_MS);
	kv->ops->close(kv);
}
END_TEST

START_TEST(a_server_that_comes_back_is_used_again)
{
	struct csa_kv	*kv;
	int64_t		 t;

	start_tcp(servers, sizeof(servers));
	ck_assert_ptr_nonnull(kv = csa_kv_memcached_open(servers, TIMEOUT_MS,
	    &err));
	ck_assert_int_eq(kv->ops->set(kv, "k", "v", 1, 0), 0);
	kill(pids[0], SIGSTOP);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(timed(kv, i), -1);
	kill(pids[0], SIGCONT);
	t = csa_now_ms();
	while (kv->ops->set(kv, "k2", "w", 1, 0) == -1) {
		ck_assert_int_lt(csa_now_ms() - t, 6000);
		nap(20);
	}
	/* Nothing of the time before is left in the connection. */
	ck_assert_int_ge(csa_now_ms() - t, 4000);
	holds(kv, "k2", "w", 1);
	holds(kv, "k", "v", 1);
	kv->ops->close(kv);
}
END_TEST

START_TEST(one_ill_server_of_two_costs_only_its_own_keys)
{
	struct csa_kv	*kv;
	char		 a[128], b[128], key[20];
	int		 good = 0, bad = 0;

	start_tcp(a, sizeof(a));
	start_tcp(b, sizeof(b));
	kill(pids[1], SIGSTOP);
	snprintf(servers, sizeof(servers), "%s,%s", a, b);
	ck_assert_ptr_nonnull(kv = csa_kv_memcached_open(servers, TIMEOUT_MS,
	    &err));
	for (int i = 0; i < 200; i++) {
		snprintf(key, sizeof(key), "key-%d", i);
		if (kv->ops->set(kv, key, "x", 1, 0) == 0)
			good++;
		else
			bad++;
	}
	ck_assert_int_gt(good, 50);
	ck_assert_int_gt(bad, 50);
	ck_assert_int_eq(kv->ops->ping(kv), -1);
	kv->ops->close(kv);
}
END_TEST

static const char *const	 not_servers[] = {
	"", "host", "host:", ":11211", "host:0", "host:65536", "host:1x",
	"127.0.0.1:1,", ",127.0.0.1:1", "a b:1", "[::1]", "host:99999999999",
};

START_TEST(servers_that_make_no_sense)
{
	ck_assert_ptr_null(csa_kv_memcached_open(not_servers[_i], 50, &err));
	ck_assert_int_eq(err.source, CSA_SRC_MEMCACHED);
}
END_TEST

int
main(void)
{
	Suite	*s = suite_create("kv");
	TCase	*t = tcase_create("kv");
	SRunner	*r;
	int	 failed;

	if (system("command -v memcached >/dev/null 2>&1") != 0) {
		fprintf(stderr, "memcached is not here: skipped\n");
		return 77;
	}
	/* Set it under valgrind. */
	most = TIMEOUT_MS + (getenv("CSA_TEST_SLOW") != NULL ? 1000 : SLACK_MS);
	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, drivers_keep_the_contract, 0,
	    (int)CSA_NITEMS(openers));
	tcase_add_test(t, fail_fails);
	tcase_add_test(t, mem_is_bounded);
	tcase_add_loop_test(t, ill_servers_fail_in_time_and_are_left_alone, 0,
	    ODD__MAX * 5);
	tcase_add_test(t, a_server_that_comes_back_is_used_again);
	tcase_add_test(t, one_ill_server_of_two_costs_only_its_own_keys);
	tcase_add_loop_test(t, servers_that_make_no_sense, 0,
	    (int)CSA_NITEMS(not_servers));
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}
