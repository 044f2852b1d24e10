/*
 * The limits beside the deadline: a reply that does not begin, or stops.
 */

#include "config.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <check.h>

#include "lib/base/clock.h"
#include "tests/unit/http_fixture.h"

/* ms.  More than a thread on a busy machine waits for its turn. */
#define FIRST	1000
#define IDLE	700

/* patience() is for what computes; this is waiting, and takes that long. */
static int64_t
scaled(int64_t ms)
{
	return patience(1) > 1 ? 4 * ms : ms;
}

static struct csa_http_call *
limited(const char *path, bool stream, bool h2, int64_t ms)
{
	char			 url[128], address[128];
	struct csa_http_req	 r = request(address, path);

	r.url = address;
	if (h2) {
		snprintf(url, sizeof(url), "https://localhost:%d%s", h2_port,
		    path);
		r.url = url;
	}
	r.stream = stream;
	r.max_reply = 64 << 20;
	r.deadline = csa_now_ms() + ms;
	r.first_byte_ms = (long)scaled(FIRST);
	r.idle_ms = (long)scaled(IDLE);
	return csa_http_start(http, waiter, &r);
}

/* To its end, looking up every 20 ms; how many bytes came. */
static long
drain(struct csa_http_call *c, bool stream)
{
	char	 part[4096];
	long	 n, total = 0;

	if (!stream)
		return csa_http_wait(c, &err) == 0 ? 0 : -1;
	while ((n = csa_http_read(c, part, sizeof(part), csa_now_ms() + 20,
	    &err)) > 0 || n == -2)
		total += n > 0 ? n : 0;
	ck_assert_int_eq(n, -1);
	return total;
}

static const struct {
	const char	*path;
	const char	*detail;
	int64_t		 ms;
	long		 bytes;
	bool		 begun;
} silences[] = {
	{ "/no-headers", "no reply within", FIRST, 0, false },
	{ "/head-only", "in the middle of a reply", IDLE, 0, true },
	{ "/half-body", "in the middle of a reply", IDLE, 5, true },
};

static void
silent(size_t i, bool stream, bool h2)
{
	int64_t			 begin = csa_now_ms();
	struct csa_http_call	*c = limited(silences[i].path, stream, h2,
	    patience(20000));
	long			 n = drain(c, stream);

	took(begin, scaled(silences[i].ms));
	if (stream)
		ck_assert_int_eq(n, silences[i].bytes);
	ck_assert_int_eq(err.code, CSA_ERR_PROVIDER_UNAVAILABLE);
	ck_assert_int_eq(err.source, CSA_SRC_GEMINI);
	ck_assert_msg(strstr(err.detail, silences[i].detail) != NULL, "%s",
	    err.detail);
	ck_assert(csa_http_begun(c) == silences[i].begun);
	ck_assert_int_eq(csa_http_fault(c), CSA_FAULT_SILENT);
	csa_http_end(c);
	await_open(0);
	ck_assert_uint_eq(counted("gemini|test|provider_unavailable"), 1);
}

START_TEST(limit_silence)
{
	silent((size_t)_i / 2, _i & 1, false);
}
END_TEST

START_TEST(limit_silence_h2)
{
	/* nginx keeps headers back until there is something of the body. */
	if (h2_port != -1 && _i / 2 != 1)
		silent((size_t)_i / 2, _i & 1, true);
}
END_TEST

/* Bytes that drip keep it alive, until the deadline. */
START_TEST(limit_drip)
{
	int64_t			 begin = csa_now_ms();
	struct csa_http_call	*c = limited("/events?1000000", _i & 1, false,
	    scaled(1500));

	drain(c, _i & 1);
	took(begin, scaled(1500));
	ck_assert_int_eq(err.code, CSA_ERR_DEADLINE);
	ck_assert(csa_http_begun(c));
	csa_http_end(c);
	await_open(0);
}
END_TEST

/* Two long silences of ours, with nobody driving or with somebody. */
static void
slow_reader(bool h2, bool driven)
{
	struct csa_http_call	*c = limited("/flood?8388608", true, h2,
	    patience(30000));
	static char		 part[100000];
	long			 n, at = 0;

	for (int i = 0; (n = csa_http_read(c, part, sizeof(part),
	    csa_now_ms() + 10, &err)) > 0 || n == -2; i++) {
		for (long k = 0; k < n; k++, at++)
			if ((unsigned char)part[k] != at % 251)
				ck_abort_msg("wrong byte at %ld", at);
		if (i == 1 || i == 3) {
			if (driven)
				whole(start("/slow?1300"), 200, "hello");
			else
				poll(NULL, 0, (int)scaled(1300));
		}
	}
	ck_assert_msg(n == 0, "%s", err.detail);
	ck_assert_int_eq(at, 8388608);
	csa_http_end(c);
}

START_TEST(limit_slow_reader)
{
	slow_reader(false, _i);
}
END_TEST

START_TEST(limit_slow_reader_h2)
{
	if (h2_port != -1)
		slow_reader(true, false);
}
END_TEST

static int
slow_beat(void *count)
{
	++*(int *)count;
	poll(NULL, 0, (int)scaled(2 * FIRST));
	return 0;
}

/* A heartbeat that takes long is not the provider's silence. */
START_TEST(limit_slow_beat)
{
	struct csa_http_call	*c = limited("/slow?1500", false, false,
	    patience(20000));
	int			 beats = 0;

	csa_waiter_beat(waiter, csa_now_ms() + scaled(50), 20000, slow_beat,
	    &beats);
	whole(c, 200, "hello");
	ck_assert_int_eq(beats, 1);
	csa_waiter_beat(waiter, 0, 0, NULL, NULL);
}
END_TEST

/* Waiting in pieces is waiting: the limit still comes. */
START_TEST(limit_among_others)
{
	struct csa_http_call	*c[2];
	int64_t			 begin = csa_now_ms();
	int			 i;

	c[0] = start("/slow?5000");
	c[1] = limited("/no-headers", false, false, patience(20000));
	while ((i = csa_http_await(c, 2, csa_now_ms() + 20)) == -1)
		continue;
	ck_assert_int_eq(i, 1);
	took(begin, scaled(FIRST));
	fails(c[1], CSA_ERR_PROVIDER_UNAVAILABLE);
	csa_http_end(c[0]);
}
END_TEST

TCase *
limits_case(void)
{
	TCase	*t = tcase_create("limits");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, limit_silence, 0, 2 * CSA_NITEMS(silences));
	tcase_add_loop_test(t, limit_drip, 0, 2);
	tcase_add_loop_test(t, limit_slow_reader, 0, 2);
	tcase_add_test(t, limit_slow_beat);
	tcase_add_test(t, limit_among_others);
	return t;
}

TCase *
limits_h2_case(void)
{
	TCase	*t = tcase_create("limits_h2");

	tcase_add_checked_fixture(t, setup_h2, teardown_h2);
	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, limit_silence_h2, 0, 2 * CSA_NITEMS(silences));
	tcase_add_test(t, limit_slow_reader_h2);
	return t;
}
