#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "tests/contract/kv_fixture.h"

static char		 dir[] = "/tmp/csa-kv-XXXXXX";
pid_t			 pids[8];
size_t			 npids;
char			 servers[400];
struct csa_err		 err;

void
nap(long ms)
{
	struct timespec	 t = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&t, NULL);
}

int
listen_on(unsigned short *port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);
	int			 fd = socket(AF_INET, SOCK_STREAM, 0);

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons(*port);
	ck_assert_int_ne(fd, -1);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &n), 0);
	*port = ntohs(a.sin_port);
	return fd;
}

static bool
answers(const char *server)
{
	struct csa_kv	*kv = csa_kv_memcached_open(server, TIMEOUT_MS, &err);
	int		 rc;

	ck_assert_ptr_nonnull(kv);
	rc = kv->ops->ping(kv);
	kv->ops->close(kv);
	return rc == 0;
}

const char		*memcached_option[2];

static void
spawn(const char *where, const char *arg, const char *server)
{
	const char	*argv[] = { "memcached", where, arg, "-l", "127.0.0.1",
			    "-U", "0", "-t", "1", "-m", "64", NULL, NULL,
			    NULL, NULL, NULL };
	size_t		 n = 11;
	pid_t		 pid;

	/* It will not run as root unless told who to be. */
	if (getuid() == 0) {
		argv[n++] = "-u";
		argv[n++] = "nobody";
	}
	if (memcached_option[0] != NULL) {
		argv[n++] = memcached_option[0];
		argv[n++] = memcached_option[1];
	}
	ck_assert_uint_lt(npids, CSA_NITEMS(pids));
	pid = fork();

	ck_assert_int_ne(pid, -1);
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(126);
		execvp("memcached", (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	pids[npids++] = pid;
	for (int i = 0; i < 500; i++, nap(20)) {
		ck_assert_msg(waitpid(pid, NULL, WNOHANG) == 0,
		    "memcached did not start");
		if (answers(server))
			return;
	}
	ck_abort_msg("memcached did not answer");
}

void
stop_server(size_t i)
{
	int	 status;

	ck_assert_int_eq(kill(pids[i], SIGSTOP), 0);
	ck_assert_int_eq(waitpid(pids[i], &status, WUNTRACED), pids[i]);
	ck_assert(WIFSTOPPED(status));
}

void
start_tcp(char *server, size_t size)
{
	unsigned short	 port = 0;
	char		 text[8];

	close(listen_on(&port));
	snprintf(text, sizeof(text), "%u", port);
	snprintf(server, size, "127.0.0.1:%s", text);
	spawn("-p", text, server);
}

void
start_unix(char *server, size_t size)
{
	static unsigned	 n;

	snprintf(server, size, "%s/mc%u", dir, n++);
	spawn("-s", server, server);
}

void
setup(void)
{
	csa_log_open("test_kv", "/dev/null", CSA_ERROR);
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	memcached_option[0] = NULL;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	/* memcached binds there as nobody. */
	if (getuid() == 0)
		ck_assert_int_eq(chmod(dir, 0777), 0);
	npids = 0;
}

void
teardown(void)
{
	char	 cmd[64];

	while (npids > 0) {
		kill(pids[--npids], SIGKILL);
		waitpid(pids[npids], NULL, 0);
	}
	snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
	ck_assert_int_eq(system(cmd), 0);
	csa_metrics_close();
}

void
start_again(size_t i, const char *server)
{
	char	 text[8];
	pid_t	 pid;

	kill(pids[i], SIGKILL);
	waitpid(pids[i], NULL, 0);
	snprintf(text, sizeof(text), "%s", server[0] == '/' ? "" :
	    strrchr(server, ':') + 1);
	if (server[0] == '/') {
		unlink(server);
		spawn("-s", server, server);
	} else
		spawn("-p", text, server);
	/* In its old place. */
	pid = pids[--npids];
	pids[i] = pid;
}
