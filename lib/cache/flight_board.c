#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/cache/flight_internal.h"

/* What is told is for people to read on; the value may be anything. */
#define TOLD_MAX	(8 * 1024 * 1024)

struct csa_board *
csa_board_new(bool single_flight)
{
	struct csa_board	*b = csa_new(struct csa_board);

	b->single_flight = single_flight;
	csa_peer_self(&b->self);
	CSA_MUST(pthread_mutex_init(&b->lock, NULL) == 0);
	for (size_t i = 0; i < CSA_BOARD_PLANES; i++)
		LIST_INIT(&b->planes[i]);
	return b;
}

void
csa_board_free(struct csa_board *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < CSA_BOARD_PLANES; i++)
		CSA_MUST(LIST_EMPTY(&b->planes[i]));
	pthread_mutex_destroy(&b->lock);
	free(b);
}

struct csa_plane *
csa_plane_join(struct csa_cache *c, const struct csa_cache_key *flight)
{
	struct csa_board	*b = c->board;
	size_t			 at = flight->digest.b[0] % CSA_BOARD_PLANES;
	struct csa_plane	*p;

	LIST_FOREACH(p, &b->planes[at], entry)
		if (memcmp(&p->lease.key.digest, &flight->digest,
		    sizeof(flight->digest)) == 0)
			break;
	if (p == NULL) {
		p = csa_new(struct csa_plane);
		LIST_INIT(&p->followers);
		csa_buf_init(&p->told, TOLD_MAX);
		csa_lease_init(&p->lease, c, &b->self, flight);
		LIST_INSERT_HEAD(&b->planes[at], p, entry);
	}
	p->refs++;
	return p;
}

void
csa_plane_quit(struct csa_plane *p)
{
	if (--p->refs > 0)
		return;
	CSA_MUST(LIST_EMPTY(&p->followers));
	if (!p->landed)
		LIST_REMOVE(p, entry);
	csa_lease_fini(&p->lease);
	csa_buf_fini(&p->told);
	csa_buf_fini(&p->value);
	free(p);
}

void
csa_plane_land(struct csa_plane *p, const void *data, size_t n)
{
	csa_buf_init(&p->value, n);
	csa_buf_add(&p->value, data, n);
	/* Without the memory for a copy it has not landed for the others. */
	if (p->value.failed)
		return;
	p->landed = true;
	LIST_REMOVE(p, entry);
	csa_plane_wake(p);
}

void
csa_plane_lost(struct csa_plane *p)
{
	p->losses++;
	csa_buf_reset(&p->told);
}

void
csa_plane_tell(struct csa_plane *p, const void *data, size_t n)
{
	if (n <= p->told.len)
		return;
	csa_buf_reset(&p->told);
	csa_buf_add(&p->told, data, n);
	csa_plane_wake(p);
}

void
csa_plane_wake(struct csa_plane *p)
{
	struct csa_flight	*f;

	LIST_FOREACH(f, &p->followers, entry)
		csa_waiter_wake(f->ctx->waiter);
}
