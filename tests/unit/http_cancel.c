/*
 * What is cancelled ends at the far end at once, whatever it was doing.
 */

#include "config.h"

#include <sys/socket.h>

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "tests/unit/http_fixture.h"

/* How it is given up: ended while it runs, or because the client left. */
enum how { ENDED, CLIENT_LEFT, HOW__MAX };

static int	 client[2];

static void
watch(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, client), 0);
	csa_waiter_watch(waiter, client[0]);
}

static struct csa_http_call *
go(const char *scheme, int port, const char *path)
{
	char			 url[128], unused[128];
	struct csa_http_req	 r = request(unused, path);

	snprintf(url, sizeof(url), "%s://localhost:%d%s", scheme, port, path);
	r.url = url;
	r.stream = true;
	return csa_http_start(http, waiter, &r);
}

/* Drive it for so long; how many bytes came. */
static long
run(struct csa_http_call *c, int64_t ms)
{
	int64_t	 until = csa_now_ms() + ms;
	char	 part[100];
	long	 n, total = 0;

	while ((n = csa_http_read(c, part, sizeof(part), until, &err)) > 0)
		total += n;
	ck_assert_int_eq(n, -2);
	return total;
}

/* Until the server has had as many requests; how many bytes came. */
static long
run_until(struct csa_http_call *c, int requests)
{
	long	 total = 0;

	for (int i = 0; i < 2000 && atomic_load(&srv->requests) < requests; i++)
		total += run(c, patience(5));
	ck_assert_int_eq(atomic_load(&srv->requests), requests);
	return total;
}

static void
give_up(struct csa_http_call *c, enum how how)
{
	char	 byte;
	long	 n;

	if (how == CLIENT_LEFT) {
		close(client[1]);
		/* Some of the reply may have come before. */
		while ((n = csa_http_read(c, &byte, 1, csa_now_ms() +
		    patience(10000), &err)) > 0)
			continue;
		ck_assert_int_eq(n, -1);
		ck_assert_int_eq(err.code, CSA_ERR_CANCELLED);
	}
	csa_http_end(c);
	csa_waiter_watch(waiter, -1);
	close(client[0]);
	if (how == ENDED)
		close(client[1]);
}

/*
 * await_open gives it eight seconds, for the sake of a busy machine; it takes a
 * few milliseconds (26 at most, measured where thirty wanted two CPUs).
 */

static const char *const	 replies[] = { "/no-headers", "/head-only",
	"/half-body" };
#define NREPLIES	(int)CSA_NITEMS(replies)

static void
cancel_reply(const char *scheme, int port, int i)
{
	struct csa_http_call	*c = go(scheme, port, replies[i % NREPLIES]);
	int64_t			 end = csa_now_ms() + patience(10000);
	long			 want = i % NREPLIES == 2 ? 5 : 0, n;

	watch();
	n = run_until(c, 1);
	while (n < want && csa_now_ms() < end)
		n += run(c, 5);
	ck_assert_int_eq(n, want);
	ck_assert_int_eq(atomic_load(&srv->open), 1);
	give_up(c, (enum how)(i / NREPLIES));
	await_open(0);
}

START_TEST(cancel_plain)
{
	cancel_reply("http", srv->port, _i);
}
END_TEST

START_TEST(cancel_tls)
{
	cancel_reply("https", srv->port, _i);
}
END_TEST

START_TEST(cancel_h2)
{
	if (h2_port != -1)
		cancel_reply("https", h2_port, _i);
}
END_TEST

/* The same while another stream of the connection lasts. */
START_TEST(cancel_h2_fellow)
{
	struct csa_http_call	*fellow, *c;

	if (h2_port == -1)
		return;
	fellow = go("https", h2_port, "/gate");
	run_until(fellow, 1);
	c = go("https", h2_port, replies[_i % NREPLIES]);
	watch();
	run_until(c, 2);
	ck_assert_int_eq(atomic_load(&srv->open), 2);
	give_up(c, (enum how)(_i / NREPLIES));
	await_open(1);
	csa_http_end(fellow);
	await_open(0);
}
END_TEST

/* The server never answers the handshake; another call stands in line. */
START_TEST(cancel_handshake)
{
	struct csa_http_call	*c = go("https", srv->port, "/echo");
	struct csa_http_call	*in_line = go("https", srv->port, "/echo");

	watch();
	for (int i = 0; i < 2000 && atomic_load(&srv->received) == 0; i++)
		run(c, patience(5));
	ck_assert_uint_gt(atomic_load(&srv->received), 0);
	ck_assert_int_eq(atomic_load(&srv->connections), 1);
	if (_i / HOW__MAX) {
		/* Who stands in line leaves without a trace. */
		give_up(in_line, (enum how)(_i % HOW__MAX));
		ck_assert_int_eq(atomic_load(&srv->open), 1);
		csa_http_end(c);
	} else {
		give_up(c, (enum how)(_i % HOW__MAX));
		/* Its place is the other's now; nobody drives that any more. */
		csa_http_end(in_line);
	}
	await_open(0);
	ck_assert_int_le(atomic_load(&srv->connections), 2);
	ck_assert_int_eq(atomic_load(&srv->requests), 0);
}
END_TEST

static int
descriptors(void)
{
	DIR	*d = opendir("/proc/self/fd");
	int	 n = 0;

	ck_assert_ptr_nonnull(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* No server sees it: the socket must be gone. */
START_TEST(cancel_connecting)
{
	char			 url[64];
	struct csa_http_call	*c;
	int			 port = silent_port(), before;

	/* Whatever curl opens once is open after this. */
	snprintf(url, sizeof(url), "http://localhost:%d/", port);
	fails(start_at(url, 50), CSA_ERR_DEADLINE);
	before = descriptors();
	watch();
	c = go("http", port, "/");
	run(c, 300);
	/* The client's two and one, or one more: a name's other address. */
	ck_assert_int_ge(descriptors(), before + 3);
	give_up(c, (enum how)_i);
	ck_assert_int_eq(descriptors(), before);
}
END_TEST

TCase *
cancel_case(void)
{
	TCase	*t = tcase_create("cancel");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, cancel_plain, 0, HOW__MAX * NREPLIES);
	tcase_add_loop_test(t, cancel_handshake, 0, 2 * HOW__MAX);
	tcase_add_loop_test(t, cancel_connecting, 0, HOW__MAX);
	return t;
}

TCase *
cancel_tls_case(void)
{
	TCase	*t = tcase_create("cancel_tls");

	tcase_add_checked_fixture(t, setup_tls, teardown_tls);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, cancel_tls, 0, HOW__MAX * NREPLIES);
	return t;
}

TCase *
cancel_h2_case(void)
{
	TCase	*t = tcase_create("cancel_h2");

	tcase_add_checked_fixture(t, setup_h2, teardown_h2);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, cancel_h2, 0, HOW__MAX * NREPLIES);
	tcase_add_loop_test(t, cancel_h2_fellow, 0, HOW__MAX * NREPLIES);
	return t;
}
