/*
 * Far ends that are not well.
 */

#include "config.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "tests/contract/kv_fixture.h"

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
		stop_server(0);
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

static int64_t	 most, longest;		/* for one operation, in ms */

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
	ck_assert_ptr_nonnull(kv = csa_kv_memcached_open(servers, BRIEF_MS,
	    &err));
	longest = 0;
	most = BRIEF_MS + SLACK_MS;
	/* Each operation in turn is the first one that notices. */
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(timed(kv, _i % 5 + i), -1);
	t = csa_now_ms();
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(timed(kv, i), -1);
	/* A thousand that waited would take minutes. */
	ck_assert_int_lt(csa_now_ms() - t, 10 * BRIEF_MS + 2 * SLACK_MS);
	fprintf(stderr, "%s: the longest took %d ms of %d\n",
	    odd_names[_i / 5], (int)longest, BRIEF_MS);
	kv->ops->close(kv);
}
END_TEST

START_TEST(a_server_that_comes_back_is_used_again)
{
	struct csa_kv	*kv;
	int64_t		 t = 0;

	start_tcp(servers, sizeof(servers));
	ck_assert_ptr_nonnull(kv = csa_kv_memcached_open(servers, TIMEOUT_MS,
	    &err));
	ck_assert_int_eq(kv->ops->set(kv, "k", "v", 1, 0), 0);
	stop_server(0);
	most = TIMEOUT_MS + SLACK_MS;
	for (int i = 0; i < 5; i++) {
		/* The third is the last that is tried. */
		if (i == 2)
			t = csa_now_ms();
		ck_assert_int_eq(timed(kv, i), -1);
	}
	kill(pids[0], SIGCONT);
	while (kv->ops->set(kv, "k2", "w", 1, 0) == -1) {
		ck_assert_int_lt(csa_now_ms() - t, 20000);
		nap(20);
	}
	ck_assert_int_ge(csa_now_ms() - t, 5000);
	/* Nothing of the time before is left in the connection. */
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
	stop_server(1);
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

void
add_ill_tests(TCase *t)
{
	tcase_add_loop_test(t, ill_servers_fail_in_time_and_are_left_alone, 0,
	    ODD__MAX * 5);
	tcase_add_test(t, a_server_that_comes_back_is_used_again);
	tcase_add_test(t, one_ill_server_of_two_costs_only_its_own_keys);
}
