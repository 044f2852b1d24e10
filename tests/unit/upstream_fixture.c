#include "config.h"

#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/upstream_fixture.h"

struct script			*far_end;
struct csa_http			*http;
struct csa_waiter		*waiter;
struct csa_upstream		*up;
struct csa_err			 err;
char				 run_dir[] = "/tmp/csa-upstream-XXXXXX";
static struct csa_config	*config;
static char			 base[64];

int64_t
patience(int64_t ms)
{
	const char	*times = getenv("CK_TIMEOUT_MULTIPLIER");

	return ms * (times != NULL && atoi(times) > 1 ? atoi(times) : 1);
}

/* What errors say in their bodies here: "retry N", "key". */
static void
hint(int status, const char *body, size_t len, struct csa_up_hint *h)
{
	ck_assert_int_ge(status, 400);
	if (len > 6 && memcmp(body, "retry ", 6) == 0)
		h->retry_s = atol(body + 6);
	h->key_refused = len == 3 && memcmp(body, "key", 3) == 0;
}

static struct csa_config *
configure(const char *settings)
{
	char			 text[1024];
	FILE			*f;
	struct csa_config	*c;

	snprintf(text, sizeof(text), "internal_api_key = x\n%s%s",
	    strstr(settings, "retry_base_ms") == NULL ?
	    "retry_base_ms = 5\n" : "", settings);
	f = fmemopen(text, strlen(text), "r");
	c = csa_config_load_stream(f, "test", stderr);
	fclose(f);
	ck_assert_ptr_nonnull(c);
	return c;
}

void
far_close(void)
{
	csa_upstream_close(up);
	csa_waiter_free(waiter);
	csa_http_free(http);
	csa_config_free(config);
	up = NULL;
	waiter = NULL;
	http = NULL;
	config = NULL;
}

void
far_open(const char *settings, const char *keys)
{
	struct csa_http_opts	 opts = { .connect_timeout_ms =
	    (long)patience(10000), .max_connections = 512 };
	struct csa_upstream_opts o = { CSA_SRC_GEMINI, base, "X-Key: ", keys,
	    hint };

	far_close();
	snprintf(base, sizeof(base), "http://127.0.0.1:%d", far_end->port);
	ck_assert_int_eq(csa_upstream_share(run_dir, &err), 0);
	http = csa_http_new(&opts, &err);
	ck_assert_ptr_nonnull(http);
	waiter = csa_waiter_new(http);
	config = configure(settings);
	up = csa_upstream_open(config, http, &o, &err);
	ck_assert_msg(up != NULL, "%s", err.msg);
}

void
setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	memcpy(strrchr(run_dir, '-'), "-XXXXXX", 7);
	ck_assert_ptr_nonnull(mkdtemp(run_dir));
	far_end = script_start();
	far_open("", "k1");
}

void
teardown(void)
{
	char	 command[80];

	far_close();
	script_down(far_end);
	csa_upstream_unshare();
	csa_metrics_close();
	snprintf(command, sizeof(command), "rm -rf %s", run_dir);
	ck_assert_int_eq(system(command), 0);
}

struct csa_up_req
request(int64_t ms)
{
	struct csa_up_req	 r = { .operation = "test", .method = "POST",
	    .body = "hello", .len = 5, .max_reply = 1000, .url = base };

	r.deadline = csa_now_ms() + ms;
	return r;
}

struct csa_up_call *
start(int64_t ms)
{
	struct csa_up_req	 r = request(ms);

	return csa_up_start(up, waiter, &r);
}

unsigned
whole(int status)
{
	struct csa_up_call	*c = start(patience(10000));
	int			 rc = csa_up_wait(c, &err);
	unsigned		 n;

	ck_assert_msg(rc == 0, "%s %s", err.msg, err.detail);
	ck_assert_int_eq(csa_up_status(c), status);
	n = csa_up_attempts(c);
	csa_up_end(c);
	return n;
}

unsigned
fails(enum csa_errcode code, int64_t ms)
{
	struct csa_up_call	*c = start(ms);
	unsigned		 n;

	ck_assert_int_eq(csa_up_wait(c, &err), -1);
	ck_assert_msg(err.code == code, "%s %s", err.msg, err.detail);
	/* And what was said once stays. */
	memset(&err, 0, sizeof(err));
	ck_assert_int_eq(csa_up_wait(c, &err), -1);
	ck_assert_int_eq(err.code, code);
	n = csa_up_attempts(c);
	csa_up_end(c);
	return n;
}

uint64_t
retries(const char *reason)
{
	char	 labels[64];

	snprintf(labels, sizeof(labels), "gemini|test|%s", reason);
	return csa_metric_value(CSA_M_upstream_retries, labels);
}

int
wait_for(pid_t pid)
{
	int	 status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
		return -SIGKILL;
	ck_assert_msg(WIFEXITED(status), "status %x", (unsigned)status);
	return WEXITSTATUS(status);
}

int
in_child(int (*run)(void))
{
	pid_t	 pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0)
		_exit(run());
	return wait_for(pid);
}
