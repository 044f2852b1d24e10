#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libmemcached/memcached.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kv/kv.h"
#include "lib/metrics/metrics.h"

#define SERVERS		64
#define FAILURES	3	/* in a row, and a server is left alone */
#define BYPASS_MS	5000
#define MONTH		(60 * 60 * 24 * 30)

/*
 * libmemcached never leaves out a server that does not answer, whatever its
 * behaviours are set to: every call would cost the whole timeout.
 */
struct breaker {
	unsigned	 failures;	/* in a row */
	int64_t		 until;		/* bypass; csa_now_ms() time */
};

struct kv_memcached {
	struct csa_kv	 kv;		/* first: a csa_kv * is also ours */
	memcached_st	*mc;
	uint32_t	 nservers;
	struct breaker	 breaker[SERVERS];
};

/* Whose key it is, or NULL where that server is being left alone. */
static struct breaker *
allowed(struct kv_memcached *m, const char *key)
{
	struct breaker	*b = m->breaker;

	if (m->nservers > 1)
		b += memcached_generate_hash(m->mc, key, strlen(key)) %
		    m->nservers;
	return b->failures >= FAILURES && csa_now_ms() < b->until ? NULL : b;
}

static void
worked(struct breaker *b)
{
	if (b->failures >= FAILURES)
		csa_info("memcached: is back");
	b->failures = 0;
}

/* Returns -1, as its callers do. */
static int
failed(struct kv_memcached *m, struct breaker *b, const char *what,
    memcached_return_t rc)
{
	csa_warn("memcached %s: %s", what, memcached_strerror(m->mc, rc));
	if (++b->failures < FAILURES)
		return -1;
	b->until = csa_now_ms() + BYPASS_MS;
	csa_warn("memcached: left alone for %d s", BYPASS_MS / 1000);
	return -1;
}

/* Beyond a month memcached takes a number for a date. */
static time_t
expiration(uint32_t ttl)
{
	return ttl <= MONTH ? (time_t)ttl : time(NULL) + (time_t)ttl;
}

static int
look_up(struct csa_kv *kv, const char *key, void **val, size_t *len)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	struct breaker		*b;
	memcached_return_t	 rc;
	uint32_t		 flags;

	*val = NULL;
	*len = 0;
	if (!csa_kv_key_good(key) || (b = allowed(m, key)) == NULL)
		return -1;
	*val = memcached_get(m->mc, key, strlen(key), len, &flags, &rc);
	if (rc == MEMCACHED_SUCCESS) {
		worked(b);
		/* An empty value comes as NULL. */
		if (*val == NULL) {
			*val = csa_malloc(1);
			*len = 0;
		}
		return 1;
	}
	free(*val);
	*val = NULL;
	*len = 0;
	if (rc != MEMCACHED_NOTFOUND)
		return failed(m, b, "get", rc);
	/* "Not found" is also said of a reply that it did not understand. */
	rc = memcached_last_error(m->mc);
	if (rc != MEMCACHED_SUCCESS && rc != MEMCACHED_NOTFOUND) {
		/* What is left of that must not be the next reply. */
		memcached_quit(m->mc);
		return failed(m, b, "get", rc);
	}
	worked(b);
	return 0;
}

static int
mc_get(struct csa_kv *kv, const char *key, void **val, size_t *len)
{
	int	 rc = look_up(kv, key, val, len);

	csa_count(CSA_M_cache_requests, rc == 1 ? "memcached|hit" :
	    rc == 0 ? "memcached|miss" : "memcached|error", 1);
	return rc;
}

typedef memcached_return_t	storer(memcached_st *, const char *, size_t,
		    const char *, size_t, time_t, uint32_t);

/* 0 stored, 1 was there, -1 failed. */
static int
store(struct csa_kv *kv, storer *put, const char *what, const char *key,
    const void *val, size_t len, uint32_t ttl)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	struct breaker		*b;
	memcached_return_t	 rc;

	if (!csa_kv_key_good(key) || len > CSA_KV_VALMAX ||
	    (b = allowed(m, key)) == NULL)
		return -1;
	rc = put(m->mc, key, strlen(key), len > 0 ? val : "", len,
	    expiration(ttl), 0);
	switch (rc) {
	case MEMCACHED_SUCCESS:
		worked(b);
		return 0;
	case MEMCACHED_NOTSTORED:
	case MEMCACHED_DATA_EXISTS:
		worked(b);
		return 1;
	case MEMCACHED_E2BIG:
	case MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE:
		/* It answers: nothing for the breaker. */
		worked(b);
		csa_warn("memcached %s: %s", what,
		    memcached_strerror(m->mc, rc));
		return -1;
	default:
		return failed(m, b, what, rc);
	}
}

static int
mc_set(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	return store(kv, memcached_set, "set", key, val, len, ttl) == 0 ?
	    0 : -1;
}

static int
mc_add(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	return store(kv, memcached_add, "add", key, val, len, ttl);
}

static int
mc_del(struct csa_kv *kv, const char *key)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	struct breaker		*b;
	memcached_return_t	 rc;

	if (!csa_kv_key_good(key) || (b = allowed(m, key)) == NULL)
		return -1;
	rc = memcached_delete(m->mc, key, strlen(key), 0);
	if (rc != MEMCACHED_SUCCESS && rc != MEMCACHED_NOTFOUND)
		return failed(m, b, "delete", rc);
	worked(b);
	return rc == MEMCACHED_SUCCESS;
}

/* A key for each server, found by trying; the last of a set is what counts. */
static int
mc_ping(struct csa_kv *kv)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	bool			 done[SERVERS] = { false };
	uint32_t		 left = m->nservers, at;
	char			 key[32];

	for (int i = 0; i < 10000 && left > 0; i++) {
		snprintf(key, sizeof(key), "csa-ping-%d", i);
		at = memcached_generate_hash(m->mc, key, strlen(key)) %
		    m->nservers;
		if (done[at])
			continue;
		if (mc_set(kv, key, "1", 1, 10) == -1)
			return -1;
		done[at] = true;
		left--;
	}
	return 0;
}

static void
mc_close(struct csa_kv *kv)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;

	memcached_free(m->mc);
	free(m);
}

static const struct csa_kv_ops	 mc_ops = {
	.name = "memcached",
	.get = mc_get,
	.set = mc_set,
	.add = mc_add,
	.del = mc_del,
	.ping = mc_ping,
	.close = mc_close,
};

/*
 * Some of libmemcached's timeouts are in milliseconds, others in microseconds.
 * Connecting and waiting for the reply share timeout_ms.
 */
static memcached_return_t
behave(memcached_st *mc, long timeout_ms, bool several)
{
	uint64_t	 connect = timeout_ms < 3 ? 1 :
	    (uint64_t)timeout_ms / 3;
	uint64_t	 reply = (uint64_t)timeout_ms > connect ?
	    (uint64_t)timeout_ms - connect : 1;
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
		{ MEMCACHED_BEHAVIOR_KETAMA,		several },
	};
	memcached_return_t	 rc = MEMCACHED_SUCCESS;

	for (size_t i = 0; i < CSA_NITEMS(settings); i++) {
		if (settings[i].what == MEMCACHED_BEHAVIOR_KETAMA && !several)
			continue;
		rc = memcached_behavior_set(mc, settings[i].what,
		    settings[i].value);
		if (rc != MEMCACHED_SUCCESS)
			break;
	}
	return rc;
}

/* "host:port", "[v6]:port", "/path". */
static memcached_return_t
add_server(memcached_st *mc, char *s)
{
	unsigned long	 port;
	char		*colon, *end;

	if (*s == '/')
		return memcached_server_add_unix_socket(mc, s);
	if ((colon = strrchr(s, ':')) == NULL || colon == s ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return MEMCACHED_INVALID_ARGUMENTS;
	port = strtoul(colon + 1, &end, 10);
	if (end == colon + 1 || port < 1 || port > 65535)
		return MEMCACHED_INVALID_ARGUMENTS;
	*colon = '\0';
	if (*s == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		s++;
	}
	if (*s == '\0' || strpbrk(s, " []\t") != NULL)
		return MEMCACHED_INVALID_ARGUMENTS;
	return memcached_server_add(mc, s, (in_port_t)port);
}

static memcached_return_t
add_servers(struct kv_memcached *m, char *list)
{
	memcached_return_t	 rc;
	char			*s, *end;

	while ((s = strsep(&list, ",")) != NULL) {
		s += strspn(s, " ");
		for (end = s + strlen(s); end > s && end[-1] == ' '; end--)
			end[-1] = '\0';
		if (m->nservers == SERVERS)
			return MEMCACHED_INVALID_ARGUMENTS;
		if ((rc = add_server(m->mc, s)) != MEMCACHED_SUCCESS)
			return rc;
		m->nservers++;
	}
	return MEMCACHED_SUCCESS;
}

struct csa_kv *
csa_kv_memcached_open(const char *servers, long timeout_ms,
    struct csa_err *err)
{
	struct kv_memcached	*m = csa_new(struct kv_memcached);
	char			*list = csa_strdup(servers);
	memcached_return_t	 rc;

	m->kv.ops = &mc_ops;
	m->mc = memcached_create(NULL);
	CSA_MUST(m->mc != NULL);
	rc = behave(m->mc, timeout_ms, strchr(servers, ',') != NULL);
	if (rc == MEMCACHED_SUCCESS)
		rc = add_servers(m, list);
	free(list);
	if (rc == MEMCACHED_SUCCESS)
		return &m->kv;
	csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_MEMCACHED,
	    "memcached_servers cannot be used");
	csa_fail_detail(err, "memcached_servers \"%s\": %s", servers,
	    memcached_strerror(m->mc, rc));
	mc_close(&m->kv);
	return NULL;
}
