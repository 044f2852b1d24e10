#include "config.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fcgiapp.h>

#include "fcgi/acceptor.h"
#include "fcgi/crew.h"
#include "fcgi/options.h"
#include "fcgi/startup.h"
#include "fcgi/worker.h"
#include "handlers/app.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/config/config.h"
#include "lib/text/digest.h"

static const int signals[] = {
	SIGTERM, SIGINT, SIGUSR1, SIGUSR2, SIGHUP, 0
};

/* A worker without its master would never be replaced: it ends as well. */
static void
follow_master(void)
{
	int	 master = csa_startup_env_fd(CSA_MASTER_ENV);

	unsetenv(CSA_MASTER_ENV);
	if (master == -1)
		return;
	/* USR1, not TERM: it may come second, and a second TERM cancels. */
	(void)prctl(PR_SET_PDEATHSIG, SIGUSR1, 0, 0, 0);
	/* It may have died before the line above. */
	if (getppid() != master)
		raise(SIGUSR1);
}

/* -1: not told by anybody, or told nonsense. */
static int
notify_fd(void)
{
	int	 fd = csa_startup_env_fd(CSA_NOTIFY_ENV);

	unsetenv(CSA_NOTIFY_ENV);
	return fd > STDERR_FILENO ? fd : -1;
}

static int
check_listener(const char *program)
{
	struct sockaddr_storage	 sa;
	socklen_t		 n = sizeof(sa);

	if (csa_startup_listener(STDIN_FILENO) == -1) {
		fprintf(stderr, "%s: descriptor 0 is not a listening socket "
		    "(%s); start me with spawn-fcgi, chatsphere-prefork or a "
		    "web server\n", program, strerror(errno));
		return -1;
	}
	/* Whoever can connect can claim to be the web server. */
	if (getsockname(STDIN_FILENO, (struct sockaddr *)&sa, &n) == 0 &&
	    sa.ss_family != AF_UNIX)
		csa_warn("the FastCGI socket is a network socket; it must be "
		    "reachable by the web server alone");
	if (geteuid() == 0)
		csa_info("running as root; a user of its own is safer");
	return 0;
}

/*
 * Signals are blocked before FCGX_Init, whose handlers therefore never run:
 * they would interrupt a write, which libfcgi takes for the end of the stream.
 */
static int
init_libfcgi(void)
{
	/* It closes only what never became a request; nobody waits for that. */
	(void)setenv("LIBFCGI_OS_CLOSE_POLL_TIMEOUT", "1", 1);
	if (FCGX_Init() != 0)
		return -1;
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

/* Give or take a tenth, so that workers do not all leave together. */
static uint64_t
life(long max_requests)
{
	uint64_t	 n = (uint64_t)max_requests, dice;

	csa_random(&dice, sizeof(dice));
	return n == 0 ? 0 : n - n / 10 + dice % (n / 5 + 1);
}

static int
serve(const struct csa_config *config, struct csa_app *app, const char *name,
    unsigned pools, int notify, int sigfd)
{
	struct csa_crew_opts	 opts = {
		.app = app,
		.name = name,
		.pools = pools,
		.threads = (size_t)config->threads,
		.queue = (size_t)config->queue,
		.body_ms = config->body_timeout_ms,
		.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
	};
	struct csa_acceptor	 a = {
		.listen = STDIN_FILENO,
		.signals = sigfd,
		.wake = opts.wake,
		.crew = csa_crew_new(&opts),
		.app = app,
		.name = name,
		.queue_timeout_ms = config->queue_timeout_ms,
		.drain_ms = config->drain_ms,
		.max_requests = life(config->max_requests),
		.notify = notify,
	};

	CSA_MUST(opts.wake != -1);
	if (notify != -1)
		(void)!write(notify, "R", 1);
	csa_info("ready: %ld threads", config->threads);
	if (csa_accept_loop(&a) == -1) {
		/* Threads still use everything: no cleaning up. */
		csa_error("ended with %zu requests unfinished",
		    csa_crew_busy(a.crew));
		_exit(CSA_EXIT_FAILED);
	}
	csa_info("ended after %llu requests",
	    (unsigned long long)csa_crew_served(a.crew));
	csa_crew_free(a.crew);
	close(opts.wake);
	return EXIT_SUCCESS;
}

/*
 * glibc would make eight arenas a core, each with its own holes.  Few threads run
 * at a time, so two do; and of hundreds the holes would cost more than waiting
 * for one another.
 */
static void
few_arenas(long threads)
{
#ifdef M_ARENA_MAX
	(void)mallopt(M_ARENA_MAX, threads > CSA_CROWD ? 1 : 2);
#else
	(void)threads;
#endif
}

/*
 * A store of a hundred texts takes five megabytes and gives them back.  What goes
 * on to the kernel comes again a page at a time, which was a thirtieth of a store;
 * so where documents are stored, that much of the heap stays.
 */
#define HEAP_KEPT	(8 << 20)

static void
keep_heap(unsigned pools)
{
#if defined(M_TRIM_THRESHOLD) && defined(M_MMAP_THRESHOLD)
	if ((pools & CSA_POOL_STORE) == 0)
		return;
	(void)mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
	(void)mallopt(M_MMAP_THRESHOLD, HEAP_KEPT);
#else
	(void)pools;
#endif
}

static int
run(const struct csa_options *o, const struct csa_config *config,
    const char *name, unsigned pools, int notify)
{
	struct csa_app	*app;
	struct csa_err	 err;
	int		 sigfd = csa_startup_signals(signals), ret;

	follow_master();
	if (csa_log_open(o->program, config->log_file,
	    csa_options_level(config)) == -1)
		csa_warn("%s: %s", config->log_file, strerror(errno));
	if (check_listener(o->program) == -1)
		return CSA_EXIT_CONFIG;
	if (init_libfcgi() == -1)
		return CSA_EXIT_FAILED;
	if ((app = csa_app_new(config, name, &err)) == NULL) {
		csa_error("cannot start: %s: %s", err.msg, err.detail);
		return CSA_EXIT_CONFIG;
	}
	ret = serve(config, app, name, pools, notify, sigfd);
	csa_app_free(app);
	close(sigfd);
	return ret;
}

int
csa_worker_main(const char *name, unsigned pools, int argc, char *argv[])
{
	struct csa_options	 o;
	struct csa_config	*config;
	int			 notify = notify_fd(), ret;

	csa_startup(&notify, 1);
	if (csa_options_read(&o, argc, argv, NULL, &ret) == -1)
		return ret;
	o.look = csa_app_check;
	if ((config = csa_options_config(&o, &ret)) == NULL)
		return ret;
	few_arenas(config->threads);
	keep_heap(pools);
	ret = run(&o, config, name, pools, notify);
	csa_config_free(config);
	if (notify != -1)
		close(notify);
	return ret;
}
