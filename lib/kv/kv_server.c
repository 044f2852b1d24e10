/*
 * One server through libmemcached, by the binary protocol, of which it is known
 * (1.1.4):
 *
 * - Values are read by asking for many even where it is one: only so can they
 *   be read into a result of ours.  The length of a reply's key is believed, up
 *   to 64 KiB, and copied into 251 bytes; behind ours there is room for it.
 * - A reply belongs to whose key it bears.  The library does not look, so a
 *   reply too many would be the next one's.  One without a key that was asked
 *   for, or a key for the second time: the connection is closed.
 * - Whatever goes wrong the connection is closed, since the library may leave
 *   what comes too late for the next one to read; and it would refuse to
 *   connect for a second or two otherwise.
 * - Many values are put with buffer_requests: 8 KiB at a time, all of them
 *   before the first reply is read.  The replies come in the order of the
 *   values.  The library throws away replies of what it buffers above two
 *   watermarks.
 */

#include "config.h"

#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_server.h"

#define MOST_MEMORY	(4 * 1024 * 1024)	/* in one piece */

/* ---- memory of the library ---- */

/* A reply says how long it is: what no value can be is not allocated. */
static void *
lib_malloc(const memcached_st *mc, const size_t n, void *arg)
{
	(void)mc;
	(void)arg;
	return n <= MOST_MEMORY ? malloc(n) : NULL;
}

static void *
lib_realloc(const memcached_st *mc, void *p, const size_t n, void *arg)
{
	(void)mc;
	(void)arg;
	return n <= MOST_MEMORY ? realloc(p, n) : NULL;
}

static void *
lib_calloc(const memcached_st *mc, size_t n, const size_t size, void *arg)
{
	(void)mc;
	(void)arg;
	return calloc(n, size);
}

/* A key that was too long may have made the tray look like the library's. */
static void
lib_free(const memcached_st *mc, void *p, void *arg)
{
	struct csa_kv_server	*s = arg;

	(void)mc;
	if (p != NULL && p == (void *)s->tray)
		s->tray_lost = true;
	else
		free(p);
}

static void
empty_tray(struct csa_kv_server *s)
{
	memcached_result_st	*r = &s->tray->result;

	if (!s->tray_lost) {
		/* However much of it a key has overwritten. */
		r->options.is_allocated = false;
		r->options.is_initialized = true;
		memcached_result_free(r);
	}
	s->tray_lost = false;
	CSA_MUST(memcached_result_create(s->mc, r) == r);
}

/* ---- opening ---- */

/*
 * Some of libmemcached's timeouts are in milliseconds, others in microseconds.
 * Connecting and waiting for the reply share timeout_ms.
 */
static memcached_return_t
behave(memcached_st *mc, uint64_t connect, uint64_t reply)
{
	const struct {
		memcached_behavior_t	 what;
		uint64_t		 value;
	} settings[] = {
		{ MEMCACHED_BEHAVIOR_BINARY_PROTOCOL,	1 },
		{ MEMCACHED_BEHAVIOR_NO_BLOCK,		1 },
		{ MEMCACHED_BEHAVIOR_TCP_NODELAY,	1 },
		{ MEMCACHED_BEHAVIOR_CONNECT_TIMEOUT,	connect },
		{ MEMCACHED_BEHAVIOR_POLL_TIMEOUT,	reply },
		{ MEMCACHED_BEHAVIOR_SND_TIMEOUT,	reply * 1000 },
		{ MEMCACHED_BEHAVIOR_RCV_TIMEOUT,	reply * 1000 },
		/* The breaker decides when to try again; it waits longer. */
		{ MEMCACHED_BEHAVIOR_RETRY_TIMEOUT,	1 },
		{ MEMCACHED_BEHAVIOR_DEAD_TIMEOUT,	1 },
		{ MEMCACHED_BEHAVIOR_IO_MSG_WATERMARK,	INT32_MAX },
		{ MEMCACHED_BEHAVIOR_IO_BYTES_WATERMARK, INT32_MAX },
	};
	memcached_return_t	 rc = MEMCACHED_SUCCESS;

	for (size_t i = 0; i < CSA_NITEMS(settings); i++) {
		rc = memcached_behavior_set(mc, settings[i].what,
		    settings[i].value);
		if (rc != MEMCACHED_SUCCESS)
			break;
	}
	return rc;
}

struct csa_kv_server *
csa_kv_server_new(struct csa_kv_far *far, struct csa_kv_watch *watch,
    long timeout_ms)
{
	struct csa_kv_server	*s = csa_new(struct csa_kv_server);
	long			 connect = timeout_ms < 3 ? 1 : timeout_ms / 3;
	memcached_return_t	 rc;

	s->far = far;
	s->watch = watch;
	s->reply_ms = (int32_t)(timeout_ms > connect ?
	    timeout_ms - connect : 1);
	s->patience_ms = timeout_ms / 4;
	CSA_MUST((s->mc = memcached_create(NULL)) != NULL);
	CSA_MUST(memcached_set_memory_allocators(s->mc, lib_malloc, lib_free,
	    lib_realloc, lib_calloc, s) == MEMCACHED_SUCCESS);
	/* What is never touched of it costs nothing. */
	s->tray = csa_malloc(sizeof(*s->tray));
	CSA_MUST(memcached_result_create(s->mc, &s->tray->result) != NULL);
	rc = behave(s->mc, (uint64_t)connect, (uint64_t)s->reply_ms);
	if (rc == MEMCACHED_SUCCESS)
		rc = far->port == 0 ?
		    memcached_server_add_unix_socket(s->mc, far->host) :
		    memcached_server_add(s->mc, far->host, far->port);
	if (rc == MEMCACHED_SUCCESS)
		return s;
	csa_kv_server_free(s);
	return NULL;
}

void
csa_kv_server_free(struct csa_kv_server *s)
{
	if (s == NULL)
		return;
	empty_tray(s);
	memcached_result_free(&s->tray->result);
	memcached_free(s->mc);
	free(s->tray);
	free(s);
}

/* ---- an operation ---- */

static void
hang_up(struct csa_kv_server *s)
{
	/* It says goodbye, but must not wait until that can be sent. */
	csa_kv_watch_off(s->watch, &s->mc->poll_timeout);
	memcached_quit(s->mc);
	s->warm = false;
	empty_tray(s);
}

memcached_return_t
csa_kv_error(const struct csa_kv_server *s, memcached_return_t rc)
{
	memcached_return_t	 last = memcached_last_error(s->mc);

	return last == MEMCACHED_SUCCESS || last == MEMCACHED_NOTFOUND ?
	    rc : last;
}

bool
csa_kv_trial_begin(struct csa_kv_server *s, struct csa_kv_trial *t)
{
	t->began = csa_now_ms();
	return csa_kv_watch_on(s->watch, &s->mc->poll_timeout, s->reply_ms) &&
	    csa_kv_far_enter(s->far, &t->probe);
}

/*
 * A connection that was good may have been closed since, by a restart or for
 * being idle, and is found so at once.
 */
bool
csa_kv_trial_again(struct csa_kv_server *s, const struct csa_kv_trial *t)
{
	bool	 was_warm = s->warm;

	hang_up(s);
	return was_warm && csa_now_ms() - t->began <= s->patience_ms &&
	    csa_kv_watch_on(s->watch, &s->mc->poll_timeout, s->reply_ms);
}

void
csa_kv_trial_worked(struct csa_kv_server *s)
{
	s->warm = true;
	csa_kv_far_worked(s->far);
}

int
csa_kv_trial_failed(struct csa_kv_server *s, const struct csa_kv_trial *t,
    const char *what, memcached_return_t rc)
{
	hang_up(s);
	csa_kv_far_failed(s->far, t->probe, what, memcached_strerror(s->mc,
	    rc));
	return -1;
}
