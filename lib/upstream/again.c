/*
 * again: whether there is another exchange, when, and with which key.
 */

#include "config.h"

#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"
#include "lib/upstream/upstream_internal.h"

#define CAP_MS		2000	/* the longest back-off of our own */
#define MARGIN_MS	100	/* a try with less time left is in vain */
#define REFUSED_MS	60000	/* until such a key is tried again */
#define BUSY_MS		10000	/* and one that is busy, nobody says how long */
#define BUDGET_PERCENT	10	/* retries of the calls */

/* Not for secrets: a step of splitmix64 (Steele, Lea, Flood 2014). */
static int64_t
jitter(int64_t most)
{
	static _Atomic uint64_t	 state;
	uint64_t		 z;

	if (most <= 0)
		return 0;
	/* Each process has times of its own, so none has another's sequence. */
	z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15) +
	    (uint64_t)csa_now_ns();
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (int64_t)((z ^ z >> 31) % (uint64_t)(most + 1));
}

/* Is there time to wait for so long, and then for a reply? */
static bool
fits(const struct csa_up_call *c, int64_t now, int64_t ms)
{
	return ms <= c->up->wait_ms && now + ms + MARGIN_MS < c->req.deadline;
}

static int64_t
back_off(const struct csa_up_call *c, int64_t hint_ms)
{
	int64_t	 most = c->up->base_ms;

	/* All who were told the same time must not come at the same time. */
	if (hint_ms > 0)
		return hint_ms + jitter(most);
	for (unsigned i = 1; i < c->attempts && most < CAP_MS; i++)
		most *= 2;
	return jitter(most < CAP_MS ? most : CAP_MS);
}

static void
rest(struct csa_up_call *c, const struct csa_found *f, int64_t now)
{
	const struct csa_upstream *up = c->up;
	int64_t			   ms = f->hint_ms;

	if (f->refused) {
		csa_count(CSA_M_key_refused, csa_source_name(up->source), 1);
		/* Never the only one: whatever was refused may be one model. */
		ms = up->nkeys > 1 ? REFUSED_MS : 0;
	} else if (ms == 0 && up->nkeys > 1)
		ms = BUSY_MS;
	csa_up_rest(up, c->circuit_id, c->now.key, now, ms, f->refused);
	if (ms > 0)
		csa_warn("%s: %s: key %u of %u rests for %lld ms: %s",
		    csa_source_name(up->source), c->req.operation,
		    c->now.key + 1, up->nkeys, (long long)ms, c->before);
}

/* Another key that is in health and was not tried? */
static bool
other_key(struct csa_up_call *c, int64_t now)
{
	struct csa_choice	 choice;

	c->tried |= 1u << c->now.key;
	csa_up_choose(c->up, c->circuit_id, now, &choice);
	return choice.rest_ms == 0 && !choice.refused &&
	    (c->tried & 1u << choice.key) == 0;
}

static bool
has_budget(struct csa_up_call *c, int64_t now)
{
	if (c->far == NULL || csa_window_take(&c->far->retries, now,
	    BUDGET_PERCENT, c->up->floor))
		return true;
	csa_count(CSA_M_retry_budget_exhausted,
	    csa_source_name(c->up->source), 1);
	return false;
}

/* The ms to wait before trying again; -1: there is no trying again. */
static int64_t
decide(struct csa_up_call *c, const struct csa_found *f)
{
	int64_t	 now = csa_now_ms(), ms;

	if (f->outcome == CSA_OTHER_KEY)
		rest(c, f, now);
	if (f->outcome == CSA_TAKE || c->given ||
	    c->attempts >= c->up->attempts)
		return -1;
	if (f->outcome == CSA_OTHER_KEY && other_key(c, now) &&
	    fits(c, now, 0))
		return 0;
	if (f->refused)
		return -1;
	ms = back_off(c, f->hint_ms);
	if (!fits(c, now, ms) || (c->circuit != NULL && csa_breaker_ask(
	    &c->circuit->breaker, &c->up->breaker, now + ms) > 0) ||
	    !has_budget(c, now))
		return -1;
	return ms;
}

bool
csa_up_again(struct csa_up_call *c, const struct csa_found *f)
{
	int64_t	 ms;
	char	 labels[96];

	csa_exchange_tell(c, &c->now, f->verdict);
	if ((ms = decide(c, f)) == -1)
		return false;
	snprintf(labels, sizeof(labels), "%s|%s|%s",
	    csa_source_name(c->up->source), c->req.operation, f->reason);
	csa_count(CSA_M_upstream_retries, labels, 1);
	csa_exchange_end(c, &c->now);
	c->not_before = csa_now_ms() + ms;
	return true;
}

static int
fail(struct csa_up_call *c, enum csa_errcode code, int64_t ms,
    const char *why)
{
	struct csa_err	*e = &c->verdict;

	csa_fail(e, code, c->up->source, NULL);
	e->retry_after = (int)((ms + 999) / 1000);
	c->over = true;
	if (c->before[0] == '\0')
		return csa_fail_detail(e, "%s: %s", c->req.operation, why);
	return csa_fail_detail(e, "%s: %s; before: %s", c->req.operation, why,
	    c->before);
}

/* 0: begun; -1: over; else the ms to wait for a key that rests. */
static int64_t
try_begin(struct csa_up_call *c)
{
	struct csa_choice	 choice;
	int64_t			 now = csa_now_ms(), shut;

	csa_up_choose(c->up, c->circuit_id, now, &choice);
	if (choice.rest_ms > 0)
		return fits(c, now, choice.rest_ms) ?
		    choice.rest_ms + jitter(c->up->base_ms) :
		    fail(c, CSA_ERR_PROVIDER_BUSY, choice.rest_ms,
		    "the keys rest");
	if ((shut = csa_exchange_begin(c, &c->now, choice.key)) != 0)
		return fail(c, CSA_ERR_PROVIDER_UNAVAILABLE, shut,
		    "circuit open");
	/* What is not sent at all must not pay for others' retries. */
	if (c->attempts == 1 && c->far != NULL)
		csa_window_add(&c->far->retries, now, 0, 1);
	return 0;
}

int
csa_up_begin(struct csa_up_call *c, int64_t until, struct csa_err *err)
{
	int64_t	 now, ms;

	while (!c->over) {
		if ((now = csa_now_ms()) < c->not_before) {
			if (until <= now)
				return -2;
			if (csa_waiter_pause(c->waiter, until < c->not_before ?
			    until : c->not_before, &c->verdict) == -1) {
				c->over = true;
				break;
			}
			continue;
		}
		if ((ms = try_begin(c)) == 0)
			return 0;
		if (ms > 0)
			c->not_before = now + ms;
	}
	*err = c->verdict;
	return -1;
}
