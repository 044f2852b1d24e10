/*
 * A flight as memcached has it, so that processes find each other.
 *
 * One item says who leads and what there is so far.  It is made by `add`, which
 * only one can win, set anew while the leader waits, and deleted once it has
 * landed.  The value stands in another item, under the leader's name: a follower
 * who sees the first one gone, or another leader's, knows where to look, and the
 * next flight disturbs nothing.  It is there before the first one goes.
 *
 * Who takes a lost leader's place adds an item under the lost one's name, which
 * says who the heir is; again only one can.  So a follower that looked away while
 * the heir did all of its work still finds what it has landed.
 *
 * memcached cannot compare and set here, so between a look and a set somebody may
 * have come in between: two lead then, for a moment's worth of bad luck, which
 * costs one call more and never a wrong value.
 */

#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/cache/flight_internal.h"

#define LANDED_S	5	/* followers look every 50 ms, if they can */
#define TAKES		3	/* where flights land one after the other */
#define HEIR_S		10	/* longer than the lost one's lease */

void
csa_lease_init(struct csa_lease *l, struct csa_cache *c,
    const struct csa_peer *self, const struct csa_cache_key *flight)
{
	memset(l, 0, sizeof(*l));
	l->cache = c;
	l->self = *self;
	l->key = *flight;
}

void
csa_lease_fini(struct csa_lease *l)
{
	csa_arena_free(l->scratch);
}

void
csa_lease_charge(struct csa_ctx *ctx, int64_t ns)
{
	if (ctx->spent != NULL)
		*ctx->spent += ns;
}

/* What may be spent beyond the request's budget, by how much of it is gone. */
struct allowance {
	int64_t	 began, spent;
};

static void
allow(struct allowance *a, struct csa_ctx *mine, const struct csa_ctx *ctx,
    int64_t more)
{
	a->began = a->spent = ctx->spent != NULL ? *ctx->spent - more : 0;
	mine->spent = ctx->spent != NULL ? &a->spent : NULL;
}

static void
settle(const struct allowance *a, struct csa_ctx *ctx)
{
	csa_lease_charge(ctx, a->spent - a->began);
}

/*
 * Who looks again and again while it waits, or renews, needs no budget for that,
 * for it delays nobody; and what has to be said at the end was reserved.  What
 * comes back is in an arena of our own, until the next one.
 */
struct csa_ctx
csa_lease_unbound(struct csa_lease *l, const struct csa_ctx *ctx)
{
	struct csa_ctx	 mine = *ctx;

	if (l->scratch == NULL)
		l->scratch = csa_arena_new();
	mine.arena = l->scratch;
	mine.spent = NULL;
	return mine;
}

static int
write_lease(struct csa_lease *l, struct csa_ctx *ctx, bool only_new,
    const void *told, size_t n)
{
	struct csa_buf	 b;
	int64_t		 now;
	int		 rc;

	/* What does not fit is not told; the lease is what matters. */
	csa_note_write(l, CSA_NOTE_LEADS, told, n <= CSA_NOTE_MAX ? n : 0, &b);
	now = csa_now_ns();
	rc = b.failed ? -1 : only_new ?
	    csa_cache_claim(l->cache, ctx, &l->key, b.data, b.len,
	    CSA_LEASE_S) :
	    csa_cache_keep(l->cache, ctx, &l->key, b.data, b.len, CSA_LEASE_S);
	if (rc == 0)
		l->written = now;
	csa_buf_fini(&b);
	return rc;
}

/* Say who takes the place of a leader: 0, 1 where somebody has already, -1. */
int
csa_lease_name_heir(struct csa_lease *l, struct csa_ctx *mine,
    const uint8_t *of)
{
	struct csa_cache_key	 key;
	struct csa_buf		 b;
	int			 rc;

	csa_note_key(l, of, "heir", &key);
	csa_note_write(l, CSA_NOTE_LEADS, NULL, 0, &b);
	rc = b.failed ? -1 :
	    csa_cache_claim(l->cache, mine, &key, b.data, b.len, HEIR_S);
	csa_buf_fini(&b);
	return rc;
}

static void
now_ours(struct csa_lease *l, struct csa_ctx *ctx, int64_t began)
{
	l->ours = true;
	l->known = false;
	/* For the end's operations, or others would wait for the lease's. */
	l->reserve = 2 * (csa_now_ns() - began);
	if (l->reserve > l->cache->budget_ns / 4)
		l->reserve = l->cache->budget_ns / 4;
	csa_lease_charge(ctx, l->reserve);
}

/* Remember who leads: 1; 0: nobody; -1: not known. */
static int
meet(struct csa_lease *l, struct csa_ctx *mine)
{
	struct csa_cached	 c;
	struct csa_note		 note;
	int			 rc;

	rc = csa_cache_look(l->cache, mine, &l->key, &c);
	if (rc != 1)
		return rc;
	if (!csa_note_read(&c, &note))
		return -1;
	memcpy(l->name, note.name, sizeof(l->name));
	l->known = true;
	return 1;
}

enum owner { NOBODY, WE, ANOTHER, UNKNOWN };

static enum owner
whose(struct csa_lease *l, struct csa_ctx *mine)
{
	struct csa_cached	 c;
	struct csa_note		 note;
	int			 rc;

	csa_arena_reset(l->scratch);
	rc = csa_cache_look(l->cache, mine, &l->key, &c);
	if (rc != 1)
		return rc == 0 ? NOBODY : UNKNOWN;
	return csa_note_read(&c, &note) &&
	    memcmp(note.name, l->name, sizeof(l->name)) == 0 ? WE : ANOTHER;
}

/*
 * What became of our claim was not said, or not understood; it may stand all the
 * same, and others would wait for who does not know that he leads.  As
 * csa_cache_claim; -1 leaves it to the end.
 */
static int
doubt(struct csa_lease *l, struct csa_ctx *mine, int64_t began)
{
	enum owner	 owner;

	l->doubt = true;
	/* Who is silent now would be silent again. */
	if (csa_now_ns() - began > l->cache->most_ns / 2)
		return -1;
	owner = whose(l, mine);
	if (owner != WE && owner != ANOTHER)
		return -1;
	l->doubt = false;
	if (owner == WE)
		l->written = began;
	return owner == WE ? 0 : 1;
}

/*
 * mine: like ctx, with our own arena, and bound by the budget or not.  Who does not
 * lead must know who does: otherwise a flight that lands before our first look
 * would be missed, and flown again.
 */
enum csa_lease_news
csa_lease_take_by(struct csa_lease *l, struct csa_ctx *ctx,
    struct csa_ctx *mine)
{
	int64_t	 began = csa_now_ns();
	int	 rc;

	l->ours = l->known = l->doubt = false;
	for (int i = 0; i < TAKES; i++) {
		csa_random(l->name, sizeof(l->name));
		rc = write_lease(l, mine, true, NULL, 0);
		if (rc == -1)
			rc = doubt(l, mine, began);
		if (rc == 0) {
			now_ours(l, ctx, began);
			return CSA_LEASE_OURS;
		}
		if (rc == -1)
			return CSA_LEASE_AWAY;
		/* It may just have landed. */
		if (meet(l, mine) != 0)
			break;
	}
	return CSA_LEASE_THEIRS;
}

enum csa_lease_news
csa_lease_take(struct csa_lease *l, struct csa_ctx *ctx, bool first)
{
	struct csa_ctx		 mine;
	struct allowance	 a;
	enum csa_lease_news	 news;

	if (!csa_cache_is_on(l->cache))
		return CSA_LEASE_AWAY;
	mine = csa_lease_unbound(l, ctx);
	/* As long as anything is left: one ns less than an operation more. */
	allow(&a, &mine, ctx, first ? l->cache->most_ns - 1 : 0);
	news = csa_lease_take_by(l, ctx, &mine);
	settle(&a, ctx);
	return news;
}

/* The leader we know is dead and did not land, or gave up: be its heir. */
enum csa_lease_news
csa_lease_inherit(struct csa_lease *l, struct csa_ctx *ctx,
    struct csa_ctx *mine)
{
	int64_t	 began = csa_now_ns();
	uint8_t	 of[CSA_LEASE_NAME];
	int	 rc;

	memcpy(of, l->name, sizeof(of));
	csa_random(l->name, sizeof(l->name));
	rc = csa_lease_name_heir(l, mine, of);
	if (rc == 0 && write_lease(l, mine, false, NULL, 0) == 0) {
		now_ours(l, ctx, began);
		return CSA_LEASE_OURS;
	}
	/* Somebody else is; it will be seen. */
	memcpy(l->name, of, sizeof(of));
	return rc == 1 ? CSA_LEASE_THEIRS : CSA_LEASE_AWAY;
}

int64_t
csa_lease_renew(struct csa_lease *l, struct csa_ctx *ctx, const void *told,
    size_t n)
{
	struct csa_ctx	 mine = csa_lease_unbound(l, ctx);
	int64_t		 began = csa_now_ns();
	enum owner	 owner = whose(l, &mine);
	int		 rc = -1;

	if (owner == WE || owner == NOBODY)
		rc = write_lease(l, &mine, owner == NOBODY, told, n);
	/* We were thought to be lost.  Who leads now is not to be disturbed. */
	if (owner == ANOTHER || rc == 1)
		l->ours = false;
	if (rc == 0)
		return csa_now_ns() - began;
	csa_lease_charge(ctx, csa_now_ns() - began);
	return -1;
}

static int
write_landing(struct csa_lease *l, struct csa_ctx *mine,
    enum csa_note_what what, const void *value, size_t n)
{
	struct csa_cache_key	 key;
	struct csa_buf		 b;
	int			 rc;

	csa_note_key(l, l->name, "landed", &key);
	csa_note_write(l, what, value, n, &b);
	rc = b.failed ? -1 :
	    csa_cache_keep(l->cache, mine, &key, b.data, b.len, LANDED_S);
	csa_buf_fini(&b);
	return rc;
}

/* -1: memcached does not answer. */
static int
land(struct csa_lease *l, struct csa_ctx *mine, const void *value, size_t n)
{
	int64_t	 began = csa_now_ns();

	if (n <= CSA_NOTE_MAX) {
		if (write_landing(l, mine, CSA_NOTE_LANDED, value, n) == 0)
			return 0;
		/* Refused, as it has a lower limit, or too slow? */
		if (csa_now_ns() - began > l->cache->most_ns / 2)
			return -1;
	}
	return write_landing(l, mine, CSA_NOTE_LARGE, NULL, 0);
}

/* What is left under the lease's key where it did not land. */
static void
give_up(struct csa_lease *l, struct csa_ctx *mine)
{
	struct csa_buf	 b;

	csa_note_write(l, CSA_NOTE_GAVE_UP, NULL, 0, &b);
	if (!b.failed)
		(void)csa_cache_keep(l->cache, mine, &l->key, b.data, b.len,
		    LANDED_S);
	csa_buf_fini(&b);
}

/* Is the lease ours to end?  What cannot be told is, while nobody may take it. */
static bool
still_ours(struct csa_lease *l, struct csa_ctx *mine)
{
	enum owner	 owner = whose(l, mine);

	if (owner == UNKNOWN)
		return csa_now_ns() - l->written < CSA_LEASE_S * 1000000000LL;
	return owner == WE;
}

/*
 * Whose claim it is was never said.  Another's is left alone; where that cannot
 * be told either, it goes: one call more of somebody costs less than all who ask
 * waiting for a lease that nobody keeps.  A claim that took its time has used up
 * the budget, so this may go beyond it, once.
 */
static void
end_doubt(struct csa_lease *l, struct csa_ctx *ctx)
{
	struct csa_ctx	 mine = csa_lease_unbound(l, ctx);
	struct allowance a;
	enum owner	 owner;

	mine.spent = ctx->spent;
	owner = whose(l, &mine);
	l->doubt = false;
	l->ours = owner == WE;
	if (owner == WE || owner == ANOTHER)
		return;
	allow(&a, &mine, ctx, l->cache->most_ns + l->cache->most_ns / 10);
	(void)csa_cache_drop(l->cache, &mine, &l->key);
	settle(&a, ctx);
}

void
csa_lease_end(struct csa_lease *l, struct csa_ctx *ctx, const void *value,
    size_t n)
{
	struct csa_ctx	 mine;
	int64_t		 began;

	csa_lease_charge(ctx, -l->reserve);
	l->reserve = 0;
	if (l->doubt)
		end_doubt(l, ctx);
	/* Those who took us for lost wait for somebody else by now. */
	if (!l->ours)
		return;
	began = csa_now_ns();
	mine = csa_lease_unbound(l, ctx);
	/*
	 * What could not land may still be given up, for the lease can be another
	 * server's; who comes next would wait for it until it ends by itself.
	 */
	if (value != NULL && land(l, &mine, value, n) == -1)
		value = NULL;
	if (!still_ours(l, &mine))
		;
	else if (value != NULL)
		(void)csa_cache_drop(l->cache, &mine, &l->key);
	else
		give_up(l, &mine);
	l->ours = false;
	csa_lease_charge(ctx, csa_now_ns() - began);
}
