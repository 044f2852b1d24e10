#include "config.h"

#include <string.h>

#include "handlers/app.h"
#include "handlers/turn_cache_internal.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/config/config.h"
#include "lib/rag/answer_key.h"
#include "lib/rag/answer_value.h"
#include "lib/rag/similar.h"
#include "lib/web/req.h"

/* More than memcached takes is not kept, but may be told within a process. */
#define VALUE_MAX	(64u << 20)

/* What quotes are left of the time: a tenth, but no more than this. */
#define QUOTES_MS	500

/* ---- may it? ---- */

static enum csa_reuse
allowed(const struct csa_turn_cache *c)
{
	const struct csa_chat_request	*r = c->t->r;
	enum csa_reuse			 said;

	if (r->alone || c->app->cache == NULL)
		return CSA_REUSE_NEVER;
	if (r->cache != CSA_REUSE_UNSAID)
		return r->cache;
	said = csa_bots_cache(c->app->bots, c->scope);
	return said != CSA_REUSE_UNSAID ? said :
	    csa_reuse_of(c->app->config->answer_cache);
}

static bool
is_kept(const struct csa_turn_cache *c)
{
	return c->known && c->use >= CSA_REUSE_EXACT;
}

/* "I don't know", by a model that does not say so otherwise. */
static bool
is_unknown(const struct csa_turn *t)
{
	if (t->res.unknown)
		return true;
	for (size_t i = 0; i < t->found.n; i++)
		if (t->cited[i])
			return false;
	return csa_says_unknown(t->res.text, t->res.len);
}

static bool
may_keep(const struct csa_turn_cache *c)
{
	const struct csa_turn	*t = c->t;

	return is_kept(c) && t->degraded == NULL && t->found.n > 0 &&
	    t->res.finish == CSA_FINISH_STOP && !is_unknown(t) &&
	    csa_rag_may_keep(c->rag, &c->generation);
}

/*
 * A leader who had less time than others have may have settled for less than they
 * would get.
 */
static bool
may_share(const struct csa_turn_cache *c)
{
	const struct csa_req	*req = c->call->req;
	int64_t			 usual = req->started / 1000000 +
				    csa_route_timeout(c->call->route,
				    c->app->config);

	return c->t->degraded == NULL || req->ctx.deadline >= usual;
}

/* Would the next one who asks meet the same? */
static bool
is_common(const struct csa_err *err)
{
	return (csa_provider_failed(err) && err->code != CSA_ERR_DEADLINE) ||
	    err->code == CSA_ERR_INVALID_VALUE;
}

/* ---- the key ---- */

static void
make_keys(struct csa_turn_cache *c)
{
	const struct csa_config		*config = c->app->config;
	const struct csa_chat_request	*r = c->t->r;
	bool				 gemini;
	size_t				 first;
	struct csa_answer_ask		 a = {
		.scope = c->scope,
		.generation = &c->generation,
		.question = r->message,
		.system_prompt = r->system_prompt,
		.provider = c->rag->model->name,
		.model = c->t->model,
		.fallback_models = config->fallback_models,
		.may_degrade = r->may_degrade,
		.temperature = r->temperature,
		.answer_threshold = config->answer_threshold,
		.max_output_tokens = r->max_output_tokens > 0 ?
		    r->max_output_tokens : config->max_output_tokens,
		.k = r->k,
		.rag = c->rag,
	};

	gemini = strcmp(config->chat, "gemini") == 0;
	a.address = gemini ? config->google_gemini_base_url :
	    config->openai_base_url;
	first = r->nhistory > r->keep ? r->nhistory - r->keep : 0;
	a.history = r->history + first;
	a.nhistory = r->nhistory - first;
	if (!c->known && (c->generation.store == 0 ||
	    (c->rag->vectors != NULL && c->rag->vectors->remote)))
		a.second = csa_now_ms() / 1000;
	csa_answer_key(&a, &c->key);
	/* In other words, but not in another conversation. */
	c->remember = is_kept(c) && c->use == CSA_REUSE_SEMANTIC &&
	    c->rag->embedder != NULL && a.nhistory == 0;
	if (c->remember)
		csa_similar_key(&a, &c->similar);
}

/* ---- an answer that is there ---- */

/*
 * Are its passages those of the store, to the letter?  The generation in the key
 * says so already; this is for the day on which that is wrong.  Measured with
 * bench/caches.py: 46 of the 380 us of CPU that a kept answer takes, 6230 us being
 * what one takes that is worked out.
 */
static bool
is_current(const struct csa_turn_cache *c, const struct csa_answer *a)
{
	struct csa_ctx		*ctx = &c->call->req->ctx;
	struct csa_store	*store = c->rag->store;
	const char		**ids;
	struct csa_chunk	*now;
	struct csa_err		 unused;

	ids = csa_arena_array(ctx->arena, a->n, const char *);
	now = csa_arena_array(ctx->arena, a->n, struct csa_chunk);
	for (size_t i = 0; i < a->n; i++)
		ids[i] = a->passages[i].chunk.id;
	if (store->ops->chunks(store, ctx, c->scope, ids, a->n, now,
	    &unused) == -1)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		const struct csa_chunk	*was = &a->passages[i].chunk;

		if (now[i].id == NULL ? !a->elsewhere[i] :
		    now[i].len != was->len ||
		    memcmp(now[i].text, was->text, was->len) != 0)
			return false;
	}
	return true;
}

/* Is this an answer?  It may be gone, or another version's. */
static bool
is_answer(const struct csa_turn_cache *c, const struct csa_cached *v,
    struct csa_answer *a)
{
	return v->data != NULL && csa_answer_read(c->call->req->ctx.arena,
	    v->data, v->len, a) == 0 && is_current(c, a);
}

/* 1, 0: it is not there, -1. */
static int
look(struct csa_turn_cache *c, const struct csa_cache_key *key,
    enum csa_cache_kind saved, struct csa_err *err)
{
	struct csa_cached	 v;
	struct csa_answer	 a;

	(void)csa_cache_get(c->app->cache, &c->call->req->ctx, key, &v);
	return is_answer(c, &v, &a) ? csa_turn_present(c, &a, saved, err) : 0;
}

/*
 * Whoever led before may have kept it between our look and now: then those who
 * follow get that.
 */
static int
lead(struct csa_turn_cache *c, struct csa_err *err)
{
	struct csa_cached	 v;
	struct csa_answer	 a;

	if (!is_kept(c))
		return 0;
	(void)csa_cache_again(c->app->cache, &c->call->req->ctx, &c->key, &v);
	if (!is_answer(c, &v, &a))
		return 0;
	csa_flight_land(c->flight, v.data, v.len);
	return csa_turn_present(c, &a, CSA_CACHE_ANSWER, err);
}

/* The same question in other words. */
static int
look_similar(struct csa_turn_cache *c, struct csa_err *err)
{
	struct csa_ctx		*ctx = &c->call->req->ctx;
	struct csa_cache_key	 key;
	struct csa_similar	 s = {
		.rag = c->rag, .cache = c->app->cache, .ring = &c->similar,
		.question = c->t->r->message,
		.threshold = c->app->config->semantic_threshold,
	};
	int			 found;

	found = csa_similar_find(&s, ctx, &c->key, &key);
	c->unit = s.unit;
	c->dim = s.dim;
	return found ? look(c, &key, CSA_CACHE_SIMILAR, err) : 0;
}

/* ---- the sequence ---- */

/*
 * Who would rather have quotes in time than an error gives up while there is time
 * for them, as models do (chain.h); but not in the middle of a text.
 */
static int64_t
patience(const struct csa_turn_cache *c)
{
	const struct csa_ctx	*ctx = &c->call->req->ctx;
	int64_t			 spare = csa_left_ms(ctx->deadline) / 10;

	if (!c->t->r->may_degrade)
		return ctx->deadline;
	return ctx->deadline - (spare < QUOTES_MS ? spare : QUOTES_MS);
}

void
csa_turn_cache_init(struct csa_turn_cache *c, struct csa_app *app,
    struct csa_call *call, struct csa_rag *rag, const struct csa_scope *scope,
    const struct csa_listener *l, struct csa_turn *t)
{
	memset(c, 0, sizeof(*c));
	c->app = app;
	c->call = call;
	c->rag = rag;
	c->scope = scope;
	c->t = t;
	c->l = l;
	c->began = csa_now_ns();
	csa_buf_init(&c->progress, VALUE_MAX);
	csa_buf_init(&c->said, VALUE_MAX);
	c->use = allowed(c);
	if (t->r->cache == CSA_REUSE_NEVER)
		rag->cache = NULL;
}

void
csa_turn_cache_fini(struct csa_turn_cache *c)
{
	if (c->flight != NULL)
		csa_flight_leave(c->flight);
	csa_buf_fini(&c->progress);
	csa_buf_fini(&c->said);
}

int
csa_turn_recall(struct csa_turn_cache *c, struct csa_err *err)
{
	struct csa_ctx	*ctx = &c->call->req->ctx;
	bool		 fly = c->app->config->single_flight;
	int		 rc = 0;

	if (c->use == CSA_REUSE_NEVER || (c->use == CSA_REUSE_OFF && !fly))
		return 0;
	c->known = csa_rag_generation(c->rag, ctx, c->scope,
	    &c->generation) == 1;
	c->rag->generation = &c->generation;
	make_keys(c);
	if (is_kept(c))
		rc = look(c, &c->key, CSA_CACHE_ANSWER, err);
	if (rc == 0 && c->remember)
		rc = look_similar(c, err);
	if (rc != 0 || !fly)
		return rc;
	c->patient = *ctx;
	c->patient.deadline = patience(c);
	c->flight = csa_flight_board(c->app->cache, &c->patient, &c->key);
	if (!csa_flight_leads(c->flight))
		rc = csa_turn_follow(c, err);
	return rc == 0 && c->flight != NULL ? lead(c, err) : rc;
}

static void
keep(struct csa_turn_cache *c, const struct csa_buf *b)
{
	struct csa_ctx		*ctx = &c->call->req->ctx;
	uint32_t		 ttl = (uint32_t)c->app->config->answer_ttl_s;
	struct csa_similar	 s = {
		.rag = c->rag, .cache = c->app->cache, .ring = &c->similar,
		.question = c->t->r->message, .unit = c->unit, .dim = c->dim,
	};

	csa_cache_put(c->app->cache, ctx, &c->key, b->data, b->len, ttl);
	if (c->remember)
		csa_similar_add(&s, ctx, &c->key, ttl);
}

/* Kept before it lands: who comes too late to follow finds it there. */
static void
share(struct csa_turn_cache *c)
{
	const struct csa_turn	*t = c->t;
	bool			 kept = may_keep(c);
	bool			 land = c->flight != NULL && may_share(c);
	struct csa_answer	 a = {
		.passages = t->found.passages, .n = t->found.n,
		.cited = t->cited, .elsewhere = t->found.elsewhere,
		.res = t->res, .degraded = t->degraded,
	};
	struct csa_buf		 b;

	/* Nobody waits for it: then it need not be written down. */
	if (!kept && land && csa_flight_leave_alone(c->flight)) {
		c->flight = NULL;
		land = false;
	}
	if (!kept && !land)
		return;
	csa_buf_init(&b, VALUE_MAX);
	(void)csa_buf_reserve(&b, t->res.len + t->bytes + 4096);
	csa_answer_write(&b, &a);
	if (!b.failed && kept)
		keep(c, &b);
	if (!b.failed && land)
		csa_flight_land(c->flight, b.data, b.len);
	csa_buf_fini(&b);
}

static void
share_trouble(struct csa_turn_cache *c, const struct csa_err *err)
{
	struct csa_buf	 b;

	if (c->flight == NULL || !is_common(err))
		return;
	csa_buf_init(&b, VALUE_MAX);
	csa_trouble_write(&b, err);
	if (!b.failed)
		csa_flight_land(c->flight, b.data, b.len);
	csa_buf_fini(&b);
}

int
csa_turn_settle(struct csa_turn_cache *c, int rc, struct csa_err *err)
{
	if (rc == 0)
		share(c);
	else
		share_trouble(c, err);
	/* Followers need not wait until our client has read it all. */
	if (c->flight != NULL)
		csa_flight_leave(c->flight);
	c->flight = NULL;
	if (rc == 0 && (c->broken || c->came < c->said.len))
		return csa_turn_break_off(err);
	return rc;
}
