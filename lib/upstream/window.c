/*
 * window: counts of the last ten seconds, a word for each second.
 */

#include "config.h"

#include "lib/upstream/share.h"

#define BITS		18
#define MASK		((UINT64_C(1) << BITS) - 1)
#define TIME_MASK	((UINT64_C(1) << (64 - 2 * BITS)) - 1)
#define PART_MS		(CSA_WINDOW_MS / CSA_WINDOW_PARTS)

static uint64_t
time_of(int64_t now)
{
	return (uint64_t)(now / PART_MS) & TIME_MASK;
}

static uint64_t
pack(uint64_t t, uint64_t n, uint64_t of)
{
	return t << 2 * BITS | n << BITS | of;
}

/* Neither below nothing nor over the brim. */
static uint64_t
moved(uint64_t v, int by)
{
	int64_t	 sum = (int64_t)v + by;

	return sum < 0 ? 0 : (uint64_t)sum > MASK ? MASK : (uint64_t)sum;
}

struct csa_share_of
csa_window_sum(const struct csa_window *w, int64_t now)
{
	struct csa_share_of	 sum = { 0, 0 };
	uint64_t		 t = time_of(now), v;

	for (size_t i = 0; i <= CSA_WINDOW_PARTS; i++) {
		v = w->part[i];
		/* The next one counts: who looked at the clock just before it
		 * must see what another did just after.  What is further
		 * ahead wraps to far behind. */
		if (((t + 1 - (v >> 2 * BITS)) & TIME_MASK) >
		    CSA_WINDOW_PARTS + 1)
			continue;
		sum.n += (unsigned)(v >> BITS & MASK);
		sum.of += (unsigned)(v & MASK);
	}
	return sum;
}

void
csa_window_add(struct csa_window *w, int64_t now, int n, int of)
{
	uint64_t		 t = time_of(now), old, next;
	_Atomic uint64_t	*part = &w->part[t % (CSA_WINDOW_PARTS + 1)];

	old = *part;
	do {
		if (old >> 2 * BITS == t)
			next = pack(t, moved(old >> BITS & MASK, n),
			    moved(old & MASK, of));
		else
			next = pack(t, moved(0, n), moved(0, of));
	} while (!atomic_compare_exchange_weak(part, &old, next));
}

void
csa_window_clear(struct csa_window *w)
{
	for (size_t i = 0; i <= CSA_WINDOW_PARTS; i++)
		w->part[i] = 0;
}

bool
csa_window_take(struct csa_window *w, int64_t now, unsigned percent,
    unsigned least)
{
	struct csa_share_of	 sum;
	unsigned		 most;

	/* Counted before it is looked at: of two that come together with room
	 * for one perhaps none goes, but never both. */
	csa_window_add(w, now, 1, 0);
	sum = csa_window_sum(w, now);
	most = sum.of / 100 * percent + sum.of % 100 * percent / 100;
	if (sum.n <= (most > least ? most : least))
		return true;
	csa_window_add(w, now, -1, 0);
	return false;
}
