#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/http_fixture.h"
#include "tests/unit/http_relay.h"

int		 h2_port;
static int	 port;		/* where the calls go */
static struct relay *relay;

void
setup_h2(void)
{
	setup_tls();
	/* Plain HTTP behind, TLS and HTTP/2 in front. */
	server_stop(srv);
	srv = server_start(NULL);
	if ((port = h2_port = nginx_start()) == -1)
		fprintf(stderr, "http: HTTP/2 skipped, no nginx\n");
}

void
teardown_h2(void)
{
	client_stop();
	if (relay != NULL)
		relay_stop(relay);
	relay = NULL;
	nginx_stop();
	teardown_tls();
}

static struct csa_http_call *
begin(const char *path, bool stream, int64_t ms)
{
	char			 url[128], address[128];
	struct csa_http_req	 r = request(address, path);

	snprintf(url, sizeof(url), "https://localhost:%d%s", port, path);
	r.url = url;
	r.stream = stream;
	r.max_reply = 64 << 20;
	r.deadline = csa_now_ms() + patience(ms);
	return csa_http_start(http, waiter, &r);
}

static uint64_t
connections(void)
{
	return csa_metric_value(CSA_M_upstream_connections, "gemini");
}

START_TEST(h2_cold_burst)
{
	struct csa_http_call	*c[MANY];
	int64_t			 first = csa_now_ms();

	if (port == -1)
		return;
	for (int i = 0; i < MANY; i++)
		c[i] = begin("/slow?300", false, 30000);
	for (int i = 0; i < MANY; i++)
		whole(c[i], 200, "hello");
	/* 100 calls a connection, by curl's limit and about nginx's. */
	ck_assert_uint_le(connections(), 3);
	ck_assert_int_eq(atomic_load(&srv->requests), MANY);
	ck_assert_int_lt(csa_now_ms() - first, patience(30000));
}
END_TEST

START_TEST(h2_content)
{
	struct csa_http_call	*c[50];
	int			 calls = many(CSA_NITEMS(c));
	const char		*body;
	size_t			 n;

	if (port == -1)
		return;
	for (int i = 0; i < calls; i++)
		c[i] = begin(i % 2 ? "/big?300000" : "/flood?401408", false,
		    20000);
	for (int i = 0; i < calls; i++) {
		ck_assert_msg(csa_http_wait(c[i], &err) == 0, "%s",
		    err.detail);
		body = csa_http_body(c[i], &n);
		ck_assert_uint_eq(n, i % 2 ? 300000 : 401408);
		for (size_t k = 0; k < n; k++)
			if ((unsigned char)body[k] != (i % 2 ? 'b' : k % 251))
				ck_abort_msg("call %d, byte %zu", i, k);
		csa_http_end(c[i]);
	}
	ck_assert_uint_eq(connections(), 1);
}
END_TEST

/* One stream's end is not the connection's. */
START_TEST(h2_cancel)
{
	struct csa_http_call	*lasting, *c;

	if (port == -1)
		return;
	lasting = begin("/gate", false, 30000);
	/* Nobody drives while we look at the server: connect before. */
	whole(begin("/echo", false, 10000), 200, "hello");
	await_open(1);
	for (int i = 0; i < 10; i++) {
		c = begin("/no-headers", i % 2, 50);
		if (i % 2) {
			char	 byte;

			ck_assert_int_eq(csa_http_read(c, &byte, 1,
			    csa_now_ms() + patience(1000), &err), -1);
			csa_http_end(c);
		} else
			fails(c, CSA_ERR_DEADLINE);
		/* What is left is the lasting one. */
		await_open(1);
	}
	atomic_store(&srv->gate, true);
	whole(lasting, 200, "hello");
	await_open(0);
	ck_assert_uint_eq(connections(), 1);
}
END_TEST

/* Readers that do not read must not hold up the others. */
START_TEST(h2_slow_readers)
{
	struct csa_http_call	*slow[5];
	const char		*path = brief() ? "/flood?1048576" :
				    "/flood?8388608";
	static char		 part[70000];
	int64_t			 first = csa_now_ms();
	long			 n, at;

	if (port == -1)
		return;
	for (int i = 0; i < 5; i++)
		slow[i] = begin(path, true, 50000);
	for (int i = 0; i < 30; i++)
		whole(begin(i % 3 ? "/slow?10" : "/big?100000", false, 25000),
		    200, NULL);
	/* They would for ever. */
	ck_assert_int_lt(csa_now_ms() - first, patience(25000));
	for (int i = 4; i >= 0; i--) {
		at = 0;
		while ((n = csa_http_read(slow[i], part, sizeof(part),
		    csa_now_ms() + patience(20000), &err)) > 0)
			for (long k = 0; k < n; k++, at++)
				if ((unsigned char)part[k] != at % 251)
					ck_abort_msg("wrong byte at %ld", at);
		ck_assert_msg(n == 0, "%ld: %s", n, err.detail);
		ck_assert_int_eq(at, atoi(path + 7));
		csa_http_end(slow[i]);
	}
	ck_assert_uint_eq(connections(), 1);
}
END_TEST

START_TEST(h2_broken)
{
	if (port == -1)
		return;
	fails(begin("/truncated", false, 20000), CSA_ERR_PROVIDER_UNAVAILABLE);
	fails(begin("/cut-chunks", false, 20000), CSA_ERR_PROVIDER_UNAVAILABLE);
	whole(begin("/reset", false, 20000), 502, NULL);
	whole(begin("/echo", false, 20000), 200, "hello");
}
END_TEST

/* Kept connections die under one call each. */
START_TEST(h2_dead)
{
	if (port == -1)
		return;
	relay = relay_start(port);
	port = relay_port(relay);
	for (int i = 0; i < 12; i++) {
		whole(begin("/echo", false, 10000), 200, "hello");
		ck_assert_int_eq(relay_connections(relay), i + 1);
		relay_cut(relay, _i ? CUT_RESET : CUT_FIN);
		whole(begin("/echo", false, 10000), 200, "hello");
		ck_assert_int_eq(relay_connections(relay), i + 2);
	}
	ck_assert_int_eq(atomic_load(&srv->requests), 24);
}
END_TEST

/* And under many. */
START_TEST(h2_dead_many)
{
	struct csa_http_call	*c[50];
	int			 n = many(CSA_NITEMS(c));

	if (port == -1)
		return;
	relay = relay_start(port);
	port = relay_port(relay);
	whole(begin("/echo", false, 10000), 200, "hello");
	for (int i = 0; i < 8; i++) {
		relay_cut(relay, _i ? CUT_RESET : CUT_FIN);
		for (int k = 0; k < n; k++)
			c[k] = begin("/echo", false, 10000);
		for (int k = 0; k < n; k++)
			whole(c[k], 200, "hello");
	}
	ck_assert_int_eq(atomic_load(&srv->requests), 1 + 8 * n);
}
END_TEST

START_TEST(h2_events)
{
	struct csa_http_call	*c;
	char			 part[100];
	int			 reads = 0;
	long			 n, total = 0;

	if (port == -1)
		return;
	c = begin("/events?20", true, 20000);
	while ((n = csa_http_read(c, part, sizeof(part), csa_now_ms() +
	    patience(10000), &err)) > 0) {
		reads++;
		total += n;
	}
	ck_assert_int_eq(n, 0);
	ck_assert_int_eq(total, 10 * 9 + 10 * 10);
	/* As they come, not in a lump. */
	ck_assert_int_ge(reads, 10);
	csa_http_end(c);
}
END_TEST

TCase *
h2_case(void)
{
	TCase	*t = tcase_create("h2");

	tcase_add_checked_fixture(t, setup_h2, teardown_h2);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, h2_cold_burst);
	tcase_add_test(t, h2_content);
	tcase_add_test(t, h2_cancel);
	tcase_add_test(t, h2_slow_readers);
	tcase_add_test(t, h2_broken);
	tcase_add_loop_test(t, h2_dead, 0, 2);
	tcase_add_loop_test(t, h2_dead_many, 0, 2);
	tcase_add_test(t, h2_events);
	return t;
}
