/*
 * fail: an error's HTTP face; the one place that decides it, save for the shape
 * that OpenAI's clients want (v1_error.h).
 */

#ifndef CSA_HANDLERS_FAIL_H
#define CSA_HANDLERS_FAIL_H

struct csa_buf;
struct csa_err;
struct csa_resp;

/* The JSON object of doc/API.md, appended to b. */
void	csa_error_json(struct csa_buf *b, const struct csa_err *,
	    const char *request_id);

/* Add Retry-After where the error has one. */
void	csa_error_retry(struct csa_resp *, const struct csa_err *);

/* Send it, with Retry-After where the error has one. */
void	csa_send_error(struct csa_resp *, const struct csa_err *,
	    const char *request_id);

#endif
