/*
 * GET /metrics: what all processes of the installation counted.
 */
#include "config.h"

#include "handlers/routes.h"
#include "lib/base/buf.h"
#include "lib/metrics/metrics.h"
#include "lib/web/resp.h"

int
csa_handle_metrics(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_buf	 b;

	(void)app;
	csa_buf_init(&b, 16u << 20);
	csa_metrics_expose(&b);
	if (b.failed)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the metrics are too large");
	(void)csa_resp_send(call->resp, 200,
	    "text/plain; version=0.0.4; charset=utf-8", b.data, b.len);
	csa_buf_fini(&b);
	return 0;
}
