#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_internal.h"

/*
 * Each server has a libmemcached of its own, so that what is wrong with one
 * does not touch the others; kv_ring.c says which of them a key belongs to.
 */
struct kv_memcached {
	struct csa_kv		 kv;		/* first: a csa_kv * is also ours */
	struct csa_kv_farm	*farm;
	bool			 owns_farm;
	struct csa_kv_ring	*ring;
	struct csa_kv_server	*server[CSA_KV_SERVERS];
	struct csa_kv_watch	 watch;
	int64_t			 timeout_ms;
};

static struct csa_kv_server *
server_of(const struct kv_memcached *m, const char *key)
{
	return m->server[csa_kv_ring_find(m->ring, key)];
}

static void
begin(struct kv_memcached *m)
{
	csa_kv_watch_begin(&m->watch, csa_now_ms() + m->timeout_ms);
}

static void
end(struct kv_memcached *m)
{
	csa_kv_watch_end(&m->watch);
}

/* ---- one ---- */

struct got {
	void	*val;
	size_t	 len;
};

static void
keep(void *arg, struct csa_kv_wanted *w, const void *val, size_t len)
{
	struct got	*got = arg;

	(void)w;
	got->val = csa_malloc(len + 1);
	if (len > 0)
		memcpy(got->val, val, len);
	got->len = len;
}

static int
mc_get(struct csa_kv *kv, const char *key, void **val, size_t *len)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	struct csa_kv_wanted	 w = { .key = key };
	struct got		 got = { NULL, 0 };
	int			 rc;

	*val = NULL;
	*len = 0;
	if (!csa_kv_key_good(key))
		return -1;
	begin(m);
	rc = csa_kv_server_get(server_of(m, key), &w, 1, keep, &got);
	end(m);
	if (rc == -1) {
		/* What has gone wrong behind it may have begun within it. */
		free(got.val);
		return -1;
	}
	*val = got.val;
	*len = got.len;
	return got.val != NULL;
}

typedef int	storer(struct csa_kv_server *, const struct csa_kv_item *);

static int
store(struct csa_kv *kv, storer *put, const char *key, const void *val,
    size_t len, uint32_t ttl)
{
	struct kv_memcached		*m = (struct kv_memcached *)kv;
	const struct csa_kv_item	 item = { key, val, len, ttl };
	int				 rc;

	if (!csa_kv_key_good(key) || len > CSA_KV_VALMAX)
		return -1;
	begin(m);
	rc = put(server_of(m, key), &item);
	end(m);
	return rc;
}

static int
mc_set(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	return store(kv, csa_kv_server_set, key, val, len, ttl);
}

static int
mc_add(struct csa_kv *kv, const char *key, const void *val, size_t len,
    uint32_t ttl)
{
	return store(kv, csa_kv_server_add, key, val, len, ttl);
}

static int
mc_del(struct csa_kv *kv, const char *key)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	int			 rc;

	if (!csa_kv_key_good(key))
		return -1;
	begin(m);
	rc = csa_kv_server_del(server_of(m, key), key);
	end(m);
	return rc;
}

/* ---- many ---- */

struct place {
	const char	*key;
	size_t		 i;		/* the caller's number */
	unsigned	 server;
};

struct search {
	void	(*found)(void *arg, size_t i, const void *val, size_t len);
	void	*arg;
	const struct place *place;	/* by server, then key */
};

static int
by_server(const void *a, const void *b)
{
	const struct place	*x = a, *y = b;

	if (x->server != y->server)
		return x->server < y->server ? -1 : 1;
	return strcmp(x->key, y->key);
}

/* Every key once, each with its places.  Returns how many. */
static size_t
make_wanted(const struct place *p, size_t n, struct csa_kv_wanted *w)
{
	size_t	 nw = 0;

	for (size_t i = 0; i < n; i++) {
		if (nw > 0 && strcmp(w[nw - 1].key, p[i].key) == 0)
			w[nw - 1].n++;
		else
			w[nw++] = (struct csa_kv_wanted){ .key = p[i].key,
			    .first = i, .n = 1, .server = p[i].server };
	}
	return nw;
}

static void
hand_out(void *arg, struct csa_kv_wanted *w, const void *val, size_t len)
{
	const struct search	*s = arg;

	for (size_t k = 0; k < w->n; k++)
		s->found(s->arg, s->place[w->first + k].i, val, len);
}

/* How many of n belong to the first one's server. */
static size_t
run(const struct csa_kv_wanted *w, size_t n)
{
	size_t	 k = 1;

	while (k < n && w[k].server == w->server)
		k++;
	return k;
}

/* All of one server.  Returns for how many places it could not be asked. */
static size_t
get_from(struct kv_memcached *m, struct csa_kv_wanted *w, size_t n,
    struct search *s)
{
	size_t	 lost = 0, group;
	int	 rc = 0;

	for (size_t i = 0; i < n; i += group) {
		group = n - i < CSA_KV_GROUP ? n - i : CSA_KV_GROUP;
		if (rc == 0)
			rc = csa_kv_server_get(m->server[w->server], w + i,
			    group, hand_out, s);
		for (size_t k = i; rc == -1 && k < i + group; k++)
			lost += w[k].given ? 0 : w[k].n;
	}
	return lost;
}

static size_t
mc_get_many(struct csa_kv *kv, const char *const *key, size_t n,
    void (*found)(void *, size_t, const void *, size_t), void *arg)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	struct place		*place = csa_new_array(n, struct place);
	struct csa_kv_wanted	*w = csa_new_array(n, struct csa_kv_wanted);
	struct search		 search = { found, arg, place };
	size_t			 good = 0, lost, nw, len;

	for (size_t i = 0; i < n; i++)
		if (csa_kv_key_good(key[i]))
			place[good++] = (struct place){ key[i], i,
			    csa_kv_ring_find(m->ring, key[i]) };
	lost = n - good;
	if (good > 0)
		qsort(place, good, sizeof(*place), by_server);
	nw = make_wanted(place, good, w);
	begin(m);
	for (size_t i = 0; i < nw; i += len) {
		len = run(w + i, nw - i);
		lost += get_from(m, w + i, len, &search);
	}
	end(m);
	free(w);
	free(place);
	return lost;
}

/* All of one server.  Returns how many were not stored. */
static size_t
set_to(struct kv_memcached *m, unsigned server, const struct csa_kv_item *item,
    const unsigned *of, size_t n)
{
	const struct csa_kv_item	*group[CSA_KV_GROUP];
	size_t				 ngroup = 0, lost = 0;

	for (size_t i = 0; i < n; i++) {
		if (of[i] != server)
			continue;
		group[ngroup++] = &item[i];
		if (ngroup == CSA_KV_GROUP) {
			lost += csa_kv_server_set_many(m->server[server],
			    group, ngroup);
			ngroup = 0;
		}
	}
	if (ngroup > 0)
		lost += csa_kv_server_set_many(m->server[server], group,
		    ngroup);
	return lost;
}

static size_t
mc_set_many(struct csa_kv *kv, const struct csa_kv_item *item, size_t n)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;
	unsigned		*of = csa_new_array(n, unsigned);
	size_t			 lost = 0;

	for (size_t i = 0; i < n; i++) {
		of[i] = CSA_KV_SERVERS;
		if (csa_kv_key_good(item[i].key) &&
		    item[i].len <= CSA_KV_VALMAX)
			of[i] = csa_kv_ring_find(m->ring, item[i].key);
		else
			lost++;
	}
	begin(m);
	for (unsigned s = 0; s < m->farm->n; s++)
		lost += set_to(m, s, item, of, n);
	end(m);
	free(of);
	return lost;
}

/* ---- all servers ---- */

/* As long as each may take: who asks wants to know of all. */
static int
mc_ping(struct csa_kv *kv)
{
	struct kv_memcached		*m = (struct kv_memcached *)kv;
	const struct csa_kv_item	 item = { "csa-ping", "1", 1, 10 };
	int				 rc = 0;

	for (unsigned s = 0; s < m->farm->n; s++) {
		begin(m);
		if (csa_kv_server_set(m->server[s], &item) == -1)
			rc = -1;
		end(m);
	}
	return rc;
}

static void
mc_close(struct csa_kv *kv)
{
	struct kv_memcached	*m = (struct kv_memcached *)kv;

	for (unsigned s = 0; s < m->farm->n; s++)
		csa_kv_server_free(m->server[s]);
	csa_kv_ring_free(m->ring);
	if (m->owns_farm)
		csa_kv_farm_free(m->farm);
	csa_kv_watch_fini(&m->watch);
	free(m);
}

static const struct csa_kv_ops	 mc_ops = {
	.name = "memcached",
	.get = mc_get,
	.set = mc_set,
	.add = mc_add,
	.del = mc_del,
	.get_many = mc_get_many,
	.set_many = mc_set_many,
	.ping = mc_ping,
	.close = mc_close,
};

/* ---- opening ---- */

struct csa_kv *
csa_kv_memcached_of(struct csa_kv_farm *farm, struct csa_kv_warden *warden,
    long timeout_ms, struct csa_err *err)
{
	struct kv_memcached	*m = csa_new(struct kv_memcached);
	bool			 good = true;

	m->kv.ops = &mc_ops;
	m->farm = farm;
	m->timeout_ms = timeout_ms;
	csa_kv_watch_init(&m->watch);
	for (unsigned s = 0; s < farm->n; s++) {
		m->server[s] = csa_kv_server_new(&farm->far[s], &m->watch,
		    timeout_ms);
		good = good && m->server[s] != NULL;
	}
	if (good && (m->ring = csa_kv_ring_new(farm)) != NULL) {
		if (warden != NULL)
			csa_kv_warden_add(warden, &m->watch);
		return &m->kv;
	}
	mc_close(&m->kv);
	csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_MEMCACHED,
	    "memcached_servers cannot be used");
	csa_fail_detail(err, "memcached_servers: libmemcached takes none of "
	    "such names");
	return NULL;
}

struct csa_kv *
csa_kv_memcached_open(const char *servers, long timeout_ms,
    struct csa_err *err)
{
	struct csa_kv_farm	*farm = csa_kv_farm_new(servers, err);
	struct csa_kv		*kv;

	if (farm == NULL)
		return NULL;
	kv = csa_kv_memcached_of(farm, NULL, timeout_ms, err);
	if (kv == NULL)
		csa_kv_farm_free(farm);
	else
		((struct kv_memcached *)kv)->owns_farm = true;
	return kv;
}
