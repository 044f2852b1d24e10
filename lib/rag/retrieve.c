#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
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
			hits[i].chunk = stored[i];
		} else if (hits[i].chunk.text == NULL)
			continue;
		hits[kept++] = hits[i];
	}
	*n = kept;
	return 0;
}

/*
 * Both searches: the question's embedding is asked for first, full text runs
 * while an upstream works, whichever of the two upstreams that is.
 */
static int
both(const struct csa_rag *rag, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_found *found, struct csa_timings *t, struct csa_err *err)
{
	struct csa_text		 text = { question, strlen(question) };
	struct csa_embed_job	*job;
	struct csa_vec_query	*query = NULL;
	struct csa_vec		 vec;
	struct csa_vec_hit	*hits;
	size_t			 nhits, depth;
	int64_t			 start = csa_now_ns();
	int			 rc = -1;

	depth = k > CANDIDATES ? k : CANDIDATES;
	job = rag->embedder->ops->start(rag->embedder, ctx, CSA_EMBED_QUERY,
	    &text, 1);
	if (!rag->vectors->remote && rag->store->ops->search(rag->store, ctx,
	    scope, question, depth, &found->text, err) == -1)
		goto out;
	if (rag->embedder->ops->finish(job, &vec, err) == -1)
		goto out;
	t->embed = csa_now_ns() - start;
	query = rag->vectors->ops->query(rag->vectors, ctx, scope, &vec, depth);
	if (rag->vectors->remote) {
		/* The embedder's reply is as long as all that follows. */
		rag->embedder->ops->end(job);
		job = NULL;
	}
	if (rag->vectors->remote && rag->store->ops->search(rag->store, ctx,
	    scope, question, depth, &found->text, err) == -1)
		goto out;
	rc = rag->vectors->ops->finish(query, &hits, &nhits, err);
	query = NULL;
	if (rc == -1 || (rc = complete(rag, ctx, scope, hits, &nhits,
	    err)) == -1)
		goto out;
	found->passages = csa_fuse(ctx->arena, &found->text, hits, nhits,
	    rag->text_weight, &found->n);
	if (found->n > k)
		found->n = k;
	t->retrieve = csa_now_ns() - start - t->embed;
	rc = 0;
out:
	if (query != NULL)
		rag->vectors->ops->cancel(query);
	rag->embedder->ops->end(job);
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
