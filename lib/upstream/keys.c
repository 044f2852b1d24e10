/*
 * keys: which of them is in health.
 */

#include "config.h"

#include "lib/upstream/upstream_internal.h"

#define MOST_MS		60000	/* then it is asked once more */

static struct csa_rest *
rest_of(const struct csa_upstream *up, uint64_t circuit, unsigned key,
    int64_t now)
{
	uint64_t	 id = up->key[key].hash ^ circuit * 0x9e3779b97f4a7c15;

	return csa_share_rest(id > 1 ? id : 2, now);
}

/* For how long it still rests. */
static int64_t
left(const struct csa_rest *r, int64_t now)
{
	int64_t	 ms = r != NULL ? r->until - now : 0;

	/* More is of before this boot. */
	return ms > 0 && ms <= MOST_MS ? ms : 0;
}

/*
 * The first in health; else the first that was refused, since that may have
 * been put right; else, of those that are busy, the one that is so least long.
 */
void
csa_up_choose(const struct csa_upstream *up, uint64_t circuit, int64_t now,
    struct csa_choice *c)
{
	const struct csa_rest	*r;
	int64_t			 ms;

	*c = (struct csa_choice){ .rest_ms = INT64_MAX };
	for (unsigned i = 0; i < up->nkeys; i++) {
		r = rest_of(up, circuit, i, now);
		ms = left(r, now);
		if (ms == 0) {
			*c = (struct csa_choice){ .key = i };
			return;
		}
		if (r->refused != 0 && !c->refused)
			*c = (struct csa_choice){ .key = i, .refused = true };
		else if (r->refused == 0 && !c->refused && ms < c->rest_ms)
			*c = (struct csa_choice){ .key = i, .rest_ms = ms };
	}
}

void
csa_up_rest(const struct csa_upstream *up, uint64_t circuit, unsigned key,
    int64_t now, int64_t ms, bool refused)
{
	struct csa_rest	*r = rest_of(up, circuit, key, now);

	if (r == NULL || ms <= 0)
		return;
	r->refused = refused;
	r->until = now + (ms < MOST_MS ? ms : MOST_MS);
}
