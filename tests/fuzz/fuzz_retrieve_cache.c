/*
 * A value of the retrieval cache: whoever can write to memcached can write one.
 * What is read is sound, and is to the last byte what would be written.
 */

#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/rag/retrieve_cache.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

#define K	8

static void
string(const char *s)
{
	CSA_MUST(s != NULL && csa_utf8_valid(s, strlen(s), NULL));
}

static void
passages(const struct csa_found *f)
{
	CSA_MUST(f->n <= K);
	for (size_t i = 0; i < f->n; i++) {
		const struct csa_chunk	*c = &f->passages[i].chunk;

		CSA_MUST(isfinite(f->passages[i].score) &&
		    f->passages[i].score >= 0);
		CSA_MUST(i == 0 ||
		    f->passages[i].score <= f->passages[i - 1].score);
		string(c->id);
		if (!f->elsewhere[i]) {
			CSA_MUST(c->text == NULL && c->document_id == NULL);
			continue;
		}
		string(c->document_id);
		string(c->title);
		CSA_MUST(csa_utf8_valid(c->text, c->len, NULL));
		CSA_MUST(c->text[c->len] == '\0');
		if (c->metadata != NULL)
			string(c->metadata);
	}
}

static void
text(const struct csa_text_result *t)
{
	CSA_MUST(isfinite(t->ideal) && t->ideal >= 0);
	for (size_t i = 0; i < t->nterms; i++) {
		string(t->terms[i].text);
		CSA_MUST(isfinite(t->terms[i].idf));
	}
	for (size_t i = 0; i < t->nhits; i++)
		CSA_MUST(isfinite(t->hits[i].score) &&
		    isfinite(t->hits[i].bm25));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_found	 f;
	struct csa_buf		 b;
	const uint32_t		*of;

	if (csa_found_decode(arena, data, n, K, &f, &of) == 1) {
		passages(&f);
		text(&f.text);
		for (size_t i = 0; i < f.text.nhits; i++) {
			CSA_MUST(of[i] < f.n);
			f.text.hits[i].chunk = f.passages[of[i]].chunk;
		}
		csa_buf_init(&b, 2 * n + 64);
		csa_found_encode(&b, &f);
		CSA_MUST(b.len == n && memcmp(b.data, data, n) == 0);
		csa_buf_fini(&b);
	}
	csa_arena_free(arena);
	return 0;
}
