/*
 * GET /v1/models, GET /v1/models/{bot}: the bots that have documents and that
 * the key may use.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "handlers/chat_reply.h"
#include "handlers/keys.h"
#include "handlers/routes.h"
#include "handlers/validate.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/store/store.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

/* May this name be asked for at all? */
static bool
is_for(const struct csa_call *call, const char *bot)
{
	struct csa_err	 unsaid;

	return csa_check_bot("", bot, strlen(bot), &unsaid) == 0 &&
	    csa_key_allows_bot(call->key, bot);
}

static void
add_model(struct csa_buf *b, const char *bot, int64_t since)
{
	csa_buf_puts(b, "{\"id\":");
	csa_buf_jsonz(b, bot);
	csa_buf_addf(b, ",\"object\":\"model\",\"created\":%" PRId64
	    ",\"owned_by\":\"chatsphere\"}", since / 1000);
}

static struct csa_scope
scope_of(const struct csa_call *call, const char *bot)
{
	const char	*tenant = call->key->tenant;

	return (struct csa_scope){ tenant != NULL ? tenant : "", bot };
}

/* One bot's damaged file is no reason to tell of no other. */
static int
add_bot(struct csa_app *app, struct csa_call *call, const char *bot,
    struct csa_buf *b, bool *first, struct csa_err *err)
{
	struct csa_scope	 scope = scope_of(call, bot);
	int64_t			 since;
	int			 rc;

	rc = app->store->ops->bot(app->store, &call->req->ctx, &scope, &since,
	    err);
	if (rc == -1 && csa_left_ms(call->req->ctx.deadline) == 0)
		return csa_fail(err, CSA_ERR_DEADLINE, CSA_SRC_STORE, NULL);
	if (rc == -1)
		csa_warn("models: %s is left out: %s", bot, err->detail);
	if (rc != 1)
		return 0;
	if (!*first)
		csa_buf_putc(b, ',');
	*first = false;
	add_model(b, bot, since);
	return 0;
}

static void
send(struct csa_call *call, const struct csa_buf *b)
{
	(void)csa_resp_send(call->resp, 200, "application/json; charset=utf-8",
	    b->data, b->len);
}

int
csa_handle_v1_models(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	struct csa_ids	 bots;
	struct csa_buf	 b;
	bool		 first = true;
	int		 rc = 0;

	if (app->store->ops->bots(app->store, &call->req->ctx,
	    call->key->tenant, &bots, err) == -1)
		return -1;
	csa_buf_init(&b, CSA_REPLY_MAX);
	csa_buf_puts(&b, "{\"object\":\"list\",\"data\":[");
	for (size_t i = 0; i < bots.n && rc == 0; i++)
		if (is_for(call, bots.id[i]))
			rc = add_bot(app, call, bots.id[i], &b, &first, err);
	csa_buf_puts(&b, "]}");
	if (rc == 0 && b.failed)
		rc = csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "there are too many bots to list");
	if (rc == 0)
		send(call, &b);
	csa_buf_fini(&b);
	return rc;
}

/* Another's bot, a name that none can have, no documents: all the same. */
int
csa_handle_v1_model(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	const char		*bot = csa_call_name(call);
	struct csa_scope	 scope = scope_of(call, bot);
	struct csa_buf		 b;
	int64_t			 since;
	int			 rc = 0;

	if (is_for(call, bot) && (rc = app->store->ops->bot(app->store,
	    &call->req->ctx, &scope, &since, err)) == -1)
		return -1;
	if (rc == 0)
		return csa_fail(err, CSA_ERR_NOT_FOUND, CSA_SRC_CLIENT,
		    "model: there is no %.128s with documents that this key "
		    "may use", bot);
	csa_buf_init(&b, 1024);
	add_model(&b, bot, since);
	send(call, &b);
	csa_buf_fini(&b);
	return 0;
}
