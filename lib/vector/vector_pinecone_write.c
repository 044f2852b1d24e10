#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/vector/pinecone.h"

/* Pinecone's limits for one request. */
#define MAX_RECORDS	1000
#define MAX_BYTES	2000000
#define MAX_DELETE	1000

/* Requests in flight at the same time: their bodies are memory. */
#define WINDOW		8

/* What taking back may take when the request's own time is up. */
#define UNDO_MS		1000

struct batch {
	struct csa_buf		 body;
	struct csa_up_call	*call;
	size_t			 first, n;	/* of the chunks or ids */
};

/* Writing a document, or deleting ids. */
struct write {
	struct csa_pinecone	*p;
	struct csa_ctx		*ctx;
	const struct csa_scope	*scope;
	struct csa_pinecone_at	 at;
	const char		*ns;
	const char		*url;
	const char		*operation;

	const struct csa_chunk	*chunks;	/* put */
	const char		*document_id;
	const struct csa_vec	*vecs;
	const struct csa_ids	*ids;		/* del */
	size_t			 n;		/* of either */

	struct batch		 batch[WINDOW];	/* a ring */
	size_t			 begun, ended;	/* batches */
	size_t			 next;		/* first not sent */
	size_t			 done;		/* acknowledged */
	bool			 maybe;		/* something may be stored */
	char			 failed[160];	/* which, for the log */
};

/* ---- bodies ---- */

static int
add_record(struct write *w, struct csa_buf *b, size_t i, struct csa_err *err)
{
	struct csa_chunk	 c = w->chunks[i];
	char			 id[CSA_VECTOR_ID_MAX + 1];

	if (csa_vector_id(c.id, id) == -1)
		return csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "a chunk id is longer than %d bytes as a vector id",
		    CSA_VECTOR_ID_MAX);
	c.document_id = w->document_id;
	csa_buf_puts(b, "{\"id\":");
	csa_buf_jsonz(b, id);
	csa_buf_puts(b, ",\"values\":");
	csa_pinecone_values(w->ctx->arena, b, &w->vecs[i], w->at.metric);
	csa_buf_puts(b, ",\"metadata\":");
	if (csa_pinecone_metadata(b, w->scope->bot, &c, err) == -1)
		return -1;
	csa_buf_putc(b, '}');
	return 0;
}

/* Room for n records like the first: growing piece by piece copies them. */
static void
reserve_like(struct csa_buf *b, size_t n)
{
	size_t	 each = b->len + b->len / 8;

	if (n > MAX_RECORDS)
		n = MAX_RECORDS;
	if (each < MAX_BYTES)
		(void)csa_buf_reserve(b, each * n < MAX_BYTES ? each * n :
		    MAX_BYTES);
}

/*
 * As many records as one request takes.  A record is written first and looked
 * at then: the one too many is cut off again and becomes the next batch's
 * first.
 */
static int
write_upsert(struct write *w, struct batch *b, struct csa_err *err)
{
	size_t	 end, room = strlen(w->ns) * 6 + 64;

	csa_buf_puts(&b->body, "{\"vectors\":[");
	while (w->next < w->n && b->n < MAX_RECORDS) {
		end = b->body.len;
		if (b->n > 0)
			csa_buf_putc(&b->body, ',');
		if (add_record(w, &b->body, w->next, err) == -1)
			return -1;
		if (b->body.failed)
			break;
		if (b->body.len + room > MAX_BYTES && b->n > 0) {
			b->body.len = end;
			break;
		}
		if (b->n++ == 0)
			reserve_like(&b->body, w->n - w->next);
		w->next++;
	}
	csa_buf_puts(&b->body, "],\"namespace\":");
	csa_buf_jsonz(&b->body, w->ns);
	csa_buf_putc(&b->body, '}');
	return 0;
}

static int
write_delete(struct write *w, struct batch *b, struct csa_err *err)
{
	char	 id[CSA_VECTOR_ID_MAX + 1];

	(void)err;
	csa_buf_puts(&b->body, "{\"ids\":[");
	for (; w->next < w->n && b->n < MAX_DELETE; w->next++) {
		/* What is too long for an id was never stored under it. */
		if (csa_vector_id(w->ids->id[w->next], id) == -1)
			continue;
		if (b->n++ > 0)
			csa_buf_putc(&b->body, ',');
		csa_buf_jsonz(&b->body, id);
	}
	csa_buf_puts(&b->body, "],\"namespace\":");
	csa_buf_jsonz(&b->body, w->ns);
	csa_buf_putc(&b->body, '}');
	return 0;
}

/* ---- flow ---- */

static int
begin(struct write *w, struct csa_err *err)
{
	struct batch	*b = &w->batch[w->begun % WINDOW];
	int		 rc;

	memset(b, 0, sizeof(*b));
	csa_buf_init(&b->body, MAX_BYTES * 2);
	b->first = w->next;
	rc = w->chunks != NULL ? write_upsert(w, b, err) :
	    write_delete(w, b, err);
	if (rc == 0 && b->body.failed)
		rc = csa_fail(err, CSA_ERR_INVALID_VALUE, CSA_SRC_CLIENT,
		    "a chunk and its vector are larger than Pinecone takes");
	if (rc == 0 && b->n > 0) {
		b->call = csa_pinecone_start(w->p, w->ctx->waiter,
		    w->operation, w->url, &b->body, w->ctx->deadline);
		w->begun++;
		return 0;
	}
	csa_buf_fini(&b->body);
	return rc;
}

/* An upsert that does not say how many is no acknowledgement. */
static int
check_reply(const struct write *w, const struct batch *b, const char *s,
    size_t len, struct csa_err *err)
{
	long	 count;

	if (w->chunks == NULL) {
		if (csa_pinecone_is_object(s, len))
			return 0;
		csa_fail(err, CSA_ERR_PROVIDER_ERROR, CSA_SRC_PINECONE, NULL);
		return csa_fail_detail(err, "pinecone: delete: no JSON object");
	}
	if ((count = csa_pinecone_upserted(s, len)) == (long)b->n)
		return 0;
	csa_fail(err, CSA_ERR_PROVIDER_ERROR, CSA_SRC_PINECONE, NULL);
	if (count == -1)
		return csa_fail_detail(err,
		    "pinecone: upsert: no word of how many are stored");
	return csa_fail_detail(err, "pinecone: upsert: %ld of %zu stored",
	    count, b->n);
}

static int
end_batch(struct write *w, struct csa_err *err)
{
	struct batch	*b = &w->batch[w->ended++ % WINDOW];
	const char	*s;
	size_t		 len;
	int		 rc, status;

	rc = csa_pinecone_wait(b->call, &s, &len, err);
	if (rc == 0)
		rc = check_reply(w, b, s, len, err);
	else if (rc == 1 && w->chunks == NULL)
		rc = 0;		/* no such namespace: nothing to delete */
	else if (rc == 1) {
		csa_fail(err, CSA_ERR_PROVIDER_ERROR, CSA_SRC_PINECONE, NULL);
		rc = csa_fail_detail(err,
		    "pinecone: upsert: no such namespace");
	}
	/*
	 * A refusal is no promise that nothing was done: it answers the last
	 * request, and a first may have been lost under way, unseen even by us
	 * where it was sent on a kept connection (http.h).  Only whose key is
	 * no good has done nothing.
	 */
	status = csa_up_status(b->call);
	if (csa_up_attempts(b->call) > 0 && status != 401 && status != 403)
		w->maybe = true;
	if (rc == 0)
		w->done += b->n;
	csa_up_end(b->call);
	csa_buf_fini(&b->body);
	return rc;
}

static void
note_failure(struct write *w, const struct batch *b)
{
	size_t	 used = strlen(w->failed);

	if (w->chunks == NULL)
		return;
	snprintf(w->failed + used, sizeof(w->failed) - used, "%s%.40s..%.40s",
	    used > 0 ? ", " : "", w->chunks[b->first].id,
	    w->chunks[b->first + b->n - 1].id);
}

/*
 * Keep the window full until all is sent.  After the first failure nothing
 * more is sent, but what is in flight is waited for: it may yet be stored, and
 * taking back must come after that.
 */
static int
run(struct write *w, struct csa_err *err)
{
	struct csa_err	 later;
	int		 rc = 0;

	for (;;) {
		while (rc == 0 && w->next < w->n &&
		    w->begun - w->ended < WINDOW)
			rc = begin(w, err);
		if (w->begun == w->ended)
			return rc;
		if (end_batch(w, rc == 0 ? err : &later) == -1) {
			rc = -1;
			note_failure(w, &w->batch[(w->ended - 1) % WINDOW]);
		}
	}
}

static int
prepare(struct write *w, const char *path, const char *operation,
    struct csa_err *err)
{
	struct csa_pinecone	*p = w->p;

	if (csa_pinecone_learn(p, w->ctx, csa_pinecone_ask(p, w->ctx), &w->at,
	    err) == -1)
		return -1;
	w->ns = csa_pinecone_namespace(w->ctx->arena, w->scope);
	w->url = csa_arena_printf(w->ctx->arena, "%s%s", w->at.host, path);
	w->operation = operation;
	return 0;
}

int
csa_pinecone_del(struct csa_vectors *vectors, struct csa_ctx *ctx,
    const struct csa_scope *scope, const struct csa_ids *ids,
    struct csa_err *err)
{
	struct write	 w = {
		.p = (struct csa_pinecone *)vectors, .ctx = ctx,
		.scope = scope, .ids = ids, .n = ids->n,
	};

	if (ids->n == 0)
		return 0;
	if (prepare(&w, "/vectors/delete", "delete", err) == -1)
		return -1;
	return run(&w, err);
}

/* ---- taking back ---- */

static int
compare_ids(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The ids that were sent and that the old version had not. */
static struct csa_ids
new_ids(const struct write *w, const struct csa_ids *old)
{
	struct csa_arena *arena = w->ctx->arena;
	struct csa_ids	 out;
	const char	**sorted;
	size_t		 nold = old != NULL ? old->n : 0;

	sorted = csa_arena_array(arena, nold + 1, const char *);
	if (nold > 0) {
		memcpy(sorted, old->id, nold * sizeof(*sorted));
		qsort(sorted, nold, sizeof(*sorted), compare_ids);
	}
	out.id = csa_arena_array(arena, w->next + 1, const char *);
	out.n = 0;
	for (size_t i = 0; i < w->next; i++)
		if (nold == 0 || bsearch(&w->chunks[i].id, sorted, nold,
		    sizeof(*sorted), compare_ids) == NULL)
			out.id[out.n++] = w->chunks[i].id;
	return out;
}

/*
 * The client may have left, or the time be up: neither may leave vectors
 * behind of a document that was refused.  So this waits on a waiter of its
 * own.
 */
static void
take_back(struct write *w, const struct csa_ids *old)
{
	struct csa_ids	 ids = new_ids(w, old);
	struct csa_ctx	 ctx = *w->ctx;
	struct csa_err	 err;

	if (!w->maybe || ids.n == 0)
		return;
	ctx.waiter = csa_waiter_new(w->p->http);
	if (csa_left_ms(ctx.deadline) < UNDO_MS)
		ctx.deadline = csa_now_ms() + UNDO_MS;
	if (csa_pinecone_del(&w->p->vectors, &ctx, w->scope, &ids, &err) == -1)
		csa_warn("pinecone: vectors of a document that was refused "
		    "could not be taken back: %s", err.detail);
	csa_waiter_free(ctx.waiter);
}

static int
tell(const struct write *w, struct csa_err *err)
{
	char	 detail[sizeof(err->detail)], msg[sizeof(err->msg)];

	if (err->source != CSA_SRC_PINECONE)
		return -1;
	memcpy(detail, err->detail, sizeof(detail));
	memcpy(msg, err->msg, sizeof(msg));
	snprintf(err->msg, sizeof(err->msg), "%.150s (%zu of %zu chunks were "
	    "not stored)", msg, w->n - w->done, w->n);
	return csa_fail_detail(err, "%.120s; chunks %s", detail, w->failed);
}

int
csa_pinecone_put(struct csa_vectors *vectors, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const struct csa_chunk *chunks, const struct csa_vec *vecs, size_t n,
    const struct csa_ids *old, struct csa_err *err)
{
	struct write	 w = {
		.p = (struct csa_pinecone *)vectors, .ctx = ctx,
		.scope = scope, .chunks = chunks, .document_id = document_id,
		.vecs = vecs, .n = n,
	};

	if (n == 0)
		return 0;
	if (prepare(&w, "/vectors/upsert", "upsert", err) == -1)
		return -1;
	if (run(&w, err) == 0)
		return 0;
	take_back(&w, old);
	return tell(&w, err);
}
