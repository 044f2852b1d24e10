#include "config.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/emu.h"
#include "tests/emu/pinecone.h"
#include "tests/emu/vectors.h"

static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static _Atomic long queued;
static _Atomic uint64_t version = 1;

static void	apply_due(struct emu_index *, struct emu_ns *);

static void
apply_all(void)
{
	struct emu_index *ix;
	struct emu_ns *ns;

	for (ix = emu_index_first(); ix != NULL; ix = ix->next)
		for (ns = ix->ns; ns != NULL; ns = ns->next)
			apply_due(ix, ns);
}

uint64_t
emu_store_version(void)
{
	/* A write that is due would change it; let the slow way find out. */
	return queued != 0 ? 0 : version;
}

void
emu_store_changed(void)
{
	version++;
}

/* While writes wait for their time a reader may have to apply them. */
void
emu_store_read(void)
{
	if (queued != 0) {
		emu_store_write();
		return;
	}
	pthread_rwlock_rdlock(&lock);
}

void
emu_store_write(void)
{
	pthread_rwlock_wrlock(&lock);
	if (queued != 0)
		apply_all();
}

void
emu_store_unlock(void)
{
	pthread_rwlock_unlock(&lock);
}

void
emu_rec_free(struct emu_rec *r)
{
	if (r == NULL)
		return;
	free(r->id);
	free(r->values);
	free(r->sidx);
	free(r->sval);
	json_object_put(r->meta);
	free(r->meta_text);
	free(r);
}

struct emu_ns *
emu_ns_find(struct emu_index *ix, const char *name)
{
	struct emu_ns *ns;

	for (ns = ix->ns; ns != NULL; ns = ns->next)
		if (strcmp(ns->name, name) == 0)
			return ns;
	return NULL;
}

struct emu_ns *
emu_ns_make(struct emu_index *ix, const char *name)
{
	struct emu_ns *ns, **at;

	if ((ns = emu_ns_find(ix, name)) != NULL)
		return ns;
	ns = emu_calloc(1, sizeof(*ns));
	ns->name = emu_strdup(name);
	ns->queue_end = &ns->queue;
	/* Kept in order, so that lists come in order. */
	for (at = &ix->ns; *at != NULL && strcmp((*at)->name, name) < 0;
	    at = &(*at)->next)
		continue;
	ns->next = *at;
	*at = ns;
	return ns;
}

static void
free_write(struct emu_write *w)
{
	emu_rec_free(w->rec);
	free(w->id);
	free(w);
}

void
emu_ns_drop(struct emu_index *ix, struct emu_ns *ns)
{
	struct emu_write *w;
	struct emu_ns **at;
	size_t i;

	emu_store_changed();
	for (at = &ix->ns; *at != ns; at = &(*at)->next)
		continue;
	*at = ns->next;
	while ((w = ns->queue) != NULL) {
		ns->queue = w->next;
		free_write(w);
		queued--;
	}
	for (i = 0; i < ns->n; i++)
		emu_rec_free(ns->rec[i]);
	json_object_put(ns->schema);
	free(ns->rec);
	free(ns->name);
	free(ns);
}

void
emu_ns_drop_all(struct emu_index *ix)
{
	while (ix->ns != NULL)
		emu_ns_drop(ix, ix->ns);
}

struct emu_rec *
emu_ns_get(const struct emu_ns *ns, const char *id, size_t *place)
{
	size_t lo = 0, hi = ns->n, mid;
	int c;

	while (lo < hi) {
		mid = (lo + hi) / 2;
		c = strcmp(ns->rec[mid]->id, id);
		if (c == 0) {
			*place = mid;
			return ns->rec[mid];
		}
		if (c < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	*place = lo;
	return NULL;
}

static size_t
bytes_of(const struct emu_index *ix, const struct emu_rec *r)
{
	return strlen(r->id) + (r->values != NULL ? ix->dim * 4 : 0) +
	    r->nsparse * 8 + (r->meta_text != NULL ? strlen(r->meta_text) : 0);
}

static void
put(struct emu_index *ix, struct emu_ns *ns, struct emu_rec *r)
{
	struct emu_rec *old;
	size_t at;

	ns->bytes += bytes_of(ix, r);
	if ((old = emu_ns_get(ns, r->id, &at)) != NULL) {
		ns->bytes -= bytes_of(ix, old);
		emu_rec_free(old);
		ns->rec[at] = r;
		return;
	}
	if (ns->n == ns->cap) {
		ns->cap = ns->cap != 0 ? ns->cap * 2 : 64;
		ns->rec = emu_realloc(ns->rec, ns->cap * sizeof(*ns->rec));
	}
	memmove(ns->rec + at + 1, ns->rec + at,
	    (ns->n - at) * sizeof(*ns->rec));
	ns->rec[at] = r;
	ns->n++;
}

static void
drop(struct emu_index *ix, struct emu_ns *ns, const char *id)
{
	struct emu_rec *old;
	size_t at;

	if ((old = emu_ns_get(ns, id, &at)) == NULL)
		return;
	ns->bytes -= bytes_of(ix, old);
	emu_rec_free(old);
	ns->n--;
	memmove(ns->rec + at, ns->rec + at + 1,
	    (ns->n - at) * sizeof(*ns->rec));
}

/* An update: metadata is merged, values are replaced, the rest stays. */
static void
patch(struct emu_index *ix, struct emu_ns *ns, struct emu_rec *p)
{
	struct json_object *meta;
	struct emu_rec *r;
	size_t at;

	if ((r = emu_ns_get(ns, p->id, &at)) == NULL)
		return;
	ns->bytes -= bytes_of(ix, r);
	if (p->values != NULL) {
		free(r->values);
		r->values = p->values;
		r->norm = p->norm;
		p->values = NULL;
	}
	if (p->nsparse != 0) {
		free(r->sidx);
		free(r->sval);
		r->sidx = p->sidx;
		r->sval = p->sval;
		r->nsparse = p->nsparse;
		p->sidx = NULL;
		p->sval = NULL;
	}
	if (p->meta != NULL) {
		meta = json_object_new_object();
		if (r->meta != NULL) {
			json_object_object_foreach(r->meta, k, v)
				json_object_object_add(meta, k,
				    json_object_get(v));
		}
		json_object_object_foreach(p->meta, k2, v2)
			json_object_object_add(meta, k2, json_object_get(v2));
		emu_rec_meta(r, meta);
		json_object_put(meta);
	}
	ns->bytes += bytes_of(ix, r);
}

static void
apply(struct emu_index *ix, struct emu_ns *ns, struct emu_write *w)
{
	emu_store_changed();
	switch (w->kind) {
	case EMU_PUT:
		put(ix, ns, w->rec);
		w->rec = NULL;
		break;
	case EMU_PATCH:
		patch(ix, ns, w->rec);
		break;
	case EMU_DROP:
		drop(ix, ns, w->id);
		break;
	case EMU_DROP_ALL:
		while (ns->n != 0)
			emu_rec_free(ns->rec[--ns->n]);
		ns->bytes = 0;
		break;
	}
	ns->seen = w->lsn;
	free_write(w);
}

static void
apply_due(struct emu_index *ix, struct emu_ns *ns)
{
	int64_t now = emu_now_ms();
	struct emu_write *w;

	while ((w = ns->queue) != NULL && w->due_ms <= now) {
		ns->queue = w->next;
		if (ns->queue == NULL)
			ns->queue_end = &ns->queue;
		queued--;
		apply(ix, ns, w);
	}
}

void
emu_ns_submit(struct emu_index *ix, struct emu_ns *ns,
    enum emu_write_kind kind, struct emu_rec *rec, const char *id)
{
	struct emu_write *w;

	w = emu_calloc(1, sizeof(*w));
	w->kind = kind;
	w->rec = rec;
	w->id = id != NULL ? emu_strdup(id) : NULL;
	w->lsn = ++ns->lsn;
	if (emu_opt.visibility_ms == 0 && ns->queue == NULL) {
		apply(ix, ns, w);
		return;
	}
	w->due_ms = emu_now_ms() + emu_opt.visibility_ms;
	*ns->queue_end = w;
	ns->queue_end = &w->next;
	queued++;
}

/* Two names for each: documents and clients disagree about which is sent. */
void
emu_lsn_written(struct emu_pine *p, const struct emu_ns *ns)
{
	emu_reply_header(p->rq, "x-pinecone-request-lsn", "%llu",
	    (unsigned long long)ns->lsn);
	emu_reply_header(p->rq, "x-pinecone-lsn-committed", "%llu",
	    (unsigned long long)ns->lsn);
}

void
emu_lsn_header(struct emu_pine *p, unsigned long long seen)
{
	emu_reply_header(p->rq, "x-pinecone-max-indexed-lsn", "%llu", seen);
	emu_reply_header(p->rq, "x-pinecone-lsn-reconciled", "%llu", seen);
}

void
emu_lsn_read(struct emu_pine *p, const struct emu_ns *ns)
{
	emu_lsn_header(p, ns != NULL ? ns->seen : 0);
}
