#include "config.h"

#include <string.h>

#include "handlers/auth.h"
#include "handlers/rag_of.h"
#include "handlers/turn.h"
#include "handlers/turn_cache.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"
#include "lib/web/req.h"

static void
count_answer(const struct csa_model *model, const struct csa_turn *t)
{
	const char	*result = "uncited", *name = model->name;
	char		 labels[256];

	for (size_t i = 0; i < t->found.n; i++)
		if (t->cited[i])
			result = "cited";
	if (t->res.unknown)
		result = "unknown";
	if (t->res.finish == CSA_FINISH_FILTER)
		result = "blocked";
	/* Another may have answered than was asked. */
	if (t->res.provider != NULL)
		name = t->res.provider;
	CSA_LABELS(labels, name, result);
	csa_count(CSA_M_answers, labels, 1);
}

static int
generate(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_config *config, const struct csa_listener *l,
    struct csa_turn *t, struct csa_err *err)
{
	const struct csa_chat_request *r = t->r;
	struct csa_chat_req	 req = { .model = r->model };
	struct csa_prompt	 prompt;
	int64_t			 start = csa_now_ns();

	csa_prompt_build(ctx->arena, r->system_prompt, r->history, r->nhistory,
	    r->keep, t->found.passages, t->found.n, rag->context_tokens,
	    r->message, &prompt);
	req.system = prompt.system;
	req.messages = prompt.messages;
	req.nmessages = prompt.nmessages;
	req.temperature = r->temperature;
	req.max_output_tokens = r->max_output_tokens > 0 ?
	    r->max_output_tokens : config->max_output_tokens;
	req.question = r->message;
	req.passages = t->found.passages;
	req.npassages = prompt.npassages;
	req.text = &t->found.text;
	req.may_degrade = r->may_degrade;
	/* Whatever becomes of it, the model settles what it cost (chain.h). */
	if (rag->model->ops->generate(rag->model, ctx, &req,
	    l != NULL ? l->delta : NULL, l != NULL ? l->arg : NULL, &t->res,
	    err) == -1)
		return -1;
	t->t.generate = csa_now_ns() - start;
	t->cited = csa_arena_array(ctx->arena, t->found.n, bool);
	csa_citations(t->res.text, t->res.len, t->cited, prompt.npassages);
	return 0;
}

/* Providers know their own models; quoting is the one model of its kind. */
static int
check_model(const struct csa_model *model, const char *name,
    struct csa_err *err)
{
	if (name == NULL || strcmp(model->name, "extractive") != 0 ||
	    strcmp(name, model->name) == 0)
		return 0;
	return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
	    "config_params.llm_model: there is no model %.100s here; no "
	    "provider is configured, so extractive is the only one", name);
}

static int
work_out(const struct csa_rag *rag, struct csa_app *app, struct csa_call *call,
    const struct csa_scope *scope, const struct csa_listener *l,
    struct csa_turn *t, struct csa_err *err)
{
	struct csa_ctx	*ctx = &call->req->ctx;

	call->phase = "retrieve";
	t->bytes = 0;
	if (csa_retrieve(rag, ctx, scope, t->r->message, t->r->k, &t->found,
	    &t->t, err) == -1)
		return -1;
	for (size_t i = 0; i < t->found.n; i++)
		t->bytes += t->found.passages[i].chunk.len;
	t->cache = t->found.cached ? "retrieval" : "miss";
	call->phase = "generate";
	if (l != NULL && l->found(l->arg, t) == -1)
		return csa_fail(err, CSA_ERR_CANCELLED, CSA_SRC_CLIENT, NULL);
	if (generate(rag, ctx, app->config, l, t, err) == -1)
		return -1;
	t->degraded = t->res.degraded != NULL ? t->res.degraded :
	    t->found.degraded;
	return 0;
}

/* From the cache, from who asks the same right now, or worked out. */
static int
answer(struct csa_rag *rag, struct csa_app *app, struct csa_call *call,
    const struct csa_scope *scope, const struct csa_listener *l,
    struct csa_turn *t, struct csa_err *err)
{
	struct csa_turn_cache	 c;
	int			 rc;

	csa_turn_cache_init(&c, app, call, rag, scope, l, t);
	if ((rc = csa_turn_recall(&c, err)) == 0) {
		rc = work_out(rag, app, call, scope, csa_turn_listener(&c), t,
		    err);
		rc = csa_turn_settle(&c, rc, err);
	}
	csa_turn_cache_fini(&c);
	return rc == -1 ? -1 : 0;
}

int
csa_turn_run(struct csa_app *app, struct csa_call *call,
    const struct csa_chat_request *r, const struct csa_listener *l,
    struct csa_turn *t, struct csa_err *err)
{
	struct csa_rag	 rag = csa_rag_of(app);
	struct csa_scope scope;

	rag.may_degrade = r->may_degrade;
	memset(t, 0, sizeof(*t));
	t->r = r;
	t->model = r->model != NULL ? r->model : rag.model->model;
	if (csa_authorize_bot(call, r->bot, &scope, err) == -1 ||
	    check_model(rag.model, r->model, err) == -1 ||
	    answer(&rag, app, call, &scope, l, t, err) == -1)
		return -1;
	if (l == NULL)
		csa_turn_header(call, t);
	t->total = csa_now_ns() - call->req->started;
	count_answer(rag.model, t);
	return 0;
}
