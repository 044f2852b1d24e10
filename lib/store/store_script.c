#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/store/store_script.h"

struct script {
	struct csa_store store;
	struct csa_store_script *s;
};

static bool
fits(const char *expected, const char *got)
{
	return expected == NULL || (got != NULL && strcmp(expected, got) == 0);
}

/* The step for this call, or NULL where it fails or was not expected. */
static const struct csa_store_step *
next(struct csa_store *store, const char *op, const struct csa_scope *scope,
    const char *arg, struct csa_err *err)
{
	struct csa_store_script	*s = ((struct script *)store)->s;
	const struct csa_store_step *step = &s->steps[s->at];

	if (s->wrong[0] == '\0' && (s->at == s->nsteps ||
	    strcmp(step->op, op) != 0 ||
	    (scope != NULL && !fits(step->bot, scope->bot)) ||
	    !fits(step->arg, arg)))
		snprintf(s->wrong, sizeof(s->wrong), "%s(%s, %s) as call %zu",
		    op, scope != NULL ? scope->bot : "",
		    arg != NULL ? arg : "", s->at + 1);
	if (s->wrong[0] != '\0') {
		csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_STORE, NULL);
		csa_fail_detail(err, "not in the script: %s", s->wrong);
		return NULL;
	}
	s->at++;
	if (step->fail == CSA_OK)
		return step;
	csa_fail(err, step->fail, step->fail == CSA_ERR_CONFLICT ?
	    CSA_SRC_CLIENT : CSA_SRC_STORE, NULL);
	return NULL;
}

static int
give_ids(const struct csa_store_step *step, struct csa_ids *out)
{
	if (step == NULL)
		return -1;
	if (out != NULL)
		*out = step->ids != NULL ? *step->ids :
		    (struct csa_ids){ NULL, 0 };
	return 0;
}

static int
give_taken(const struct csa_store_step *step, struct csa_taken *out)
{
	if (step == NULL || out == NULL)
		return step == NULL ? -1 : 0;
	out->generation = step->generation;
	return give_ids(step, &out->ids);
}

static int
put_document(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const char *metadata, const char *model, const struct csa_chunk *chunks,
    size_t n, struct csa_taken *taken, struct csa_err *err)
{
	(void)ctx, (void)metadata, (void)model, (void)chunks, (void)n;
	return give_taken(next(s, "put_document", scope, document_id, err),
	    taken);
}

static int
check_document(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    const struct csa_chunk *chunks, size_t n, struct csa_ids *old,
    struct csa_err *err)
{
	(void)ctx, (void)chunks, (void)n;
	return give_ids(next(s, "check_document", scope, document_id, err),
	    old);
}

/* It was there where the step has ids, if only none of them. */
static int
delete_document(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *document_id,
    struct csa_taken *taken, struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx;
	step = next(s, "delete_document", scope, document_id, err);
	if (give_taken(step, taken) == -1)
		return -1;
	return step->ids != NULL;
}

static int
search(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *question, size_t k,
    struct csa_text_result *out, struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx;
	memset(out, 0, sizeof(*out));
	if ((step = next(s, "search", scope, question, err)) == NULL)
		return -1;
	if (step->text != NULL)
		*out = *step->text;
	if (out->nhits > k)
		out->nhits = k;
	return 0;
}

static int
give_chunks(const struct csa_store_step *step, size_t n,
    struct csa_chunk *out)
{
	if (n > 0)
		memset(out, 0, n * sizeof(*out));
	if (step == NULL)
		return -1;
	for (size_t i = 0; i < n && i < step->nchunks; i++)
		out[i] = step->chunks[i];
	return 0;
}

static int
chunks_by_id(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *const *id, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	(void)ctx, (void)id;
	return give_chunks(next(s, "chunks", scope, NULL, err), n, out);
}

static int
chunks_by_row(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const int64_t *row, size_t n,
    struct csa_chunk *out, struct csa_err *err)
{
	(void)ctx, (void)row;
	return give_chunks(next(s, "chunks_by_row", scope, NULL, err), n, out);
}

static int
generation(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, uint64_t *v, struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx;
	if ((step = next(s, "generation", scope, NULL, err)) == NULL)
		return -1;
	*v = step->generation;
	return 0;
}

/* There is something to raise where the step has a generation. */
static int
touch(struct csa_store *s, struct csa_ctx *ctx, const struct csa_scope *scope,
    struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx;
	if ((step = next(s, "touch", scope, NULL, err)) == NULL)
		return -1;
	return step->generation > 0;
}

static int
bots(struct csa_store *s, struct csa_ctx *ctx, const char *tenant,
    struct csa_ids *out, struct csa_err *err)
{
	(void)ctx;
	return give_ids(next(s, "bots", NULL, tenant, err), out);
}

/* Its first document came at the generation's time; 0: it has none. */
static int
bot(struct csa_store *s, struct csa_ctx *ctx, const struct csa_scope *scope,
    int64_t *since, struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx;
	if ((step = next(s, "bot", scope, NULL, err)) == NULL)
		return -1;
	*since = (int64_t)step->generation;
	return step->generation > 0;
}

static int
scan_vectors(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *model, int64_t after,
    bool (*each)(void *, const struct csa_stored_vec *), void *arg,
    struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx, (void)model;
	if ((step = next(s, "scan_vectors", scope, NULL, err)) == NULL)
		return -1;
	for (size_t i = 0; i < step->nvecs; i++)
		if (step->vecs[i].row > after && !each(arg, &step->vecs[i]))
			break;
	return 0;
}

static int
vector_rows(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const char *model, int64_t **rows,
    size_t *n, struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx, (void)model;
	*rows = NULL;
	*n = 0;
	if ((step = next(s, "vector_rows", scope, NULL, err)) == NULL)
		return -1;
	*rows = csa_new_array(step->nvecs + 1, int64_t);
	for (; *n < step->nvecs; (*n)++)
		(*rows)[*n] = step->vecs[*n].row;
	return 0;
}

static int
vectors_by_row(struct csa_store *s, struct csa_ctx *ctx,
    const struct csa_scope *scope, const int64_t *row, size_t n,
    const float **out, size_t dim, struct csa_err *err)
{
	const struct csa_store_step	*step;

	(void)ctx;
	for (size_t i = 0; i < n; i++)
		out[i] = NULL;
	if ((step = next(s, "vectors_by_row", scope, NULL, err)) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < step->nvecs; j++)
			if (step->vecs[j].row == row[i] &&
			    step->vecs[j].dim == dim)
				out[i] = step->vecs[j].vec;
	return 0;
}

static int
ping(struct csa_store *s, struct csa_err *err)
{
	return next(s, "ping", NULL, NULL, err) == NULL ? -1 : 0;
}

static void
close_store(struct csa_store *s)
{
	free(s);
}

static const struct csa_store_ops ops = {
	.name = "script",
	.put_document = put_document,
	.check_document = check_document,
	.delete_document = delete_document,
	.search = search,
	.chunks = chunks_by_id,
	.chunks_by_row = chunks_by_row,
	.generation = generation,
	.touch = touch,
	.bots = bots,
	.bot = bot,
	.scan_vectors = scan_vectors,
	.vector_rows = vector_rows,
	.vectors_by_row = vectors_by_row,
	.ping = ping,
	.close = close_store,
};

struct csa_store *
csa_store_script_open(struct csa_store_script *s)
{
	struct script	*x = csa_new(struct script);

	s->at = 0;
	s->wrong[0] = '\0';
	x->store.ops = &ops;
	x->s = s;
	return &x->store;
}
