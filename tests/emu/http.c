/*
 * A request's life: opened at the request line, filled with its body, then
 * dispatched once: logged, counted, given its fault, handed to its vendor's
 * code, and either sent or put to sleep and sent later.
 */
#include "config.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <microhttpd.h>

#include "tests/emu/emu.h"
#include "tests/emu/fault.h"
#include "tests/emu/http.h"
#include "tests/emu/lift.h"
#include "tests/emu/reqlog.h"
#include "tests/emu/route.h"
#include "tests/emu/send.h"
#include "tests/emu/stats.h"
#include "tests/emu/timer.h"

#define MAXBODY	((size_t)64 << 20)

static struct MHD_Daemon *daemon_;
static int verbose_fd = -1, listen_fd = -1;
static _Atomic uint64_t next_id = 1;

static int64_t
now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

int64_t
emu_now_ns(void)
{
	return now();
}

int64_t
emu_now_ms(void)
{
	return now() / 1000000;
}

static void *
open_request(void *cls, const char *uri, struct MHD_Connection *conn)
{
	struct emu_req *rq;

	(void)cls;
	rq = emu_calloc(1, sizeof(*rq));
	rq->conn = conn;
	rq->target = emu_strdup(uri);
	rq->id = atomic_fetch_add(&next_id, 1);
	rq->start_ms = emu_now_ms();
	rq->op = EMU_OP_OTHER;
	rq->rep.stop = SIZE_MAX;
	rq->phase = "request";
	return rq;
}

static void
note(const struct emu_req *rq)
{
	if (verbose_fd == -1 || rq->op == EMU_OP_CONTROL)
		return;
	dprintf(verbose_fd, "%" PRId64 " %" PRIu64 " %s %s %s %u in=%zu "
	    "out=%zu ms=%" PRId64 "%s\n", rq->start_ms, rq->id,
	    emu_op_name(rq->op), rq->method != NULL ? rq->method : "-",
	    rq->target, rq->rep.status, rq->body.len, rq->sent,
	    emu_now_ms() - rq->start_ms,
	    atomic_load(&rq->gone) ? " gone" : "");
}

static void
close_request(void *cls, struct MHD_Connection *conn, void **arg,
    enum MHD_RequestTerminationCode why)
{
	struct emu_req *rq = *arg;

	(void)cls;
	(void)conn;
	if (rq == NULL)
		return;
	*arg = NULL;
	if (why != MHD_REQUEST_TERMINATED_COMPLETED_OK && !rq->intended &&
	    !atomic_exchange(&rq->gone, true))
		emu_stat_disconnect(rq);
	emu_stat_end(rq);
	note(rq);
	emu_reply_clear(rq);
	emu_lift_fini(&rq->lift);
	if (rq->json != NULL)
		json_object_put(rq->json);
	emu_buf_fini(&rq->body);
	free(rq->target);
	free(rq->path);
	free(rq->index);
	free(rq);
}

static void
connection(void *cls, struct MHD_Connection *conn, void **ctx,
    enum MHD_ConnectionNotificationCode what)
{
	(void)cls;
	(void)conn;
	(void)ctx;
	emu_stat_connection(what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

/* The fault takes the connection itself away: nothing will be sent. */
static bool
broken(struct emu_req *rq)
{
	switch (rq->plan.fault) {
	case EMU_FAULT_RESET:
		emu_send_reset(rq);
		return true;
	case EMU_FAULT_BAD_HTTP:
		emu_send_raw(rq, "SSH-2.0-not-http\r\n\r\n");
		return true;
	case EMU_FAULT_CLOSE:
		rq->intended = true;
		return true;
	default:
		return false;
	}
}

/* Send, break, or sleep on: the answer's delay is over. */
static enum MHD_Result
answer(struct emu_req *rq)
{
	if (atomic_load(&rq->gone) || broken(rq))
		return MHD_NO;
	if (rq->plan.fault == EMU_FAULT_HANG) {
		rq->phase = "hang";
		emu_wait(rq, EMU_FOREVER);
		return MHD_YES;
	}
	rq->answered = true;
	return emu_send(rq);
}

static enum MHD_Result
dispatch(struct emu_req *rq)
{
	rq->dispatched = true;
	emu_route_classify(rq);
	emu_stat_begin(rq);
	emu_reqlog_add(rq);
	emu_fault_plan(rq);
	if (rq->too_big) {
		emu_error(rq, 413, "request body too large");
	} else if (emu_fault_before(rq)) {
		emu_route_handle(rq);
		emu_fault_after(rq);
	}
	emu_stat_answer(rq);
	if (rq->plan.delay_ms <= 0)
		return answer(rq);
	rq->phase = "delay";
	emu_wait(rq, rq->plan.delay_ms);
	return MHD_YES;
}

static enum MHD_Result
request(void *cls, struct MHD_Connection *conn, const char *url,
    const char *method, const char *version, const char *data,
    size_t *datalen, void **arg)
{
	struct emu_req *rq = *arg;

	(void)cls;
	(void)conn;
	(void)version;
	if (rq->path == NULL) {
		rq->path = emu_strdup(url);
		rq->method = method;
		return MHD_YES;
	}
	if (*datalen != 0) {
		if (*datalen > MAXBODY - rq->body.len)
			rq->too_big = true;
		else
			emu_buf_add(&rq->body, data, *datalen);
		*datalen = 0;
		return MHD_YES;
	}
	return rq->dispatched ? answer(rq) : dispatch(rq);
}

const char *
emu_header(const struct emu_req *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_HEADER_KIND, name);
}

const char *
emu_query(const struct emu_req *rq, const char *name)
{
	return MHD_lookup_connection_value(rq->conn, MHD_GET_ARGUMENT_KIND,
	    name);
}

struct each {
	const char	*name;
	void		(*fn)(void *, const char *);
	void		*arg;
};

static enum MHD_Result
each_one(void *arg, enum MHD_ValueKind kind, const char *key,
    const char *value)
{
	struct each *e = arg;

	(void)kind;
	if (strcmp(key, e->name) == 0)
		e->fn(e->arg, value != NULL ? value : "");
	return MHD_YES;
}

void
emu_query_each(const struct emu_req *rq, const char *name,
    void (*fn)(void *, const char *), void *arg)
{
	struct each e = { name, fn, arg };

	(void)MHD_get_connection_values(rq->conn, MHD_GET_ARGUMENT_KIND,
	    each_one, &e);
}

/* As many descriptors as we may have; a thousand waiting clients are usual. */
static void
raise_limit(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == -1)
		return;
	rl.rlim_cur = rl.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &rl);
}

uint16_t
emu_http_listen(const struct emu_listen *l)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof(sin);
	int on = 1;

	sin.sin_port = htons(l->port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (listen_fd == -1 || setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR,
	    &on, sizeof(on)) == -1 ||
	    bind(listen_fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(listen_fd, 4096) == -1 ||
	    getsockname(listen_fd, (struct sockaddr *)&sin, &len) == -1)
		err(1, "cannot listen on 127.0.0.1 port %u", l->port);
	return ntohs(sin.sin_port);
}

static struct MHD_Daemon *
start(const struct emu_listen *l, unsigned flags)
{
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, l->key },
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, l->cert },
		{ MHD_OPTION_END, 0, NULL },
	};

	if (l->cert == NULL)
		tls[0].option = MHD_OPTION_END;
	return MHD_start_daemon(flags, l->port, NULL, NULL, request, NULL,
	    MHD_OPTION_LISTEN_SOCKET, listen_fd,
	    MHD_OPTION_THREAD_POOL_SIZE, l->threads,
	    MHD_OPTION_CONNECTION_LIMIT, 16000u,
	    /* MHD clears all of it after each request: keep it small. */
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)32 * 1024,
	    MHD_OPTION_CONNECTION_TIMEOUT, l->idle_timeout,
	    MHD_OPTION_URI_LOG_CALLBACK, open_request, NULL,
	    MHD_OPTION_NOTIFY_COMPLETED, close_request, NULL,
	    MHD_OPTION_NOTIFY_CONNECTION, connection, NULL,
	    MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

void
emu_http_start(const struct emu_listen *l)
{
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD |
	    MHD_ALLOW_SUSPEND_RESUME | MHD_USE_TURBO;

	verbose_fd = l->verbose_fd;
	raise_limit();
	if (l->cert != NULL) {
		if (MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES)
			errx(1, "this libmicrohttpd has no TLS");
		flags |= MHD_USE_TLS;
	}
	emu_timer_start();
	if ((daemon_ = start(l, flags)) == NULL)
		errx(1, "libmicrohttpd does not start");
}

void
emu_http_stop(void)
{
	emu_timer_stop();
	MHD_stop_daemon(daemon_);
}
