#include "config.h"

#include <string.h>
#include <time.h>

#include "handlers/chat_probe.h"
#include "lib/base/clock.h"
#include "lib/http/http.h"
#include "lib/text/num.h"
#include "lib/web/events.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

#define EVENTS_MAX	100
#define GAP_MAX_MS	1000
#define TOTAL_MAX_MS	30000

/* How often a silent stream looks whether its client is still there. */
#define LOOK_MS		5

static const char	name[] = "probe=";

struct probe {
	int64_t	 events, gap;
};

bool
csa_chat_probe_wanted(const char *query)
{
	return strncmp(query, name, sizeof(name) - 1) == 0;
}

static int
parse(const char *query, struct probe *p)
{
	const char	*s = query + sizeof(name) - 1, *comma = strchr(s, ',');
	char		 events[8];
	size_t		 n;

	if (comma == NULL || (n = (size_t)(comma - s)) >= sizeof(events))
		return -1;
	memcpy(events, s, n);
	events[n] = '\0';
	if (csa_parse_int(events, 1, EVENTS_MAX, &p->events) == -1 ||
	    csa_parse_int(comma + 1, 1, GAP_MAX_MS, &p->gap) == -1)
		return -1;
	return p->events * p->gap <= TOTAL_MAX_MS ? 0 : -1;
}

/* -1 when the client left before. */
static int
sleep_until(struct csa_waiter *w, int64_t when)
{
	static const struct timespec	 pause = { 0, LOOK_MS * 1000000L };

	while (csa_now_ms() < when) {
		if (csa_waiter_gone(w))
			return -1;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int
put(struct csa_call *call, const char *event, int64_t number)
{
	struct csa_buf	 b, data;
	int		 rc;

	csa_buf_init(&data, 256);
	csa_buf_init(&b, 512);
	if (number > 0)
		csa_buf_addf(&data, "{\"text\":\"%lld\"}", (long long)number);
	else
		csa_buf_addf(&data, "{\"finish_reason\":\"stop\","
		    "\"model\":\"probe\",\"request_id\":\"%s\"}",
		    call->req->ctx.request_id);
	csa_events_format(&b, NULL, event, data.data, data.len);
	rc = number > 0 ? csa_events_put(call->resp, &b) :
	    csa_resp_end(call->resp, b.data, b.len);
	csa_buf_fini(&data);
	csa_buf_fini(&b);
	return rc;
}

static int
run(struct csa_call *call, const struct probe *p)
{
	int64_t	 start;

	if (csa_events_begin(call->resp) == -1)
		return -1;
	start = csa_now_ms();
	/* By the clock, so that what one event is late is not added up. */
	for (int64_t i = 1; i <= p->events; i++)
		if (sleep_until(call->req->ctx.waiter,
		    start + i * p->gap) == -1 || put(call, "delta", i) == -1)
			return -1;
	return put(call, "done", 0);
}

int
csa_chat_probe(struct csa_app *app, struct csa_call *call, struct csa_err *err)
{
	struct csa_buf	 body;
	struct probe	 p;
	int		 rc;

	rc = csa_call_body(app, call, &body, err);
	csa_buf_fini(&body);
	if (rc == -1)
		return -1;
	if (parse(call->req->query, &p) == -1)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "probe must be EVENTS,GAP_MS: 1 to %d events, 1 to %d ms "
		    "between them, %d s in all", EVENTS_MAX, GAP_MAX_MS,
		    TOTAL_MAX_MS / 1000);
	if (p.events * p.gap > csa_left_ms(call->req->ctx.deadline))
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "probe: such a stream would take longer than a request "
		    "may");
	call->phase = "probe";
	if (run(call, &p) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	return 0;
}
