#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rag/fuse.h"
#include "lib/rag/rag.h"
#include "lib/rag/retrieve_cache.h"

/* How deep each list goes before the two are fused. */
#define CANDIDATES	100

/* Full text alone: its scores, as shares of what a perfect chunk would have. */
static void
only_text(struct csa_ctx *ctx, size_t k, struct csa_found *found)
{
	const struct csa_text_result	*t = &found->text;
	double				 full = t->ideal;

	found->n = t->nhits < k ? t->nhits : k;
	found->passages = csa_arena_array(ctx->arena, found->n,
	    struct csa_passage);
	for (size_t i = 0; i < found->n; i++)
		if (t->hits[i].score > full)
			full = t->hits[i].score;
	for (size_t i = 0; i < found->n; i++) {
		found->passages[i].chunk = t->hits[i].chunk;
		found->passages[i].score = full > 0 ?
		    t->hits[i].score / full : 0;
	}
}

/*
 * A vector whose metadata quotes another text than the store has under its id
 * belongs to a version that was replaced: it says nothing about today's text.
 */
static bool
is_stale(const struct csa_chunk *stored, const struct csa_chunk *hit)
{
	return hit->text != NULL && (hit->len > stored->len ||
	    memcmp(hit->text, stored->text, hit->len) != 0);
}

/* One question's two searches. */
struct search {
	const struct csa_rag	*rag;
	struct csa_ctx		*ctx;
	struct csa_ctx		 vctx;		/* for vectors */
	const struct csa_scope	*scope;
	const char		*question;
	size_t			 k, depth;
	struct csa_found	*found;
	struct csa_timings	*t;
	int64_t			 start;
	struct csa_embed_job	*job;
	struct csa_vec_query	*query;
	bool			 no_text;	/* full text failed: why */
	struct csa_err		 why;
	struct csa_ids		 elsewhere;	/* not in the store */
};

/*
 * Give the vector hits their texts from the store.  What is not there keeps the
 * text that it came with; what came without any is dropped.
 */
static int
complete(struct search *s, struct csa_vec_hit *hits, size_t *n,
    struct csa_err *err)
{
	struct csa_store *store = s->rag->store;
	const char	**ids;
	struct csa_chunk *stored;
	size_t		 kept = 0;

	ids = csa_arena_array(s->ctx->arena, *n, const char *);
	stored = csa_arena_array(s->ctx->arena, *n, struct csa_chunk);
	for (size_t i = 0; i < *n; i++)
		ids[i] = hits[i].chunk.id;
	if (store->ops->chunks(store, s->ctx, s->scope, ids, *n, stored,
	    err) == -1)
		return -1;
	s->elsewhere.id = ids;
	for (size_t i = 0; i < *n; i++) {
		if (stored[i].id != NULL) {
			if (is_stale(&stored[i], &hits[i].chunk))
				continue;
			stored[i].vec = hits[i].chunk.vec;
			stored[i].dim = hits[i].chunk.dim;
			hits[i].chunk = stored[i];
		} else if (hits[i].chunk.text == NULL)
			continue;
		else
			ids[s->elsewhere.n++] = hits[i].chunk.id;
		hits[kept++] = hits[i];
	}
	*n = kept;
	return 0;
}

/* Say of which passages the store has no text. */
static void
mark_elsewhere(struct search *s)
{
	struct csa_found	*f = s->found;
	bool			*elsewhere;

	if (s->elsewhere.n == 0)
		return;
	elsewhere = csa_arena_array(s->ctx->arena, f->n, bool);
	for (size_t i = 0; i < f->n; i++)
		for (size_t j = 0; j < s->elsewhere.n && !elsewhere[i]; j++)
			elsewhere[i] = strcmp(f->passages[i].chunk.id,
			    s->elsewhere.id[j]) == 0;
	f->elsewhere = elsewhere;
}

/* May this be made good by the other search? */
static bool
may_mend(const struct search *s, const struct csa_err *err)
{
	return s->rag->may_degrade && csa_left_ms(s->ctx->deadline) > 0 &&
	    (csa_provider_failed(err) ||
	    err->code == CSA_ERR_STORE_UNAVAILABLE);
}

static void
note(const char *from, const char *to, const struct csa_err *err)
{
	const char	*code = csa_errinfo(err->code)->code;
	char		 labels[80];

	snprintf(labels, sizeof(labels), "%s|%s|%s", from, to, code);
	csa_count(CSA_M_fallbacks, labels, 1);
	csa_warn("%s failed, %s alone has to do: %s: %s%s%s", from, to, code,
	    err->msg, err->detail[0] != '\0' ? ": " : "", err->detail);
}

/* 0: go on with full text alone.  -1: it is no answer to this. */
static int
without_vectors(struct search *s, const char *from, const char *reason,
    struct csa_err *err)
{
	if (!may_mend(s, err))
		return -1;
	if (s->no_text) {
		*err = s->why;
		return -1;
	}
	note(from, "full_text", err);
	s->found->degraded = reason;
	return 0;
}

/* 0: go on, with s->no_text where vectors have to do.  -1. */
static int
search_text(struct search *s, struct csa_err *err)
{
	struct csa_store	*store = s->rag->store;

	if (store->ops->search(store, s->ctx, s->scope, s->question, s->depth,
	    &s->found->text, err) == 0)
		return 0;
	if (!may_mend(s, err) || s->found->degraded != NULL)
		return -1;
	memset(&s->found->text, 0, sizeof(s->found->text));
	s->no_text = true;
	s->why = *err;
	return 0;
}

static int
start_query(struct search *s, struct csa_err *err)
{
	struct csa_embedder	*e = s->rag->embedder;
	struct csa_vectors	*v = s->rag->vectors;
	struct csa_vec		 vec;
	int			 rc;

	rc = e->ops->finish(s->job, &vec, err);
	s->t->embed = csa_now_ns() - s->start;
	if (rc == -1)
		return without_vectors(s, "embedding",
		    "embedding_unavailable", err);
	s->query = v->ops->query(v, &s->vctx, s->scope, &vec, s->depth);
	if (v->remote) {
		/* The embedder's reply is as long as all that follows. */
		e->ops->end(s->job);
		s->job = NULL;
	}
	return 0;
}

/* Without the store: what has its text beside its vector. */
static int
with_text(struct search *s, struct csa_vec_hit *hits, size_t *n,
    struct csa_err *err)
{
	size_t	 kept = 0;

	for (size_t i = 0; i < *n; i++)
		if (hits[i].chunk.text != NULL)
			hits[kept++] = hits[i];
	*n = kept;
	if (kept == 0) {
		*err = s->why;
		return -1;
	}
	note("full_text", "vectors", &s->why);
	s->found->degraded = "store_unavailable";
	return 0;
}

/* Sets s->found->passages by vectors and full text, or by one of them. */
static int
finish_query(struct search *s, struct csa_err *err)
{
	const struct csa_rag	*rag = s->rag;
	struct csa_vec_query	*query = s->query;
	struct csa_vec_hit	*hits;
	size_t			 n;

	s->query = NULL;
	if (rag->vectors->ops->finish(query, &hits, &n, err) == -1 ||
	    (!s->no_text && complete(s, hits, &n, err) == -1)) {
		if (without_vectors(s, "vectors", "vectors_unavailable",
		    err) == -1)
			return -1;
		only_text(s->ctx, s->k, s->found);
		return 0;
	}
	if (s->no_text && with_text(s, hits, &n, err) == -1)
		return -1;
	s->found->passages = csa_fuse(s->ctx->arena, &s->found->text, hits, n,
	    s->no_text ? 0 : rag->text_weight, &s->found->n);
	if (s->found->n > s->k)
		s->found->n = s->k;
	mark_elsewhere(s);
	return 0;
}

/*
 * The question's embedding is asked for first; full text runs while an upstream
 * works, whichever of the two upstreams that is.
 */
static int
run(struct search *s, struct csa_err *err)
{
	const struct csa_rag	*rag = s->rag;
	struct csa_text		 text = { s->question, strlen(s->question) };

	s->job = rag->embedder->ops->start(rag->embedder, &s->vctx,
	    CSA_EMBED_QUERY, &text, 1);
	if (!rag->vectors->remote && search_text(s, err) == -1)
		return -1;
	if (start_query(s, err) == -1)
		return -1;
	if (rag->vectors->remote && search_text(s, err) == -1)
		return -1;
	if (s->query != NULL)
		return finish_query(s, err);
	only_text(s->ctx, s->k, s->found);
	return 0;
}

/* Vectors must leave time for an answer without them. */
static int64_t
vector_deadline(const struct csa_rag *rag, const struct csa_ctx *ctx)
{
	int64_t	 half = csa_left_ms(ctx->deadline) / 2;

	if (!rag->may_degrade)
		return ctx->deadline;
	return csa_sooner(ctx->deadline, rag->retrieve_ms > 0 &&
	    rag->retrieve_ms < half ? rag->retrieve_ms : half);
}

static int
both(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_found *found, struct csa_timings *t, struct csa_err *err)
{
	struct search	 s = {
		.rag = rag, .ctx = ctx, .vctx = *ctx, .scope = scope,
		.question = question, .k = k,
		.depth = k > CANDIDATES ? k : CANDIDATES,
		.found = found, .t = t, .start = csa_now_ns(),
	};
	struct csa_err	 e;
	int		 rc;

	s.vctx.deadline = vector_deadline(rag, ctx);
	rc = run(&s, &e);
	if (rc == -1)
		*err = e;
	if (s.query != NULL)
		rag->vectors->ops->cancel(s.query);
	rag->embedder->ops->end(s.job);
	return rc;
}

/*
 * Two lists of a hundred candidates with their texts are found, of which a few
 * passages stay; and those wait for the model.
 */
static int
both_kept(const struct csa_rag *rag, const struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_found *found, struct csa_timings *t, struct csa_err *err)
{
	struct csa_ctx	 inner = *ctx;
	int		 rc;

	inner.arena = csa_arena_new();
	rc = both(rag, &inner, scope, question, k, found, t, err);
	if (rc == 0)
		csa_found_copy(ctx->arena, found);
	csa_arena_free(inner.arena);
	return rc;
}

static int
search(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_found *found, struct csa_timings *t, struct csa_err *err)
{
	if (rag->embedder != NULL && rag->vectors != NULL)
		return both_kept(rag, ctx, scope, question, k, found, t, err);
	if (rag->store->ops->search(rag->store, ctx, scope, question, k,
	    &found->text, err) == -1)
		return -1;
	only_text(ctx, k, found);
	return 0;
}

int
csa_retrieve(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_found *found, struct csa_timings *t, struct csa_err *err)
{
	struct csa_lookup	 l;
	int64_t			 start = csa_now_ns();

	memset(found, 0, sizeof(*found));
	question = csa_question(ctx->arena, question);
	if (csa_lookup_find(rag, ctx, scope, question, k, &l, found) == 0) {
		if (search(rag, ctx, scope, question, k, found, t, err) == -1)
			return -1;
		csa_lookup_keep(rag, ctx, &l, found);
	}
	t->retrieve = csa_now_ns() - start - t->embed;
	return 0;
}
