#include "config.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/kv/kv.h"
#include "lib/store/store_check.h"
#include "lib/text/digest.h"

/* ---- memcached ---- */

#define TRIPS	4
#define SLOW_MS	10	/* set and get together */

static double
ms_since(int64_t ns)
{
	return (double)(csa_now_ns() - ns) / 1e6;
}

/* Set, get, compare: 0 and the times where they are the best so far, or -1. */
static int
round_trip(struct csa_kv *kv, double *set, double *get)
{
	char	 key[64], id[33];
	int64_t	 start = csa_now_ns();
	double	 ms;
	size_t	 n = 0;
	void	*val = NULL;
	int	 rc;

	csa_random_id(id);
	snprintf(key, sizeof(key), "chatsphere-doctor-%s", id);
	if (kv->ops->set(kv, key, id, sizeof(id), 10) == -1)
		return -1;
	if ((ms = ms_since(start)) < *set)
		*set = ms;
	start = csa_now_ns();
	rc = kv->ops->get(kv, key, &val, &n);
	if ((ms = ms_since(start)) < *get)
		*get = ms;
	if (rc == 1 && (n != sizeof(id) || memcmp(val, id, n) != 0))
		rc = -1;
	free(val);
	(void)kv->ops->del(kv, key);
	return rc == 1 ? 0 : -1;
}

/* The first one connects; what is told is how long one takes after that. */
static int
round_trips(struct csa_kv *kv, double *set, double *get)
{
	*set = *get = INFINITY;
	for (int i = 0; i < TRIPS; i++)
		if (round_trip(kv, set, get) == -1)
			return -1;
	return 0;
}

/* A socket that root can use may be closed to the service. */
static bool
closed_to_service(struct csa_doctor *d, const char *servers)
{
	char	 stops[PATH_MAX], path[128];

	for (; *servers != '\0'; servers += *servers == ',') {
		servers += strspn(servers, " ");
		snprintf(path, sizeof(path), "%.*s",
		    (int)strcspn(servers, ", "), servers);
		servers += strcspn(servers, ",");
		if (path[0] != '/' || !d->service.known ||
		    csa_may(&d->service, path, CSA_MAY_READ | CSA_MAY_WRITE,
		    stops, sizeof(stops)))
			continue;
		csa_report(&d->report, CSA_VERDICT_FAIL, "memcached", "%s, "
		    "whom the service runs as, may not use %s (%s stops it)",
		    d->service.name, path, stops);
		csa_report_do(&d->report, "memcached -a 0660 with the "
		    "service's group, or chmod/chgrp %s", stops);
		return true;
	}
	return false;
}

static void
say_down(struct csa_doctor *d, const char *servers)
{
	csa_report(&d->report, CSA_VERDICT_FAIL, "memcached", "%s: no answer "
	    "within memcached_timeout_ms (%ld)", servers,
	    d->config->memcached_timeout_ms);
	if (servers[0] == '/')
		csa_report_do(&d->report, "start it: memcached -s %s -a 0660 "
		    "(as the service's user)", servers);
	else
		csa_report_do(&d->report, "systemctl start memcached, and "
		    "look at the port; or empty memcached_servers to do "
		    "without");
}

void
csa_check_memcached(struct csa_doctor *d)
{
	const char	*servers, *name = "memcached";
	double		 set, get;
	struct csa_err	 err;
	struct csa_kv	*kv;

	if (d->config == NULL)
		return;
	servers = d->config->memcached_servers;
	if (*servers == '\0') {
		csa_report(&d->report, CSA_VERDICT_OK, name, "not configured: "
		    "nothing is cached");
		return;
	}
	kv = csa_kv_memcached_open(servers, d->config->memcached_timeout_ms,
	    &err);
	if (kv == NULL || round_trips(kv, &set, &get) == -1)
		say_down(d, servers);
	else if (!closed_to_service(d, servers)) {
		csa_report(&d->report, set + get > SLOW_MS ? CSA_VERDICT_WARN :
		    CSA_VERDICT_OK, name, "%s: set %.2f ms, get %.2f ms",
		    servers, set, get);
		if (set + get > SLOW_MS)
			csa_report_do(&d->report, "a cache should be near: a "
			    "memcached on this host answers in 0.1 ms");
	}
	if (kv != NULL)
		kv->ops->close(kv);
}

/* ---- the bots' files ---- */

#define SAMPLE		20	/* files looked into, the newest first */
#define LISTED		10000
#define CHECK_MS	3000	/* for all of them together */
#define LARGE_WAL	(64 << 20)

struct file {
	char	*path;
	int64_t	 modified;
};

struct files {
	struct file	*f;
	size_t		 n, size;
};

static bool
take(void *arg, const char *path, int64_t modified)
{
	struct files	*l = arg;

	if (l->n == l->size) {
		l->size = l->size > 0 ? 2 * l->size : 64;
		l->f = csa_realloc(l->f, l->size, sizeof(*l->f));
	}
	l->f[l->n].path = csa_strdup(path);
	l->f[l->n++].modified = modified;
	return l->n < LISTED;
}

static int
newest_first(const void *a, const void *b)
{
	int64_t	 x = ((const struct file *)a)->modified;
	int64_t	 y = ((const struct file *)b)->modified;

	return (x < y) - (x > y);
}

struct findings {
	unsigned	 looked, whole, damaged;
	int64_t		 chunks, wal;
	int		 schema, known;
};

static void
look_into(struct csa_doctor *d, const char *path, int64_t deadline,
    struct findings *sum)
{
	struct csa_store_file	 f;
	struct csa_err		 err;

	sum->looked++;
	if (csa_store_check(path, deadline, &f, &err) == -1) {
		sum->damaged++;
		csa_report(&d->report, CSA_VERDICT_FAIL, "store", "%s",
		    err.detail);
		csa_report_do(&d->report, "keep a copy of %s*; restore it "
		    "from a backup, or move it away and store the bot's "
		    "documents again", path);
		return;
	}
	sum->whole += f.whole;
	sum->chunks += f.chunks;
	sum->known = f.known;
	if (f.schema > 0 && (sum->schema == 0 || f.schema < sum->schema))
		sum->schema = f.schema;
	if (f.wal > sum->wal)
		sum->wal = f.wal;
}

static void
sum_up(struct csa_doctor *d, size_t all, const struct findings *s)
{
	if (all == 0) {
		csa_report(&d->report, CSA_VERDICT_OK, "store", "no bot has "
		    "documents yet");
		return;
	}
	if (s->damaged == 0)
		csa_report(&d->report, CSA_VERDICT_OK, "store", "%zu bot%s; "
		    "looked into %u with %lld chunks, %u of them checked "
		    "whole and sound; schema %d of %d, longest WAL %.1f MiB",
		    all, all == 1 ? "" : "s", s->looked, (long long)s->chunks,
		    s->whole, s->schema, s->known, (double)s->wal / 1048576);
	if (s->wal <= LARGE_WAL)
		return;
	csa_report(&d->report, CSA_VERDICT_WARN, "store", "a write-ahead log "
	    "has grown to %.0f MiB: something reads without end",
	    (double)s->wal / 1048576);
	csa_report_do(&d->report, "reload the pools (kill -HUP of the "
	    "masters); end other programs that have the file open");
}

void
csa_check_store(struct csa_doctor *d)
{
	int64_t		 deadline = csa_sooner(d->deadline, CHECK_MS);
	struct findings	 sum = { 0 };
	struct files	 l = { 0 };

	if (d->config == NULL)
		return;
	if (csa_store_files(d->config->data_dir, take, &l) == -1) {
		csa_report(&d->report, errno == EACCES ? CSA_VERDICT_SKIP :
		    CSA_VERDICT_FAIL, "store",
		    "%s/bots: %s", d->config->data_dir, strerror(errno));
		csa_report_do(&d->report, "run this as root or as the "
		    "service's user");
		return;
	}
	if (l.n > 0)
		qsort(l.f, l.n, sizeof(*l.f), newest_first);
	for (size_t i = 0; i < l.n && i < SAMPLE &&
	    csa_left_ms(deadline) > 0; i++)
		look_into(d, l.f[i].path, deadline, &sum);
	sum_up(d, l.n, &sum);
	for (size_t i = 0; i < l.n; i++)
		free(l.f[i].path);
	free(l.f);
}
