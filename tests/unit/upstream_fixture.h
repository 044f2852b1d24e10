/*
 * upstream_fixture: what the tests of lib/upstream have in common.
 */

#ifndef CSA_TESTS_UPSTREAM_FIXTURE_H
#define CSA_TESTS_UPSTREAM_FIXTURE_H

#include <sys/types.h>

#include <check.h>

#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "lib/upstream/upstream.h"
#include "tests/unit/upstream_server.h"

/* Made by setup for every test anew; in processes of a test by far_open. */
extern struct script		*far_end;
extern struct csa_http		*http;
extern struct csa_waiter	*waiter;
extern struct csa_upstream	*up;
extern struct csa_err		 err;
extern char			 run_dir[];

void	setup(void);
void	teardown(void);
/*
 * settings: lines of a configuration on top of fast ones.  What was open is
 * closed first, the shared file is mapped.
 */
void	far_open(const char *settings, const char *keys);
void	far_close(void);
/* ms, times CK_TIMEOUT_MULTIPLIER: set that for valgrind. */
int64_t	patience(int64_t ms);

/* A POST of "hello" to far_end, of an operation "test", within so many ms. */
struct csa_up_req request(int64_t ms);
struct csa_up_call *start(int64_t ms);
/* Start, wait, look at it, end it.  Returns the attempts. */
unsigned whole(int status);
unsigned fails(enum csa_errcode, int64_t ms);
uint64_t retries(const char *reason);

/* Run it in a process of its own; what it returns, -SIGKILL where killed. */
int	in_child(int (*)(void));
int	wait_for(pid_t);

TCase	*calls_case(void);
TCase	*streams_case(void);
TCase	*outage_case(void);
TCase	*keys_case(void);
TCase	*share_case(void);

#endif
