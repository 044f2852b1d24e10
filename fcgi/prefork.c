#include "config.h"

#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/options.h"
#include "fcgi/prefork.h"
#include "fcgi/startup.h"
#include "fcgi/worker.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"

#define STEADY_MS	1000	/* served so long, a worker ends the back-off */

static const int signals[] = {
	SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD, 0
};

/* What a check of the configuration is for. */
enum purpose { NOTHING, REPLACE, AGAIN };

struct master {
	struct csa_prefork p;
	const struct csa_options *options;
	int		 sigfd;
	pid_t		 checker;	/* 0: none runs */
	enum purpose	 purpose, next;	/* next: asked for meanwhile */
};

static void
configure(struct csa_prefork *p, const struct csa_config *config)
{
	cpu_set_t	 set;
	int		 n = 1;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		n = CPU_COUNT(&set);
	p->drain_ms = config->drain_ms;
	p->crowded = config->threads > CSA_CROWD;
	/* Two at least: one may crash. */
	p->target = config->workers > 0 ? (size_t)config->workers :
	    n > 2 ? (size_t)n : 2;
}

static struct csa_child *
oldest(struct csa_prefork *p, bool outdated)
{
	struct csa_child	*c, *found = NULL;

	for (c = p->child; c < p->child + p->nchildren; c++)
		if (c->state == CSA_CHILD_READY &&
		    (!outdated || c->generation != p->generation) &&
		    (found == NULL || c->started < found->started))
			found = c;
	return found;
}

/* The new ones cannot serve: the old ones are good enough again. */
static void
give_up_replacing(struct csa_prefork *p)
{
	csa_error("the replacement did not start; the old workers stay");
	for (size_t i = 0; i < p->nchildren; i++)
		p->child[i].generation = p->generation;
}

static bool
may_start(const struct csa_prefork *p)
{
	if (p->delay == 0)
		return true;
	/* After a failure one at a time, until one has proven itself. */
	return csa_now_ms() >= p->failed + p->delay &&
	    csa_children(p, CSA_CHILD_STARTING) == 0;
}

static void
end_back_off(struct csa_prefork *p)
{
	int64_t	 now = csa_now_ms();

	for (size_t i = 0; p->delay > 0 && i < p->nchildren; i++)
		if (p->child[i].state == CSA_CHILD_READY &&
		    p->child[i].started >= p->failed &&
		    now - p->child[i].started >= STEADY_MS)
			p->delay = 0;
}

/* Start what is missing, end what is too many. */
static void
balance(struct csa_prefork *p)
{
	size_t	 starting = csa_children(p, CSA_CHILD_STARTING);
	size_t	 ready = csa_children(p, CSA_CHILD_READY);

	end_back_off(p);
	while (ready > p->target) {
		csa_child_end(p, oldest(p, oldest(p, true) != NULL));
		ready--;
	}
	while (starting + ready < p->target && may_start(p) &&
	    csa_child_start(p) == 0)
		starting++;
	/* One more than wanted, so that replacing takes no place away. */
	if (oldest(p, true) != NULL && starting == 0 && may_start(p))
		(void)csa_child_start(p);
	csa_children_count(p, false);
}

static void
start_check(struct master *m, enum purpose why)
{
	if (m->checker != 0) {
		/* Once more afterwards: the file may have changed since. */
		m->next = m->next > why ? m->next : why;
		return;
	}
	m->purpose = why;
	m->checker = csa_child_check(&m->p, why == AGAIN);
	if (m->checker == -1)
		m->checker = 0;
}

static void
replace(struct master *m)
{
	struct csa_config	*config;
	int			 status;

	/* It was good a moment ago in the worker's eyes. */
	if ((config = csa_options_config(m->options, &status)) == NULL)
		return;
	configure(&m->p, config);
	csa_config_free(config);
	m->p.generation++;
	m->p.delay = 0;
	csa_info("replacing the workers one by one");
}

/*
 * Be the new program.  What was asked for meanwhile it would never hear of: so we
 * say it to ourselves, blocked, and whoever we are then reads it.
 */
static void
become(struct master *m, enum purpose *next)
{
	if (*next != NOTHING)
		(void)kill(getpid(), *next == AGAIN ? SIGUSR2 : SIGHUP);
	*next = NOTHING;
	csa_prefork_again(&m->p);
}

static void
checked(struct master *m, int status)
{
	enum purpose	 why = m->purpose, next = m->next;

	m->checker = 0;
	m->purpose = m->next = NOTHING;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		csa_error("%s", why == AGAIN ?
		    "the new program or its configuration is bad; "
		    "going on as before" :
		    "the configuration is bad; the old workers stay");
	else if (why == AGAIN)
		become(m, &next);
	else
		replace(m);
	if (next != NOTHING)
		start_check(m, next);
}

static void
reap(struct master *m)
{
	bool	 replacing;
	pid_t	 pid;
	int	 status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->checker) {
			checked(m, status);
			continue;
		}
		replacing = oldest(&m->p, true) != NULL;
		if (csa_child_gone(&m->p, pid, status) == 1 && replacing)
			give_up_replacing(&m->p);
	}
}

static void
stop(struct master *m, int sig)
{
	struct csa_prefork	*p = &m->p;

	csa_info("ending: %s", strsignal(sig));
	for (size_t i = 0; i < p->nchildren; i++)
		if (p->stopping && sig == SIGTERM)
			/* The second one cancels. */
			(void)kill(p->child[i].pid, SIGTERM);
		else
			csa_child_end(p, &p->child[i]);
	p->stopping = true;
}

static void
reopen_logs(struct csa_prefork *p)
{
	csa_log_reopen();
	for (size_t i = 0; i < p->nchildren; i++)
		if (p->child[i].state != CSA_CHILD_STARTING)
			(void)kill(p->child[i].pid, SIGUSR2);
}

static void
on_signal(struct master *m)
{
	struct signalfd_siginfo	 si;

	while (read(m->sigfd, &si, sizeof(si)) == sizeof(si))
		switch (si.ssi_signo) {
		case SIGCHLD:
			break;		/* several may be one: see reap */
		case SIGHUP:
			if (!m->p.stopping)
				start_check(m, REPLACE);
			break;
		case SIGUSR2:
			if (!m->p.stopping)
				start_check(m, AGAIN);
			break;
		case SIGUSR1:
			reopen_logs(&m->p);
			break;
		default:
			stop(m, (int)si.ssi_signo);
		}
	reap(m);
}

static void
on_time(struct csa_prefork *p)
{
	struct csa_child	*c;
	int64_t			 now = csa_now_ms();

	for (c = p->child; c < p->child + p->nchildren; c++)
		if (now >= c->kill_at) {
			csa_warn("worker %d does not %s: killing it",
			    (int)c->pid, c->state == CSA_CHILD_STARTING ?
			    "become ready" : "end");
			c->killed = true;
			c->kill_at = INT64_MAX;
			(void)kill(c->pid, SIGKILL);
		}
}

static int
timeout_ms(const struct csa_prefork *p)
{
	int64_t	 t = INT64_MAX, next;

	for (size_t i = 0; i < p->nchildren; i++) {
		if (p->child[i].kill_at < t)
			t = p->child[i].kill_at;
		next = p->child[i].started + STEADY_MS;
		if (p->delay > 0 && next < t && next >= csa_now_ms())
			t = next;
	}
	/* While a start is under way, its end is what is waited for. */
	if (p->delay > 0 && p->failed + p->delay < t &&
	    csa_children(p, CSA_CHILD_STARTING) == 0 &&
	    csa_children(p, CSA_CHILD_READY) < p->target)
		t = p->failed + p->delay;
	if (t == INT64_MAX)
		return -1;
	next = csa_left_ms(t);
	return next < INT_MAX ? (int)next : INT_MAX;
}

static void
turn(struct master *m)
{
	struct csa_prefork	*p = &m->p;
	struct pollfd		 set[1 + CSA_CHILDREN];
	size_t			 n = p->nchildren;

	set[0] = (struct pollfd){ m->sigfd, POLLIN, 0 };
	for (size_t i = 0; i < n; i++)
		set[1 + i] = (struct pollfd){ p->child[i].notify, POLLIN, 0 };
	if (poll(set, 1 + n, timeout_ms(p)) == -1)
		return;
	/* Before signals: those who ended may have said something. */
	for (size_t i = 0; i < n; i++)
		if (set[1 + i].revents != 0)
			(void)csa_child_news(p, &p->child[i]);
	if (set[0].revents != 0)
		on_signal(m);
	on_time(p);
	if (p->stopping)
		csa_children_count(p, false);
	else
		balance(p);
}

/* "chat" of "/usr/libexec/chatsphere/chat.fcgi". */
static void
name_pool(struct csa_prefork *p)
{
	const char	*slash = strrchr(p->worker[0], '/');
	char		*dot;

	snprintf(p->pool, sizeof(p->pool), "%s",
	    slash != NULL ? slash + 1 : p->worker[0]);
	if ((dot = strrchr(p->pool, '.')) != NULL && dot != p->pool)
		*dot = '\0';
}

static int
start(struct master *m, const struct csa_config *config)
{
	struct csa_err	 ignored;

	m->p.program = m->options->program;
	m->p.conf = m->options->file;
	m->p.worker = m->options->operands;
	name_pool(&m->p);
	configure(&m->p, config);
	m->sigfd = csa_startup_signals(signals);
	if (csa_log_open(m->p.program, config->log_file,
	    csa_options_level(config)) == -1)
		csa_warn("%s: %s", config->log_file, strerror(errno));
	if (csa_startup_listener(STDIN_FILENO) == -1) {
		fprintf(stderr, "%s: descriptor 0 is not a listening socket "
		    "(%s); start me with spawn-fcgi -n or a systemd socket\n",
		    m->p.program, strerror(errno));
		return -1;
	}
	(void)csa_metrics_open(config->run_dir, &ignored);
	csa_info("pool %s: %zu workers, %zu taken over", m->p.pool,
	    m->p.target, m->p.nchildren);
	return 0;
}

static void
run(struct master *m)
{
	/* Children that ended while we became someone else. */
	reap(m);
	balance(&m->p);
	while (!m->p.stopping || m->p.nchildren > 0)
		turn(m);
	csa_children_count(&m->p, true);
	csa_metrics_close();
	csa_info("ended");
}

int
main(int argc, char *argv[])
{
	static struct master	 m;
	struct csa_options	 o;
	struct csa_config	*config;
	int			 fds[CSA_CHILDREN], status;
	size_t			 n;

	m.p.argv = argv;
	n = csa_prefork_adopt(&m.p, fds);
	csa_startup(fds, n);
	if (csa_options_read(&o, argc, argv, " -- WORKER [ARGUMENT ...]",
	    &status) == -1)
		return status;
	if ((config = csa_options_config(&o, &status)) == NULL)
		return status;
	m.options = &o;
	status = start(&m, config) == 0 ? EXIT_SUCCESS : CSA_EXIT_CONFIG;
	csa_config_free(config);
	if (status == EXIT_SUCCESS)
		run(&m);
	return status;
}
