#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/text/json.h"
#include "lib/text/utf8.h"
#include "lib/vector/pinecone_reply.h"

#define MAX_ERROR	65536

/* Members of the metadata that are ours, and no part of the caller's. */
static const char *const ours[] = {
	"bot_id", "document_id", "chunk_id", "text", "title", "text_truncated",
};

static struct json_object *
member(struct json_object *o, const char *name)
{
	struct json_object	*v;

	if (!json_object_is_type(o, json_type_object) ||
	    !json_object_object_get_ex(o, name, &v))
		return NULL;
	return v;
}

/* A member that is a string, or a number as its text; NULL for any other. */
static const char *
as_text(struct csa_arena *arena, struct json_object *o, const char *name)
{
	struct json_object	*v = member(o, name);

	switch (json_object_get_type(v)) {
	case json_type_string:
		return csa_arena_strdup(arena, json_object_get_string(v));
	case json_type_int:
	case json_type_double:
		/* Pinecone keeps every number as a double: 7 may be 7.0. */
		return csa_arena_printf(arena, "%.15g",
		    json_object_get_double(v));
	default:
		return NULL;
	}
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
own_metadata(struct csa_arena *arena, struct json_object *meta)
{
	struct csa_buf	 b;
	const char	*text = NULL;

	csa_buf_init(&b, 1u << 20);
	json_object_object_foreach(meta, name, v) {
		if (is_ours(name) || v == NULL)
			continue;
		csa_buf_putc(&b, b.len == 0 ? '{' : ',');
		csa_buf_jsonz(&b, name);
		csa_buf_putc(&b, ':');
		csa_buf_puts(&b, json_object_to_json_string_ext(v,
		    JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
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
chunk_id(struct csa_arena *arena, struct json_object *meta, const char *id)
{
	const char	*s = NULL;
	char		 vid[CSA_VECTOR_ID_MAX + 1];
	struct json_object *v = member(meta, "chunk_id");

	if (json_object_is_type(v, json_type_string))
		s = json_object_get_string(v);
	if (s == NULL || csa_vector_id(s, vid) == -1 || strcmp(vid, id) != 0)
		s = id;
	return csa_arena_strdup(arena, s);
}

/* Text for the hit; false where it is out of all proportion. */
static bool
take_text(const struct csa_match_want *w, struct json_object *meta,
    struct csa_chunk *c)
{
	struct json_object	*v = member(meta, "text");
	size_t			 n;
	const char		*s;

	if (!json_object_is_type(v, json_type_string))
		return true;
	s = json_object_get_string(v);
	n = (size_t)json_object_get_string_len(v);
	if (n > w->max_text)
		return false;
	if (csa_utf8_blank(s, n))
		return true;
	c->text = csa_arena_strndup(w->arena, s, n);
	c->len = n;
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
take_match(const struct csa_match_want *w, struct json_object *m,
    struct csa_vec_hit *hit)
{
	struct json_object	*meta = member(m, "metadata"), *score, *id;
	const char		*bot, *ns;

	memset(hit, 0, sizeof(*hit));
	id = member(m, "id");
	score = member(m, "score");
	if (!json_object_is_type(id, json_type_string) ||
	    json_object_get_string_len(id) == 0 ||
	    (!json_object_is_type(score, json_type_double) &&
	    !json_object_is_type(score, json_type_int)))
		return 0;
	hit->score = json_object_get_double(score);
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
	hit->chunk.id = chunk_id(w->arena, meta, json_object_get_string(id));
	hit->chunk.document_id = as_text(w->arena, meta, "document_id");
	if (hit->chunk.document_id == NULL)
		hit->chunk.document_id = as_text(w->arena, meta, "source");
	if (hit->chunk.document_id == NULL)
		hit->chunk.document_id = "";
	hit->chunk.title = as_text(w->arena, meta, "title");
	if (hit->chunk.title == NULL)
		hit->chunk.title = "";
	if (json_object_is_type(meta, json_type_object))
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
read_matches(const struct csa_match_want *w, struct json_object *o,
    struct csa_vec_hit **hits, size_t *n, size_t *dropped, const char **why)
{
	struct json_object	*list = member(o, "matches");
	const char		*ns;
	size_t			 all;

	if (!json_object_is_type(list, json_type_array)) {
		*why = "no list of matches";
		return -1;
	}
	all = json_object_array_length(list);
	ns = as_text(w->arena, o, "namespace");
	if (ns != NULL && strcmp(ns, w->ns) != 0) {
		*dropped = all;
		return 0;
	}
	if (all > w->k)
		all = w->k;
	*hits = csa_arena_array(w->arena, all + 1, struct csa_vec_hit);
	for (size_t i = 0; i < all; i++) {
		int	 rc;

		rc = take_match(w, json_object_array_get_idx(list, i),
		    &(*hits)[*n]);
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
	struct json_object	*o = len > 0 ? csa_json_reply(s, len) : NULL;
	int			 rc;

	*hits = NULL;
	*n = *dropped = 0;
	*why = "the reply is no JSON";
	rc = o != NULL ? read_matches(w, o, hits, n, dropped, why) : -1;
	csa_json_free(o);
	return rc;
}

long
csa_pinecone_upserted(const char *s, size_t len)
{
	struct json_object	*o = len > 0 ? csa_json_reply(s, len) : NULL;
	struct json_object	*v = member(o, "upsertedCount");
	int64_t			 n = -1;

	if (json_object_is_type(v, json_type_int))
		n = json_object_get_int64(v);
	csa_json_free(o);
	return n < 0 || n > 1000000 ? -1 : (long)n;
}

bool
csa_pinecone_is_object(const char *s, size_t len)
{
	struct json_object	*o = len > 0 ? csa_json_reply(s, len) : NULL;
	bool			 is = json_object_is_type(o, json_type_object);

	csa_json_free(o);
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
	struct json_object	*o = len > 0 ? csa_json_reply(s, len) : NULL;
	struct json_object	*values;
	const char		*metric;

	memset(info, 0, sizeof(*info));
	if (!json_object_is_type(o, json_type_object)) {
		csa_json_free(o);
		return -1;
	}
	info->host = as_text(arena, o, "host");
	metric = as_text(arena, o, "metric");
	if (metric == NULL) {
		/* 2026-07: the reserved field of a classic index. */
		values = member(member(member(o, "schema"), "fields"),
		    "_values");
		metric = as_text(arena, values, "metric");
	}
	info->metric = metric_of(metric);
	csa_json_free(o);
	return 0;
}

/* Copy s as one printable line; what is no UTF-8 is cut off. */
static void
one_line(char *out, size_t size, const char *s, size_t n)
{
	size_t	 bad;

	if (!csa_utf8_valid(s, n, &bad))
		n = bad;
	n = csa_utf8_cut(s, n, size - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s[i] < 0x20 || s[i] == 0x7f ?
		    ' ' : s[i];
	out[n] = '\0';
}

bool
csa_pinecone_error(const char *s, size_t len, const char *key, char *out,
    size_t size)
{
	struct json_object	*o = NULL, *v;
	const char		*m = s;
	bool			 missing;

	out[0] = '\0';
	if (len == 0)
		return false;
	if (key[0] != '\0' && memmem(s, len, key, strlen(key)) != NULL) {
		snprintf(out, size, "(not shown: it repeats the key)");
		return false;
	}
	if (len <= MAX_ERROR)
		o = csa_json_reply(s, len);
	if (o != NULL) {
		v = member(o, "message");
		if (v == NULL)
			v = member(member(o, "error"), "message");
		m = json_object_is_type(v, json_type_string) ?
		    json_object_get_string(v) : "";
		len = strlen(m);
	}
	one_line(out, size, m, len);
	missing = o != NULL && strstr(out, "amespace") != NULL &&
	    strstr(out, "ot found") != NULL;
	csa_json_free(o);
	return missing;
}
