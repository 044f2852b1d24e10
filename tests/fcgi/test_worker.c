/*
 * The real worker behind a raw client: odd bodies and records, clients that stall
 * or leave, refusals, draining, as far as one process shows them.
 */

#include "config.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/text/digest.h"
#include "tests/fcgi/client.h"
#include "tests/fcgi/pool.h"
#include "tests/suite.h"

#define MAX	(64 * 1024 * 1024)

static struct pool	 p;

/* Small, so that everything is reached: 4 threads, 2 places, short times. */
static void
setup(void)
{
	pool_make(&p, "threads = 4\nqueue = 2\nqueue_timeout_ms = 400\n"
	    "body_timeout_ms = 500\ndrain_ms = 800\n"
	    "request_timeout_ms = 2000\n");
	pool_start(&p);
}

static void
teardown(void)
{
	pool_remove(&p);
}

/* Another one, where a busy machine is not to be taken for what is tested. */
static void
start_with(const char *settings)
{
	pool_remove(&p);
	pool_make(&p, settings);
	pool_start(&p);
}

/* What /echo says of a body. */
static const char *
expected(const void *body, size_t n)
{
	static char		 text[160];
	struct csa_digest	 digest;
	char			 hex[2 * CSA_DIGEST + 1];

	csa_sha256(body, n, &digest);
	csa_hex(digest.b, CSA_DIGEST, hex);
	snprintf(text, sizeof(text), "POST /echo %zu %s 0 -\n", n, hex);
	return text;
}

static void
assert_serves(void)
{
	struct fcgi_reply	 r;

	ck_assert_int_eq(fcgi_ask(p.sock, "/echo", "abc", 3, &r), 200);
	ck_assert_str_eq(r.body, expected("abc", 3));
	ck_assert_int_eq(r.ends, 1);
	ck_assert(!r.odd && r.closed && r.others == 0);
	fcgi_free(&r);
}

/* Nothing leaks: what lingers is gone after a second. */
static void
assert_files(unsigned files)
{
	int64_t	 end = csa_now_ms() + 10000;

	while (pool_files(p.pid) > files && csa_now_ms() < end)
		pool_sleep(5);
	ck_assert_uint_le(pool_files(p.pid), files);
}

/* Send bytes, read what comes back within ms. */
static void
exchange(const struct csa_buf *b, size_t step, int ms, struct fcgi_reply *r)
{
	int	 fd = fcgi_connect(p.sock);

	ck_assert_int_ne(fd, -1);
	(void)fcgi_send(fd, b->data, b->len, step);
	fcgi_read(fd, r, ms);
	close(fd);
}

/* A body of n bytes that is FastCGI records throughout: an answer, an abort. */
static char *
records(size_t n)
{
	struct csa_buf	 b;
	char		*body = csa_malloc(n + 1);

	csa_buf_init(&b, 4096);
	fcgi_record(&b, 5, 1, "", 0);
	fcgi_record(&b, 2, 1, "", 0);
	fcgi_request(&b, "POST", "/echo", NULL, NULL, "evil", 4);
	fcgi_record(&b, 3, 1, "\0\0\0\0\0\0\0\0", 8);
	for (size_t i = 0; i < n; i++)
		body[i] = b.data[i % b.len];
	csa_buf_fini(&b);
	return body;
}

START_TEST(bodies_of_records_stay_bodies)
{
	static const size_t	 more[] = { 0, 1, 8191, 8192, 8193, 99000,
				    131072, 1000000 };
	struct fcgi_reply	 r;
	size_t			 n;
	char			*body;

	for (size_t i = 0; i < 18 + CSA_NITEMS(more); i++) {
		n = i < 18 ? 65527 + i : more[i - 18];
		body = records(n);
		ck_assert_int_eq(fcgi_ask(p.sock, "/echo", body, n, &r), 200);
		ck_assert_str_eq(r.body, expected(body, n));
		ck_assert_int_eq(r.ends, 1);
		fcgi_free(&r);
		free(body);
	}
	ck_assert_int_eq(kill(p.pid, SIGTERM), 0);
	ck_assert_int_eq(pool_wait(&p, 5000), 0);
	ck_assert_uint_eq(pool_logged(&p, "ended after 26 requests"), 1);
}
END_TEST

START_TEST(any_split_is_one_request)
{
	static const size_t	 steps[] = { 1, 2, 7, 8, 9, 4096 };
	struct fcgi_reply	 r;
	struct csa_buf		 b;
	char			*body = records(20000);

	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", "/echo", NULL, NULL, body, 20000);
	for (size_t i = 0; i < CSA_NITEMS(steps); i++) {
		exchange(&b, steps[i], 5000, &r);
		ck_assert_int_eq(r.status, 200);
		ck_assert_str_eq(r.body, expected(body, 20000));
		fcgi_free(&r);
	}
	csa_buf_fini(&b);
	free(body);
}
END_TEST

START_TEST(large_parameters_arrive)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b, params;
	char			*value = csa_malloc(100001);

	memset(value, 'v', 100000);
	value[100000] = '\0';
	csa_buf_init(&b, MAX);
	csa_buf_init(&params, MAX);
	fcgi_param(&params, "HTTP_LONG", value);
	value[127] = '\0';
	fcgi_param(&params, value, "at 127");
	fcgi_param(&params, "HTTP_X_KEY", "kept");
	fcgi_param(&params, "", "no name");
	fcgi_request(&b, "GET", "/echo", NULL, &params, "", 0);
	exchange(&b, 0, 5000, &r);
	ck_assert_int_eq(r.status, 200);
	ck_assert_ptr_nonnull(strstr(r.body, " 1 kept\n"));
	fcgi_free(&r);
	csa_buf_fini(&b);
	csa_buf_fini(&params);
	free(value);
}
END_TEST

START_TEST(a_variable_that_came_twice_is_counted)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b, params;

	csa_buf_init(&b, MAX);
	csa_buf_init(&params, MAX);
	fcgi_param(&params, "HTTP_X_KEY", "");
	fcgi_param(&params, "HTTP_X_KEY", "second");
	fcgi_param(&params, "HTTP_X_KEYS", "another");
	fcgi_request(&b, "PUT", "/echo", NULL, &params, "", 0);
	exchange(&b, 0, 5000, &r);
	ck_assert_ptr_eq(strstr(r.body, "PUT /echo 0 "), r.body);
	ck_assert_ptr_nonnull(strstr(r.body, " 2 second\n"));
	fcgi_free(&r);
	csa_buf_fini(&b);
	csa_buf_fini(&params);
}
END_TEST

static const struct {
	const char	*length, *body;
	int		 status;
	const char	*says;		/* somewhere in the answer */
} lengths[] = {
	{ NULL, "12345", 200, "POST /echo 5 " },
	{ "5", "12345", 200, "POST /echo 5 " },
	{ "", "12345", 200, "POST /echo 5 " },		/* streamed */
	{ "", "", 200, "POST /echo 0 " },
	{ "005", "12345", 200, "POST /echo 5 " },
	{ "6", "12345", 400, "shorter" },
	{ "4000000", "12345", 400, "shorter" },
	{ "4", "12345", 400, "longer" },
	{ "0", "12345", 400, "longer" },
	{ "-5", "12345", 400, "not a number" },
	{ "+5", "12345", 400, "not a number" },
	{ " 5", "12345", 400, "not a number" },
	{ "5 ", "12345", 400, "not a number" },
	{ "0x5", "12345", 400, "not a number" },
	{ "5, 5", "12345", 400, "not a number" },
	{ "4194305", "12345", 413, "too_large" },
	{ "9223372036854775808", "12345", 413, "too_large" },
	{ "18446744073709551621", "12345", 413, "too_large" },
	{ "1000000000000000000000000000000", "12345", 413, "too_large" },
};

START_TEST(the_announced_length_is_kept_to)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b;

	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", "/echo", lengths[_i].length, NULL,
	    lengths[_i].body, strlen(lengths[_i].body));
	exchange(&b, 0, 5000, &r);
	ck_assert_int_eq(r.status, lengths[_i].status);
	ck_assert_ptr_nonnull(strstr(r.body, lengths[_i].says));
	ck_assert_int_eq(r.ends, 1);
	fcgi_free(&r);
	csa_buf_fini(&b);
	assert_serves();
}
END_TEST

START_TEST(two_lengths_are_none)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b, params;

	csa_buf_init(&b, MAX);
	csa_buf_init(&params, MAX);
	fcgi_param(&params, "CONTENT_LENGTH", "5");
	fcgi_request(&b, "POST", "/echo", "5", &params, "12345", 5);
	exchange(&b, 0, 5000, &r);
	ck_assert_int_eq(r.status, 400);
	fcgi_free(&r);
	csa_buf_fini(&b);
	csa_buf_fini(&params);
}
END_TEST

START_TEST(a_streamed_body_has_its_ceiling)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b;
	char			*body = records(5000000);

	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", "/echo", "", NULL, body, 5000000);
	exchange(&b, 0, 5000, &r);
	ck_assert_int_eq(r.status, 413);
	fcgi_free(&r);
	csa_buf_fini(&b);
	free(body);
}
END_TEST

/* Begin a request whose body stops after `some`. */
static int
begin_body(const char *some)
{
	struct csa_buf	 b;
	int		 fd = fcgi_connect(p.sock);

	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", "/echo", "1000", NULL, some, strlen(some));
	/* All but the record that ends it. */
	ck_assert_int_eq(fcgi_send(fd, b.data, b.len - 8, 0), 0);
	csa_buf_fini(&b);
	return fd;
}

START_TEST(a_body_that_stops_is_a_timeout)
{
	struct fcgi_reply	 r;
	int64_t			 t = csa_now_ms();
	int			 fd = begin_body("some");

	fcgi_read(fd, &r, 5000);
	t = csa_now_ms() - t;
	ck_assert_int_eq(r.status, 408);
	ck_assert_int_eq(r.ends, 1);
	ck_assert_int_ge(t, 450);
	/*
	 * The answer is there at once; the close waits for us at most a second.
	 */
	ck_assert_int_le(t, 5000);
	fcgi_free(&r);
	close(fd);
}
END_TEST

START_TEST(a_body_that_dribbles_ends_with_the_deadline)
{
	struct fcgi_reply	 r;
	struct pollfd		 pfd;
	int64_t			 t = csa_now_ms();
	int			 fd = begin_body("some");

	pfd = (struct pollfd){ .fd = fd, .events = POLLIN };
	while (poll(&pfd, 1, 100) == 0 && csa_now_ms() - t < 8000)
		(void)fcgi_send(fd, "\1\5\0\1\0\1\0\0x", 9, 0);
	fcgi_read(fd, &r, 2000);
	ck_assert_int_eq(r.status, 408);
	t = csa_now_ms() - t;
	ck_assert_int_ge(t, 1900);
	ck_assert_int_le(t, 7500);
	fcgi_free(&r);
	close(fd);
}
END_TEST

START_TEST(a_worker_that_is_stopped_reads_on)
{
	char			 body[1000];
	struct csa_buf		 b;
	struct fcgi_reply	 r;
	int			 fd;

	start_with("body_timeout_ms = 30000\nrequest_timeout_ms = 30000\n");
	memset(body, 'x', sizeof(body));
	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", "/echo", NULL, NULL, body, sizeof(body));
	fd = fcgi_connect(p.sock);
	ck_assert_int_eq(fcgi_send(fd, b.data, b.len - 500, 0), 0);
	/* Once at least it waits for the rest by then. */
	for (int i = 0; i < 10; i++) {
		pool_sleep(30);
		ck_assert_int_eq(kill(p.pid, SIGSTOP), 0);
		pool_sleep(10);
		ck_assert_int_eq(kill(p.pid, SIGCONT), 0);
	}
	ck_assert_int_eq(fcgi_send(fd, b.data + b.len - 500, 500, 0), 0);
	fcgi_read(fd, &r, 10000);
	ck_assert_int_eq(r.status, 200);
	ck_assert_str_eq(r.body, expected(body, sizeof(body)));
	fcgi_free(&r);
	csa_buf_fini(&b);
	close(fd);
}
END_TEST

START_TEST(a_client_that_leaves_in_its_body)
{
	struct fcgi_reply	 r;
	int			 fd = begin_body("some");

	close(fd);
	assert_serves();
	fd = begin_body("some");
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
	fcgi_read(fd, &r, 2000);
	ck_assert_int_eq(r.status, 400);
	fcgi_free(&r);
	close(fd);
}
END_TEST

START_TEST(an_answer_before_the_body_is_whole)
{
	struct fcgi_reply	 r;
	char			*body = records(300000);

	for (int i = 0; i < 20; i++) {
		ck_assert_int_eq(fcgi_ask(p.sock, "/none", body, 300000, &r),
		    200);
		ck_assert_str_eq(r.body, "none");
		ck_assert(r.closed && r.ends == 1);
		fcgi_free(&r);
	}
	free(body);
}
END_TEST

START_TEST(large_answers_are_whole)
{
	static const int	 sizes[] = { 7900, 8100, 8192, 65528, 65529,
				    200000, 5000000 };
	struct fcgi_reply	 r;
	char			 uri[32];

	for (size_t i = 0; i < CSA_NITEMS(sizes); i++) {
		snprintf(uri, sizeof(uri), "/big?%d", sizes[i]);
		ck_assert_int_eq(fcgi_ask(p.sock, uri, "", 0, &r), 200);
		ck_assert(!r.odd && r.ends == 1);
		ck_assert_uint_eq(r.len, (size_t)sizes[i]);
		for (int j = 0; j < sizes[i]; j++)
			ck_assert(r.body[j] == 'a' + j % 26);
		fcgi_free(&r);
	}
}
END_TEST

START_TEST(a_slow_reader_gets_all_of_it)
{
	struct csa_buf		 b;
	struct fcgi_reply	 r;
	int			 fd = fcgi_connect(p.sock);

	csa_buf_init(&b, MAX);
	fcgi_request(&b, "GET", "/big?3000000", NULL, NULL, "", 0);
	ck_assert_int_eq(fcgi_send(fd, b.data, b.len, 0), 0);
	pool_sleep(300);
	/* A signal while the write is blocked must not cut it. */
	kill(p.pid, SIGUSR2);
	kill(p.pid, SIGTERM);
	pool_sleep(200);
	fcgi_read(fd, &r, 5000);
	ck_assert_int_eq(r.status, 200);
	ck_assert_uint_eq(r.len, 3000000);
	ck_assert_int_eq(r.ends, 1);
	fcgi_free(&r);
	csa_buf_fini(&b);
	close(fd);
}
END_TEST

START_TEST(pieces_arrive_in_order)
{
	struct fcgi_reply	 r;
	char			*pos, text[32];

	ck_assert_int_eq(fcgi_ask(p.sock, "/pieces?3000", "", 0, &r), 200);
	pos = r.out.data;
	for (int i = 0; i < 3000; i++) {
		snprintf(text, sizeof(text), "piece %d\n", i);
		ck_assert_ptr_nonnull(pos = strstr(pos, text));
	}
	ck_assert_int_eq(r.ends, 1);
	fcgi_free(&r);
}
END_TEST

/* A piece of what a peer of the socket sends. */
struct piece {
	enum { NONE, BYTES, GARBAGE, BEGIN, RECORD, STREAM, REQUEST } what;
	int		 type;		/* BEGIN: the flags */
	int		 id;
	/* NULL: the parameters of POST /echo, and n without name and value. */
	const char	*data;
	size_t		 n;
};

#define P_NONE			{ NONE, 0, 0, NULL, 0 }
#define P_GARBAGE		{ GARBAGE, 0, 0, NULL, 0 }
#define P_REQUEST		{ REQUEST, 0, 0, NULL, 0 }
#define P_BYTES(text)		{ BYTES, 0, 0, text, sizeof(text) - 1 }
#define P_BEGIN(id, flags)	{ BEGIN, flags, id, NULL, 0 }
#define P_RECORD(type, id, text) \
	{ RECORD, type, id, text, sizeof(text) - 1 }
#define P_STREAM(type, id, text) \
	{ STREAM, type, id, text, sizeof(text) - 1 }
#define P_ABORT			P_RECORD(2, 1, "")
#define P_SOME_PARAMS		{ RECORD, 4, 1, NULL, 0 }
#define P_PARAMS(id)		{ STREAM, 4, id, NULL, 0 }
#define P_BODY(id)		P_STREAM(5, id, "x")
#define P_CUT_PARAMS \
	P_BEGIN(1, 0), P_BYTES("\1\4\0\1\0\177\0\0\10\10abc")

/*
 * H-08: what only a peer of the socket can send, and whether it is, after all,
 * one request to be answered.  libfcgi gives up at a type it does not know,
 * where the specification would go on.
 */
static const struct {
	const char	*name;
	bool		 request;
	struct piece	 pieces[7];
} hostile[] = {
	{ "garbage", false, { P_GARBAGE } },
	{ "HTTP", false, { P_BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n") } },
	{ "wrong version", false,
	    { P_BYTES("\2\1\0\1\0\10\0\0\0\1\0\0\0\0\0\0") } },
	{ "unknown type", false,
	    { P_BEGIN(1, 0), P_RECORD(77, 1, "what"), P_PARAMS(1),
	    P_BODY(1) } },
	{ "unknown management", false,
	    { P_RECORD(99, 0, "12345678"), P_REQUEST } },
	{ "get values", true,
	    { P_RECORD(9, 0, "\016\0FCGI_MAX_CONNS"), P_REQUEST } },
	{ "abort first", false, { P_ABORT } },
	{ "abort in params", false,
	    { P_BEGIN(1, 0), P_SOME_PARAMS, P_ABORT } },
	{ "abort in body", false,
	    { P_BEGIN(1, 0), P_PARAMS(1), P_RECORD(5, 1, "ab"), P_ABORT } },
	{ "abort after", true, { P_REQUEST, P_ABORT } },
	{ "multiplexed", true,
	    { P_BEGIN(1, 0), P_SOME_PARAMS, P_BEGIN(2, 0), P_PARAMS(2),
	    P_RECORD(4, 1, ""), P_BODY(1) } },
	{ "stdin first", false, { P_BODY(1) } },
	{ "no params", false,
	    { P_BEGIN(1, 0), P_RECORD(4, 1, ""), P_RECORD(5, 1, "") } },
	{ "cut head", false, { P_BYTES("\1\1\0") } },
	{ "cut params", false, { P_CUT_PARAMS } },
	{ "param beyond", false,
	    { P_BEGIN(1, 0), P_STREAM(4, 1, "\177\177a") } },
	{ "empty names", true,
	    { P_BEGIN(1, 0), { STREAM, 4, 1, NULL, 20000 }, P_BODY(1) } },
	{ "keep conn", true, { P_BEGIN(1, 1), P_PARAMS(1), P_BODY(1) } },
	{ "other id", true,
	    { P_BEGIN(65535, 0), P_PARAMS(65535), P_BODY(65535) } },
	{ "nothing", false, { P_NONE } },
};

/* POST /echo, and n more without name and value. */
static void
echo_params(struct csa_buf *params, size_t n)
{
	fcgi_param(params, "REQUEST_METHOD", "POST");
	fcgi_param(params, "REQUEST_URI", "/echo");
	while (n-- > 0)
		csa_buf_add(params, "\0\0", 2);
}

static void
add_piece(struct csa_buf *b, const struct piece *piece, const char *data,
    size_t n)
{
	switch (piece->what) {
	case NONE:
		break;
	case BYTES:
		csa_buf_add(b, data, n);
		break;
	case GARBAGE:
		for (int i = 0; i < 5000; i++)
			csa_buf_putc(b, (char)(i * i >> 3));
		break;
	case BEGIN:
		fcgi_begin(b, piece->id, FCGI_RESPONDER_ROLE, piece->type);
		break;
	case RECORD:
		fcgi_record(b, piece->type, piece->id, data, n);
		break;
	case STREAM:
		fcgi_stream(b, piece->type, piece->id, data, n);
		break;
	case REQUEST:
		fcgi_request(b, "POST", "/echo", NULL, NULL, "x", 1);
		break;
	}
}

static void
hostile_bytes(struct csa_buf *b, const struct piece *piece)
{
	struct csa_buf	 params;

	for (; piece->what != NONE; piece++) {
		csa_buf_init(&params, MAX);
		echo_params(&params, piece->n);
		if (piece->data != NULL)
			add_piece(b, piece, piece->data, piece->n);
		else
			add_piece(b, piece, params.data, params.len);
		csa_buf_fini(&params);
	}
}

START_TEST(a_hostile_peer_harms_itself)
{
	unsigned		 files;
	struct fcgi_reply	 r;
	struct csa_buf		 b;
	int			 fd;

	assert_serves();
	files = pool_files(p.pid);
	csa_buf_init(&b, MAX);
	hostile_bytes(&b, hostile[_i].pieces);
	exchange(&b, 0, 300, &r);
	if (hostile[_i].request)
		ck_assert_msg(r.status == 200 && r.ends >= 1 && r.closed,
		    "%s: status %d, %d ends", hostile[_i].name, r.status,
		    r.ends);
	else
		ck_assert_msg(r.status != 200, "%s: answered: %s",
		    hostile[_i].name, r.body);
	fcgi_free(&r);
	/* The same, and gone before anything can be said. */
	for (int i = 0; i < 30; i++) {
		fd = fcgi_connect(p.sock);
		(void)fcgi_send(fd, b.data, b.len, 0);
		close(fd);
	}
	csa_buf_fini(&b);
	/* Under a sanitizer thirty of them are more than has room at once. */
	for (int i = 0; i < 100 && pool_ask_pid(&p) != p.pid; i++)
		pool_sleep(50);
	for (int i = 0; i < 20; i++)
		assert_serves();
	ck_assert_int_eq(pool_ask_pid(&p), p.pid);
	assert_files(files);
}
END_TEST

START_TEST(other_roles_are_refused)
{
	struct fcgi_reply	 r;
	struct csa_buf		 b;

	csa_buf_init(&b, MAX);
	fcgi_begin(&b, 1, 2, 0);
	fcgi_stream(&b, 4, 1, "\1\1ab", 4);
	exchange(&b, 0, 2000, &r);
	ck_assert_int_eq(r.ends, 1);
	ck_assert_int_eq(r.protocol, 3);	/* FCGI_UNKNOWN_ROLE */
	ck_assert_uint_eq(r.out.len, 0);
	fcgi_free(&r);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(silence_is_not_waited_for)
{
	static const struct piece	 pieces[] = {
		P_CUT_PARAMS, P_NONE,
	};
	struct csa_buf		 b;
	struct pollfd		 pfd[3];
	int64_t			 t = csa_now_ms();
	char			 c;

	csa_buf_init(&b, MAX);
	hostile_bytes(&b, pieces);
	for (int i = 0; i < 3; i++)
		pfd[i] = (struct pollfd){ fcgi_connect(p.sock), POLLIN, 0 };
	/* Nothing at all; a head that stops; parameters that dribble. */
	ck_assert_int_eq(fcgi_send(pfd[1].fd, b.data, b.len, 0), 0);
	ck_assert_int_eq(fcgi_send(pfd[2].fd, b.data, b.len, 0), 0);
	for (int i = 0; i < 40 && csa_now_ms() - t < 4500; i++) {
		(void)fcgi_send(pfd[2].fd, "x", 1, 0);
		assert_serves();	/* one thread is left */
		pool_sleep(200);
	}
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(poll(&pfd[i], 1, 8000), 1);
		ck_assert_int_le(read(pfd[i].fd, &c, 1), 0);
		close(pfd[i].fd);
	}
	t = csa_now_ms() - t;
	ck_assert_int_ge(t, 4900);
	ck_assert_int_le(t, 12000);
	csa_buf_fini(&b);
}
END_TEST

START_TEST(a_client_that_leaves_while_it_waits_is_noticed)
{
	struct csa_buf	 b;
	int		 fd = fcgi_connect(p.sock);

	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", "/wait?10000", NULL, NULL, "", 0);
	ck_assert_int_eq(fcgi_send(fd, b.data, b.len, 0), 0);
	pool_sleep(200);
	ck_assert_uint_eq(pool_logged(&p, "stub: gone"), 0);
	close(fd);
	ck_assert(pool_wait_log(&p, "stub: gone", 1, 5000));
	ck_assert_uint_eq(pool_logged(&p, "stub: stayed"), 0);
	csa_buf_fini(&b);
}
END_TEST

/* Send uri and leave the connection open. */
static int
ask(const char *uri)
{
	struct csa_buf	 b;
	int		 fd = fcgi_connect(p.sock);

	ck_assert_int_ne(fd, -1);
	csa_buf_init(&b, MAX);
	fcgi_request(&b, "POST", uri, NULL, NULL, "", 0);
	ck_assert_int_eq(fcgi_send(fd, b.data, b.len, 0), 0);
	csa_buf_fini(&b);
	return fd;
}

/* The first a worker is asked; and it has it. */
static int
ask_taken(const char *uri)
{
	unsigned	 files = pool_files(p.pid);
	int		 fd = ask(uri);

	for (int i = 0; i < 1000 && pool_files(p.pid) <= files; i++)
		pool_sleep(5);
	pool_sleep(100);
	return fd;
}

static int
compare(const void *a, const void *b)
{
	int64_t	 x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

START_TEST(the_excess_is_refused_at_once)
{
	struct fcgi_reply	 r;
	int			 busy[4], queued[2];
	int64_t			 ns[200], t, start;
	int			 n;
	char			 after[16];

	start_with("threads = 4\nqueue = 2\nqueue_timeout_ms = 2000\n");
	for (int i = 0; i < 4; i++)
		busy[i] = ask("/sleep?6000");
	pool_sleep(50);
	for (int i = 0; i < 2; i++)
		queued[i] = ask("/none");
	pool_sleep(50);
	/* As long as the two are queued: they have 2 s. */
	start = csa_now_ms();
	for (n = 0; n < 200 && csa_now_ms() - start < 1200; n++) {
		t = csa_now_ns();
		ck_assert_int_eq(fcgi_ask(p.sock, "/none", "body", 4, &r), 503);
		ns[n] = csa_now_ns() - t;
		ck_assert(fcgi_header(&r, "Retry-After", after, sizeof(after)));
		ck_assert_int_ge(atoi(after), 1);
		ck_assert_int_le(atoi(after), 3);
		ck_assert_ptr_nonnull(strstr(r.body,
		    "\"error\":{\"code\":\"overloaded\",\"source\":\"agent\","
		    "\"retryable\":true}"));
		ck_assert_ptr_nonnull(strstr(r.body, "\"status\":\"error\""));
		ck_assert(r.closed && r.ends == 1 && !r.odd);
		fcgi_free(&r);
	}
	ck_assert_int_gt(n, 0);
	qsort(ns, (size_t)n, sizeof(ns[0]), compare);
	fprintf(stderr, "refused in %.2f ms (median), %.2f ms (p99)\n",
	    (double)ns[n / 2] / 1e6, (double)ns[n * 99 / 100] / 1e6);
	ck_assert_int_lt(ns[n / 2], 500 * INT64_C(1000000));
	for (int i = 0; i < 2; i++) {
		fcgi_read(queued[i], &r, 5000);
		ck_assert_int_eq(r.status, 503);
		fcgi_free(&r);
		close(queued[i]);
	}
	for (int i = 0; i < 4; i++) {
		fcgi_read(busy[i], &r, 10000);
		ck_assert_int_eq(r.status, 200);
		fcgi_free(&r);
		close(busy[i]);
	}
	assert_serves();
}
END_TEST

START_TEST(a_short_wait_ends_in_an_answer)
{
	struct fcgi_reply	 r;
	int			 fd[6];

	start_with("threads = 4\nqueue = 2\nqueue_timeout_ms = 10000\n");
	for (int i = 0; i < 6; i++)
		fd[i] = ask("/sleep?200");
	for (int i = 0; i < 6; i++) {
		fcgi_read(fd[i], &r, 3000);
		ck_assert_int_eq(r.status, 200);
		fcgi_free(&r);
		close(fd[i]);
	}
}
END_TEST

START_TEST(a_queued_client_that_left_costs_nothing)
{
	struct fcgi_reply	 r;
	int			 busy[4], fd;

	start_with("threads = 4\nqueue = 2\nqueue_timeout_ms = 10000\n");
	for (int i = 0; i < 4; i++)
		busy[i] = ask("/sleep?1500");
	pool_sleep(30);
	fd = ask("/wait?5000");
	pool_sleep(30);
	close(fd);
	for (int i = 0; i < 4; i++) {
		fcgi_read(busy[i], &r, 3000);
		ck_assert_int_eq(r.status, 200);
		fcgi_free(&r);
		close(busy[i]);
	}
	assert_serves();
	ck_assert_uint_eq(pool_logged(&p, "stub:"), 0);
}
END_TEST

START_TEST(a_refusal_survives_a_large_body)
{
	struct fcgi_reply	 r;
	char			*body = records(2000000);
	int			 fd[6];

	start_with("threads = 4\nqueue = 2\nqueue_timeout_ms = 10000\n");
	for (int i = 0; i < 6; i++)
		fd[i] = ask("/sleep?8000");
	pool_sleep(30);
	for (int i = 0; i < 5; i++) {
		ck_assert_int_eq(fcgi_ask(p.sock, "/echo", body, 2000000, &r),
		    503);
		ck_assert(r.closed && r.ends == 1);
		fcgi_free(&r);
	}
	for (int i = 0; i < 6; i++)
		close(fd[i]);
	free(body);
}
END_TEST

START_TEST(sigterm_lets_requests_finish)
{
	struct fcgi_reply	 r;
	struct pollfd		 pfd;
	int			 fd, late;
	int64_t			 t;

	start_with("threads = 4\nqueue = 2\ndrain_ms = 10000\n");
	fd = ask_taken("/sleep?1500");
	ck_assert_int_eq(kill(p.pid, _i), 0);
	pool_sleep(50);
	/* It waits for another worker: nobody here takes it. */
	late = ask("/none");
	pfd = (struct pollfd){ late, POLLIN, 0 };
	ck_assert_int_eq(poll(&pfd, 1, 100), 0);
	fcgi_read(fd, &r, 3000);
	ck_assert_int_eq(r.status, 200);
	ck_assert_str_eq(r.body, "slept");
	fcgi_free(&r);
	close(fd);
	t = csa_now_ms();
	ck_assert_int_eq(pool_wait(&p, 8000), 0);
	ck_assert_int_le(csa_now_ms() - t, 5000);
	/* The socket is the test's: the next worker answers. */
	pool_start(&p);
	fcgi_read(late, &r, 3000);
	ck_assert_int_eq(r.status, 200);
	fcgi_free(&r);
	close(late);
}
END_TEST

START_TEST(the_time_to_finish_ends)
{
	struct fcgi_reply	 r;
	int64_t			 t = csa_now_ms();
	int			 fd = ask_taken("/wait?20000");

	kill(p.pid, SIGTERM);
	fcgi_read(fd, &r, 5000);
	ck_assert_str_eq(r.body, "gone");	/* told, and still heard */
	ck_assert_int_eq(pool_wait(&p, 3000), 0);
	t = csa_now_ms() - t;
	ck_assert_int_ge(t, 800);
	ck_assert_int_le(t, 8000);
	fcgi_free(&r);
	close(fd);
}
END_TEST

START_TEST(a_second_sigterm_cancels)
{
	struct fcgi_reply	 r;
	int64_t			 t;
	int			 fd;

	start_with("threads = 4\nqueue = 2\ndrain_ms = 15000\n");
	fd = ask_taken("/wait?20000");
	t = csa_now_ms();
	/* Two that come before it looks are one. */
	for (int i = 0; i < 10; i++) {
		kill(p.pid, SIGTERM);
		pool_sleep(50);
	}
	fcgi_read(fd, &r, 5000);
	ck_assert_str_eq(r.body, "gone");
	ck_assert_int_eq(pool_wait(&p, 5000), 0);
	ck_assert_int_le(csa_now_ms() - t, 10000);
	fcgi_free(&r);
	close(fd);
}
END_TEST

START_TEST(a_request_that_hears_nothing_is_left_behind)
{
	int	 fd = ask_taken("/hang"), status;

	kill(p.pid, SIGTERM);
	status = pool_wait(&p, 8000);
	ck_assert(status != -1 && WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), 1);
	ck_assert_uint_eq(pool_logged(&p, "1 requests unfinished"), 1);
	close(fd);
}
END_TEST

START_TEST(storms_of_signals_are_survived)
{
	static const int	 harmless[] = { SIGHUP, SIGUSR2, SIGPIPE };
	static const int	 all[] = { SIGTERM, SIGINT, SIGUSR1, SIGHUP,
				    SIGUSR2 };

	for (int i = 0; i < 200; i++) {
		kill(p.pid, harmless[i % 3]);
		if (i % 20 == 0)
			assert_serves();
	}
	ck_assert_int_eq(pool_ask_pid(&p), p.pid);
	for (int i = 0; i < 100; i++)
		kill(p.pid, all[i * 7 % 5]);
	ck_assert_int_eq(pool_wait(&p, 5000), 0);
}
END_TEST

START_TEST(a_worker_leaves_after_its_requests)
{
	struct fcgi_reply	 r;
	struct pollfd		 pfd = { .events = POLLIN };
	int64_t			 end = csa_now_ms() + 10000;
	int			 n;

	pool_remove(&p);
	pool_make(&p, "threads = 4\nmax_requests = 100\ndrain_ms = 2000\n");
	pool_start(&p);
	for (n = 0; csa_now_ms() < end; n++) {
		pfd.fd = ask("/none");
		/* The first that nobody takes any more. */
		if (poll(&pfd, 1, 2000) == 0)
			break;
		fcgi_read(pfd.fd, &r, 1000);
		ck_assert_int_eq(r.status, 200);
		fcgi_free(&r);
		close(pfd.fd);
	}
	ck_assert_int_eq(pool_wait(&p, 2000), 0);
	ck_assert_uint_eq(pool_logged(&p, "max_requests served"), 1);
	/* A tenth less at the least; what came while it left is served too. */
	ck_assert_int_ge(n, 90);
}
END_TEST

/* Run the stub with these arguments and this descriptor 0; its exit status. */
static int
run(const char *option, const char *conf, const char *stdin_path)
{
	char	 cmd[512], stub[256];

	pool_program("tests/fcgi/stub.fcgi", stub, sizeof(stub));
	snprintf(cmd, sizeof(cmd), "%s %s -c %s <%s >%s/out 2>&1", stub,
	    option, conf, stdin_path, p.dir);
	return WEXITSTATUS(system(cmd));
}

START_TEST(the_command_line)
{
	ck_assert_int_eq(run("", p.conf, "/dev/null"), 2);
	ck_assert_int_eq(run("-t", p.conf, "/dev/null"), 0);
	setenv("STUB_CHECK", "", 1);
	ck_assert_int_eq(run("-t", p.conf, "/dev/null"), 2);
	unsetenv("STUB_CHECK");
	ck_assert_int_eq(run("-T", p.conf, "/dev/null"), 0);
	ck_assert_int_eq(run("-V", p.conf, "/dev/null"), 0);
	ck_assert_int_eq(run("-x", p.conf, "/dev/null"), 2);
	ck_assert_int_eq(run("-t", "/nonexistent", "/dev/null"), 2);
	pool_configure(&p, "threads = 0\n");
	ck_assert_int_eq(run("-t", p.conf, "/dev/null"), 2);
}
END_TEST

START_TEST(many_clients_at_once)
{
	struct fcgi_reply	 r;
	unsigned		 files;
	int			 fd[6];

	start_with("threads = 4\nqueue = 2\nqueue_timeout_ms = 10000\n");
	assert_serves();
	files = pool_files(p.pid);
	for (int round = 0; round < 300; round++) {
		for (int i = 0; i < 6; i++)
			fd[i] = ask(round % 3 == 0 ? "/big?20000" : "/none");
		for (int i = 0; i < 6; i++) {
			fcgi_read(fd[i], &r, 3000);
			ck_assert_int_eq(r.status, 200);
			ck_assert_int_eq(r.ends, 1);
			fcgi_free(&r);
			close(fd[i]);
		}
	}
	assert_files(files);
}
END_TEST

static TCase *
tcase(Suite *s, const char *name)
{
	TCase	*t = tcase_create(name);

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	suite_add_tcase(s, t);
	return t;
}

static void
add_requests(TCase *t)
{
	tcase_add_test(t, bodies_of_records_stay_bodies);
	tcase_add_test(t, any_split_is_one_request);
	tcase_add_test(t, large_parameters_arrive);
	tcase_add_test(t, a_variable_that_came_twice_is_counted);
	tcase_add_loop_test(t, the_announced_length_is_kept_to, 0,
	    (int)CSA_NITEMS(lengths));
	tcase_add_test(t, two_lengths_are_none);
	tcase_add_test(t, a_streamed_body_has_its_ceiling);
	tcase_add_test(t, a_body_that_stops_is_a_timeout);
	tcase_add_test(t, a_body_that_dribbles_ends_with_the_deadline);
	tcase_add_test(t, a_worker_that_is_stopped_reads_on);
	tcase_add_test(t, a_client_that_leaves_in_its_body);
	tcase_add_test(t, an_answer_before_the_body_is_whole);
	tcase_add_test(t, large_answers_are_whole);
	tcase_add_test(t, a_slow_reader_gets_all_of_it);
	tcase_add_test(t, pieces_arrive_in_order);
	tcase_add_loop_test(t, a_hostile_peer_harms_itself, 0,
	    (int)CSA_NITEMS(hostile));
	tcase_add_test(t, other_roles_are_refused);
	tcase_add_test(t, silence_is_not_waited_for);
	tcase_add_test(t, a_client_that_leaves_while_it_waits_is_noticed);
}

static void
add_life(TCase *t)
{
	tcase_add_test(t, the_excess_is_refused_at_once);
	tcase_add_test(t, a_short_wait_ends_in_an_answer);
	tcase_add_test(t, a_queued_client_that_left_costs_nothing);
	tcase_add_test(t, a_refusal_survives_a_large_body);
	tcase_add_loop_test(t, sigterm_lets_requests_finish, SIGTERM,
	    SIGTERM + 1);
	tcase_add_loop_test(t, sigterm_lets_requests_finish, SIGUSR1,
	    SIGUSR1 + 1);
	tcase_add_test(t, the_time_to_finish_ends);
	tcase_add_test(t, a_second_sigterm_cancels);
	tcase_add_test(t, a_request_that_hears_nothing_is_left_behind);
	tcase_add_test(t, storms_of_signals_are_survived);
	tcase_add_test(t, a_worker_leaves_after_its_requests);
	tcase_add_test(t, the_command_line);
	tcase_add_test(t, many_clients_at_once);
}

int
main(void)
{
	Suite	*s = suite_create("worker");

	add_requests(tcase(s, "requests"));
	add_life(tcase(s, "life"));
	return run_suite(s);
}
