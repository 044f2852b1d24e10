#include "config.h"

#include <stdio.h>

#include "handlers/fail.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/web/resp.h"

void
csa_error_json(struct csa_buf *b, const struct csa_err *err,
    const char *request_id)
{
	const struct csa_errinfo	*info = csa_errinfo(err->code);

	csa_buf_puts(b, "{\"status\":\"error\",\"error_message\":");
	csa_buf_jsonz(b, err->msg);
	csa_buf_puts(b, ",\"detail\":");
	csa_buf_jsonz(b, err->msg);
	csa_buf_addf(b, ",\"error\":{\"code\":\"%s\",\"source\":\"%s\","
	    "\"retryable\":%s},\"request_id\":", info->code,
	    csa_source_name(err->source), info->retryable ? "true" : "false");
	csa_buf_jsonz(b, request_id);
	csa_buf_puts(b, "}");
}

void
csa_error_retry(struct csa_resp *resp, const struct csa_err *err)
{
	const struct csa_errinfo	*info = csa_errinfo(err->code);
	char				 seconds[16];
	int				 after;

	after = err->retry_after > 0 ? err->retry_after : info->retry_after;
	if (after > 0 && info->retryable) {
		snprintf(seconds, sizeof(seconds), "%d", after);
		csa_resp_header(resp, "Retry-After", seconds);
	}
}

void
csa_send_error(struct csa_resp *resp, const struct csa_err *err,
    const char *request_id)
{
	struct csa_buf	 b;

	csa_error_retry(resp, err);
	csa_buf_init(&b, 8192);
	csa_error_json(&b, err, request_id);
	(void)csa_resp_send(resp, csa_errinfo(err->code)->status,
	    "application/json; charset=utf-8", b.data, b.len);
	csa_buf_fini(&b);
}
