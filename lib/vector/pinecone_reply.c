#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/text/doc.h"
#include "lib/text/utf8.h"
#include "lib/vector/pinecone_reply.h"

#define MAX_ERROR	65536

/* Members of the metadata that are ours, and no part of the caller's. */
static const char *const ours[] = {
	"bot_id", "document_id", "chunk_id", "text", "title", "text_truncated",
};

/* A member that is a string, or a number as its text; NULL for any other. */
static const char *
as_text(struct csa_arena *arena, const struct csa_node *o, const char *name)
{
	const struct csa_node	*v = csa_node_get(o, name);

	/* Pinecone keeps every number as a double: 7 may be 7.0. */
	if (csa_node_is(v, CSA_NODE_NUMBER))
		return csa_arena_printf(arena, "%.15g", csa_node_double(v));
	return csa_node_str(v);
}

static bool
is_ours(const char *name)
{
	for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* The caller's own members as JSON text; NULL where there is none. */
static const char *
own_metadata(struct csa_arena *arena, const struct csa_node *meta)
{
	const struct csa_node	*m;
	struct csa_buf		 b;
	const char		*text = NULL;

	csa_buf_init(&b, 1u << 20);
	for (m = meta->first; m != NULL; m = m->next) {
		if (is_ours(m->name) || m->type == CSA_NODE_NULL)
			continue;
		csa_buf_putc(&b, b.len == 0 ? '{' : ',');
		csa_buf_json(&b, m->name, m->nname);
		csa_buf_putc(&b, ':');
		csa_node_write(&b, m);
	}
	if (b.len > 0) {
		csa_buf_putc(&b, '}');
		if (!b.failed)
			text = csa_arena_strndup(arena, b.data, b.len);
	}
	csa_buf_fini(&b);
	return text;
}

/*
 * The chunk's id is the metadata's where that is the one this vector's id was
 * made of; of an index that others wrote, the vector's id itself.
 */
static const char *
chunk_id(const struct csa_node *meta, const char *id)
{
	const char	*s = csa_node_str(csa_node_get(meta, "chunk_id"));
	char		 vid[CSA_VECTOR_ID_MAX + 1];

	if (s == NULL || csa_vector_id(s, vid) == -1 || strcmp(vid, id) != 0)
		s = id;
	return s;
}

/* Text for the hit; false where it is out of all proportion. */
static bool
take_text(const struct csa_match_want *w, const struct csa_node *meta,
    struct csa_chunk *c)
{
	const struct csa_node	*v = csa_node_get(meta, "text");

	if (!csa_node_is(v, CSA_NODE_STRING))
		return true;
	if (v->n > w->max_text)
		return false;
	if (csa_utf8_blank(v->s, v->n))
		return true;
	c->text = v->s;
	c->len = v->n;
	return true;
}

/* Larger is better, whatever the index measures. */
static double
similarity(enum csa_metric metric, double score)
{
	if (metric != CSA_METRIC_EUCLIDEAN)
		return score;
	return 1 / (1 + (score > 0 ? score : 0));
}

/*
 * Read one match.  1: it is a hit.  0: not usable.  -1: somebody else's, which
 * must never be seen.
 */
static int
take_match(const struct csa_match_want *w, const struct csa_node *m,
    struct csa_vec_hit *hit)
{
	const struct csa_node	*meta = csa_node_get(m, "metadata"), *score, *id;
	const char		*bot, *ns;

	memset(hit, 0, sizeof(*hit));
	id = csa_node_get(m, "id");
	score = csa_node_get(m, "score");
	if (!csa_node_is(id, CSA_NODE_STRING) || id->n == 0 ||
	    !csa_node_is(score, CSA_NODE_NUMBER))
		return 0;
	hit->score = csa_node_double(score);
	if (!isfinite(hit->score))
		return 0;
	hit->score = similarity(w->metric, hit->score);
	if ((ns = as_text(w->arena, m, "namespace")) != NULL &&
	    strcmp(ns, w->ns) != 0)
		return -1;
	bot = as_text(w->arena, meta, "bot_id");
	if (bot != NULL && strcmp(bot, w->bot) != 0)
		return -1;
	if (!take_text(w, meta, &hit->chunk))
		return 0;
	hit->chunk.id = chunk_id(meta, id->s);
	hit->chunk.document_id = as_text(w->arena, meta, "document_id");
	if (hit->chunk.document_id == NULL)
		hit->chunk.document_id = as_text(w->arena, meta, "source");
	if (hit->chunk.document_id == NULL)
		hit->chunk.document_id = "";
	hit->chunk.title = as_text(w->arena, meta, "title");
	if (hit->chunk.title == NULL)
		hit->chunk.title = "";
	if (csa_node_is(meta, CSA_NODE_OBJECT))
		hit->chunk.metadata = own_metadata(w->arena, meta);
	return 1;
}

/* Put hits[n] where it belongs among the first n; false: seen before. */
static bool
insert(struct csa_vec_hit *hits, size_t n)
{
	struct csa_vec_hit	 new = hits[n];
	size_t			 i;

	for (i = 0; i < n; i++)
		if (strcmp(hits[i].chunk.id, new.chunk.id) == 0)
			return false;
	for (i = n; i > 0 && hits[i - 1].score < new.score; i--)
		hits[i] = hits[i - 1];
	hits[i] = new;
	return true;
}

static int
read_matches(const struct csa_match_want *w, const struct csa_node *o,
    struct csa_vec_hit **hits, size_t *n, size_t *dropped, const char **why)
{
	const struct csa_node	*list = csa_node_get(o, "matches"), *m;
	const char		*ns;
	size_t			 all;

	if (!csa_node_is(list, CSA_NODE_ARRAY)) {
		*why = "no list of matches";
		return -1;
	}
	all = list->n;
	ns = as_text(w->arena, o, "namespace");
	if (ns != NULL && strcmp(ns, w->ns) != 0) {
		*dropped = all;
		return 0;
	}
	if (all > w->k)
		all = w->k;
	*hits = csa_arena_array(w->arena, all + 1, struct csa_vec_hit);
	for (m = list->first; all > 0; m = m->next, all--) {
		int	 rc;

		rc = take_match(w, m, &(*hits)[*n]);
		if (rc == -1)
			++*dropped;
		else if (rc == 1 && insert(*hits, *n))
			++*n;
	}
	return 0;
}

int
csa_pinecone_matches(const struct csa_match_want *w, const char *s,
    size_t len, struct csa_vec_hit **hits, size_t *n, size_t *dropped,
    const char **why)
{
	const struct csa_node	*o = csa_doc(w->arena, s, len);

	*hits = NULL;
	*n = *dropped = 0;
	*why = "the reply is no JSON";
	return o != NULL ? read_matches(w, o, hits, n, dropped, why) : -1;
}

long
csa_pinecone_upserted(const char *s, size_t len)
{
	struct csa_arena	*arena = csa_arena_new();
	const struct csa_node	*o = csa_doc(arena, s, len);
	int64_t			 n;

	n = csa_node_int(csa_node_get(o, "upsertedCount"), -1);
	csa_arena_free(arena);
	return n < 0 || n > 1000000 ? -1 : (long)n;
}

bool
csa_pinecone_is_object(const char *s, size_t len)
{
	struct csa_arena	*arena = csa_arena_new();
	bool			 is;

	is = csa_node_is(csa_doc(arena, s, len), CSA_NODE_OBJECT);
	csa_arena_free(arena);
	return is;
}

static enum csa_metric
metric_of(const char *s)
{
	if (s == NULL)
		return CSA_METRIC_UNKNOWN;
	if (strcmp(s, "dotproduct") == 0)
		return CSA_METRIC_DOTPRODUCT;
	if (strcmp(s, "euclidean") == 0)
		return CSA_METRIC_EUCLIDEAN;
	return strcmp(s, "cosine") == 0 ? CSA_METRIC_COSINE :
	    CSA_METRIC_UNKNOWN;
}

int
csa_pinecone_index(struct csa_arena *arena, const char *s, size_t len,
    struct csa_index_info *info)
{
	const struct csa_node	*o = csa_doc(arena, s, len);
	const char		*metric;

	memset(info, 0, sizeof(*info));
	if (!csa_node_is(o, CSA_NODE_OBJECT))
		return -1;
	info->host = as_text(arena, o, "host");
	metric = as_text(arena, o, "metric");
	if (metric == NULL)
		/* 2026-07: the reserved field of a classic index. */
		metric = as_text(arena, csa_node_at(o, "schema.fields._values"),
		    "metric");
	info->metric = metric_of(metric);
	return 0;
}

bool
csa_pinecone_error(const char *s, size_t len, const char *key, char *out,
    size_t size)
{
	struct csa_arena	*arena;
	const struct csa_node	*o = NULL, *v;
	const char		*m = s;
	bool			 missing;

	out[0] = '\0';
	if (len == 0)
		return false;
	if (key[0] != '\0' && memmem(s, len, key, strlen(key)) != NULL) {
		snprintf(out, size, "(not shown: it repeats the key)");
		return false;
	}
	arena = csa_arena_new();
	if (len <= MAX_ERROR)
		o = csa_doc(arena, s, len);
	if (o != NULL) {
		v = csa_node_get(o, "message");
		if (v == NULL)
			v = csa_node_at(o, "error.message");
		m = csa_node_is(v, CSA_NODE_STRING) ? v->s : "";
		len = strlen(m);
	}
	csa_utf8_line(out, size, m, len);
	missing = o != NULL && strstr(out, "amespace") != NULL &&
	    strstr(out, "ot found") != NULL;
	csa_arena_free(arena);
	return missing;
}
