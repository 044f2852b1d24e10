#include "config.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "tests/unit/cache_fixture.h"

char			 mc_socket[64];
struct csa_config	 mc_config;
static char		 dir[] = "/tmp/csa-cache-XXXXXX";
static pid_t		 server = -1;

int64_t
patience(int64_t ms)
{
	const char	*s = getenv("CK_TIMEOUT_MULTIPLIER");
	double		 by = s != NULL ? atof(s) : 1;

	return (int64_t)((double)ms * (by > 1 ? by : 1));
}

void
nap(long ms)
{
	struct timespec	 t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

static bool
answers(void)
{
	struct csa_err	 err;
	struct csa_kv	*kv = csa_kv_memcached_open(mc_socket, 1000, &err);
	int		 rc;

	ck_assert_ptr_nonnull(kv);
	rc = kv->ops->ping(kv);
	kv->ops->close(kv);
	return rc == 0;
}

static void
run_server(void)
{
	/* It must not outlive a test that is killed. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (freopen("/dev/null", "w", stderr) == NULL)
		_exit(126);
	execlp("memcached", "memcached", "-s", mc_socket, "-U", "0", "-t", "1",
	    "-m", "64", getuid() == 0 ? "-u" : NULL, "root", (char *)NULL);
	_exit(127);
}

void
mc_start(void)
{
	csa_log_open("test", "/dev/null", CSA_ERROR);
	memset(&mc_config, 0, sizeof(mc_config));
	mc_config.memcached_timeout_ms = (long)patience(2000);
	mc_config.cache_budget_ms = (long)patience(20000);
	mc_config.single_flight = true;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(mc_socket, sizeof(mc_socket), "%s/mc", dir);
	server = fork();
	ck_assert_int_ne(server, -1);
	if (server == 0)
		run_server();
	for (int i = 0; i < 250; i++, nap(20)) {
		ck_assert_msg(waitpid(server, NULL, WNOHANG) == 0,
		    "memcached did not start");
		if (answers())
			return;
	}
	ck_abort_msg("memcached did not answer");
}

void
mc_stop(void)
{
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(mc_socket);
	ck_assert_int_eq(rmdir(dir), 0);
}

void
mc_hang(bool hang)
{
	ck_assert_int_eq(kill(server, hang ? SIGSTOP : SIGCONT), 0);
	/* It may answer for a moment after the signal. */
	if (hang)
		ck_assert_int_eq(waitpid(server, NULL, WUNTRACED), server);
}

static void
talk(const char *s, char *reply, size_t size)
{
	struct sockaddr_un	 a = { .sun_family = AF_UNIX };
	int			 fd = socket(AF_UNIX, SOCK_STREAM, 0);
	size_t			 n = strlen(s);
	ssize_t			 got;

	memcpy(a.sun_path, mc_socket, strlen(mc_socket) + 1);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(write(fd, s, n), (ssize_t)n);
	ck_assert_int_gt(got = read(fd, reply, size - 1), 0);
	reply[got] = '\0';
	close(fd);
}

void
mc_say(const char *s)
{
	char	 reply[64];

	talk(s, reply, sizeof(reply));
}

long
mc_ttl(const char *key)
{
	char	 line[128], reply[64];
	long	 ttl;

	snprintf(line, sizeof(line), "mg %s t\r\n", key);
	talk(line, reply, sizeof(reply));
	return sscanf(reply, "HD t%ld", &ttl) == 1 ? ttl : -1;
}

void
mc_put(const char *key, const void *val, size_t n)
{
	struct csa_err	 err;
	struct csa_kv	*kv = csa_kv_memcached_open(mc_socket, 10000, &err);

	ck_assert_int_eq(kv->ops->set(kv, key, val, n, 0), 0);
	kv->ops->close(kv);
}

bool
mc_has(const char *key)
{
	struct csa_err	 err;
	struct csa_kv	*kv = csa_kv_memcached_open(mc_socket, 10000, &err);
	void		*val;
	size_t		 n;
	int		 rc = kv->ops->get(kv, key, &val, &n);

	ck_assert_int_ne(rc, -1);
	free(val);
	kv->ops->close(kv);
	return rc == 1;
}

void
host_open(struct host *h, bool memcached)
{
	struct csa_http_opts	 opts = { .connect_timeout_ms = 1000 };
	struct csa_err		 err;

	memset(h, 0, sizeof(*h));
	h->http = csa_http_new(&opts, &err);
	if (memcached)
		h->pool = csa_kv_pool_new(mc_socket,
		    mc_config.memcached_timeout_ms, &err);
	h->cache = csa_cache_new(h->pool, &mc_config);
}

void
host_close(struct host *h)
{
	csa_cache_free(h->cache);
	csa_kv_pool_free(h->pool);
	csa_http_free(h->http);
}

void
who_open(struct who *w, struct host *h, int64_t ms)
{
	w->arena = csa_arena_new();
	w->spent = 0;
	w->ctx = (struct csa_ctx){ .arena = w->arena,
	    .waiter = csa_waiter_new(h->http),
	    .deadline = csa_now_ms() + ms, .spent = &w->spent };
}

void
who_close(struct who *w)
{
	csa_waiter_free(w->ctx.waiter);
	csa_arena_free(w->arena);
}
