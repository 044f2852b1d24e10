#include "config.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"
#include "lib/rag/fuse.h"
#include "lib/rag/rag.h"

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

/* Give the vector hits their texts from the store; drop what has none. */
static int
complete(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, struct csa_vec_hit *hits, size_t *n,
    struct csa_err *err)
{
	const char	**ids;
	struct csa_chunk *stored;
	size_t		 kept = 0;

	ids = csa_arena_array(ctx->arena, *n, const char *);
	stored = csa_arena_array(ctx->arena, *n, struct csa_chunk);
	for (size_t i = 0; i < *n; i++)
		ids[i] = hits[i].chunk.id;
	if (rag->store->ops->chunks(rag->store, ctx, scope, ids, *n, stored,
	    err) == -1)
		return -1;
	for (size_t i = 0; i < *n; i++) {
		if (stored[i].id != NULL) {
			if (is_stale(&stored[i], &hits[i].chunk))
				continue;
			stored[i].vec = hits[i].chunk.vec;
			stored[i].dim = hits[i].chunk.dim;
			hits[i].chunk = stored[i];
		} else if (hits[i].chunk.text == NULL)
			continue;
		hits[kept++] = hits[i];
	}
	*n = kept;
	return 0;
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
};

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
	    (!s->no_text && complete(rag, s->ctx, s->scope, hits, &n,
	    err) == -1)) {
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
	t->retrieve = csa_now_ns() - s.start - t->embed;
	if (s.query != NULL)
		rag->vectors->ops->cancel(s.query);
	rag->embedder->ops->end(s.job);
	return rc;
}

static void
keep_chunk(struct csa_arena *arena, struct csa_chunk *c)
{
	c->id = csa_arena_strdup(arena, c->id);
	c->document_id = csa_arena_strdup(arena, c->document_id);
	c->text = csa_arena_strndup(arena, c->text, c->len);
	c->title = csa_arena_strdup(arena, c->title);
	if (c->metadata != NULL)
		c->metadata = csa_arena_strdup(arena, c->metadata);
	c->vec = NULL;
}

/* Of the hits, only what they say of passages that were found is needed. */
static void
keep_text(struct csa_arena *arena, struct csa_found *found)
{
	struct csa_text_result	*t = &found->text;
	struct csa_text_hit	*hits;
	struct csa_term		*terms;
	size_t			 n = 0;

	hits = csa_arena_array(arena, found->n, struct csa_text_hit);
	for (size_t i = 0; i < t->nhits; i++)
		for (size_t k = 0; k < found->n; k++)
			if (strcmp(t->hits[i].chunk.id,
			    found->passages[k].chunk.id) == 0) {
				hits[n] = t->hits[i];
				hits[n++].chunk = found->passages[k].chunk;
				break;
			}
	t->hits = hits;
	t->nhits = n;
	terms = csa_arena_array(arena, t->nterms, struct csa_term);
	for (size_t i = 0; i < t->nterms; i++) {
		terms[i] = t->terms[i];
		terms[i].text = csa_arena_strdup(arena, terms[i].text);
	}
	t->terms = terms;
}

static void
keep(struct csa_arena *arena, struct csa_found *found)
{
	struct csa_passage	*p;

	p = csa_arena_array(arena, found->n, struct csa_passage);
	for (size_t i = 0; i < found->n; i++) {
		p[i] = found->passages[i];
		keep_chunk(arena, &p[i].chunk);
	}
	found->passages = p;
	keep_text(arena, found);
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
		keep(ctx->arena, found);
	csa_arena_free(inner.arena);
	return rc;
}

int
csa_retrieve(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_found *found, struct csa_timings *t, struct csa_err *err)
{
	int64_t	 start = csa_now_ns();

	memset(found, 0, sizeof(*found));
	if (rag->embedder != NULL && rag->vectors != NULL)
		return both_kept(rag, ctx, scope, question, k, found, t, err);
	if (rag->store->ops->search(rag->store, ctx, scope, question, k,
	    &found->text, err) == -1)
		return -1;
	only_text(ctx, k, found);
	t->retrieve = csa_now_ns() - start;
	return 0;
}
