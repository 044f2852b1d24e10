/*
 * call: starting an exchange, waiting for it, and what it came to.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/http/http_internal.h"
#include "lib/metrics/metrics.h"

#define LOW_WATER	(128 * 1024)	/* unread bytes: go on sending */
#define MAX_KEPT_ALL	4096		/* bytes of reply headers */

/* May it stand in a request's head?  A line break begins another header. */
static bool
clean(const char *s)
{
	for (; *s != '\0'; s++)
		if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
			return false;
	return true;
}

static char *
put(char **at, const char *s)
{
	size_t	 n = strlen(s) + 1;
	char	*copy = memcpy(*at, s, n);

	*at += n;
	return copy;
}

/* One block holds the call, the nodes of curl's list, and all texts. */
static struct csa_http_call *
call_new(const struct csa_http_req *r, bool *ok)
{
	static char		 no_expect[] = "Expect:";
	size_t			 n = r->nheaders, i, size;
	struct csa_http_call	*c;
	char			*at;

	size = strlen(r->url) + 1;
	*ok = clean(r->url);
	for (i = 0; i < n; i++) {
		size += strlen(r->headers[i]) + 1;
		*ok = *ok && clean(r->headers[i]);
	}
	c = csa_calloc(1, sizeof(*c) + (n + 1) * sizeof(c->nodes[0]) + size);
	at = (char *)&c->nodes[n + 1];
	c->url = put(&at, r->url);
	c->nodes[0].data = no_expect;
	for (i = 0; i < n; i++) {
		c->nodes[i].next = &c->nodes[i + 1];
		c->nodes[i + 1].data = put(&at, r->headers[i]);
	}
	return c;
}

struct csa_http_call *
csa_http_start(struct csa_http *h, struct csa_waiter *w,
    const struct csa_http_req *r)
{
	bool			 ok;
	struct csa_http_call	*c = call_new(r, &ok);

	c->http = h;
	c->waiter = w;
	c->source = r->source;
	strncpy(c->operation, r->operation, sizeof(c->operation) - 1);
	c->post = strcmp(r->method, "POST") == 0;
	CSA_MUST(c->post || strcmp(r->method, "GET") == 0);
	c->stream = r->stream;
	c->tls = strncasecmp(r->url, "https:", 6) == 0;
	c->data = r->body;
	c->len = r->len;
	c->deadline = r->deadline;
	c->first_byte_ms = r->first_byte_ms;
	c->idle_ms = r->idle_ms;
	c->max_reply = r->max_reply;
	csa_buf_init(&c->body, r->max_reply);
	csa_buf_init(&c->kept, MAX_KEPT_ALL);
	c->started = csa_now_ns();
	if (ok)
		csa_engine_ask(c, CSA_JOB_START);
	else {
		c->result = CURLE_BAD_FUNCTION_ARGUMENT;
		c->done = true;
	}
	return c;
}

static enum csa_errcode
code_of(const struct csa_http_call *c)
{
	switch (c->result) {
	case CURLE_OK:
		return CSA_OK;
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_URL_MALFORMAT:
	case CURLE_FAILED_INIT:
		return CSA_ERR_INTERNAL;
	case CURLE_OUT_OF_MEMORY:
		/* It is also what curl makes of a header line without end. */
		return c->header_bytes > 0 ? CSA_ERR_PROVIDER_ERROR :
		    CSA_ERR_INTERNAL;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
		return CSA_ERR_PROVIDER_ERROR;
	default:
		return c->too_large ? CSA_ERR_PROVIDER_ERROR :
		    CSA_ERR_PROVIDER_UNAVAILABLE;
	}
}

static int
explain(const struct csa_http_call *c, struct csa_err *e)
{
	enum csa_source	 source = c->verdict == CSA_ERR_CANCELLED ?
	    CSA_SRC_CLIENT : c->verdict == CSA_ERR_INTERNAL ||
	    c->verdict == CSA_ERR_OVERLOADED ? CSA_SRC_AGENT : c->source;
	long long	 ms = (long long)(c->ended - c->started) / 1000000;

	csa_fail(e, c->verdict, source, c->done && c->too_large ?
	    "the provider's reply is too large" : NULL);
	if (c->limit == CSA_LIMIT_FIRST_BYTE)
		return csa_fail_detail(e, "%s: no reply within %ld ms",
		    c->operation, c->first_byte_ms);
	if (c->limit == CSA_LIMIT_IDLE)
		return csa_fail_detail(e, "%s: nothing for %ld ms in the middle "
		    "of a reply", c->operation, c->idle_ms);
	/* While curl is at work errbuf is curl's. */
	if (!c->done)
		return csa_fail_detail(e, "%s: given up after %lld ms",
		    c->operation, ms);
	return csa_fail_detail(e, "%s: %s (curl %d, %lld ms)", c->operation,
	    c->errbuf[0] != '\0' ? c->errbuf : curl_easy_strerror(c->result),
	    (int)c->result, ms);
}

/*
 * 1: not over yet; 0: a whole reply; -1 with err.  What was said once stays: a
 * call given up does not come back to life.  With the state lock held.
 */
static int
judge(struct csa_http_call *c, struct csa_err *e)
{
	if (c->ended == 0) {
		if (c->done)
			c->verdict = code_of(c);
		else if (c->waiter->gone)
			c->verdict = CSA_ERR_CANCELLED;
		else if (csa_now_ms() >= c->deadline)
			c->verdict = CSA_ERR_DEADLINE;
		else if (csa_now_ms() >= c->http->drain)
			c->verdict = CSA_ERR_OVERLOADED;
		else if (csa_limit_passed(c))
			c->verdict = CSA_ERR_PROVIDER_UNAVAILABLE;
		else
			return 1;
		c->ended = csa_now_ns();
	}
	return c->verdict == CSA_OK ? 0 : explain(c, e);
}

int
csa_http_wait(struct csa_http_call *c, struct csa_err *e)
{
	struct csa_http	*h = c->http;
	int		 rc;

	CSA_MUST(!c->stream);
	csa_waiter_slim(c->waiter);
	pthread_mutex_lock(&h->state);
	csa_limit_enter(c);
	while ((rc = judge(c, e)) == 1)
		csa_limit_sleep(&c, 1, c->deadline);
	csa_waiter_leave(c->waiter);
	pthread_mutex_unlock(&h->state);
	return rc;
}

/* The first of them that is over, or -1.  With the state lock held. */
static int
first_over(struct csa_http_call *const *c, size_t n)
{
	struct csa_err	 unused;

	for (size_t i = 0; i < n; i++)
		if (judge(c[i], &unused) != 1)
			return (int)i;
	return -1;
}

int
csa_http_await(struct csa_http_call *const *c, size_t n, int64_t until)
{
	struct csa_http	*h = c[0]->http;
	size_t		 k;
	int		 i;

	pthread_mutex_lock(&h->state);
	for (k = 0; k < n; k++) {
		CSA_MUST(!c[k]->stream && c[k]->waiter == c[0]->waiter);
		csa_limit_enter(c[k]);
	}
	while ((i = first_over(c, n)) == -1 && csa_now_ms() < until)
		csa_limit_sleep(c, n, until);
	for (k = 0; k < n; k++)
		csa_limit_leave(c[k], false);
	csa_waiter_leave(c[0]->waiter);
	pthread_mutex_unlock(&h->state);
	return i;
}

enum csa_http_fault
csa_http_fault(const struct csa_http_call *c)
{
	if (c->verdict != CSA_ERR_PROVIDER_UNAVAILABLE)
		return CSA_FAULT_NONE;
	if (c->limit != CSA_LIMIT_NONE)
		return CSA_FAULT_SILENT;
	switch (c->result) {
	case CURLE_COULDNT_RESOLVE_HOST:
		return CSA_FAULT_NAME;
	case CURLE_COULDNT_CONNECT:
	case CURLE_OPERATION_TIMEDOUT:	/* the only limit that curl knows */
		return CSA_FAULT_CONNECT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return CSA_FAULT_TLS;
	default:
		return CSA_FAULT_BROKEN;
	}
}

/* Copy what is there, with the state lock held. */
static size_t
take(struct csa_http_call *c, void *data, size_t size, bool *resume)
{
	size_t	 n = c->body.len - c->taken;

	*resume = false;
	if (n > size)
		n = size;
	if (n == 0)
		return 0;
	memcpy(data, c->body.data + c->taken, n);
	c->taken += n;
	if (c->taken == c->body.len) {
		csa_buf_reset(&c->body);
		c->taken = 0;
	}
	if (c->paused && c->body.len - c->taken <= LOW_WATER) {
		c->paused = false;
		c->unpaused = *resume = true;
	}
	return n;
}

static long
read_locked(struct csa_http_call *c, void *data, size_t size, int64_t until,
    bool *resume, struct csa_err *e)
{
	size_t	 n;
	int	 rc;

	for (;;) {
		rc = judge(c, e);
		/* What came whole before the end is still good. */
		if ((rc == 1 || c->done) &&
		    (n = take(c, data, size, resume)) > 0)
			return (long)n;
		if (rc != 1)
			return rc;
		if (csa_now_ms() >= until)
			return -2;
		csa_limit_sleep(&c, 1, until);
	}
}

long
csa_http_read(struct csa_http_call *c, void *data, size_t size, int64_t until,
    struct csa_err *e)
{
	struct csa_http	*h = c->http;
	bool		 resume = false;
	long		 n;

	CSA_MUST(c->stream && size > 0);
	pthread_mutex_lock(&h->state);
	csa_limit_enter(c);
	n = read_locked(c, data, size, until, &resume, e);
	csa_limit_leave(c, n > 0);
	csa_waiter_leave(c->waiter);
	pthread_mutex_unlock(&h->state);
	if (resume)
		csa_engine_ask(c, CSA_JOB_UNPAUSE);
	return n;
}

int
csa_http_status(const struct csa_http_call *c)
{
	return c->status;
}

char *
csa_http_body(const struct csa_http_call *c, size_t *len)
{
	static char	 nothing[1];

	CSA_MUST(!c->stream);
	*len = c->body.len;
	return c->body.data != NULL ? c->body.data : nothing;
}

const char *
csa_http_header(const struct csa_http_call *c, const char *name)
{
	const char	*at = c->kept.data, *end, *value;

	if (at == NULL)
		return NULL;
	for (end = at + c->kept.len; at < end; at = value + strlen(value) + 1) {
		value = at + strlen(at) + 1;
		if (strcmp(at, name) == 0)
			return value;
	}
	return NULL;
}

/* Get it out of curl's hands; afterwards it is ours alone. */
static void
reclaim(struct csa_http_call *c)
{
	struct csa_http	*h = c->http;
	bool		 quiet;

	pthread_mutex_lock(&h->state);
	/* Once done nobody touches it, unless it is queued to be resumed. */
	quiet = c->done && !c->unpaused;
	pthread_mutex_unlock(&h->state);
	if (quiet)
		return;
	csa_engine_ask(c, CSA_JOB_REMOVE);
	pthread_mutex_lock(&h->state);
	while (!c->removed)
		pthread_cond_wait(&c->waiter->cond, &h->state);
	pthread_mutex_unlock(&h->state);
}

static void
account(const struct csa_http_call *c)
{
	const char	*source = csa_source_name(c->source), *result = "ok";
	int64_t		 ended = c->ended != 0 ? c->ended : csa_now_ns();
	enum csa_errcode code = c->verdict;
	char		 labels[96];

	if (c->ended == 0)
		code = c->done ? code_of(c) : CSA_ERR_CANCELLED;
	if (code == CSA_OK)
		code = csa_http_code(c->status);
	if (code != CSA_OK)
		result = csa_errinfo(code)->code;
	CSA_LABELS(labels, source, c->operation, result);
	csa_count(CSA_M_upstream_requests, labels, 1);
	CSA_LABELS(labels, source, c->operation);
	csa_observe(CSA_M_upstream_duration, labels,
	    (double)(ended - c->started) / 1e9);
	if (c->connects > 0)
		csa_count(CSA_M_upstream_connections, source,
		    (uint64_t)c->connects);
}

void
csa_http_end(struct csa_http_call *c)
{
	if (c == NULL)
		return;
	reclaim(c);
	account(c);
	csa_buf_fini(&c->body);
	csa_buf_fini(&c->kept);
	free(c);
}
