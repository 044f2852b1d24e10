#include "config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/lift.h"
#include "tests/emu/memo.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"
#include "tests/emu/words.h"

#define MAXTOPK		10000
#define MAXANSWER	((size_t)4 << 20)
#define GIB		1073741824.0

static float
sparse_dot(const struct emu_rec *r, const struct emu_search *s)
{
	size_t i = 0, k = 0;
	float sum = 0;

	while (i < r->nsparse && k < s->nsparse) {
		if (r->sidx[i] == s->sidx[k])
			sum += r->sval[i++] * s->sval[k++];
		else if (r->sidx[i] < s->sidx[k])
			i++;
		else
			k++;
	}
	return sum;
}

/* How many of the text's words the field holds, by their number in it. */
static float
text_score(const struct emu_rec *r, const struct emu_search *s)
{
	const char *q = s->text, *end = q + strlen(q), *t, *tend;
	struct json_object *v;
	struct emu_word a, b;
	float sum = 0;
	int tf;

	if (r->meta == NULL)
		return 0;
	t = r->meta_text;
	if (s->text_field != NULL) {
		v = emu_pine_get(r->meta, s->text_field);
		if (!json_object_is_type(v, json_type_string))
			return 0;
		t = json_object_get_string(v);
	}
	tend = t + strlen(t);
	while (emu_word_next(&q, end, &a)) {
		const char *p = t;

		for (tf = 0; !a.stop && emu_word_next(&p, tend, &b);)
			tf += a.hash == b.hash;
		if (tf != 0)
			sum += 1 + logf((float)tf);
	}
	return sum;
}

/* False if the record has nothing that can be compared. */
static bool
score(const struct emu_index *ix, const struct emu_rec *r,
    const struct emu_search *s, float qnorm, float *out)
{
	float dot;

	if (s->text != NULL) {
		*out = text_score(r, s);
		return *out > 0;
	}
	if (s->vec == NULL || r->values == NULL) {
		if (s->nsparse == 0 || r->nsparse == 0)
			return false;
		*out = sparse_dot(r, s);
		return *out != 0;
	}
	dot = emu_dot(r->values, s->vec, ix->dim);
	switch (ix->metric) {
	case EMU_COSINE:
		*out = dot / (r->norm * qnorm);
		break;
	case EMU_EUCLIDEAN:
		*out = r->norm * r->norm + qnorm * qnorm - 2 * dot;
		if (*out < 0)
			*out = 0;
		break;
	case EMU_DOT:
		*out = dot + (s->nsparse != 0 ? sparse_dot(r, s) : 0);
		break;
	}
	return true;
}

/* Is a better than b?  Of equals the smaller id, so that order is fixed. */
static bool
better(const struct emu_match *a, const struct emu_match *b, bool low)
{
	if (a->score != b->score)
		return low ? a->score < b->score : a->score > b->score;
	return strcmp(a->rec->id, b->rec->id) < 0;
}

/* The heap's top is its worst. */
static void
sift(struct emu_match *h, size_t n, size_t i, bool low)
{
	struct emu_match m = h[i];
	size_t c;

	while ((c = 2 * i + 1) < n) {
		if (c + 1 < n && better(&h[c], &h[c + 1], low))
			c++;
		if (!better(&m, &h[c], low))
			break;
		h[i] = h[c];
		i = c;
	}
	h[i] = m;
}

struct heap {
	struct emu_match *m;
	size_t		 n, max, cap;
	bool		 low;
};

static void
offer(struct heap *h, const struct emu_rec *r, float sc)
{
	struct emu_match m = { r, sc };
	size_t i;

	if (h->n == h->max) {
		if (better(&m, &h->m[0], h->low)) {
			h->m[0] = m;
			sift(h->m, h->n, 0, h->low);
		}
		return;
	}
	if (h->n == h->cap) {
		h->cap = h->cap != 0 ? h->cap * 2 : 64;
		h->m = emu_realloc(h->m, h->cap * sizeof(*h->m));
	}
	h->m[h->n++] = m;
	if (h->n == h->max)
		for (i = h->n / 2; i-- > 0;)
			sift(h->m, h->n, i, h->low);
}

static void
scan(struct heap *h, const struct emu_index *ix, const struct emu_ns *ns,
    const struct emu_search *s)
{
	float qnorm = 0, sc = 0;
	size_t i;

	if (s->vec != NULL)
		qnorm = sqrtf(emu_dot(s->vec, s->vec, ix->dim));
	for (i = 0; i < ns->n; i++) {
		const struct emu_rec *r = ns->rec[i];

		if (s->filter != NULL && !emu_filter_match(s->filter, r->meta))
			continue;
		if (score(ix, r, s, qnorm, &sc))
			offer(h, r, sc);
	}
}

static int
best_first(const void *a, const void *b)
{
	return better(a, b, false) ? -1 : 1;
}

static int
lowest_first(const void *a, const void *b)
{
	return better(a, b, true) ? -1 : 1;
}

size_t
emu_search(struct emu_index *ix, struct emu_ns *ns,
    const struct emu_search *s, struct emu_match **out)
{
	struct heap h = { .max = s->top_k,
	    .low = ix->metric == EMU_EUCLIDEAN };
	struct emu_ns *other;

	if (s->foreign) {
		for (other = ix->ns; other != NULL; other = other->next)
			if (other != ns)
				scan(&h, ix, other, s);
	} else if (ns != NULL) {
		scan(&h, ix, ns, s);
	}
	if (h.n > 1)
		qsort(h.m, h.n, sizeof(*h.m), h.low ? lowest_first :
		    best_first);
	*out = h.m;
	return h.n;
}

/* One unit per GB of the namespace; the field is an integer, so at least 1. */
long
emu_read_units(const struct emu_ns *ns)
{
	double units = ns != NULL ? ceil((double)ns->bytes / GIB) : 1;

	return units > 1 ? (long)units : 1;
}

/* vector or id, with or without sparseVector. */
static int
read_vector(struct emu_pine *p, struct emu_ns *ns, struct emu_search *s)
{
	struct json_object *req = p->rq->json;
	const char *id = emu_pine_str(req, "id");
	const struct emu_rec *r;
	size_t n = 0, at;
	int ok;

	ok = emu_lift_floats(p->rq, emu_pine_get(req, "vector"), &s->vec, &n);
	if (ok == -1)
		return emu_pine_fail(p, 400, "Invalid value for vector");
	if (n == 0)
		s->vec = NULL;
	if (id != NULL && s->vec != NULL)
		return emu_pine_fail(p, 400, "Cannot provide both 'ID' and "
		    "'vector' at the same time.");
	if (s->vec != NULL && n != p->ix->dim)
		return emu_pine_fail(p, 400, "Query vector dimension %zu does "
		    "not match the dimension of the index %zu", n,
		    p->ix->dim);
	if (id != NULL && ns != NULL &&
	    (r = emu_ns_get(ns, id, &at)) != NULL) {
		s->vec = r->values;
		s->sidx = r->sidx;
		s->sval = r->sval;
		s->nsparse = r->nsparse;
	}
	if (id == NULL && s->vec == NULL && s->nsparse == 0)
		return emu_pine_fail(p, 400, "Query must have a vector, a "
		    "sparse vector or an id");
	if (s->nsparse != 0 && id == NULL && p->ix->metric != EMU_DOT)
		return emu_pine_fail(p, 400, "Index configuration does not "
		    "support sparse values - only indexes that are sparse or "
		    "using dotproduct are supported");
	return 0;
}

static int
read_query(struct emu_pine *p, struct emu_search *s)
{
	struct json_object *k = emu_pine_get(p->rq->json, "topK");
	char why[200];

	if (!json_object_is_type(k, json_type_int) ||
	    json_object_get_int(k) < 1)
		return emu_pine_fail(p, 400, "topK must be a positive integer");
	if (json_object_get_int(k) > MAXTOPK)
		return emu_pine_fail(p, 400, "topK must be at most %d",
		    MAXTOPK);
	s->top_k = (size_t)json_object_get_int(k);
	s->foreign = p->rq->plan.fault == EMU_FAULT_FOREIGN;
	s->filter = emu_pine_get(p->rq->json, "filter");
	if (emu_filter_check(s->filter, why, sizeof(why)) == -1)
		return emu_pine_fail(p, 400, "%s", why);
	if (s->filter != NULL && json_object_object_length(s->filter) == 0)
		s->filter = NULL;
	return 0;
}

static void
write_matches(struct emu_pine *p, const struct emu_match *m, size_t n)
{
	struct json_object *req = p->rq->json;
	struct emu_buf *b = &p->rq->rep.body;
	bool values = json_object_get_boolean(
	    emu_pine_get(req, "includeValues"));
	bool meta = json_object_get_boolean(
	    emu_pine_get(req, "includeMetadata"));
	size_t i;

	for (i = 0; i < n; i++) {
		emu_buf_adds(b, i == 0 ? "{" : ",{");
		if (i == 0 && p->rq->plan.fault == EMU_FAULT_NAN)
			emu_buf_adds(b, "\"score\":NaN,");
		else
			emu_buf_addf(b, "\"score\":%.9g,", (double)m[i].score);
		emu_rec_write(b, m[i].rec, p->ix->dim, values, meta);
		emu_buf_adds(b, "}");
	}
	if (p->rq->plan.fault == EMU_FAULT_MORE)
		emu_buf_addf(b, "%s{\"id\":\"emu-extra\",\"score\":0.01,"
		    "\"values\":[]}", n == 0 ? "" : ",");
}

/*
 * A bench asks the same questions again and again; without this the emulator
 * would spend all its time on parsing the same 36 kB.  What is remembered is
 * the answer with its LSN in front.
 */
static struct emu_key
key_of(const struct emu_pine *p)
{
	uint64_t domain = p->store_version * 0x9e3779b97f4a7c15u;

	if (p->rq->index != NULL)
		domain = emu_hash(p->rq->index, strlen(p->rq->index), domain);
	return emu_memo_key(p->rq->body.p, p->rq->body.len, domain);
}

bool
emu_pine_query_again(struct emu_pine *p)
{
	struct emu_buf *b = &p->rq->rep.body;
	char lsn[24];

	p->store_version = emu_store_version();
	if (p->store_version == 0 || p->rq->plan.fault != EMU_FAULT_NONE ||
	    p->rq->body.len == 0 || !emu_memo_get(key_of(p), b))
		return false;
	(void)snprintf(lsn, sizeof(lsn), "%.20s", b->p);
	memmove(b->p, b->p + 20, b->len - 20);
	b->len -= 20;
	emu_reply_json(p->rq, 200);
	emu_lsn_header(p, strtoull(lsn, NULL, 10));
	emu_reply_header(p->rq, "x-pinecone-request-id", "%lld",
	    (long long)p->rq->id);
	return true;
}

/* The store may have changed since the version was read: then forget it. */
static void
remember(struct emu_pine *p, const struct emu_ns *ns)
{
	struct emu_buf *b = &p->rq->rep.body, text = { NULL, 0, 0 };

	if (p->store_version == 0 || p->rq->plan.fault != EMU_FAULT_NONE ||
	    p->store_version != emu_store_version())
		return;
	emu_buf_addf(&text, "%020llu",
	    (unsigned long long)(ns != NULL ? ns->seen : 0));
	emu_buf_add(&text, b->p, b->len);
	emu_memo_put(key_of(p), text.p, text.len);
	emu_buf_fini(&text);
}

static void
answer(struct emu_pine *p, struct emu_ns *ns, const char *name,
    const struct emu_search *s)
{
	struct emu_buf *b = &p->rq->rep.body;
	struct emu_match *m;
	size_t n;

	n = emu_search(p->ix, ns, s, &m);
	if (n != 0 && p->rq->plan.fault == EMU_FAULT_FEWER)
		n--;
	emu_reply_json(p->rq, 200);
	emu_buf_adds(b, "{\"results\":[],\"matches\":[");
	write_matches(p, m, n);
	emu_buf_adds(b, "],\"namespace\":");
	emu_buf_jsons(b, name);
	emu_buf_addf(b, ",\"usage\":{\"readUnits\":%ld}}", emu_read_units(ns));
	free(m);
	p->rq->items += n;
	if (b->len > MAXANSWER) {
		(void)emu_pine_fail(p, 400, "The response of %zu bytes exceeds "
		    "the limit of %zu bytes", b->len, MAXANSWER);
	} else {
		emu_lsn_read(p, ns);
		remember(p, ns);
	}
}

void
emu_pine_query(struct emu_pine *p)
{
	const char *name = emu_pine_namespace(emu_pine_str(p->rq->json,
	    "namespace"));
	struct emu_search s = { .vec = NULL };
	uint32_t *sidx = NULL;
	float *sval = NULL;
	struct emu_ns *ns = emu_ns_find(p->ix, name);

	if (read_query(p, &s) == -1 ||
	    emu_sparse_read(p, emu_pine_get(p->rq->json, "sparseVector"),
	    &sidx, &sval, &s.nsparse) == -1)
		return;
	s.sidx = sidx;
	s.sval = sval;
	if (read_vector(p, ns, &s) == 0)
		answer(p, ns, name, &s);
	free(sidx);
	free(sval);
}
