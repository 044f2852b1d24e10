#include "config.h"

#include <string.h>

#include <libmemcached/memcached.h>

#include "lib/base/must.h"
#include "lib/kv/kv_internal.h"

/*
 * A libmemcached that knows all servers and talks to none.  It hashes as any
 * other client does that was told of the same servers in this order, by ketama:
 * a server that does not answer keeps its keys.
 */
struct csa_kv_ring *
csa_kv_ring_new(const struct csa_kv_farm *farm)
{
	memcached_st		*ring = memcached_create(NULL);
	memcached_return_t	 rc = MEMCACHED_SUCCESS;

	CSA_MUST(ring != NULL);
	if (farm->n > 1)
		rc = memcached_behavior_set(ring, MEMCACHED_BEHAVIOR_KETAMA, 1);
	for (unsigned i = 0; rc == MEMCACHED_SUCCESS && i < farm->n; i++) {
		const struct csa_kv_far	*far = &farm->far[i];

		rc = far->port == 0 ?
		    memcached_server_add_unix_socket(ring, far->host) :
		    memcached_server_add(ring, far->host, far->port);
	}
	if (rc == MEMCACHED_SUCCESS)
		return (struct csa_kv_ring *)ring;
	memcached_free(ring);
	return NULL;
}

void
csa_kv_ring_free(struct csa_kv_ring *r)
{
	if (r != NULL)
		memcached_free((memcached_st *)r);
}

unsigned
csa_kv_ring_find(const struct csa_kv_ring *r, const char *key)
{
	const memcached_st	*ring = (const memcached_st *)r;
	uint32_t		 n = memcached_server_count(ring), at = 0;

	if (n > 1)
		at = memcached_generate_hash(ring, key, strlen(key));
	CSA_MUST(at < n);
	return at;
}
