#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/upstream/upstream_internal.h"

#define MAX_EARLY	65536	/* of an error's body; the rest is not read */

static const char *
put(char **at, const char *s)
{
	size_t	 n = strlen(s) + 1;
	char	*copy = memcpy(*at, s, n);

	*at += n;
	return copy;
}

/* One block holds the call and all texts. */
static struct csa_up_call *
call_new(const struct csa_up_req *r)
{
	size_t			 n = r->nheaders, size;
	struct csa_up_call	*c;
	char			*at;

	size = strlen(r->operation) + strlen(r->method) + strlen(r->url) + 3;
	for (size_t i = 0; i < n; i++)
		size += strlen(r->headers[i]) + 1;
	c = csa_calloc(1, sizeof(*c) + (n + 1) * sizeof(c->headers[0]) + size);
	at = (char *)&c->headers[n + 1];
	c->req = *r;
	c->req.operation = put(&at, r->operation);
	c->req.method = put(&at, r->method);
	c->req.url = put(&at, r->url);
	for (size_t i = 0; i < n; i++)
		c->headers[i] = put(&at, r->headers[i]);
	csa_buf_init(&c->early, MAX_EARLY);
	return c;
}

static void
find_circuit(struct csa_up_call *c, const char *part)
{
	const char	*source = csa_source_name(c->up->source);
	int64_t		 now = csa_now_ms();

	c->far = csa_share_far(c->up->id, now);
	c->circuit_id = csa_fnv(c->up->id, c->req.operation);
	if (part != NULL)
		c->circuit_id = csa_fnv(c->circuit_id, part);
	c->circuit = csa_share_circuit(c->circuit_id, now);
	if (c->circuit == NULL || c->circuit->label != 0)
		return;
	c->circuit->source = c->up->source;
	c->circuit->label = csa_fnv(csa_fnv(CSA_FNV, source),
	    c->req.operation);
}

struct csa_up_call *
csa_up_start(struct csa_upstream *up, struct csa_waiter *waiter,
    const struct csa_up_req *r)
{
	struct csa_up_call	*c = call_new(r);
	struct csa_err		 unused;

	c->up = up;
	c->waiter = waiter;
	find_circuit(c, r->part);
	c->req.part = NULL;
	/* Whatever must be waited for first, or has failed, is told by wait. */
	(void)csa_up_begin(c, INT64_MIN, &unused);
	return c;
}

/* The last word: what wait and read say from now on. */
static int
settle(struct csa_up_call *c, int rc, const struct csa_err *err)
{
	c->over = true;
	if (rc == -1)
		c->verdict = *err;
	return rc;
}

int
csa_up_wait(struct csa_up_call *c, struct csa_err *err)
{
	struct csa_found	 f;
	const char		*body = NULL;
	size_t			 len = 0;
	int			 rc;

	CSA_MUST(!c->req.stream);
	while (!c->over) {
		if (c->now.http == NULL &&
		    csa_up_begin(c, INT64_MAX, err) == -1)
			break;
		rc = csa_up_wait_hedged(c, err);
		if (rc == 0)
			body = csa_http_body(c->now.http, &len);
		csa_exchange_judge(c, &c->now, rc, err, body, len, &f);
		if (rc == 0 && csa_http_status(c->now.http) < 300 &&
		    c->circuit != NULL)
			csa_latency_add(&c->circuit->latency,
			    csa_now_ms() - c->now.started);
		if (!csa_up_again(c, &f))
			return settle(c, rc, err);
	}
	if (c->verdict.code == CSA_OK)
		return 0;
	*err = c->verdict;
	return -1;
}

/* ---- streams ---- */

/*
 * Read on before anything was handed on: all of an error's body (it says if
 * another try is of use), or the first piece of anything else.  1: ask again;
 * else what read returns.
 */
static long
begin_reading(struct csa_up_call *c, int64_t until, struct csa_err *err)
{
	struct csa_found	 f;
	char			 piece[4096];
	size_t			 room = c->early.max - c->early.len;
	long			 n;
	int			 rc;

	n = csa_http_read(c->now.http, piece,
	    room < sizeof(piece) ? room : sizeof(piece), until, err);
	if (n == -2)
		return -2;
	if (n > 0)
		csa_buf_add(&c->early, piece, (size_t)n);
	if (n > 0 && csa_http_status(c->now.http) >= 400 &&
	    c->early.len < c->early.max)
		return 1;
	/* An error that breaks off is an error all the same. */
	rc = n == -1 && c->early.len == 0 ? -1 : 0;
	csa_exchange_judge(c, &c->now, rc, err, c->early.data, c->early.len,
	    &f);
	if (csa_up_again(c, &f)) {
		csa_buf_reset(&c->early);
		return 1;
	}
	if (rc == -1)
		return settle(c, -1, err);
	c->given = true;
	c->ended = n <= 0;
	return 1;
}

/* After the first byte no other exchange can mend it any more. */
static long
read_on(struct csa_up_call *c, void *data, size_t size, int64_t until,
    struct csa_err *err)
{
	size_t			 left = c->early.len - c->early_at;
	struct csa_found	 f;
	long			 n;

	if (left > 0) {
		if (left > size)
			left = size;
		memcpy(data, c->early.data + c->early_at, left);
		c->early_at += left;
		return (long)left;
	}
	if (c->ended)
		return 0;
	n = csa_http_read(c->now.http, data, size, until, err);
	c->ended = n == 0;
	if (n != -1)
		return n;
	csa_exchange_judge(c, &c->now, -1, err, NULL, 0, &f);
	if (f.verdict == CSA_BAD) {
		/* That it began well is told already. */
		c->now.told = false;
		c->now.pass = 0;
		csa_exchange_tell(c, &c->now, f.verdict);
	}
	return settle(c, -1, err);
}

long
csa_up_read(struct csa_up_call *c, void *data, size_t size, int64_t until,
    struct csa_err *err)
{
	long	 n;

	CSA_MUST(c->req.stream && size > 0);
	for (;;) {
		if (c->over) {
			*err = c->verdict;
			return -1;
		}
		if (c->given)
			return read_on(c, data, size, until, err);
		if (c->now.http == NULL &&
		    (n = csa_up_begin(c, until, err)) != 0)
			return n;
		if ((n = begin_reading(c, until, err)) != 1)
			return n;
	}
}

/* ---- what came ---- */

int
csa_up_status(const struct csa_up_call *c)
{
	return c->now.http != NULL ? csa_http_status(c->now.http) : 0;
}

char *
csa_up_body(const struct csa_up_call *c, size_t *len)
{
	static char	 nothing[1];

	*len = 0;
	return c->now.http != NULL ? csa_http_body(c->now.http, len) : nothing;
}

const char *
csa_up_header(const struct csa_up_call *c, const char *name)
{
	return c->now.http != NULL ? csa_http_header(c->now.http, name) : NULL;
}

bool
csa_up_begun(const struct csa_up_call *c)
{
	return c->now.http != NULL && csa_http_begun(c->now.http);
}

unsigned
csa_up_attempts(const struct csa_up_call *c)
{
	return c->attempts;
}

const char *
csa_up_key(const struct csa_up_call *c)
{
	return c->up->key[c->now.key].text;
}

int
csa_up_status_error(const struct csa_up_call *c, struct csa_err *err)
{
	CSA_MUST(c->now.http != NULL);
	return csa_http_status_error(c->now.http, c->hint_s, err);
}

void
csa_up_end(struct csa_up_call *c)
{
	if (c == NULL)
		return;
	csa_exchange_end(c, &c->hedge);
	csa_exchange_end(c, &c->now);
	csa_buf_fini(&c->early);
	free(c);
}
