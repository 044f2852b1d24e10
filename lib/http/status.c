/*
 * status: what a provider's HTTP status means to our caller (doc/API.md).
 */

#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "lib/http/http_internal.h"

#define MAX_RETRY_AFTER	3600	/* seconds; nobody waits longer for a chat */
#define A_DAY		86400

enum csa_errcode
csa_http_code(int status)
{
	if (status >= 200 && status < 300)
		return CSA_OK;
	if (status == 429 || status == 503)
		return CSA_ERR_PROVIDER_BUSY;
	if (status == 502 || status == 504)
		return CSA_ERR_PROVIDER_UNAVAILABLE;
	if (status >= 500 && status < 600)
		return CSA_ERR_PROVIDER_FAULT;
	return CSA_ERR_PROVIDER_ERROR;
}

/* Retry-After (RFC 9110, 10.2.3): seconds or a date.  0: none or nonsense. */
long
csa_http_retry_after(const struct csa_http_call *c)
{
	const char	*value = csa_http_header(c, "retry-after");
	time_t		 then;
	long		 s;

	if (value == NULL)
		return 0;
	if (isdigit((unsigned char)value[0]))
		s = strtol(value, NULL, 10);
	else if ((then = curl_getdate(value, NULL)) == -1)
		return 0;
	else
		s = (long)(then - time(NULL));
	return s < 0 ? 0 : s < A_DAY ? s : A_DAY;
}

int
csa_http_status_error(const struct csa_http_call *c, long hint_s,
    struct csa_err *e)
{
	enum csa_errcode	 code = csa_http_code(c->status);
	long			 after;

	CSA_MUST(code != CSA_OK);
	csa_fail(e, code, c->source, NULL);
	if (code == CSA_ERR_PROVIDER_BUSY) {
		after = csa_http_retry_after(c);
		if (after <= 0)
			after = hint_s;
		if (after > 0)
			e->retry_after = (int)(after < MAX_RETRY_AFTER ?
			    after : MAX_RETRY_AFTER);
	}
	return csa_fail_detail(e, "%s: status %d", c->operation, c->status);
}
