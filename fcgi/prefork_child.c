#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/prefork.h"
#include "fcgi/worker.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "lib/metrics/metrics.h"

#define START_MS	60000	/* for becoming ready */
#define GRACE_MS	10000	/* beyond drain_ms */
#define QUICK_MS	1000	/* a death this early is a failed start */
#define DELAY_MIN	100
#define DELAY_CONFIG	5000	/* only a person can put that right */
#define DELAY_MAX	30000
#define CANNOT_RUN	127

size_t
csa_children(const struct csa_prefork *p, enum csa_child_state state)
{
	size_t	 n = 0;

	for (size_t i = 0; i < p->nchildren; i++)
		n += p->child[i].state == state;
	return n;
}

static void
setenv_int(const char *name, int value)
{
	char	 text[16];

	snprintf(text, sizeof(text), "%d", value);
	CSA_MUST(setenv(name, text, 1) == 0);
}

/* In the child: signals as a program expects them, and run argv. */
static _Noreturn void
run(char *const *argv)
{
	sigset_t	 none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	csa_error("%s: %s", argv[0], strerror(errno));
	_exit(CANNOT_RUN);
}

/*
 * glibc keeps for each thread some 20 kB of what it freed.  That saves a twentieth
 * of the CPU and, with hundreds of threads, costs a quarter of the memory.  Only
 * the environment can say so, and what the operator put there stays.
 */
static void
no_caches(void)
{
	CSA_MUST(setenv("GLIBC_TUNABLES", "glibc.malloc.tcache_count=0",
	    0) == 0);
}

static _Noreturn void
run_worker(struct csa_prefork *p, int notify, pid_t master)
{
	setenv_int(CSA_NOTIFY_ENV, notify);
	setenv_int(CSA_MASTER_ENV, (int)master);
	if (p->conf != NULL)
		CSA_MUST(setenv(CSA_CONF_ENV, p->conf, 1) == 0);
	if (p->crowded)
		no_caches();
	/* The only descriptor besides 0 to 2 that goes with it. */
	CSA_MUST(fcntl(notify, F_SETFD, 0) == 0);
	run(p->worker);
}

int
csa_child_start(struct csa_prefork *p)
{
	struct csa_child	*c;
	pid_t			 master = getpid(), pid;
	int			 fd[2];

	if (p->nchildren == CSA_CHILDREN || pipe2(fd, O_CLOEXEC) == -1) {
		csa_error("no further worker: %s", strerror(errno));
		return -1;
	}
	if ((pid = fork()) == 0)
		run_worker(p, fd[1], master);
	close(fd[1]);
	if (pid == -1) {
		csa_error("fork: %s", strerror(errno));
		close(fd[0]);
		return -1;
	}
	(void)fcntl(fd[0], F_SETFL, O_NONBLOCK);
	c = &p->child[p->nchildren++];
	*c = (struct csa_child){
		.pid = pid,
		.notify = fd[0],
		.state = CSA_CHILD_STARTING,
		.generation = p->generation,
		.started = csa_now_ms(),
		.kill_at = csa_now_ms() + START_MS,
	};
	csa_debug("worker %d started", (int)pid);
	return 0;
}

/* argv with -t before its own operands (own) or behind all of it. */
static char **
with_check(char **argv, bool own)
{
	static char	 option[] = "-t";
	char		**out;
	size_t		 n = 0, i, at;

	while (argv[n] != NULL)
		n++;
	at = own ? 1 : n;
	out = csa_new_array(n + 2, char *);
	for (i = 0; i <= n; i++)
		out[i] = i < at ? argv[i] : i == at ? option : argv[i - 1];
	return out;
}

pid_t
csa_child_check(struct csa_prefork *p, bool own)
{
	pid_t	 pid = fork();
	int	 null;

	if (pid == -1)
		csa_error("fork: %s", strerror(errno));
	if (pid != 0)
		return pid;
	if (p->conf != NULL)
		CSA_MUST(setenv(CSA_CONF_ENV, p->conf, 1) == 0);
	/* It has no business with the socket. */
	if ((null = open("/dev/null", O_RDWR)) != -1)
		(void)dup2(null, STDIN_FILENO);
	run(with_check(own ? p->argv : p->worker, own));
}

static void
drains(struct csa_prefork *p, struct csa_child *c)
{
	c->state = CSA_CHILD_DRAINING;
	c->kill_at = csa_now_ms() + p->drain_ms + GRACE_MS;
}

void
csa_child_end(struct csa_prefork *p, struct csa_child *c)
{
	if (c->state == CSA_CHILD_DRAINING)
		return;
	(void)kill(c->pid, SIGTERM);
	drains(p, c);
}

int
csa_child_news(struct csa_prefork *p, struct csa_child *c)
{
	char	 said;
	ssize_t	 n = read(c->notify, &said, 1);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		/* It ended, which waitpid tells better. */
		close(c->notify);
		c->notify = -1;
		return 0;
	}
	if (said == 'R' && c->state == CSA_CHILD_STARTING) {
		c->state = CSA_CHILD_READY;
		c->kill_at = INT64_MAX;
		csa_info("worker %d is ready after %lld ms", (int)c->pid,
		    (long long)(csa_now_ms() - c->started));
		return 1;
	}
	if (said == 'D' && c->state != CSA_CHILD_DRAINING) {
		drains(p, c);
		return 2;
	}
	return 0;
}

/* A signal that a program does not send to itself. */
static bool
from_outside(int sig)
{
	return sig == SIGKILL || sig == SIGTERM || sig == SIGINT ||
	    sig == SIGHUP || sig == SIGQUIT || sig == SIGUSR1 ||
	    sig == SIGUSR2;
}

/* The reason's label, and its words for the log. */
static const char *
reason(const struct csa_child *c, int status, char *text, size_t n)
{
	int	 code = WEXITSTATUS(status), sig = WTERMSIG(status);

	if (WIFSIGNALED(status)) {
		snprintf(text, n, "%s by signal %d (%s)%s",
		    from_outside(sig) ? "killed" : "crashed", sig,
		    strsignal(sig), c->killed ? ", by us: too slow" : "");
		return c->killed ? "too_slow" : from_outside(sig) ? "killed" :
		    "crashed";
	}
	if (code == 0) {
		snprintf(text, n, "ended as told");
		return "ended";
	}
	if (code == CSA_EXIT_CONFIG || code == CANNOT_RUN) {
		snprintf(text, n, code == CANNOT_RUN ? "cannot be run" :
		    "refused its configuration (exit status 2)");
		return "configuration";
	}
	snprintf(text, n, "failed with exit status %d", code);
	return "failed";
}

/* Did it fail to start, rather than fail, or be killed, while it served? */
static bool
failed_start(const struct csa_child *c, int status)
{
	if (WIFSIGNALED(status) && from_outside(WTERMSIG(status)) && !c->killed)
		return false;
	if (c->state == CSA_CHILD_STARTING)
		return true;
	return (!WIFEXITED(status) || WEXITSTATUS(status) != 0) &&
	    c->state == CSA_CHILD_READY &&
	    csa_now_ms() - c->started < QUICK_MS;
}

static void
back_off(struct csa_prefork *p, const char *why)
{
	int64_t	 now = csa_now_ms();

	/* Those that failed together count once. */
	if (p->delay == 0 || now >= p->failed + p->delay)
		p->delay = p->delay == 0 ? DELAY_MIN : p->delay * 2;
	if (strcmp(why, "configuration") == 0 && p->delay < DELAY_CONFIG)
		p->delay = DELAY_CONFIG;
	if (p->delay > DELAY_MAX)
		p->delay = DELAY_MAX;
	p->failed = now;
	csa_error("workers do not start; the next attempt is in %.1f s",
	    (double)p->delay / 1000);
}

int
csa_child_gone(struct csa_prefork *p, pid_t pid, int status)
{
	struct csa_child	*c = p->child;
	char			 text[96], labels[128];
	const char		*why;
	bool			 early;

	while (c < p->child + p->nchildren && c->pid != pid)
		c++;
	if (c == p->child + p->nchildren)
		return -1;
	early = c->state == CSA_CHILD_STARTING;
	why = reason(c, status, text, sizeof(text));
	csa_log(strcmp(why, "ended") == 0 ? CSA_INFO : CSA_WARN,
	    "worker %d %s after %.1f s", (int)pid, text,
	    (double)(csa_now_ms() - c->started) / 1000);
	snprintf(labels, sizeof(labels), "%s|%s", p->pool, why);
	csa_count(CSA_M_worker_exits, labels, 1);
	if (failed_start(c, status) && !p->stopping)
		back_off(p, why);
	if (c->notify != -1)
		close(c->notify);
	*c = p->child[--p->nchildren];
	return early ? 1 : 0;
}

void
csa_children_count(struct csa_prefork *p, bool gone)
{
	static const char *const	 names[CSA_CHILD__MAX] = {
		[CSA_CHILD_STARTING] = "starting",
		[CSA_CHILD_READY] = "ready",
		[CSA_CHILD_DRAINING] = "draining",
	};
	char				 labels[96];
	int64_t				 n;

	for (int s = 0; s < CSA_CHILD__MAX; s++) {
		n = gone ? 0 : (int64_t)csa_children(p, s);
		snprintf(labels, sizeof(labels), "%s|%s", p->pool, names[s]);
		/* Added, not set: it dies with us, however we die. */
		csa_gauge_add(CSA_M_workers, labels, n - p->counted[s]);
		p->counted[s] = n;
	}
}
