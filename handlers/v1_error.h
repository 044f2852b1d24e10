/*
 * v1_error: an error as OpenAI's clients read it.
 *
 *	{"error":{"message":"...","type":"invalid_request_error","param":"n",
 *	 "code":"bad_request","source":"client","retryable":false,
 *	 "request_id":"..."}}
 *
 * The status is that of lib/base/errs.def, and so is the code, save for two
 * that clients know by name: invalid_api_key and model_not_found.  source,
 * retryable and request_id are ours; clients show them with the rest.
 */

#ifndef CSA_HANDLERS_V1_ERROR_H
#define CSA_HANDLERS_V1_ERROR_H

#include <stdbool.h>

struct csa_buf;
struct csa_err;
struct csa_req;
struct csa_resp;

/*
 * Is the request for an address of the OpenAI face?  Also where its path was
 * refused (csa_req_parse_target): then what it was sent as tells.  prefix is
 * url_prefix.
 */
bool	csa_v1_path(const struct csa_req *, const char *prefix);

/* The JSON object, appended to b. */
void	csa_v1_error_json(struct csa_buf *b, const struct csa_err *,
	    const char *request_id);

/*
 * Send it, with Retry-After where the error has one, and with X-Should-Retry:
 * left to themselves, the clients try every 409 and 5xx three times.
 */
void	csa_v1_send_error(struct csa_resp *, const struct csa_err *,
	    const char *request_id);

#endif
