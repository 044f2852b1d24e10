#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_pool.h"

struct csa_kv_pool {
	char		*servers;
	long		 timeout_ms;
	pthread_mutex_t	 lock;		/* over what follows */
	struct csa_kv	**idle;		/* a stack: the warmest is on top */
	size_t		 nidle, room;
};

struct csa_kv_pool *
csa_kv_pool_new(const char *servers, long timeout_ms, struct csa_err *err)
{
	struct csa_kv_pool	*p;
	struct csa_kv		*first;

	if ((first = csa_kv_memcached_open(servers, timeout_ms, err)) == NULL)
		return NULL;
	p = csa_new(struct csa_kv_pool);
	p->servers = csa_strdup(servers);
	p->timeout_ms = timeout_ms;
	CSA_MUST(pthread_mutex_init(&p->lock, NULL) == 0);
	csa_kv_give(p, first);
	return p;
}

void
csa_kv_pool_free(struct csa_kv_pool *p)
{
	if (p == NULL)
		return;
	while (p->nidle > 0) {
		struct csa_kv	*kv = p->idle[--p->nidle];

		kv->ops->close(kv);
	}
	pthread_mutex_destroy(&p->lock);
	free(p->idle);
	free(p->servers);
	free(p);
}

struct csa_kv *
csa_kv_take(struct csa_kv_pool *p)
{
	struct csa_kv	*kv = NULL;
	struct csa_err	 err;

	pthread_mutex_lock(&p->lock);
	if (p->nidle > 0)
		kv = p->idle[--p->nidle];
	pthread_mutex_unlock(&p->lock);
	if (kv != NULL)
		return kv;
	kv = csa_kv_memcached_open(p->servers, p->timeout_ms, &err);
	if (kv == NULL) {
		csa_warn("memcached: %s", err.msg);
		kv = csa_kv_fail_open();
	}
	return kv;
}

void
csa_kv_give(struct csa_kv_pool *p, struct csa_kv *kv)
{
	pthread_mutex_lock(&p->lock);
	if (p->nidle == p->room) {
		p->room = p->room * 2 + 8;
		p->idle = csa_realloc(p->idle, p->room, sizeof(*p->idle));
	}
	p->idle[p->nidle++] = kv;
	pthread_mutex_unlock(&p->lock);
}
