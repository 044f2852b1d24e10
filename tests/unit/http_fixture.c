#include "config.h"

#include <sys/socket.h>

#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/http_fixture.h"

struct server		*srv;
struct csa_http		*http;
struct csa_waiter	*waiter;
struct csa_err		 err;

/*
 * libcurl's name look-ups end up here: the linker puts the program's symbol
 * before libc's.  hang.test takes longer than any test may.
 */
int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
	int	(*real)(const char *, const char *, const struct addrinfo *,
		    struct addrinfo **);

	*(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
	if (node != NULL && strcmp(node, "hang.test") == 0)
		poll(NULL, 0, 6000);
	if (node != NULL && strstr(node, "good.test") == NULL &&
	    strstr(node, ".test") != NULL)
		return EAI_NONAME;
	if (node != NULL && strcmp(node, "good.test") == 0)
		node = "127.0.0.1";
	return real(node, service, hints, res);
}

int64_t
patience(int64_t ms)
{
	const char	*times = getenv("CK_TIMEOUT_MULTIPLIER");

	return ms * (times != NULL && atoi(times) > 1 ? atoi(times) : 1);
}

bool
brief(void)
{
	const char	*v = getenv("CSA_VALGRIND");

	return v != NULL && strcmp(v, "all") != 0;
}

int
many(int n)
{
	return brief() ? n / 10 : n;
}

struct csa_http *
engine(const char *ca, int64_t connect_ms)
{
	struct csa_http_opts	 opts = { .ca_file = ca,
		.connect_timeout_ms = (long)connect_ms,
		.max_connections = 512 };
	struct csa_http		*h = csa_http_new(&opts, &err);

	ck_assert_msg(h != NULL, "%s %s", err.msg, err.detail);
	return h;
}

void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	srv = server_start(NULL);
	http = engine(NULL, patience(5000));
	waiter = csa_waiter_new(http);
	memset(&err, 0, sizeof(err));
}

void
client_stop(void)
{
	csa_waiter_free(waiter);
	csa_http_free(http);
	csa_metrics_close();
	waiter = NULL;
	http = NULL;
}

void
teardown(void)
{
	client_stop();
	server_stop(srv);
}

void
setup_tls(void)
{
	signal(SIGPIPE, SIG_IGN);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	certs_make();
	srv = server_start(certs_tls(CERT_GOOD));
	/* A busy machine shakes hands with hundreds in its own time. */
	http = engine(certs_ca(), patience(30000));
	waiter = csa_waiter_new(http);
	memset(&err, 0, sizeof(err));
}

void
teardown_tls(void)
{
	teardown();
	certs_remove();
}

struct csa_http_req
request(char url[128], const char *path)
{
	struct csa_http_req	 r = { .source = CSA_SRC_GEMINI,
		.operation = "test", .method = "POST", .url = url,
		.body = "hello", .len = 5, .max_reply = 1 << 20 };

	snprintf(url, 128, "%s://localhost:%d%s", srv->tls != NULL ?
	    "https" : "http", srv->port, path);
	r.deadline = csa_now_ms() + patience(30000);
	return r;
}

struct csa_http_call *
start(const char *path)
{
	char			 url[128];
	struct csa_http_req	 r = request(url, path);

	return csa_http_start(http, waiter, &r);
}

struct csa_http_call *
start_stream(const char *path, int64_t ms)
{
	char			 url[128];
	struct csa_http_req	 r = request(url, path);

	r.stream = true;
	r.max_reply = 64 << 20;
	r.deadline = csa_now_ms() + ms;
	return csa_http_start(http, waiter, &r);
}

void
whole(struct csa_http_call *c, int status, const char *body)
{
	const char	*got;
	size_t		 n;

	ck_assert_msg(csa_http_wait(c, &err) == 0, "%s", err.detail);
	ck_assert_int_eq(csa_http_status(c), status);
	got = csa_http_body(c, &n);
	if (body != NULL)
		ck_assert_msg(n == strlen(body) && memcmp(got, body, n) == 0,
		    "got %.*s", (int)n, got);
	csa_http_end(c);
}

void
fails(struct csa_http_call *c, enum csa_errcode code)
{
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(csa_http_wait(c, &err), -1);
	ck_assert_msg(err.code == code, "%s: %s, not %s",
	    csa_errinfo(err.code)->code, err.detail, csa_errinfo(code)->code);
	ck_assert_int_eq(err.source, code == CSA_ERR_CANCELLED ?
	    CSA_SRC_CLIENT : CSA_SRC_GEMINI);
	ck_assert_str_ne(err.detail, "");
	ck_assert_msg(strstr(err.msg, "localhost") == NULL, "%s", err.msg);
	csa_http_end(c);
}

uint64_t
counted(const char *labels)
{
	return csa_metric_value(CSA_M_upstream_requests, labels);
}

int64_t
await_open(int n)
{
	int64_t	 begin = csa_now_ms(), end = begin + patience(8000);

	while (atomic_load(&srv->open) != n && csa_now_ms() < end)
		poll(NULL, 0, 1);
	ck_assert_int_eq(atomic_load(&srv->open), n);
	return csa_now_ms() - begin;
}

void
run_parallel(void)
{
	struct csa_http_call	*c[MANY];
	int			 n = many(MANY);

	for (int i = 0; i < n; i++)
		c[i] = start("/slow?300");
	for (int i = 0; i < n; i++)
		whole(c[i], 200, "hello");
	/* All kept: a second round makes none. */
	ck_assert_int_eq(atomic_load(&srv->connections), n);
	for (int i = 0; i < n; i++)
		c[i] = start("/slow?300");
	for (int i = 0; i < n; i++)
		whole(c[i], 200, "hello");
	ck_assert_int_eq(atomic_load(&srv->connections), n);
}

int
dead_port(void)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	close(fd);
	return ntohs(a.sin_port);
}

int
silent_port(void)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0), peer;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	for (int i = 0; i < 3; i++) {
		peer = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(peer, (struct sockaddr *)&a, n);
	}
	return ntohs(a.sin_port);
}

struct csa_http_call *
start_at(const char *url, int64_t ms)
{
	struct csa_http_req	 r = { .source = CSA_SRC_GEMINI,
		.operation = "test", .method = "GET", .url = url,
		.max_reply = 1000, .deadline = csa_now_ms() + ms };

	return csa_http_start(http, waiter, &r);
}

void
took(int64_t begin, int64_t ms)
{
	int64_t	 t = csa_now_ms() - begin;

	/*
	 * curl rounds down; a busy machine takes its time.  What does not end by
	 * itself here would take five seconds, or more.
	 */
	ck_assert_msg(t >= ms - 2 && t < ms + patience(2500),
	    "took %lld ms, not %lld",
	    (long long)t, (long long)ms);
}
