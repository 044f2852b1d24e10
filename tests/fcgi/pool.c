#include "config.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <check.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "tests/fcgi/client.h"
#include "tests/fcgi/pool.h"

#define READY_MS	20000	/* with a sanitizer, or under valgrind */

const char *
pool_program(const char *name, char *path, size_t n)
{
	const char	*dir = getenv("CSA_BUILDDIR");

	snprintf(path, n, "%s/%s", dir != NULL ? dir : ".", name);
	return path;
}

void
pool_sleep(int ms)
{
	struct timespec	 ts = { ms / 1000, ms % 1000 * 1000000L };

	while (nanosleep(&ts, &ts) == -1 && errno == EINTR)
		;
}

void
pool_configure(struct pool *p, const char *lines)
{
	FILE	*f = fopen(p->conf, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "run_dir = %s\ndata_dir = %s\n%s", p->dir, p->dir, lines);
	ck_assert_int_eq(fclose(f), 0);
}

void
pool_make(struct pool *p, const char *lines)
{
	struct sockaddr_un	 sa = { .sun_family = AF_UNIX };

	memset(p, 0, sizeof(*p));
	snprintf(p->dir, sizeof(p->dir), "/tmp/csa-fcgi-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(p->dir));
	snprintf(p->sock, sizeof(p->sock), "%s/sock", p->dir);
	snprintf(p->conf, sizeof(p->conf), "%s/conf", p->dir);
	snprintf(p->log, sizeof(p->log), "%s/log", p->dir);
	pool_configure(p, lines);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", p->sock);
	p->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ne(p->listen, -1);
	ck_assert_int_eq(bind(p->listen, (struct sockaddr *)&sa, sizeof(sa)),
	    0);
	ck_assert_int_eq(listen(p->listen, 512), 0);
}

static _Noreturn void
become(const struct pool *p, const char *const *argv)
{
	int	 log = open(p->log, O_WRONLY | O_APPEND | O_CREAT, 0600);

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)dup2(p->listen, STDIN_FILENO);
	(void)dup2(log, STDERR_FILENO);
	close(log);
	execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(126);
}

static void
start(struct pool *p, const char *const *argv)
{
	unsigned	 before = pool_logged(p, "\"msg\":\"ready: ");

	p->pid = fork();
	ck_assert_int_ne(p->pid, -1);
	if (p->pid == 0)
		become(p, argv);
	if (getenv("STUB_START") == NULL)
		ck_assert_msg(pool_wait_log(p, "\"msg\":\"ready: ", before + 1,
		    READY_MS), "%s did not become ready", argv[0]);
}

void
pool_start(struct pool *p)
{
	char		 stub[256];
	const char	*argv[] = {
		pool_program("tests/fcgi/stub.fcgi", stub, sizeof(stub)),
		"-c", p->conf, NULL
	};

	start(p, argv);
}

void
pool_start_master(struct pool *p, const char *worker)
{
	char		 master[256], stub[256];
	const char	*argv[] = {
		pool_program("fcgi/chatsphere-prefork", master,
		    sizeof(master)),
		"-c", p->conf, "--", worker, NULL
	};

	if (worker == NULL)
		argv[4] = pool_program("tests/fcgi/stub.fcgi", stub,
		    sizeof(stub));
	start(p, argv);
}

int
pool_wait(struct pool *p, int ms)
{
	int64_t	 end = csa_now_ms() + ms;
	int	 status;

	do {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->pid = 0;
			return status;
		}
		pool_sleep(5);
	} while (csa_now_ms() < end);
	return -1;
}

void
pool_remove(struct pool *p)
{
	char		 path[512];
	struct dirent	*e;
	DIR		*d;

	if (p->pid > 0) {
		kill(p->pid, SIGKILL);
		waitpid(p->pid, NULL, 0);
	}
	close(p->listen);
	if (!p->crashes)
		ck_assert_uint_eq(pool_logged(p, "Sanitizer"), 0);
	/*
	 * Workers that lost their master go by themselves, and may still log.
	 */
	for (int i = 0; i < 50 && (d = opendir(p->dir)) != NULL; i++) {
		while ((e = readdir(d)) != NULL) {
			snprintf(path, sizeof(path), "%s/%s", p->dir,
			    e->d_name);
			(void)unlink(path);
		}
		closedir(d);
		if (rmdir(p->dir) == 0)
			break;
		pool_sleep(10);
	}
}

pid_t
pool_ask_pid(const struct pool *p)
{
	struct fcgi_reply	 r;
	pid_t			 pid = 0;

	if (fcgi_ask(p->sock, "/pid", "", 0, &r) == 200)
		pid = (pid_t)atoi(r.body);
	fcgi_free(&r);
	return pid;
}

static bool
is_child(pid_t pid, pid_t parent, const char *comm)
{
	char	 path[64], name[32];
	long	 ppid;
	char	 state;
	FILE	*f;
	int	 n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if ((f = fopen(path, "r")) == NULL)
		return false;
	n = fscanf(f, "%*d (%31[^)]) %c %ld", name, &state, &ppid);
	fclose(f);
	return n == 3 && ppid == parent && state != 'Z' &&
	    strcmp(name, comm) == 0;
}

size_t
pool_children(const struct pool *p, const char *comm, pid_t *pids, size_t max)
{
	DIR		*d = opendir("/proc");
	struct dirent	*e;
	size_t		 n = 0;
	pid_t		 pid;

	ck_assert_ptr_nonnull(d);
	while ((e = readdir(d)) != NULL)
		if ((pid = (pid_t)atoi(e->d_name)) > 0 && n < max &&
		    is_child(pid, p->pid, comm))
			pids[n++] = pid;
	closedir(d);
	return n;
}

unsigned
pool_logged(const struct pool *p, const char *text)
{
	FILE		*f = fopen(p->log, "r");
	char		 line[16384];
	unsigned	 n = 0;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, text) != NULL;
	fclose(f);
	return n;
}

bool
pool_wait_log(const struct pool *p, const char *text, unsigned n, int ms)
{
	int64_t	 end = csa_now_ms() + ms;

	while (pool_logged(p, text) < n) {
		if (csa_now_ms() >= end)
			return false;
		pool_sleep(5);
	}
	return true;
}

unsigned
pool_files(pid_t pid)
{
	char		 path[64];
	struct dirent	*e;
	unsigned	 n = 0;
	DIR		*d;

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	if ((d = opendir(path)) == NULL)
		return 0;
	while ((e = readdir(d)) != NULL)
		n += e->d_name[0] != '.';
	closedir(d);
	return n;
}
