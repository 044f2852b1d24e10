#include "config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/http/http.h"
#include "lib/provider/reply.h"
#include "lib/text/doc.h"
#include "lib/text/num.h"
#include "lib/text/utf8.h"

#define MAX_BODY	65536	/* of an error; a longer one is a page */
#define A_DAY_IS_LONG	3600	/* seconds until a daily quota is tried again */

/* The message: error.message, error as text, or flat. */
static const char *
message(const struct csa_node *o)
{
	static const char *const paths[] = {
		"error.message", "error", "message", "detail",
	};
	const struct csa_node	*list;
	const char		*s = NULL;

	for (size_t i = 0; s == NULL && i < CSA_NITEMS(paths); i++)
		s = csa_node_str(csa_node_at(o, paths[i]));
	if (s != NULL)
		return s;
	/* FastAPI's, of what was wrong with the request. */
	list = csa_node_get(o, "detail");
	return csa_node_is(list, CSA_NODE_ARRAY) ?
	    csa_node_str(csa_node_get(list->first, "msg")) : NULL;
}

/* A protobuf Duration, "38.804s", in whole seconds; 0 where it is none. */
static long
duration(const char *s)
{
	size_t	 n = strlen(s);
	char	 number[32];
	double	 d;

	if (n < 2 || n > sizeof(number) || s[n - 1] != 's')
		return 0;
	memcpy(number, s, n - 1);
	number[n - 1] = '\0';
	return csa_parse_double(number, 0, 1e300, &d) == -1 ? 0 :
	    d > 86400 ? 86400 : (long)ceil(d);
}

/* Is one of the violations of a QuotaFailure about a whole day? */
static bool
per_day(const struct csa_node *detail)
{
	const struct csa_node	*list, *v;
	const char		*id;

	list = csa_node_get(detail, "violations");
	if (!csa_node_is(list, CSA_NODE_ARRAY))
		return false;
	for (v = list->first; v != NULL; v = v->next) {
		id = csa_node_str(csa_node_get(v, "quotaId"));
		if (id != NULL && strstr(id, "PerDay") != NULL)
			return true;
	}
	return false;
}

/*
 * Gemini's hint stands in the body.  A daily quota comes with one as well,
 * which would only make everyone try again in vain.
 */
static long
retry_delay(const struct csa_node *o)
{
	const struct csa_node	*list = csa_node_at(o, "error.details"), *d;
	const char		*s;
	long			 delay = 0;

	if (!csa_node_is(list, CSA_NODE_ARRAY))
		return 0;
	for (d = list->first; d != NULL; d = d->next) {
		if (per_day(d))
			return A_DAY_IS_LONG;
		s = csa_node_str(csa_node_get(d, "retryDelay"));
		if (s != NULL)
			delay = duration(s);
	}
	return delay;
}

/* google.rpc.ErrorInfo: INVALID_ARGUMENT alone may be anything. */
static bool
refuses_key(const struct csa_node *o)
{
	const struct csa_node	*list = csa_node_at(o, "error.details"), *d;
	const char		*s;

	if (!csa_node_is(list, CSA_NODE_ARRAY))
		return false;
	for (d = list->first; d != NULL; d = d->next) {
		s = csa_node_str(csa_node_get(d, "reason"));
		if (s != NULL && strcmp(s, "API_KEY_INVALID") == 0)
			return true;
	}
	return false;
}

/*
 * Where there is no status, because the answer had begun with 200 already, the
 * body has it, or a word for it: gRPC's at Gemini, a type at the others.
 */
static const struct {
	const char	*word;		/* or how it begins */
	enum csa_errcode code;
} words[] = {
	{ "RESOURCE_EXHAUSTED",	CSA_ERR_PROVIDER_BUSY },
	{ "UNAVAILABLE",	CSA_ERR_PROVIDER_BUSY },
	{ "rate_limit",		CSA_ERR_PROVIDER_BUSY },
	{ "overloaded",		CSA_ERR_PROVIDER_BUSY },
	{ "service_unavailable", CSA_ERR_PROVIDER_BUSY },
	{ "insufficient_quota",	CSA_ERR_PROVIDER_BUSY },
	{ "DEADLINE_EXCEEDED",	CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "timeout",		CSA_ERR_PROVIDER_UNAVAILABLE },
	{ "INVALID_ARGUMENT",	CSA_ERR_PROVIDER_ERROR },
	{ "FAILED_PRECONDITION", CSA_ERR_PROVIDER_ERROR },
	{ "PERMISSION_DENIED",	CSA_ERR_PROVIDER_ERROR },
	{ "UNAUTHENTICATED",	CSA_ERR_PROVIDER_ERROR },
	{ "NOT_FOUND",		CSA_ERR_PROVIDER_ERROR },
	{ "invalid_request",	CSA_ERR_PROVIDER_ERROR },
	{ "authentication",	CSA_ERR_PROVIDER_ERROR },
	{ "permission",		CSA_ERR_PROVIDER_ERROR },
	{ "BadRequest",		CSA_ERR_PROVIDER_ERROR },
	{ "internal",		CSA_ERR_PROVIDER_FAULT },
	{ "server_error",	CSA_ERR_PROVIDER_FAULT },
	{ "api_error",		CSA_ERR_PROVIDER_FAULT },
};

static enum csa_errcode
code_of_word(const char *s)
{
	if (s == NULL)
		return CSA_OK;
	for (size_t i = 0; i < CSA_NITEMS(words); i++)
		if (strncasecmp(s, words[i].word, strlen(words[i].word)) == 0)
			return words[i].code;
	return CSA_OK;
}

/*
 * What a body says need not be an HTTP status: gRPC's 14 and a 200 within an
 * error tell nothing, and the words are asked next.  Of a reply's own status
 * csa_http_code makes an error, whatever it is.
 */
static enum csa_errcode
code_of_status(int64_t status)
{
	if (status < 400 || status > 599)
		return CSA_OK;
	return csa_http_code((int)status);
}

static enum csa_errcode
code(const struct csa_node *o)
{
	static const char *const paths[] = {
		"error.code", "error.status", "error.type", "error", "code",
		"error_type", "type",
	};
	const struct csa_node	*v;
	enum csa_errcode	 c = CSA_OK;

	for (size_t i = 0; c == CSA_OK && i < CSA_NITEMS(paths); i++) {
		v = csa_node_at(o, paths[i]);
		c = csa_node_is(v, CSA_NODE_NUMBER) ?
		    code_of_status(csa_node_int(v, 0)) :
		    code_of_word(csa_node_str(v));
	}
	return c;
}

/* Is the key anywhere in it?  Even a part of it must not be logged. */
static bool
repeats(const char *s, size_t n, const char *key)
{
	size_t	 k = strlen(key);

	return k > 0 && memmem(s, n, key, k) != NULL;
}

/* What there is to say; NULL for nothing.  In the arena, or s itself. */
static const char *
read_body(struct csa_provider_error *e, struct csa_arena *arena, const char *s,
    size_t len, size_t *n)
{
	const struct csa_node	*o = NULL;
	const char		*m;

	*n = len;
	if (len > MAX_BODY || (o = csa_doc(arena, s, len)) == NULL)
		return s;
	/* Gemini's, where a list of events was expected. */
	if (csa_node_is(o, CSA_NODE_ARRAY) && o->first != NULL)
		o = o->first;
	e->retry_s = retry_delay(o);
	e->code = code(o);
	e->key_refused = refuses_key(o);
	if ((m = message(o)) != NULL)
		*n = strlen(m);
	return m;
}

void
csa_provider_error_read(struct csa_provider_error *e, const char *s,
    size_t len, const char *key)
{
	struct csa_arena	*arena;
	const char		*m;
	size_t			 n;

	memset(e, 0, sizeof(*e));
	if (len == 0)
		return;
	arena = csa_arena_new();
	m = read_body(e, arena, s, len, &n);
	if (m != NULL) {
		if (repeats(m, n, key) || repeats(s, len, key))
			snprintf(e->message, sizeof(e->message), "%s",
			    "(not shown: it repeats the key)");
		else
			csa_utf8_line(e->message, sizeof(e->message), m, n);
	}
	csa_arena_free(arena);
}

int
csa_provider_error_fail(enum csa_source source, const char *s, size_t len,
    const char *key, struct csa_err *err)
{
	struct csa_provider_error	 e;

	csa_provider_error_read(&e, s, len, key);
	csa_fail(err, e.code != CSA_OK ? e.code : CSA_ERR_PROVIDER_FAULT,
	    source, NULL);
	if (err->code == CSA_ERR_PROVIDER_BUSY && e.retry_s > 0)
		err->retry_after = (int)(e.retry_s < A_DAY_IS_LONG ?
		    e.retry_s : A_DAY_IS_LONG);
	return csa_fail_detail(err, "%s: an error with status 200: %s",
	    csa_source_name(source), e.message);
}
