/*
 * GET /openapi.json: the interface, described; the text is handlers/openapi.json.
 */
#include "config.h"

#include <string.h>

#include "handlers/openapi_json.h"
#include "handlers/routes.h"
#include "lib/web/resp.h"

int
csa_handle_openapi(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	(void)app;
	(void)err;
	(void)csa_resp_send(call->resp, 200, "application/json; charset=utf-8",
	    openapi_json, sizeof(openapi_json) - 1);
	return 0;
}
