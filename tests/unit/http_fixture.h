/*
 * http_fixture: what the tests of lib/http have in common.
 */

#ifndef CSA_TESTS_HTTP_FIXTURE_H
#define CSA_TESTS_HTTP_FIXTURE_H

#include <stdbool.h>

#include <check.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "tests/unit/http_server.h"

#define MANY	200

/*
 * Valgrind runs one thread at a time, and sees the same code however many there
 * are: of all that is many a tenth, and nothing that other tests go through too,
 * unless CSA_VALGRIND=all.
 */
bool	brief(void);
int	many(int n);

/* Made by setup, or with TLS by setup_tls, for every test anew. */
extern struct server		*srv;
extern struct csa_http		*http;
extern struct csa_waiter	*waiter;
extern struct csa_err		 err;

void	setup(void);
void	teardown(void);
void	client_stop(void);	/* what of it is not the server's */
void	setup_tls(void);
void	teardown_tls(void);
void	setup_h2(void);		/* with nginx in front of srv */
void	teardown_h2(void);
extern int	h2_port;	/* -1: no nginx here */
struct csa_http *engine(const char *ca, int64_t connect_ms);
/* ms, times CK_TIMEOUT_MULTIPLIER: set that for valgrind. */
int64_t	patience(int64_t ms);

/* A POST of "hello" to the test's server; patience(30 s), 1 MiB. */
struct csa_http_req request(char url[128], const char *path);
struct csa_http_call *start(const char *path);
struct csa_http_call *start_stream(const char *path, int64_t ms);
/* A GET of any URL. */
struct csa_http_call *start_at(const char *url, int64_t ms);

/* Wait for it, look at it, end it.  body NULL: any. */
void	whole(struct csa_http_call *, int status, const char *body);
void	fails(struct csa_http_call *, enum csa_errcode);
/* Many calls to /slow at once, twice, over as many connections. */
void	run_parallel(void);

/* chatsphere_upstream_requests_total */
uint64_t counted(const char *labels);
/* Until the server has n connections, for 3 s at most.  Returns ms. */
int64_t	await_open(int n);
/* Since begin, give or take what a slow machine needs. */
void	took(int64_t begin, int64_t ms);
int	dead_port(void);	/* where nobody listens */
int	silent_port(void);	/* that answers no SYN: its queue is full */

/* HTTP/2 over TLS in front of srv: its port, or -1 where there is no nginx. */
int	nginx_start(void);
void	nginx_stop(void);

/* The parts of the suite. */
TCase	*calls_case(void);
TCase	*streams_case(void);
TCase	*tls_case(void);
TCase	*h2_case(void);
TCase	*limits_case(void);
TCase	*ticks_case(void);
TCase	*limits_h2_case(void);
TCase	*cancel_case(void);
TCase	*cancel_tls_case(void);
TCase	*cancel_h2_case(void);

#endif
