/*
 * hedge: a second exchange beside one that is late.
 */

#include "config.h"

#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "lib/upstream/upstream_internal.h"

#define BUDGET_PERCENT	5	/* hedges of the calls that may have one */

static void
count(const struct csa_up_call *c, const char *result)
{
	char	 labels[80];

	snprintf(labels, sizeof(labels), "%s|%s|%s",
	    csa_source_name(c->up->source), c->req.operation, result);
	csa_count(CSA_M_upstream_hedges, labels, 1);
}

/* When it is late: a csa_now_ms() time; 0: never. */
static int64_t
late(struct csa_up_call *c)
{
	int64_t	 p95;

	if (!c->up->hedge || !c->req.hedge || c->far == NULL ||
	    c->circuit == NULL || c->attempts >= c->up->attempts)
		return 0;
	if (c->attempts == 1)
		csa_window_add(&c->far->hedges, c->now.started, 0, 1);
	p95 = csa_latency_p95(&c->circuit->latency);
	return p95 > 0 ? c->now.started + p95 : 0;
}

static void
begin(struct csa_up_call *c)
{
	int64_t	 now = csa_now_ms();

	/* A breaker that is not closed lets one through, not two. */
	if (c->circuit->breaker.gate == 0 &&
	    csa_window_take(&c->far->hedges, now, BUDGET_PERCENT, 0))
		(void)csa_exchange_begin(c, &c->hedge, c->now.key);
}

/* The one that counts is the other one, and this is at an end. */
static void
swap(struct csa_up_call *c)
{
	struct csa_exchange	 x = c->now;

	c->now = c->hedge;
	c->hedge = x;
}

/* Of two: the first that is good, or the last. */
static int
race(struct csa_up_call *c, struct csa_err *err)
{
	struct csa_http_call	*both[2] = { c->now.http, c->hedge.http };
	struct csa_found	 f;
	const char		*body;
	size_t			 len;
	int			 i, rc;

	if ((i = csa_http_await(both, 2, INT64_MAX)) == 1)
		swap(c);
	rc = csa_http_wait(c->now.http, err);
	if (rc == 0 && csa_http_status(c->now.http) < 400)
		count(c, i == 1 ? "won" : "lost");
	else if (rc == 0 || err->code == CSA_ERR_PROVIDER_UNAVAILABLE) {
		/* This one is no good; the other may be. */
		count(c, "failed");
		body = csa_http_body(c->now.http, &len);
		csa_exchange_judge(c, &c->now, rc, err, body, len, &f);
		csa_exchange_tell(c, &c->now, f.verdict);
		swap(c);
		rc = csa_http_wait(c->now.http, err);
	}
	csa_exchange_end(c, &c->hedge);
	return rc;
}

int
csa_up_wait_hedged(struct csa_up_call *c, struct csa_err *err)
{
	int64_t	 then = late(c);

	if (then != 0 && csa_http_await(&c->now.http, 1, then) == -1)
		begin(c);
	return c->hedge.http != NULL ? race(c, err) :
	    csa_http_wait(c->now.http, err);
}
