/*
 * exchange: one exchange of a call, and what it tells of the far end.
 */

#include "config.h"

#include <stdio.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"
#include "lib/upstream/upstream_internal.h"

/* A shorter deadline says more about who set it than about the far end. */
#define FAIR_MS		1000

int64_t
csa_exchange_begin(struct csa_up_call *c, struct csa_exchange *x, unsigned key)
{
	struct csa_upstream	*up = c->up;
	int64_t			 now = csa_now_ms(), shut;
	struct csa_http_req	 r = {
		.source = up->source, .operation = c->req.operation,
		.method = c->req.method, .url = c->req.url,
		.headers = c->headers, .nheaders = c->req.nheaders,
		.body = c->req.body, .len = c->req.len,
		.max_reply = c->req.max_reply, .deadline = c->req.deadline,
		.stream = c->req.stream, .idle_ms = up->idle_ms,
		.first_byte_ms = c->req.slow ? 0 : up->first_byte_ms,
	};

	*x = (struct csa_exchange){ .key = key, .started = now };
	if (c->circuit != NULL && (shut = csa_breaker_enter(
	    &c->circuit->breaker, &up->breaker, now, &x->pass)) != 0)
		return shut;
	if (up->key[key].header != NULL)
		c->headers[r.nheaders++] = up->key[key].header;
	x->http = csa_http_start(up->http, c->waiter, &r);
	c->attempts++;
	return 0;
}

/* A breaker changed: for the log and the metric. */
static void
announce(struct csa_up_call *c, int change)
{
	const char	*source = csa_source_name(c->up->source);
	char		 labels[80];

	snprintf(labels, sizeof(labels), "%s|%s", source, c->req.operation);
	csa_gauge_set(CSA_M_breaker_open, labels,
	    csa_share_count_open(c->circuit->label));
	if (change == 1)
		csa_warn("%s: %s: circuit open: %s", source, c->req.operation,
		    c->before);
	else
		csa_info("%s: %s: circuit closed", source, c->req.operation);
}

void
csa_exchange_tell(struct csa_up_call *c, struct csa_exchange *x,
    enum csa_verdict verdict)
{
	int	 change;

	if (x->told || c->circuit == NULL)
		return;
	x->told = true;
	change = csa_breaker_tell(&c->circuit->breaker, &c->up->breaker,
	    csa_now_ms(), x->pass, verdict);
	if (change != 0)
		announce(c, change);
}

void
csa_exchange_end(struct csa_up_call *c, struct csa_exchange *x)
{
	if (x->http == NULL)
		return;
	csa_exchange_tell(c, x, CSA_NO_VERDICT);
	csa_http_end(x->http);
	x->http = NULL;
}

static void
judge_failure(const struct csa_exchange *x, enum csa_errcode code,
    struct csa_found *f)
{
	f->outcome = CSA_TAKE;
	f->verdict = CSA_NO_VERDICT;
	if (code == CSA_ERR_PROVIDER_ERROR)
		f->verdict = CSA_BAD;
	if (code == CSA_ERR_DEADLINE && csa_now_ms() - x->started >= FAIR_MS)
		f->verdict = CSA_BAD;
	if (code != CSA_ERR_PROVIDER_UNAVAILABLE)
		return;
	switch (csa_http_fault(x->http)) {
	case CSA_FAULT_NAME:	/* the resolver has tried again itself */
	case CSA_FAULT_TLS:
		f->verdict = CSA_NO_CONNECTION;
		break;
	case CSA_FAULT_CONNECT:
		*f = (struct csa_found){ CSA_AGAIN, CSA_NO_CONNECTION,
		    .reason = "connect" };
		break;
	case CSA_FAULT_SILENT:
		*f = (struct csa_found){ CSA_AGAIN, CSA_BAD,
		    .reason = "silent" };
		break;
	default:
		*f = (struct csa_found){ CSA_AGAIN, CSA_BAD,
		    .reason = "broken" };
	}
}

static void
judge_status(int status, bool refused, struct csa_found *f)
{
	static const struct {
		int			 status;
		enum csa_outcome	 outcome;
		enum csa_verdict	 verdict;
		const char		*reason;
	} table[] = {
		{ 401, CSA_OTHER_KEY, CSA_GOOD, "key" },
		{ 403, CSA_OTHER_KEY, CSA_GOOD, "key" },
		{ 408, CSA_AGAIN, CSA_GOOD, "408" },
		{ 429, CSA_OTHER_KEY, CSA_GOOD, "429" },
		{ 500, CSA_AGAIN, CSA_BAD, "500" },
		{ 502, CSA_AGAIN, CSA_BAD, "502" },
		{ 503, CSA_AGAIN, CSA_BAD, "503" },
		{ 504, CSA_AGAIN, CSA_BAD, "504" },
	};

	if (refused)
		status = 401;
	*f = (struct csa_found){ CSA_TAKE, status >= 500 ? CSA_BAD : CSA_GOOD,
	    .reason = "" };
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].status == status)
			*f = (struct csa_found){ table[i].outcome,
			    table[i].verdict, .reason = table[i].reason };
	f->refused = f->outcome == CSA_OTHER_KEY && status != 429;
}

void
csa_exchange_judge(struct csa_up_call *c, const struct csa_exchange *x,
    int rc, const struct csa_err *err, const char *body, size_t len,
    struct csa_found *f)
{
	int			 status;
	long			 after;
	struct csa_up_hint	 hint = { .retry_s = 0 };

	*f = (struct csa_found){ .reason = "" };
	c->hint_s = 0;
	if (rc == -1) {
		snprintf(c->before, sizeof(c->before), "%.75s", err->detail);
		judge_failure(x, err->code, f);
		return;
	}
	status = csa_http_status(x->http);
	if (status >= 400 && c->up->hint != NULL)
		c->up->hint(status, body, len, &hint);
	judge_status(status, hint.key_refused, f);
	if (status < 400)
		return;
	snprintf(c->before, sizeof(c->before), "status %d", status);
	after = csa_http_retry_after(x->http);
	c->hint_s = after > 0 ? after : hint.retry_s;
	f->hint_ms = (int64_t)c->hint_s * 1000;
}
