#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/kv/kv_internal.h"
#include "lib/kv/kv_pool.h"

struct csa_kv_pool {
	struct csa_kv		*(*open)(void *);	/* NULL: memcached */
	void			*arg;
	struct csa_kv_farm	*farm;		/* NULL: not memcached */
	struct csa_kv_warden	*warden;	/* NULL: there can be none */
	long			 timeout_ms;
	pthread_mutex_t		 lock;		/* over what follows */
	struct csa_kv		**idle;		/* a stack: warmest on top */
	size_t			 nidle, room;
};

struct csa_kv_pool *
csa_kv_pool_new(const char *servers, long timeout_ms, struct csa_err *err)
{
	struct csa_kv_farm	*farm = csa_kv_farm_new(servers, err);
	struct csa_kv_warden	*warden;
	struct csa_kv_pool	*p;
	struct csa_kv		*first;

	if (farm == NULL)
		return NULL;
	warden = csa_kv_warden_new(timeout_ms);
	first = csa_kv_memcached_of(farm, warden, timeout_ms, err);
	if (first == NULL) {
		csa_kv_warden_free(warden);
		csa_kv_farm_free(farm);
		return NULL;
	}
	p = csa_new(struct csa_kv_pool);
	p->farm = farm;
	p->warden = warden;
	p->timeout_ms = timeout_ms;
	CSA_MUST(pthread_mutex_init(&p->lock, NULL) == 0);
	csa_kv_give(p, first);
	return p;
}

struct csa_kv_pool *
csa_kv_pool_of(struct csa_kv *(*open)(void *), void *arg)
{
	struct csa_kv_pool	*p = csa_new(struct csa_kv_pool);

	p->open = open;
	p->arg = arg;
	CSA_MUST(pthread_mutex_init(&p->lock, NULL) == 0);
	return p;
}

void
csa_kv_pool_free(struct csa_kv_pool *p)
{
	if (p == NULL)
		return;
	/* Before the handles that it looks at. */
	csa_kv_warden_free(p->warden);
	while (p->nidle > 0) {
		struct csa_kv	*kv = p->idle[--p->nidle];

		kv->ops->close(kv);
	}
	pthread_mutex_destroy(&p->lock);
	free(p->idle);
	csa_kv_farm_free(p->farm);
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
	if (p->open != NULL)
		return p->open(p->arg);
	kv = csa_kv_memcached_of(p->farm, p->warden, p->timeout_ms, &err);
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

int
csa_kv_pool_state(struct csa_kv_pool *p, size_t i, const char **name,
    bool *alone)
{
	struct csa_kv_far	*far;

	if (p->farm == NULL || i >= p->farm->n)
		return 0;
	far = &p->farm->far[i];
	*name = far->name;
	pthread_mutex_lock(&far->lock);
	*alone = far->open;
	pthread_mutex_unlock(&far->lock);
	return 1;
}
