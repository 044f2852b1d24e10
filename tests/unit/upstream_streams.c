/*
 * upstream_streams: trying again until a byte was handed on, and not after.
 */

#include "config.h"

#include <string.h>

#include <check.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "tests/unit/upstream_fixture.h"

#define OK	{ REPLY, 200, 0, NULL, "data: 1\n\ndata: 2\n\n" }

/* Of what is silent: longer than a busy machine keeps a good one waiting. */
static const char	 hasty[] = "first_byte_timeout_ms = 700\n"
    "idle_timeout_ms = 700\n";

static struct csa_up_call *
stream(int64_t ms)
{
	struct csa_up_req	 r = request(ms);

	r.stream = true;
	return csa_up_start(up, waiter, &r);
}

/* All of it, with so small a buffer that pieces are cut.  As the last read. */
static long
read_all(struct csa_up_call *c, struct csa_buf *b, size_t at_a_time)
{
	char	 piece[64];
	long	 n;

	csa_buf_init(b, 1 << 20);
	while ((n = csa_up_read(c, piece, at_a_time, INT64_MAX, &err)) > 0)
		csa_buf_add(b, piece, (size_t)n);
	return n;
}

static const struct row {
	const char	*name;
	struct step	 step[3];
	int		 requests, status;
	long		 last;		/* what read says in the end */
	const char	*body;
} rows[] = {
	{ "fine", { OK, OK, OK }, 1, 200, 0, "data: 1\n\ndata: 2\n\n" },
	{ "empty", { { REPLY, 200, 0, NULL, "" }, OK, OK }, 1, 200, 0, "" },
	{ "503", { { REPLY, 503, 0, NULL, "oh no" }, OK, OK }, 2, 200, 0,
	    "data: 1\n\ndata: 2\n\n" },
	{ "500 for ever", { { REPLY, 500, 0, NULL, "one" }, { REPLY, 500, 0,
	    NULL, "two" }, { REPLY, 500, 0, NULL, "three, the last" } },
	    3, 500, 0, "three, the last" },
	{ "named a time in the body", { { REPLY, 503, 0, NULL, "retry 99" },
	    OK, OK }, 1, 503, 0, "retry 99" },
	{ "400", { { REPLY, 400, 0, NULL, "why" }, OK, OK }, 1, 400, 0,
	    "why" },
	{ "empty 404", { { REPLY, 404, 0, NULL, "" }, OK, OK }, 1, 404, 0,
	    "" },
	{ "reset", { { RESET, 0, 0, NULL, NULL }, OK, OK }, 2, 200, 0,
	    "data: 1\n\ndata: 2\n\n" },
	{ "silent", { { HANG, 0, 0, NULL, NULL }, OK, OK }, 2, 200, 0,
	    "data: 1\n\ndata: 2\n\n" },
	{ "cut after a byte", { { CUT, 200, 0, NULL, "data: 1" }, OK, OK },
	    1, 200, -1, "data: 1" },
	{ "stalled after a byte", { { STALL, 200, 0, NULL, "data: 1" }, OK,
	    OK }, 1, 200, -1, "data: 1" },
	{ "an error that is cut", { { CUT, 503, 0, NULL, "half" }, OK, OK },
	    2, 200, 0, "data: 1\n\ndata: 2\n\n" },
};

START_TEST(policy)
{
	const struct row	*r = &rows[_i];
	struct csa_up_call	*c;
	struct csa_buf		 b;

	for (size_t at_a_time = 1; at_a_time <= 64; at_a_time += 63) {
		far_open(r->step[0].what == HANG || r->step[0].what == STALL ?
		    hasty : "", "k1");
		script_set(far_end, r->step, 3);
		c = stream(patience(10000));
		ck_assert_int_eq(read_all(c, &b, at_a_time), r->last);
		ck_assert_msg(far_end->requests == r->requests,
		    "%s: %d requests", r->name, far_end->requests);
		ck_assert_int_eq(csa_up_status(c), r->status);
		ck_assert(csa_up_begun(c));
		ck_assert_msg(strcmp(b.data != NULL ? b.data : "", r->body) ==
		    0, "%s: %s", r->name, b.data);
		if (r->last == -1) {
			ck_assert_int_eq(err.code,
			    CSA_ERR_PROVIDER_UNAVAILABLE);
			/* And so it stays. */
			csa_buf_fini(&b);
			ck_assert_int_eq(read_all(c, &b, 1), -1);
		}
		csa_buf_fini(&b);
		csa_up_end(c);
	}
}
END_TEST

/* Heartbeats go on while the next attempt is waited for. */
START_TEST(time_for_heartbeats)
{
	static const struct step	 step[] = { { REPLY, 503, 0,
	    "Retry-After: 2", NULL }, OK };
	struct csa_up_call		*c;
	int64_t				 begin = csa_now_ms();
	char				 piece[64];
	long				 n;
	int				 beats = 0;

	script_set(far_end, step, 2);
	c = stream(patience(10000));
	while ((n = csa_up_read(c, piece, sizeof(piece), csa_now_ms() + 20,
	    &err)) == -2)
		beats++;
	ck_assert_int_gt(n, 0);
	/* Some 100; a busy machine has its own time. */
	ck_assert_int_ge(beats, 4);
	ck_assert_int_ge(csa_now_ms() - begin, 2000);
	csa_up_end(c);
	/* Ended in the middle of it. */
	script_set(far_end, step, 1);
	c = stream(patience(10000));
	ck_assert_int_eq(csa_up_read(c, piece, 1, csa_now_ms() + 100, &err),
	    -2);
	csa_up_end(c);
}
END_TEST

/* An error's body is read ahead up to a limit, and handed on whole. */
START_TEST(long_error)
{
	static char			 body[100001];
	static const struct step	 step = { REPLY, 400, 0, NULL, body };
	struct csa_up_req		 r = request(patience(10000));
	struct csa_up_call		*c;
	struct csa_buf			 b;

	memset(body, 'e', sizeof(body) - 1);
	script_set(far_end, &step, 1);
	r.stream = true;
	r.max_reply = sizeof(body);
	c = csa_up_start(up, waiter, &r);
	ck_assert_int_eq(read_all(c, &b, 64), 0);
	ck_assert_uint_eq(b.len, sizeof(body) - 1);
	csa_buf_fini(&b);
	csa_up_end(c);
}
END_TEST

TCase *
streams_case(void)
{
	TCase	*tc = tcase_create("streams");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 20);
	tcase_add_loop_test(tc, policy, 0, CSA_NITEMS(rows));
	tcase_add_test(tc, time_for_heartbeats);
	tcase_add_test(tc, long_error);
	return tc;
}
