#include "config.h"

#include <string.h>
#include <time.h>

#include "lib/base/must.h"
#include "lib/kv/kv_server.h"

#define MONTH		(60 * 60 * 24 * 30)

/* ---- getting ---- */

/* Whose reply it is, once; or NULL. */
static struct csa_kv_wanted *
whose(struct csa_kv_wanted *w, size_t n, const memcached_result_st *r)
{
	const char	*key = r->item_key;
	size_t		 len = r->key_length, low = 0, high = n, mid;
	int		 order;

	if (len == 0 || len > CSA_KV_KEYMAX)
		return NULL;
	while (low < high) {
		mid = (low + high) / 2;
		order = strncmp(w[mid].key, key, len);
		if (order == 0 && w[mid].key[len] != '\0')
			order = 1;
		if (order == 0) {
			if (w[mid].given)
				return NULL;
			w[mid].given = true;
			return &w[mid];
		}
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

static memcached_return_t
try_get(struct csa_kv_server *s, struct csa_kv_wanted *w, size_t n,
    csa_kv_found *found, void *arg, size_t *nfound)
{
	const char		*key[CSA_KV_GROUP];
	size_t			 len[CSA_KV_GROUP];
	struct csa_kv_wanted	*of;
	memcached_result_st	*r;
	memcached_return_t	 rc;

	for (size_t i = 0; i < n; i++) {
		key[i] = w[i].key;
		len[i] = strlen(key[i]);
	}
	memcached_result_reset(&s->tray->result);
	rc = memcached_mget(s->mc, key, len, n);
	if (rc != MEMCACHED_SUCCESS)
		return csa_kv_error(s, rc);
	while ((r = memcached_fetch_result(s->mc, &s->tray->result, &rc)) !=
	    NULL) {
		if ((of = whose(w, n, r)) == NULL)
			return MEMCACHED_PROTOCOL_ERROR;
		(*nfound)++;
		found(arg, of, memcached_result_value(r),
		    memcached_result_length(r));
		/* So that no key stands there for a reply without one. */
		memcached_result_reset(r);
	}
	/* "Not found" is also said of a reply that it did not understand. */
	rc = csa_kv_error(s, rc);
	return rc == MEMCACHED_END || rc == MEMCACHED_NOTFOUND ?
	    MEMCACHED_SUCCESS : rc;
}

int
csa_kv_server_get(struct csa_kv_server *s, struct csa_kv_wanted *w, size_t n,
    csa_kv_found *found, void *arg)
{
	struct csa_kv_trial	 t;
	memcached_return_t	 rc;
	size_t			 nfound = 0;

	CSA_MUST(n <= CSA_KV_GROUP);
	if (!csa_kv_trial_begin(s, &t))
		return -1;
	rc = try_get(s, w, n, found, arg, &nfound);
	if (rc != MEMCACHED_SUCCESS && nfound == 0 && csa_kv_trial_again(s, &t))
		rc = try_get(s, w, n, found, arg, &nfound);
	if (rc != MEMCACHED_SUCCESS)
		return csa_kv_trial_failed(s, &t, "get", rc);
	csa_kv_trial_worked(s);
	return 0;
}

/* ---- putting ---- */

/* Beyond a month memcached takes a number for a date. */
static time_t
expiration(uint32_t ttl)
{
	return ttl <= MONTH ? (time_t)ttl : time(NULL) + (time_t)ttl;
}

typedef memcached_return_t	storer(memcached_st *, const char *, size_t,
		    const char *, size_t, time_t, uint32_t);

static memcached_return_t
put(struct csa_kv_server *s, storer *how, const struct csa_kv_item *item)
{
	memcached_return_t	 rc;

	rc = how(s->mc, item->key, strlen(item->key),
	    item->len > 0 ? item->val : "", item->len, expiration(item->ttl),
	    0);
	return rc == MEMCACHED_SUCCESS ? rc : csa_kv_error(s, rc);
}

/* It answers, but has no room for it. */
static bool
is_refusal(memcached_return_t rc)
{
	return rc == MEMCACHED_E2BIG ||
	    rc == MEMCACHED_MEMORY_ALLOCATION_FAILURE ||
	    rc == MEMCACHED_SERVER_MEMORY_ALLOCATION_FAILURE;
}

/* 0 stored, 1 was there, -1 failed: told. */
static int
stored(struct csa_kv_server *s, const struct csa_kv_trial *t, const char *what,
    memcached_return_t rc)
{
	if (rc == MEMCACHED_SUCCESS) {
		csa_kv_trial_worked(s);
		return 0;
	}
	if (rc == MEMCACHED_NOTSTORED || rc == MEMCACHED_DATA_EXISTS) {
		csa_kv_trial_worked(s);
		return 1;
	}
	if (!is_refusal(rc))
		return csa_kv_trial_failed(s, t, what, rc);
	csa_kv_trial_worked(s);
	csa_kv_far_refused(s->far, what, memcached_strerror(s->mc, rc));
	return -1;
}

int
csa_kv_server_set(struct csa_kv_server *s, const struct csa_kv_item *item)
{
	struct csa_kv_trial	 t;
	memcached_return_t	 rc;

	if (!csa_kv_trial_begin(s, &t))
		return -1;
	rc = put(s, memcached_set, item);
	if (rc != MEMCACHED_SUCCESS && !is_refusal(rc) &&
	    csa_kv_trial_again(s, &t))
		rc = put(s, memcached_set, item);
	return stored(s, &t, "set", rc) == 0 ? 0 : -1;
}

int
csa_kv_server_add(struct csa_kv_server *s, const struct csa_kv_item *item)
{
	struct csa_kv_trial	 t;

	if (!csa_kv_trial_begin(s, &t))
		return -1;
	/* Not twice: the second one would find the first one's. */
	return stored(s, &t, "add", put(s, memcached_add, item));
}

int
csa_kv_server_del(struct csa_kv_server *s, const char *key)
{
	struct csa_kv_trial	 t;
	memcached_return_t	 rc;

	if (!csa_kv_trial_begin(s, &t))
		return -1;
	rc = memcached_delete(s->mc, key, strlen(key), 0);
	if (rc != MEMCACHED_SUCCESS && rc != MEMCACHED_NOTFOUND)
		return csa_kv_trial_failed(s, &t, "delete",
		    csa_kv_error(s, rc));
	csa_kv_trial_worked(s);
	return rc == MEMCACHED_SUCCESS;
}

/* ---- putting many ---- */

/* What the library has sent is not known before it has sent all. */
static memcached_return_t
send_all(struct csa_kv_server *s, const struct csa_kv_item *const *item,
    size_t n)
{
	memcached_return_t	 rc = MEMCACHED_SUCCESS;

	/* memcached_behavior_set would close the connection. */
	s->mc->flags.buffer_requests = true;
	for (size_t i = 0; i < n && (rc == MEMCACHED_SUCCESS ||
	    rc == MEMCACHED_BUFFERED); i++)
		rc = put(s, memcached_set, item[i]);
	if (rc == MEMCACHED_SUCCESS || rc == MEMCACHED_BUFFERED)
		rc = memcached_flush_buffers(s->mc);
	s->mc->flags.buffer_requests = false;
	return rc;
}

/* The reply to each of n; *nstored counts the good ones. */
static memcached_return_t
take_all(struct csa_kv_server *s, size_t n, size_t *nstored)
{
	memcached_return_t	 rc, last;

	for (size_t i = 0; i < n; i++) {
		memcached_result_reset(&s->tray->result);
		if (memcached_fetch_result(s->mc, &s->tray->result, &rc) !=
		    NULL) {
			(*nstored)++;
			continue;
		}
		/* What is the server's mere "no" leaves no error behind. */
		last = memcached_last_error(s->mc);
		if (last != MEMCACHED_SUCCESS && !is_refusal(last))
			return last;
	}
	return MEMCACHED_SUCCESS;
}

size_t
csa_kv_server_set_many(struct csa_kv_server *s,
    const struct csa_kv_item *const *item, size_t n)
{
	struct csa_kv_trial	 t;
	memcached_return_t	 rc;
	size_t			 nstored = 0;

	CSA_MUST(n <= CSA_KV_GROUP);
	if (n == 1)
		return csa_kv_server_set(s, item[0]) == 0 ? 0 : 1;
	if (!csa_kv_trial_begin(s, &t))
		return n;
	rc = send_all(s, item, n);
	if (rc == MEMCACHED_SUCCESS)
		rc = take_all(s, n, &nstored);
	if (rc != MEMCACHED_SUCCESS && nstored == 0 &&
	    csa_kv_trial_again(s, &t)) {
		rc = send_all(s, item, n);
		if (rc == MEMCACHED_SUCCESS)
			rc = take_all(s, n, &nstored);
	}
	if (rc != MEMCACHED_SUCCESS) {
		(void)csa_kv_trial_failed(s, &t, "set", rc);
		return n - nstored;
	}
	csa_kv_trial_worked(s);
	if (nstored < n)
		csa_kv_far_refused(s->far, "set", "not stored");
	return n - nstored;
}
