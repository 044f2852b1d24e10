/*
 * engine: one multi handle, driven by whoever waits.
 *
 * There is no thread of the engine's own.  The first thread that waits takes
 * the driver's place: it sleeps in epoll_wait for all, hands data to curl,
 * wakes those whose calls have come to something, and leaves its place to one
 * of them when its own call is over.  A lone request therefore pays for no
 * hand-off between threads at all, and a busy process for one wake-up a call.
 *
 * Starting, unpausing and cancelling a call need the multi handle too, but
 * never wait for it: see jobs in http_internal.h.
 */

#include "config.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

#define EVENTS		16	/* a turn: a deadline may have to wait for it */
#define NEWEST		8	/* bodies looked at after every job */
#define MAX_SLEEP	60000	/* ms */
#define MAX_IDLE	4096	/* connections, where there is no limit */

/* Wake the driver, if it sleeps, once. */
static void
wake_driver(struct csa_http *h)
{
	uint64_t	 one = 1;
	ssize_t		 n;

	if (h->asleep_until == CSA_AWAKE)
		return;
	h->asleep_until = CSA_AWAKE;
	n = write(h->evfd, &one, sizeof(one));
	CSA_MUST(n == (ssize_t)sizeof(one));
}

void
csa_engine_notify(struct csa_waiter *w, bool driving)
{
	w->notified = true;
	if (driving)
		wake_driver(w->http);
	else
		pthread_cond_signal(&w->cond);
}

/* Tell the owner, who may free the call the moment the lock is let go. */
static void
conclude(struct csa_http_call *c, CURLcode result)
{
	struct csa_http		*h = c->http;
	struct csa_waiter	*w = c->waiter;
	bool			 driving;

	pthread_mutex_lock(&h->state);
	c->result = result;
	c->done = true;
	driving = h->driver == w;
	pthread_mutex_unlock(&h->state);
	csa_engine_notify(w, driving);
}

static void	give_to_curl(struct csa_http_call *);

/* Those who wait for a connection that cannot be made need wait no longer. */
static void
share_fate(struct csa_http_call *c, CURLcode result)
{
	struct csa_http_call	*other;

	while ((other = TAILQ_FIRST(&c->host->line)) != NULL) {
		csa_host_leave(other, result);
		memcpy(other->errbuf, c->errbuf, sizeof(other->errbuf));
		conclude(other, result);
	}
}

static void
not_sending(struct csa_http_call *c)
{
	if (c->sending)
		LIST_REMOVE(c, send);
	c->sending = false;
}

/* Does its owner still wait for it? */
static bool
wanted(struct csa_http_call *c)
{
	struct csa_http	*h = c->http;
	bool		 yes;

	pthread_mutex_lock(&h->state);
	yes = c->ended == 0 && !c->waiter->gone;
	pthread_mutex_unlock(&h->state);
	return yes && csa_now_ms() < c->deadline;
}

/*
 * Once more from the start.  It stands in line as any other: with one HTTP/2
 * connection a hundred calls may have died.
 */
static void
try_again(struct csa_http_call *c)
{
	c->again++;
	c->errbuf[0] = '\0';
	csa_limit_unsent(c);
	csa_host_dead(c);
	csa_host_leave(c, CURLE_OK);
	c->connection = NULL;
	c->shared = false;
	if (csa_host_enter(c))
		give_to_curl(c);
}

/* The call is over for curl. */
static void
finish(struct csa_http_call *c, CURLcode result)
{
	bool	 again = csa_easy_stale(c, result) && wanted(c);

	not_sending(c);
	csa_easy_stop(c, false);
	if (again) {
		try_again(c);
		return;
	}
	if (csa_host_leave(c, result))
		share_fate(c, result);
	conclude(c, result);
}

static void
give_to_curl(struct csa_http_call *c)
{
	CURLcode	 result = csa_easy_start(c);

	if (result != CURLE_OK)
		finish(c, result);
	else if (c->tls && c->len > 0) {
		c->sending = true;
		LIST_INSERT_HEAD(&c->http->sending, c, send);
	}
}

/*
 * Free what bodies that are sent still hold.  The newest stand first; those that
 * wait for the far end's permission to send are the driver's, before it sleeps.
 */
static void
look_at_sending(struct csa_http *h, unsigned most)
{
	struct csa_http_call	*c, *next;

	for (c = LIST_FIRST(&h->sending); c != NULL && most-- > 0; c = next) {
		next = LIST_NEXT(c, send);
		if (csa_easy_sent(c))
			not_sending(c);
	}
}

static void
removed(struct csa_http_call *c)
{
	struct csa_http		*h = c->http;
	struct csa_waiter	*w = c->waiter;

	if (c->easy != NULL || c->in_line) {
		not_sending(c);
		csa_easy_stop(c, true);
		csa_host_leave(c, CURLE_OK);
	}
	pthread_mutex_lock(&h->state);
	c->removed = true;
	pthread_mutex_unlock(&h->state);
	csa_engine_notify(w, false);
}

static void
do_job(struct csa_http_call *c, unsigned jobs)
{
	/* A call that is to end need not begin. */
	if (jobs & CSA_JOB_REMOVE) {
		removed(c);
		return;
	}
	if (jobs & CSA_JOB_UNPAUSE && c->easy != NULL)
		curl_easy_pause(c->easy, CURLPAUSE_CONT);
	if (jobs & CSA_JOB_START && csa_host_enter(c))
		give_to_curl(c);
}

static void
do_jobs(struct csa_http *h)
{
	struct csa_http_call	*c, *next, *todo = NULL;

	for (c = atomic_exchange(&h->jobs, NULL); c != NULL; c = next) {
		next = c->next;
		c->next = todo;
		todo = c;
	}
	for (c = todo; c != NULL; c = next) {
		/* Once `jobs` is 0 the call may be queued anew. */
		next = c->next;
		do_job(c, atomic_exchange(&c->jobs, 0));
	}
}

static void
do_timer(struct csa_http *h)
{
	int	 running;

	if (h->timer == -1 || csa_now_ms() < h->timer)
		return;
	h->timer = -1;
	curl_multi_socket_action(h->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

static void
do_finished(struct csa_http *h)
{
	struct csa_http_call	*c;
	CURLMsg			*m;
	CURLcode		 result;
	int			 left;

	while ((m = curl_multi_info_read(h->multi, &left)) != NULL) {
		CSA_MUST(m->msg == CURLMSG_DONE);
		result = m->data.result;
		CSA_MUST(curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE,
		    &c) == CURLE_OK && c != NULL);
		finish(c, result);
	}
}

/* Let those through for whom there is room by now. */
static bool
do_hosts(struct csa_http *h)
{
	struct csa_host		*host;
	struct csa_http_call	*c;
	bool			 any = false;

	if (!h->hosts_due)
		return false;
	h->hosts_due = false;
	LIST_FOREACH(host, &h->hosts, entry)
		while ((c = csa_host_next(host)) != NULL) {
			give_to_curl(c);
			any = true;
		}
	return any;
}

/* Everything that is due, with the curl lock held. */
static void
serve(struct csa_http *h)
{
	do {
		if (atomic_load(&h->jobs) != NULL)
			do_jobs(h);
		do_timer(h);
		do_finished(h);
	} while (do_hosts(h));
	look_at_sending(h, NEWEST);
	if (h->timer != -1 && h->timer < h->asleep_until)
		wake_driver(h);
}

/*
 * Let go of the curl lock.  Whoever left a job while we held it has gone away
 * trusting in us, so look once more: either they saw the lock free or we see
 * their job; the two fences make it so.
 */
static void
let_go(struct csa_http *h)
{
	for (;;) {
		pthread_mutex_unlock(&h->curl);
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load(&h->jobs) == NULL ||
		    pthread_mutex_trylock(&h->curl) != 0)
			return;
		serve(h);
	}
}

void
csa_engine_ask(struct csa_http_call *c, enum csa_job job)
{
	struct csa_http	*h = c->http;

	if (atomic_fetch_or(&c->jobs, job) == 0) {
		c->next = atomic_load(&h->jobs);
		while (!atomic_compare_exchange_weak(&h->jobs, &c->next, c))
			continue;
	}
	/* From here on the call may be somebody else's business, or gone. */
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&h->claimed) || pthread_mutex_trylock(&h->curl) != 0)
		return;
	serve(h);
	let_go(h);
}

/*
 * The driver comes with news for many, and a mutex is not fair: a few threads
 * that start one call after the other could keep it out for seconds.  While it
 * is on its way in they leave it their jobs.
 */
static void
driver_lock(struct csa_http *h)
{
	if (pthread_mutex_trylock(&h->curl) == 0)
		return;
	atomic_store(&h->claimed, true);
	pthread_mutex_lock(&h->curl);
	atomic_store(&h->claimed, false);
}

/* How long to sleep, in ms; 0 where there is something to see to first. */
static int
sleep_time(struct csa_http *h, int64_t until)
{
	int64_t	 now = csa_now_ms(), left;

	if (h->timer != -1 && h->timer < until)
		until = h->timer;
	left = until - now;
	h->asleep_until = until;
	return left < 0 ? 0 : left > MAX_SLEEP ? MAX_SLEEP : (int)left;
}

static void
dispatch(struct csa_http *h, const struct epoll_event *ev)
{
	uint64_t	 kind = ev->data.u64 & CSA_EVENT_KIND, n;

	if (kind == CSA_EVENT_SOCK) {
		csa_sock_ready(h, (int)(ev->data.u64 & INT_MAX), ev->events);
		do_finished(h);
	} else if (kind == CSA_EVENT_WATCH)
		csa_waiter_events(h);
	else if (read(h->evfd, &n, sizeof(n)) == -1)
		CSA_MUST(errno == EAGAIN);
	/* Someone may be waiting to get rid of a call. */
	if (atomic_load(&h->jobs) != NULL)
		do_jobs(h);
}

void
csa_engine_turn(struct csa_http *h, int64_t until)
{
	struct epoll_event	 ev[EVENTS];
	int			 i, n, ms;

	driver_lock(h);
	serve(h);
	look_at_sending(h, UINT_MAX);
	ms = sleep_time(h, until);
	if (h->driver->notified)
		ms = 0;
	let_go(h);

	/* Whoever notifies us from now on sees asleep_until and writes evfd. */
	n = epoll_wait(h->epfd, ev, EVENTS, ms);
	CSA_MUST(n >= 0 || errno == EINTR);

	driver_lock(h);
	h->asleep_until = CSA_AWAKE;
	for (i = 0; i < n; i++)
		dispatch(h, &ev[i]);
	serve(h);
	let_go(h);
}

static void
global_init(void)
{
	CSA_MUST(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

void
csa_engine_global(void)
{
	static pthread_once_t	 once = PTHREAD_ONCE_INIT;

	pthread_once(&once, global_init);
}

static void
multi_new(struct csa_http *h, long per_host)
{
	CURLM	*m = curl_multi_init();

	h->multi = m;
	h->share = curl_share_init();
	CSA_MUST(m != NULL && h->share != NULL);
	/* No lock functions: the share is only touched under the curl lock. */
	curl_share_setopt(h->share, CURLSHOPT_SHARE,
	    CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(m, CURLMOPT_SOCKETFUNCTION, csa_sock_wanted);
	curl_multi_setopt(m, CURLMOPT_SOCKETDATA, h);
	curl_multi_setopt(m, CURLMOPT_TIMERFUNCTION, csa_sock_timer);
	curl_multi_setopt(m, CURLMOPT_TIMERDATA, h);
	curl_multi_setopt(m, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	curl_multi_setopt(m, CURLMOPT_MAX_HOST_CONNECTIONS, per_host);
	/* Three upstreams, all kept; by default curl throws half away. */
	curl_multi_setopt(m, CURLMOPT_MAXCONNECTS, per_host > 0 ?
	    3 * per_host : MAX_IDLE);
}

static void
locks_new(struct csa_http *h)
{
	CSA_MUST(pthread_mutex_init(&h->curl, NULL) == 0);
	CSA_MUST(pthread_mutex_init(&h->state, NULL) == 0);
	LIST_INIT(&h->hosts);
	LIST_INIT(&h->sending);
	LIST_INIT(&h->followers);
	LIST_INIT(&h->spare_waiters);
}

static int
epoll_new(struct csa_http *h)
{
	struct epoll_event	 ev = { .events = EPOLLIN };

	h->epfd = epoll_create1(EPOLL_CLOEXEC);
	h->watchfd = epoll_create1(EPOLL_CLOEXEC);
	h->evfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ev.data.u64 = CSA_EVENT_WAKE;
	if (epoll_ctl(h->epfd, EPOLL_CTL_ADD, h->evfd, &ev) == -1)
		return -1;
	ev.data.u64 = CSA_EVENT_WATCH;
	return epoll_ctl(h->epfd, EPOLL_CTL_ADD, h->watchfd, &ev);
}

static void
epoll_free(struct csa_http *h)
{
	if (h->epfd != -1)
		close(h->epfd);
	if (h->watchfd != -1)
		close(h->watchfd);
	if (h->evfd != -1)
		close(h->evfd);
}

struct csa_http *
csa_http_new(const struct csa_http_opts *opts, struct csa_err *e)
{
	struct csa_http	*h;

	csa_engine_global();
	h = csa_new(struct csa_http);
	h->epfd = h->watchfd = h->evfd = -1;
	h->timer = -1;
	h->asleep_until = CSA_AWAKE;
	h->drain = INT64_MAX;
	h->connect_timeout_ms = opts->connect_timeout_ms;
	locks_new(h);
	if ((h->store = csa_ca_load(opts->ca_file, e)) == NULL)
		goto fail;
	if (epoll_new(h) == -1) {
		csa_fail(e, CSA_ERR_INTERNAL, CSA_SRC_AGENT, NULL);
		csa_fail_detail(e, "epoll: %s", strerror(errno));
		goto fail;
	}
	multi_new(h, opts->max_connections);
	return h;
fail:
	csa_http_free(h);
	return NULL;
}

void
csa_http_drain(struct csa_http *h, int64_t until)
{
	uint64_t	 one = 1;

	/* Whoever sleeps, sleeps until an hour that is no longer right. */
	pthread_mutex_lock(&h->state);
	h->drain = until;
	for (uint32_t i = 0; i < h->nwaiters; i++) {
		h->waiters[i]->notified = true;
		pthread_cond_signal(&h->waiters[i]->cond);
	}
	pthread_mutex_unlock(&h->state);
	(void)!write(h->evfd, &one, sizeof(one));
}

void
csa_http_free(struct csa_http *h)
{
	if (h == NULL)
		return;
	CSA_MUST(h->driver == NULL && atomic_load(&h->jobs) == NULL);
	for (int i = 0; i < CSA_EASY__MAX; i++)
		while (h->spare[i].n > 0)
			curl_easy_cleanup(h->spare[i].easy[--h->spare[i].n]);
	/* Closes the connections, through csa_sock_close. */
	curl_multi_cleanup(h->multi);
	curl_share_cleanup(h->share);
	csa_hosts_free(h);
	csa_urls_free(h);
	for (uint32_t i = 0; i < h->nwaiters; i++) {
		pthread_cond_destroy(&h->waiters[i]->cond);
		free(h->waiters[i]);
	}
	X509_STORE_free(h->store);
	epoll_free(h);
	pthread_mutex_destroy(&h->curl);
	pthread_mutex_destroy(&h->state);
	free(h->waiters);
	free(h->socks);
	for (int i = 0; i < CSA_EASY__MAX; i++)
		free(h->spare[i].easy);
	free(h);
}
