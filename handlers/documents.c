/*
 * DELETE /documents/{document_id}, DELETE /documents: delete a document.
 */
#include "config.h"

#include <string.h>

#include "handlers/auth.h"
#include "handlers/query.h"
#include "handlers/rag_of.h"
#include "handlers/routes.h"
#include "handlers/validate.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

static int
parameter(const struct csa_call *call, const char *name, const char **value,
    size_t *n, struct csa_err *err)
{
	int	 rc;

	rc = csa_query_get(call->req->ctx.arena, call->req->query, name, value,
	    n, err);
	if (rc == 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s is missing in the query: ?%s=...", name, name);
	return rc == 1 ? 0 : -1;
}

/* In the path, or, for what cannot stand there ("a/b"), in the query. */
static int
document_of(const struct csa_call *call, const char **document,
    struct csa_err *err)
{
	size_t	 n;

	if (strchr(call->route->path, '{') != NULL) {
		*document = csa_call_name(call);
		n = strlen(*document);
	} else if (parameter(call, "document_id", document, &n, err) == -1)
		return -1;
	return csa_check_id("document_id", *document, n, err);
}

static void
reply(struct csa_call *call, const char *document, const struct csa_ids *gone)
{
	struct csa_buf	 b;

	csa_buf_init(&b, 64u << 20);
	csa_buf_puts(&b, "{\"status\":\"success\",\"document_id\":");
	csa_buf_jsonz(&b, document);
	csa_buf_puts(&b, ",\"deleted_vector_ids\":[");
	for (size_t i = 0; i < gone->n; i++) {
		if (i > 0)
			csa_buf_putc(&b, ',');
		csa_buf_jsonz(&b, gone->id[i]);
	}
	csa_buf_addf(&b, "],\"deleted_vector_count\":%zu,"
	    "\"error_message\":null,\"request_id\":", gone->n);
	csa_buf_jsonz(&b, call->req->ctx.request_id);
	csa_buf_putc(&b, '}');
	(void)csa_resp_send(call->resp, 200, "application/json; charset=utf-8",
	    b.data, b.len);
	csa_buf_fini(&b);
}

int
csa_handle_documents(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_rag		 rag = csa_rag_of(app);
	struct csa_scope	 scope;
	struct csa_ids		 gone;
	const char		*document, *bot;
	size_t			 n;
	int			 rc;

	if (document_of(call, &document, err) == -1 ||
	    parameter(call, "bot_id", &bot, &n, err) == -1 ||
	    csa_check_bot("bot_id", bot, n, err) == -1 ||
	    csa_authorize_bot(call, bot, &scope, err) == -1)
		return -1;
	rc = csa_forget(&rag, &call->req->ctx, &scope, document, &gone, err);
	if (rc == 0)
		return csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT,
		    "there is no document %.128s of this bot", document);
	if (rc == -1)
		return -1;
	reply(call, document, &gone);
	return 0;
}
