/*
 * GET /health: alive, and nothing else is asked.
 */
#include "config.h"

#include <unistd.h>

#include "handlers/routes.h"
#include "lib/base/buf.h"
#include "lib/web/resp.h"

int
csa_handle_health(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_buf	 b;

	(void)err;
	csa_buf_init(&b, 1024);
	csa_buf_puts(&b, "{\"status\":\"ok\"");
	if (call->key != NULL)
		csa_buf_addf(&b, ",\"version\":\"%s\",\"program\":\"%s\","
		    "\"pid\":%d", PACKAGE_VERSION, app->pool, (int)getpid());
	csa_buf_putc(&b, '}');
	(void)csa_resp_send(call->resp, 200, "application/json; charset=utf-8",
	    b.data, b.len);
	csa_buf_fini(&b);
	return 0;
}
