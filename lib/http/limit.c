/*
 * limit: how long a reply may keep silent.
 *
 * Only the time counts in which the call's owner waits for it.  While it does
 * something else perhaps nobody drives, so the reply is in the kernel unread;
 * or it is a slow reader, and curl has been told to stop reading.  Neither is
 * the provider's fault.  (Where there is anything to read a read returns with
 * it, so whoever waits has read all: a paused stream needs no rule of its own.)
 *
 * Everything here is the owner's, with the state lock held, but for what curl
 * reports: `sent` and `heard`.
 */

#include "config.h"

#include "lib/base/clock.h"
#include "lib/http/http_internal.h"

void
csa_limit_sent(struct csa_http_call *c)
{
	atomic_store(&c->sent, csa_now_ms());
}

void
csa_limit_heard(struct csa_http_call *c)
{
	atomic_store(&c->heard, csa_now_ms());
}

void
csa_limit_unsent(struct csa_http_call *c)
{
	atomic_store(&c->sent, 0);
}

/* When the present silence began, as far as it counts; 0: not yet. */
static int64_t
silent_since(struct csa_http_call *c)
{
	int64_t	 heard = atomic_load(&c->heard);
	int64_t	 at = heard != 0 ? heard : atomic_load(&c->sent);

	return at != 0 && at < c->since ? c->since : at;
}

static long
limit(struct csa_http_call *c)
{
	return csa_http_begun(c) ? c->idle_ms : c->first_byte_ms;
}

void
csa_limit_enter(struct csa_http_call *c)
{
	c->since = csa_now_ms() - c->waited;
}

void
csa_limit_leave(struct csa_http_call *c, bool progress)
{
	int64_t	 at = silent_since(c);

	c->waited = progress || at == 0 ? 0 : csa_now_ms() - at;
}

bool
csa_limit_passed(struct csa_http_call *c)
{
	long	 ms = limit(c);
	int64_t	 at = silent_since(c);

	if (ms == 0 || at == 0 || csa_now_ms() < at + ms)
		return false;
	c->limit = csa_http_begun(c) ? CSA_LIMIT_IDLE : CSA_LIMIT_FIRST_BYTE;
	return true;
}

/*
 * When to look again.  Not later than a limit from now: nobody tells us that
 * the request was sent, or has begun to be answered.
 */
static int64_t
wake_at(struct csa_http_call *c, int64_t until)
{
	long	 ms = limit(c);
	int64_t	 now = csa_now_ms(), at = silent_since(c);

	if (c->deadline < until)
		until = c->deadline;
	if (ms != 0 && at != 0 && at + ms < until)
		until = at + ms;
	if (c->first_byte_ms != 0 && now + c->first_byte_ms < until)
		until = now + c->first_byte_ms;
	if (c->idle_ms != 0 && now + c->idle_ms < until)
		until = now + c->idle_ms;
	return until;
}

void
csa_limit_sleep(struct csa_http_call *const *c, size_t n, int64_t until)
{
	struct csa_waiter	*w = c[0]->waiter;
	int64_t			 lost = w->lost;
	size_t			 i;

	for (i = 0; i < n; i++)
		until = wake_at(c[i], until);
	csa_waiter_sleep(w, until);
	/* What went into a heartbeat was no waiting either. */
	if ((lost = w->lost - lost) > 0)
		for (i = 0; i < n; i++)
			c[i]->since = silent_since(c[i]) + lost;
}

bool
csa_http_begun(const struct csa_http_call *c)
{
	return atomic_load(&c->heard) != 0;
}
