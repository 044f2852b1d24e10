#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/cache/flight_internal.h"
#include "lib/metrics/metrics.h"

#define RENEW_MS	900	/* two may fail before the lease ends */
#define TELL_MS		150
#define LOOK_FIRST_MS	5
#define LOOK_MOST_MS	50
/*
 * Where leaders come to nothing one after the other, for the upstream is ill, a
 * follower does not stand in line forever.
 */
#define PATIENCE	3	/* leaders */

static void
count(const char *role)
{
	csa_count(CSA_M_flights, role, 1);
}

static void
lock(const struct csa_flight *f)
{
	pthread_mutex_lock(&f->cache->board->lock);
}

static void
unlock(const struct csa_flight *f)
{
	pthread_mutex_unlock(&f->cache->board->lock);
}

/* ---- leading ---- */

/* What there is so far, copied: memcached must not be waited for with the lock. */
static int64_t
renew(struct csa_flight *f)
{
	struct csa_plane	*p = f->plane;
	struct csa_buf		 told;
	int64_t			 took;

	lock(f);
	csa_buf_init(&told, p->told.len);
	csa_buf_add(&told, p->told.data, p->told.len);
	unlock(f);
	took = csa_lease_renew(&p->lease, f->ctx, told.data, told.len);
	csa_buf_fini(&told);
	return took;
}

/* A tick: the leader waits for its upstream. */
static int
renew_tick(void *arg)
{
	struct csa_flight	*f = arg;

	if (f->plane->lease.ours)
		(void)renew(f);
	return 0;
}

/* f is the plane's captain, and nobody leads. */
static void
lead(struct csa_flight *f)
{
	f->leads = true;
	if (!f->plane->lease.ours)
		return;
	f->tick = (struct csa_tick){ .at = csa_now_ms() + RENEW_MS,
	    .every_ms = RENEW_MS, .call = renew_tick, .arg = f };
	csa_waiter_tick(f->ctx->waiter, &f->tick);
	f->ticking = true;
}

static void
stop_ticking(struct csa_flight *f)
{
	if (f->ticking)
		csa_waiter_untick(f->ctx->waiter, &f->tick);
	f->ticking = false;
}

/* ---- coming and going ---- */

/* The captain's place is free, or becomes so: let another one take it. */
static void
step_down(struct csa_flight *f)
{
	struct csa_plane	*p = f->plane;

	if (p->captain != f)
		return;
	p->captain = NULL;
	csa_plane_wake(p);
}

/* Nobody of this process is captain: do others lead? */
static void
try_to_lead(struct csa_flight *f, enum csa_cache_kind kind)
{
	/* Who asks the same asks for the answer first. */
	if (csa_lease_take(&f->plane->lease, f->ctx,
	    kind == CSA_CACHE_ANSWER) != CSA_LEASE_THEIRS) {
		lead(f);
		return;
	}
	/* Who follows first will look. */
	lock(f);
	step_down(f);
	unlock(f);
}

struct csa_flight *
csa_flight_board(struct csa_cache *c, struct csa_ctx *ctx,
    const struct csa_cache_key *key)
{
	struct csa_flight	*f = csa_arena_zalloc(ctx->arena, 1,
				    sizeof(*f));
	struct csa_cache_key	 flight;
	bool			 first;

	f->cache = c;
	f->ctx = ctx;
	if (c == NULL || !c->board->single_flight || ctx->waiter == NULL) {
		f->leads = true;
		return f;
	}
	csa_key_derive(key, CSA_CACHE_FLIGHT, &flight);
	csa_buf_init(&f->heard, SIZE_MAX);
	lock(f);
	f->plane = csa_plane_join(c, &flight);
	f->losses = f->plane->losses;
	f->patience = PATIENCE;
	/* Whom others of this process have followed, a look will tell. */
	first = f->plane->captain == NULL && !f->plane->lease.known;
	if (first)
		f->plane->captain = f;
	unlock(f);
	if (first)
		try_to_lead(f, key->kind);
	count(f->leads ? "lead" : "follow");
	return f;
}

bool
csa_flight_leads(const struct csa_flight *f)
{
	return f->leads;
}

unsigned
csa_flight_followers(const struct csa_flight *f)
{
	unsigned	 n;

	if (f->plane == NULL)
		return 0;
	lock(f);
	n = f->plane->nfollowers;
	unlock(f);
	return n;
}

void
csa_flight_tell(struct csa_flight *f, const void *data, size_t n)
{
	int64_t	 took;

	CSA_MUST(f->leads && !f->landed);
	if (f->plane == NULL)
		return;
	lock(f);
	csa_plane_tell(f->plane, data, n);
	unlock(f);
	/* Beyond its share of the budget it is told as often as renewed. */
	if (!f->plane->lease.ours || csa_now_ms() < f->tell_at ||
	    f->telling > f->cache->budget_ns / 4)
		return;
	took = renew(f);
	f->telling += took == -1 ? f->cache->budget_ns : took;
	if (took != -1 && f->ctx->spent != NULL)
		*f->ctx->spent += took;
	f->tell_at = csa_now_ms() + TELL_MS;
}

void
csa_flight_land(struct csa_flight *f, const void *data, size_t n)
{
	CSA_MUST(f->leads && !f->landed);
	if (f->plane == NULL)
		return;
	stop_ticking(f);
	lock(f);
	csa_plane_land(f->plane, data, n);
	f->landed = f->plane->landed;
	unlock(f);
	csa_lease_end(&f->plane->lease, f->ctx, n > 0 ? data : "", n);
}

/* A leader's that has not landed: the next one may, of any process. */
static void
give_up(struct csa_flight *f)
{
	stop_ticking(f);
	csa_lease_end(&f->plane->lease, f->ctx, NULL, 0);
	lock(f);
	csa_plane_lost(f->plane);
	step_down(f);
	unlock(f);
}

bool
csa_flight_leave_alone(struct csa_flight *f)
{
	struct csa_plane	*p = f->plane;

	CSA_MUST(f->leads && !f->landed);
	if (p == NULL)
		return true;
	lock(f);
	if (p->refs > 1 || p->lease.ours || p->lease.doubt) {
		unlock(f);
		return false;
	}
	p->captain = NULL;
	csa_plane_quit(p);
	unlock(f);
	csa_buf_fini(&f->heard);
	f->plane = NULL;
	return true;
}

void
csa_flight_leave(struct csa_flight *f)
{
	struct csa_plane	*p = f->plane;

	if (p == NULL)
		return;
	if (f->leads && !f->landed)
		give_up(f);
	lock(f);
	csa_plane_quit(p);
	unlock(f);
	csa_buf_fini(&f->heard);
	f->plane = NULL;
}

/* ---- following ---- */

enum { AGAIN = 2 };	/* beside what csa_flight_follow returns */

/* The board has changed hands: what this follower makes of it. */
static int
look_at_board(struct csa_flight *f, const struct csa_flight_ear *ear,
    bool *news)
{
	struct csa_plane	*p = f->plane;

	*news = false;
	if (p->landed)
		return 1;
	if (p->losses != f->losses) {
		unsigned	 lost = p->losses - f->losses;

		f->patience = lost < f->patience ? f->patience - lost : 0;
		f->losses = p->losses;
	}
	if (f->patience == 0)
		return 0;
	if (p->captain == NULL) {
		p->captain = f;
		f->look_at = 0;
		f->look_ms = LOOK_FIRST_MS;
	}
	/* An ear that has heard one leader cannot listen to the next. */
	if (ear != NULL && p->told.len > f->heard.len &&
	    (f->heard.len == 0 || f->heard_at == p->losses)) {
		csa_buf_reset(&f->heard);
		csa_buf_add(&f->heard, p->told.data, p->told.len);
		f->heard_at = p->losses;
		*news = f->heard.len > 0;
	}
	return AGAIN;
}

/* What a scout has seen, for all of the process. */
static void
report(struct csa_flight *f, enum csa_lease_news news,
    const struct csa_lease_look *look)
{
	struct csa_plane	*p = f->plane;

	lock(f);
	if (news == CSA_LEASE_LANDED)
		csa_plane_land(p, look->data.data, look->data.len);
	else if (look->lost)
		csa_plane_lost(p);
	if (news == CSA_LEASE_THEIRS)
		csa_plane_tell(p, look->data.data, look->data.len);
	unlock(f);
}

/* AGAIN, or 0: we lead. */
static int
scout(struct csa_flight *f)
{
	struct csa_lease_look	 look;
	enum csa_lease_news	 news;

	news = csa_lease_look(&f->plane->lease, f->ctx, &look);
	report(f, news, &look);
	f->look_at = csa_now_ms() + f->look_ms;
	f->look_ms += f->look_ms / 2;
	if (f->look_ms > LOOK_MOST_MS)
		f->look_ms = LOOK_MOST_MS;
	if (news == CSA_LEASE_THEIRS || news == CSA_LEASE_LANDED)
		return AGAIN;
	lead(f);
	return 0;
}

static int
out_of_time(struct csa_err *err)
{
	csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_AGENT, NULL);
	return csa_fail_detail(err, "single flight: somebody else's work took "
	    "too long");
}

static int
step(struct csa_flight *f, const struct csa_flight_ear *ear,
    struct csa_err *err)
{
	int64_t	 until = f->ctx->deadline;
	bool	 news, mine;
	int	 rc;

	lock(f);
	rc = look_at_board(f, ear, &news);
	mine = f->plane->captain == f;
	unlock(f);
	if (rc != AGAIN)
		return rc;
	if (news && ear->told(ear->arg, f->heard.data, f->heard.len) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	if (csa_left_ms(until) == 0)
		return out_of_time(err);
	if (mine && csa_now_ms() >= f->look_at)
		return scout(f);
	if (mine && f->look_at < until)
		until = f->look_at;
	return csa_waiter_nap(f->ctx->waiter, until, err) == -1 ? -1 : AGAIN;
}

/* Its flight has landed, so that it does not change any more. */
static void
take_value(const struct csa_flight *f, struct csa_cached *out)
{
	const struct csa_buf	*value = &f->plane->value;
	char			*copy;

	copy = csa_arena_alloc(f->ctx->arena, value->len + 1);
	if (value->len > 0)
		memcpy(copy, value->data, value->len);
	copy[value->len] = '\0';
	out->data = copy;
	out->len = value->len;
}

/* Its patience has ended: leave the others to themselves. */
static void
lead_alone(struct csa_flight *f)
{
	csa_flight_leave(f);
	f->leads = true;
}

int
csa_flight_follow(struct csa_flight *f, const struct csa_flight_ear *ear,
    struct csa_cached *out, struct csa_err *err)
{
	struct csa_plane	*p = f->plane;
	int			 rc;

	CSA_MUST(p != NULL && !f->leads);
	lock(f);
	LIST_INSERT_HEAD(&p->followers, f, entry);
	p->nfollowers++;
	unlock(f);
	while ((rc = step(f, ear, err)) == AGAIN)
		continue;
	lock(f);
	LIST_REMOVE(f, entry);
	p->nfollowers--;
	if (!f->leads)
		step_down(f);
	unlock(f);
	if (rc == 1)
		take_value(f, out);
	else if (rc == 0) {
		count("takeover");
		if (!f->leads)
			lead_alone(f);
	}
	return rc;
}
