#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/provider/reply.h"
#include "lib/text/base64.h"
#include "lib/text/doc.h"
#include "lib/text/numarr.h"

/*
 * How it works: every value of the member that holds numbers is cut out of the
 * text, checked by itself, and replaced by its ordinal.  What remains is
 * small; it is checked and parsed as any JSON, and where the vectors belong
 * stands which of them it is.  So the whole reply has been checked to the last
 * byte, and 768 numbers never were 768 objects.
 */

#define MAX_REST	(4u << 20)

/* One value that was cut out: numbers, or base64 without its quotes. */
struct piece {
	struct csa_numarr	 numbers;	/* s NULL: base64 */
	char			*base64;
	size_t			 len;
	bool			 used;
};

struct cut {
	const struct csa_embed_want *want;
	struct piece	*piece;		/* as many as are wanted */
	size_t		 n;
	struct csa_buf	 rest;
	const char	*why;
};

static int
no(struct cut *c, const char *why)
{
	c->why = why;
	return -1;
}

/* The bytes of a plain string between its quotes; NULL for any other. */
static char *
plain_string(char *s, const char *end, size_t *len)
{
	char	*p;

	for (p = s + 1; p < end && *p != '"'; p++)
		if ((unsigned char)*p < 0x20 || *p == '\\')
			return NULL;
	if (p == end)
		return NULL;
	*len = (size_t)(p - s - 1);
	return s + 1;
}

/* Take the value at p, which ends before end, into piece; returns its end. */
static char *
take(struct cut *c, struct piece *piece, char *p, const char *end)
{
	size_t	 max = c->want->dim > 0 ? c->want->dim : CSA_MAX_DIMENSIONS;
	size_t	 used;

	if (*p == '[') {
		if (csa_numarr_scan(p, (size_t)(end - p), max,
		    &piece->numbers, &used) == -1) {
			c->why = "a vector is no array of so many numbers";
			return NULL;
		}
		return p + used;
	}
	if (*p == '"' && (piece->base64 = plain_string(p, end,
	    &piece->len)) != NULL)
		return piece->base64 + piece->len + 1;
	c->why = "a vector is neither numbers nor base64";
	return NULL;
}

/* Cut the values of all members called name out of the reply. */
static int
cut_out(struct cut *c, const char *name, char *s, size_t len)
{
	const char	*p, *end = s + len;
	char		*from = s;
	size_t		 pos = 0;

	while ((p = csa_json_find(s, len, name, &pos)) != NULL && p < end) {
		if (c->n == c->want->n)
			return no(c, "more vectors than texts");
		csa_buf_add(&c->rest, from, (size_t)(p - from));
		csa_buf_addf(&c->rest, "%zu", c->n);
		from = take(c, &c->piece[c->n], s + (p - s), end);
		if (from == NULL)
			return -1;
		c->n++;
		pos = (size_t)(from - s);
	}
	csa_buf_add(&c->rest, from, (size_t)(end - from));
	if (c->rest.failed)
		return no(c, "too much besides the vectors");
	if (c->n < c->want->n)
		return no(c, "fewer vectors than texts");
	return 0;
}

/* Does one of the numbers differ from zero? */
static bool
has_length(const struct csa_numarr *a)
{
	bool	 exponent = false;

	for (size_t i = 0; i < a->n; i++) {
		if (a->s[i] == ',')
			exponent = false;
		else if (a->s[i] == 'e' || a->s[i] == 'E')
			exponent = true;
		else if (!exponent && a->s[i] >= '1' && a->s[i] <= '9')
			return true;
	}
	return false;
}

/* base64 of little-endian floats. */
static int
decode(struct cut *c, const struct piece *piece, struct csa_vec *v)
{
	uint8_t	*raw = csa_arena_alloc(c->want->arena, piece->len / 4 * 3 + 4);
	float	*f;
	long	 n;
	uint32_t u;
	bool	 zero = true;

	n = csa_base64_decode(piece->base64, piece->len, raw);
	if (n <= 0 || n % 4 != 0 || n / 4 > CSA_MAX_DIMENSIONS)
		return no(c, "a vector's base64 is malformed");
	v->dim = (size_t)n / 4;
	f = csa_arena_alloc(c->want->arena, v->dim * sizeof(*f));
	for (size_t i = 0; i < v->dim; i++) {
		u = (uint32_t)raw[4 * i] | (uint32_t)raw[4 * i + 1] << 8 |
		    (uint32_t)raw[4 * i + 2] << 16 |
		    (uint32_t)raw[4 * i + 3] << 24;
		memcpy(&f[i], &u, sizeof(u));
		/* All exponent bits set: infinite, or not a number. */
		if ((u & 0x7f800000u) == 0x7f800000u)
			return no(c, "a vector has a NaN in it");
		if ((u & 0x7fffffffu) != 0)
			zero = false;
	}
	v->f = f;
	return zero ? no(c, "a vector is all zero") : 0;
}

/* Piece k becomes the vector of text i. */
static int
place(struct cut *c, int64_t k, struct csa_vec *v)
{
	struct piece	*piece;

	if (k < 0 || (uint64_t)k >= c->n || c->piece[k].used)
		return no(c, "the reply is not shaped as it should be");
	piece = &c->piece[k];
	piece->used = true;
	memset(v, 0, sizeof(*v));
	if (piece->base64 != NULL) {
		if (decode(c, piece, v) == -1)
			return -1;
	} else {
		v->json = piece->numbers;
		v->dim = piece->numbers.count;
		if (!has_length(&v->json))
			return no(c, "a vector is empty or all zero");
	}
	if (c->want->dim > 0 && v->dim != c->want->dim)
		return no(c, "a vector has the wrong number of dimensions");
	return 0;
}

static int
same_dimensions(struct cut *c, const struct csa_vec *vecs)
{
	for (size_t i = 1; i < c->n; i++)
		if (vecs[i].dim != vecs[0].dim)
			return no(c, "vectors of different dimensions");
	return 0;
}

/* What was billed; the name depends on whose reply it is. */
static long
tokens(const struct csa_node *usage, const char *name)
{
	int64_t	 n = csa_node_int(csa_node_get(usage, name), 0);

	return n > 0 && n <= INT32_MAX ? (long)n : 0;
}

static long
tokens_of(const struct csa_node *o)
{
	long	 n = tokens(csa_node_get(o, "usageMetadata"),
		    "promptTokenCount");

	return n > 0 ? n : tokens(csa_node_get(o, "usage"), "prompt_tokens");
}

typedef int walk_fn(struct cut *, const struct csa_node *, struct csa_vec *);

static int
read_reply(const struct csa_embed_want *want, const char *name,
    walk_fn *walk, char *s, size_t len, struct csa_vec *vecs,
    const char **why)
{
	struct cut		 c = { .want = want };
	struct csa_arena	*arena = NULL;
	const struct csa_node	*o;
	int			 rc = -1;

	CSA_MUST(want->n > 0 && want->dim <= CSA_MAX_DIMENSIONS);
	if (want->tokens != NULL)
		*want->tokens = 0;
	if (len == 0) {
		*why = "the reply is empty";
		return -1;
	}
	csa_buf_init(&c.rest, MAX_REST);
	c.piece = csa_arena_array(want->arena, want->n, struct piece);
	if (cut_out(&c, name, s, len) == -1)
		goto out;
	arena = csa_arena_new();
	if ((o = csa_doc(arena, c.rest.data, c.rest.len)) == NULL)
		no(&c, "the reply is no JSON");
	else if (walk(&c, o, vecs) == 0)
		rc = same_dimensions(&c, vecs);
	if (o != NULL && want->tokens != NULL)
		*want->tokens = tokens_of(o);
out:
	csa_arena_free(arena);
	csa_buf_fini(&c.rest);
	if (rc == -1)
		*why = c.why;
	return rc;
}

/* {"embeddings":[{"values":0},…]} or {"embedding":{"values":0}}. */
static int
walk_gemini(struct cut *c, const struct csa_node *o, struct csa_vec *vecs)
{
	const struct csa_node	*list, *e;

	if ((e = csa_node_get(o, "embedding")) != NULL && c->n == 1)
		return place(c, csa_node_int(csa_node_get(e, "values"), -1),
		    &vecs[0]);
	list = csa_node_get(o, "embeddings");
	if (!csa_node_is(list, CSA_NODE_ARRAY) || list->n != c->n)
		return no(c, "no list of as many embeddings");
	for (e = list->first; e != NULL; e = e->next) {
		if (!csa_node_is(e, CSA_NODE_OBJECT))
			return no(c, "an embedding is no object");
		if (place(c, csa_node_int(csa_node_get(e, "values"), -1),
		    vecs++) == -1)
			return -1;
	}
	return 0;
}

/* {"data":[{"index":1,"embedding":0},…]}: index says whose it is. */
static int
walk_openai(struct cut *c, const struct csa_node *o, struct csa_vec *vecs)
{
	const struct csa_node	*list = csa_node_get(o, "data"), *e;
	int64_t			 at, i = 0;

	if (!csa_node_is(list, CSA_NODE_ARRAY) || list->n != c->n)
		return no(c, "no list of as many embeddings");
	for (size_t k = 0; k < c->n; k++)
		vecs[k].dim = 0;
	for (e = list->first; e != NULL; e = e->next, i++) {
		if (!csa_node_is(e, CSA_NODE_OBJECT))
			return no(c, "an embedding is no object");
		at = csa_node_int(csa_node_get(e, "index"), i);
		if (at < 0 || (uint64_t)at >= c->n || vecs[at].dim != 0)
			return no(c, "an index is out of range or there twice");
		if (place(c, csa_node_int(csa_node_get(e, "embedding"), -1),
		    &vecs[at]) == -1)
			return -1;
	}
	return 0;
}

int
csa_gemini_embed_reply(const struct csa_embed_want *want, char *s,
    size_t len, struct csa_vec *vecs, const char **why)
{
	return read_reply(want, "values", walk_gemini, s, len, vecs, why);
}

int
csa_openai_embed_reply(const struct csa_embed_want *want, char *s,
    size_t len, struct csa_vec *vecs, const char **why)
{
	return read_reply(want, "embedding", walk_openai, s, len, vecs, why);
}
