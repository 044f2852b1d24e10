/*
 * fuzz_answer_value: bytes from memcached are an answer, one in progress, a
 * trouble, a ring of questions, or nothing; what is read is written the same.
 */

#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/rag/answer_value.h"
#include "lib/rag/similar.h"
#include "tests/fuzz/fuzz.h"

static void
compare(struct csa_buf *b, const uint8_t *data, size_t n)
{
	CSA_MUST(!b->failed && b->len == n && memcmp(b->data, data, n) == 0);
	csa_buf_fini(b);
}

static void
try_ring(const uint8_t *data, size_t n)
{
	struct csa_similar_ring	 r;
	struct csa_buf		 b;

	if (csa_similar_read(data, n, &r) == -1)
		return;
	csa_buf_init(&b, n);
	csa_similar_write(&b, &r);
	compare(&b, data, n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_passage	*p;
	struct csa_answer	 a;
	struct csa_err		 err;
	struct csa_buf		 b;
	const char		*text;
	size_t			 np, len;

	csa_buf_init(&b, n);
	if (csa_answer_read(arena, data, n, &a) == 0) {
		CSA_MUST(csa_answer_kind(data, n) == 'A');
		CSA_MUST(strlen(a.res.text) == a.res.len && a.res.len > 0);
		csa_answer_write(&b, &a);
		compare(&b, data, n);
	}
	csa_buf_init(&b, n);
	if (csa_progress_read(arena, data, n, &p, &np, &text, &len) == 0) {
		CSA_MUST(csa_answer_kind(data, n) == 'P');
		csa_progress_write(&b, p, np);
		csa_buf_add(&b, text, len);
		compare(&b, data, n);
	}
	csa_buf_init(&b, n);
	if (csa_trouble_read(data, n, &err) == 0) {
		CSA_MUST(csa_answer_kind(data, n) == 'E');
		CSA_MUST(err.code > CSA_OK && err.code < CSA_ERR__MAX);
		csa_trouble_write(&b, &err);
		compare(&b, data, n);
	}
	try_ring(data, n);
	csa_arena_free(arena);
	return 0;
}
