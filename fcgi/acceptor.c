#include "config.h"

#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fcgi/acceptor.h"
#include "fcgi/crew.h"
#include "fcgi/linger.h"
#include "handlers/app.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/http/http.h"
#include "lib/metrics/metrics.h"

#define WATCH_MS	1000	/* how often slow senders are looked for */
#define CANCEL_MS	3000	/* what a cancelled request has left */
#define BATCH		64	/* accepted in a row while full */
#define YIELD_NS	500000	/* what a full worker leaves to the others */
#define HIRES		8	/* accepted in a row by a crew that grows */
#define HIRE_NS		1000000	/* what it leaves to the others first */
#define EMFILE_NS	10000000

enum state { SERVING, DRAINING, CANCELLING, DONE };
enum { SIGNALS, WAKE, LISTEN, LINGER };		/* in the poll set */

struct loop {
	const struct csa_acceptor *a;
	struct csa_linger *linger;
	enum state	 state;
	bool		 watching;	/* somebody may still be sending */
	int64_t		 watch, until;	/* csa_now_ms() */
	int		 terms;
	int64_t		 sweep;		/* till then; the socket may end with us */
	uint64_t	 refused;	/* since it was last logged */
	int64_t		 refused_at;
	struct pollfd	 set[LINGER + CSA_LINGER_MAX];
};

static int64_t
sooner(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* The time at which there is something to do though nothing happened. */
static int64_t
due(struct loop *l)
{
	int64_t	 t = csa_linger_due(l->linger), oldest;

	if (l->watching)
		t = sooner(t, l->watch);
	if ((oldest = csa_crew_oldest(l->a->crew)) != INT64_MAX)
		t = sooner(t, oldest + l->a->queue_timeout_ms);
	if (l->state != SERVING)
		t = sooner(t, l->until);
	if (l->refused > 0)
		t = sooner(t, l->refused_at + 1000);
	return t;
}

static int
timeout_ms(struct loop *l)
{
	int64_t	 t = due(l), left;

	if (t == INT64_MAX)
		return -1;
	left = csa_left_ms(t);
	return left < INT_MAX ? (int)left : INT_MAX;
}

static void
refuse(struct loop *l, int fd, const char *reason)
{
	char	 labels[64];

	snprintf(labels, sizeof(labels), "%s|%s", l->a->name, reason);
	csa_count(CSA_M_requests_refused, labels, 1);
	if (l->refused++ == 0)
		l->refused_at = csa_now_ms();
	csa_linger_refuse(l->linger, fd);
}

/* One line a second at most: overload must not be made worse by its log. */
static void
log_refusals(struct loop *l)
{
	if (l->refused == 0 || csa_now_ms() < l->refused_at + 1000)
		return;
	csa_warn("%llu requests refused: all places were taken",
	    (unsigned long long)l->refused);
	l->refused = 0;
}

static void
pause_ns(long ns)
{
	struct timespec	 ts = { 0, ns };

	(void)nanosleep(&ts, NULL);
}

/* Returns whether there was a connection. */
static bool
accept_one(struct loop *l)
{
	int	 fd = accept4(l->a->listen, NULL, NULL, SOCK_CLOEXEC);

	if (fd == -1) {
		/* It stays readable: without a pause this would spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
		    errno == ENOBUFS) {
			csa_error("accept: %s", strerror(errno));
			pause_ns(EMFILE_NS);
		}
		return false;
	}
	if (!l->watching) {
		l->watching = true;
		l->watch = csa_now_ms() + WATCH_MS;
	}
	if (!csa_crew_give(l->a->crew, fd))
		refuse(l, fd, "queue_full");
	return true;
}

static void
accept_some(struct loop *l)
{
	enum csa_crew_place	 place = csa_crew_place(l->a->crew);
	int			 n = place == CSA_PLACE_HIRE ? HIRES : BATCH;

	/* One at a time: the next one may go to a worker with less to do. */
	if (place == CSA_PLACE_THREAD) {
		(void)accept_one(l);
		return;
	}
	/*
	 * Another worker may have room for it; if none has, take and queue it.
	 * Or an idle thread: of those that hundreds of requests need, all
	 * workers together should have as many, not each.
	 */
	pause_ns(place == CSA_PLACE_HIRE ? HIRE_NS : YIELD_NS);
	while (n-- > 0 && accept_one(l))
		;
}

/* Of the drain time, what is left for telling the clients. */
static int64_t
last_words(long drain_ms)
{
	return drain_ms / 4 < 1000 ? drain_ms / 4 : 1000;
}

static void
stop_accepting(struct loop *l, const char *why)
{
	if (l->state != SERVING)
		return;
	csa_info("ending: %s", why);
	if (l->a->notify != -1)
		(void)!write(l->a->notify, "D", 1);
	l->state = DRAINING;
	l->until = csa_now_ms() + l->a->drain_ms;
	__atomic_store_n(&l->a->app->draining, true, __ATOMIC_RELAXED);
	/* What cannot be finished still gets its error, before all is cut. */
	csa_http_drain(l->a->app->http, l->until - last_words(l->a->drain_ms));
	csa_crew_drain(l->a->crew);
}

static void
cancel(struct loop *l, const char *why)
{
	if (l->state != DRAINING || csa_crew_busy(l->a->crew) == 0)
		return;
	csa_warn("cancelling %zu requests: %s", csa_crew_busy(l->a->crew), why);
	l->state = CANCELLING;
	l->until = csa_now_ms() + CANCEL_MS;
	csa_crew_cancel(l->a->crew);
}

static void
on_signal(struct loop *l)
{
	struct signalfd_siginfo	 si;

	if (read(l->a->signals, &si, sizeof(si)) != sizeof(si))
		return;
	switch (si.ssi_signo) {
	case SIGTERM:
		if (++l->terms > 1)
			cancel(l, "a second SIGTERM");
		/* FALLTHROUGH */
	case SIGINT:
	case SIGUSR1:
		stop_accepting(l, strsignal((int)si.ssi_signo));
		break;
	case SIGUSR2:
		csa_log_reopen();
		break;
	}
}

/* What the clock asks for. */
static void
on_time(struct loop *l)
{
	int64_t	 now = csa_now_ms();
	int	 fd;

	while ((fd = csa_crew_stale(l->a->crew,
	    now - l->a->queue_timeout_ms)) != -1)
		refuse(l, fd, "queue_timeout");
	if (l->watching && now >= l->watch) {
		l->watching = csa_crew_watch(l->a->crew, now);
		l->watch = now + WATCH_MS;
	}
	if (l->state == DRAINING && now >= l->until)
		cancel(l, "the time to finish is over");
	/* Lingering connections alone keep nobody. */
	if (l->state == DRAINING && now >= l->until)
		l->state = DONE;
	else if (l->state == CANCELLING && now >= l->until)
		l->state = DONE;
	log_refusals(l);
}

static void
on_wake(struct loop *l)
{
	eventfd_t	 n;
	int		 fd;

	(void)eventfd_read(l->a->wake, &n);
	while ((fd = csa_crew_answered(l->a->crew)) != -1)
		csa_linger_close(l->linger, fd);
}

static void
check_end(struct loop *l)
{
	if (l->state == SERVING) {
		if (l->a->max_requests == 0 ||
		    csa_crew_served(l->a->crew) < l->a->max_requests)
			return;
		/*
		 * Without a master the socket may be ours alone (mod_fcgid,
		 * bin-path): what was connected meanwhile would be lost with
		 * us.  Where they do not stop coming, what was begun needs the
		 * other half of the time to end.
		 */
		if (l->a->notify == -1)
			l->sweep = csa_now_ms() + l->a->drain_ms / 2;
		stop_accepting(l, "max_requests served");
	}
	while (l->state == DRAINING && csa_now_ms() < l->sweep && accept_one(l))
		;
	if (csa_crew_busy(l->a->crew) == 0 &&
	    csa_linger_due(l->linger) == INT64_MAX)
		l->state = DONE;
}

static void
turn(struct loop *l)
{
	size_t	 n;

	l->set[SIGNALS] = (struct pollfd){ l->a->signals, POLLIN, 0 };
	l->set[WAKE] = (struct pollfd){ l->a->wake, POLLIN, 0 };
	l->set[LISTEN] = (struct pollfd){
		l->state == SERVING ? l->a->listen : -1, POLLIN, 0 };
	n = csa_linger_poll(l->linger, &l->set[LINGER]);
	if (poll(l->set, LINGER + n, timeout_ms(l)) == -1)
		return;
	/* First, while the set still stands for what is in the list. */
	csa_linger_turn(l->linger, &l->set[LINGER], n);
	if (l->set[LISTEN].revents != 0)
		accept_some(l);
	if (l->set[WAKE].revents != 0)
		on_wake(l);
	if (l->set[SIGNALS].revents != 0)
		on_signal(l);
	on_time(l);
	check_end(l);
}

int
csa_accept_loop(const struct csa_acceptor *a)
{
	struct loop	 l = { .a = a, .linger = csa_linger_new() };

	while (l.state != DONE)
		turn(&l);
	csa_linger_free(l.linger);
	return csa_crew_busy(a->crew) == 0 ? 0 : -1;
}
