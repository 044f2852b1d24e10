#include "config.h"

#include <sys/socket.h>

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "tests/unit/http_fixture.h"

static long
read_all(struct csa_http_call *c, struct csa_buf *b, int *beats)
{
	char	 part[1000];
	long	 n;

	for (;;) {
		n = csa_http_read(c, part, sizeof(part), csa_now_ms() + 4,
		    &err);
		if (n == -2)
			++*beats;
		else if (n <= 0)
			return n;
		else
			csa_buf_add(b, part, (size_t)n);
	}
}

START_TEST(stream)
{
	struct csa_http_call	*c = start_stream("/events?60", patience(20000));
	struct csa_buf		 b;
	int			 beats = 0;

	csa_buf_init(&b, 1 << 20);
	ck_assert_int_eq(read_all(c, &b, &beats), 0);
	ck_assert_int_eq(csa_http_status(c), 200);
	ck_assert_msg(strncmp(b.data, "data: 0\n\ndata: 1\n\n", 18) == 0 &&
	    strstr(b.data, "data: 59\n\n") != NULL, "%s", b.data);
	/* 10 ms apart, and we ask every 4 ms: but see stream_deadline. */
	ck_assert_int_ge(beats, 1);
	/* The end stays the end. */
	ck_assert_int_eq(csa_http_read(c, b.data, 1, csa_now_ms() + 10, &err),
	    0);
	csa_http_end(c);
	csa_buf_fini(&b);
	ck_assert_uint_eq(counted("gemini|test|ok"), 1);
}
END_TEST

/* Whatever the size of what is asked for, nothing is lost or doubled. */
START_TEST(stream_pieces)
{
	struct csa_http_call	*c = start_stream("/events?15", patience(20000));
	char			 got[300], want[300], part[16];
	size_t			 at = 0, len = 0;
	long			 n;

	for (int i = 0; i < 15; i++)
		len += (size_t)snprintf(want + len, sizeof(want) - len,
		    "data: %d\n\n", i);
	memset(part, '#', sizeof(part));
	while ((n = csa_http_read(c, part, (size_t)_i, csa_now_ms() +
	    patience(10000), &err)) > 0) {
		ck_assert_int_le(n, _i);
		ck_assert_int_eq(part[_i], '#');
		ck_assert_uint_le(at + (size_t)n, len);
		memcpy(got + at, part, (size_t)n);
		at += (size_t)n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_uint_eq(at, len);
	ck_assert_int_eq(memcmp(got, want, len), 0);
	csa_http_end(c);
}
END_TEST

START_TEST(stream_status)
{
	struct csa_http_call	*c = start_stream("/busy", patience(20000));
	struct csa_buf		 b;
	int			 beats = 0;

	csa_buf_init(&b, 1000);
	ck_assert_int_eq(read_all(c, &b, &beats), 0);
	ck_assert_int_eq(csa_http_status(c), 429);
	ck_assert_str_eq(b.data, "busy");
	ck_assert_str_eq(csa_http_header(c, "retry-after"), "7");
	csa_http_end(c);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(stream_cut)
{
	static const char *const	 paths[] = { "/truncated", "/cut-chunks",
		"/cut-reset" };
	struct csa_http_call	*c = start_stream(paths[_i], patience(20000));
	struct csa_buf		 b;
	int			 beats = 0;

	csa_buf_init(&b, 1000);
	ck_assert_int_eq(read_all(c, &b, &beats), -1);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_str_eq(b.data, "12345");
	ck_assert(csa_http_begun(c));
	csa_http_end(c);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(stream_deadline)
{
	int64_t			 begin = csa_now_ms();
	struct csa_http_call	*c = start_stream("/half-body", 1000);
	struct csa_buf		 b;
	int			 beats = 0;

	csa_buf_init(&b, 1000);
	ck_assert_int_eq(read_all(c, &b, &beats), -1);
	took(begin, 1000);
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	/* Some 250; but a busy machine has its own time. */
	if (patience(1) == 1)
		ck_assert_int_ge(beats, 1);
	csa_http_end(c);
	csa_buf_fini(&b);
	await_open(0);
}
END_TEST

#define FLOOD	(24 << 20)

START_TEST(back_pressure)
{
	struct csa_http_call	*c = start_stream("/flood?25165824",
	    patience(60000));
	static char		 part[70000];
	uint64_t		 sent, before;
	long			 n, at = 0;

	/* Let the server push all it can while other calls drive the engine. */
	do {
		before = atomic_load(&srv->sent);
		for (int i = 0; i < 20; i++)
			whole(start("/slow?10"), 200, "hello");
		sent = atomic_load(&srv->sent);
	} while (sent != before || sent == 0);
	/* 256 kB of ours, the rest is what the kernel takes for a socket. */
	ck_assert_msg(sent < FLOOD / 2, "%llu sent", (unsigned long long)sent);

	while ((n = csa_http_read(c, part, sizeof(part), csa_now_ms() +
	    patience(20000), &err)) > 0)
		/* An assertion is too dear for every byte. */
		for (long i = 0; i < n; i++, at++)
			if ((unsigned char)part[i] != at % 251)
				ck_abort_msg("wrong byte at %ld", at);
	ck_assert_msg(n == 0, "%ld: %s", n, err.detail);
	ck_assert_int_eq(at, FLOOD);
	csa_http_end(c);
}
END_TEST

START_TEST(end_paused)
{
	struct csa_http_call	*c = start_stream("/flood?25165824",
	    patience(60000));
	char			 part[200000];

	for (int i = 0; i < 5; i++)
		whole(start("/slow?10"), 200, "hello");
	/* Below the low-water mark: it is being resumed when it ends. */
	ck_assert_int_gt(csa_http_read(c, part, sizeof(part),
	    csa_now_ms() + patience(10000), &err), 0);
	csa_http_end(c);
	await_open(1);
}
END_TEST

/* The client's descriptor. */

static void *
hang_up_main(void *arg)
{
	poll(NULL, 0, 60);
	close(*(int *)arg);
	return NULL;
}

START_TEST(client_gone)
{
	struct csa_http_call	*c = _i & 1 ?
	    start_stream("/no-headers", 5000) : start("/no-headers");
	int			 pair[2];
	int64_t			 begin;
	pthread_t		 t;
	char			 byte;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	csa_waiter_watch(waiter, pair[0]);
	/* Unread bytes of the request are no hang-up. */
	ck_assert_int_eq(write(pair[1], "x", 1), 1);
	ck_assert(!csa_waiter_gone(waiter));
	begin = csa_now_ms();
	ck_assert_int_eq(pthread_create(&t, NULL, hang_up_main, &pair[1]), 0);
	ck_assert_int_eq(_i & 1 ? csa_http_read(c, &byte, 1,
	    begin + patience(5000), &err) : csa_http_wait(c, &err), -1);
	took(begin, 60);
	ck_assert_int_eq(err.code, CSA_ERR_CANCELLED);
	ck_assert(csa_waiter_gone(waiter));
	csa_http_end(c);
	await_open(0);
	ck_assert_uint_eq(counted("gemini|test|cancelled"), 1);
	pthread_join(t, NULL);
	csa_waiter_watch(waiter, -1);
	close(pair[0]);
	ck_assert(!csa_waiter_gone(waiter));
	whole(start("/echo"), 200, "hello");
}
END_TEST

static void *
driver_main(void *arg)
{
	struct csa_waiter	*w = csa_waiter_new(http);
	struct csa_http_req	 r;
	struct csa_http_call	*c;
	struct csa_err		 e;
	char			 url[128];

	r = request(url, arg);
	c = csa_http_start(http, w, &r);
	CSA_MUST(csa_http_wait(c, &e) == 0);
	csa_http_end(c);
	csa_waiter_free(w);
	return NULL;
}

/* The same when another thread drives, and when that one leaves first. */
START_TEST(client_gone_follower)
{
	static char		 paths[][16] = { "/gate", "/slow?30" };
	struct csa_http_call	*c;
	int			 pair[2];
	int64_t			 begin;
	pthread_t		 t, driver;

	/* Before the driver's: else it may be given that one's connection. */
	c = start("/no-headers");
	ck_assert_int_eq(pthread_create(&driver, NULL, driver_main,
	    paths[_i]), 0);
	poll(NULL, 0, 10);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	csa_waiter_watch(waiter, pair[0]);
	begin = csa_now_ms();
	ck_assert_int_eq(pthread_create(&t, NULL, hang_up_main, &pair[1]), 0);
	fails(c, CSA_ERR_CANCELLED);
	took(begin, 60);
	pthread_join(t, NULL);
	csa_waiter_watch(waiter, -1);
	close(pair[0]);
	atomic_store(&srv->gate, true);
	pthread_join(driver, NULL);
	await_open(1);
}
END_TEST

START_TEST(gone_before)
{
	int	 pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	csa_waiter_watch(waiter, pair[0]);
	ck_assert(csa_waiter_gone(waiter));
	fails(start("/no-headers"), CSA_ERR_CANCELLED);
	csa_waiter_watch(waiter, -1);
	close(pair[0]);
}
END_TEST

TCase *
streams_case(void)
{
	TCase	*t = tcase_create("streams");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, stream);
	tcase_add_test(t, stream_status);
	tcase_add_loop_test(t, stream_cut, 0, 3);
	tcase_add_loop_test(t, stream_pieces, 1, 12);
	tcase_add_test(t, stream_deadline);
	tcase_add_test(t, back_pressure);
	tcase_add_test(t, end_paused);
	tcase_add_loop_test(t, client_gone, 0, 2);
	tcase_add_loop_test(t, client_gone_follower, 0, 2);
	tcase_add_test(t, gone_before);
	return t;
}
