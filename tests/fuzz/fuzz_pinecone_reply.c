/*
 * What Pinecone answers: no match of another bot or namespace, none out of
 * order or twice, none with a text over its ceiling; and ids that are ASCII.
 */

#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/text/utf8.h"
#include "lib/vector/pinecone_reply.h"
#include "tests/fuzz/fuzz.h"

static void
matches(struct csa_arena *arena, const char *s, size_t len,
    enum csa_metric metric)
{
	struct csa_match_want	 want = { arena, "t.b", "b", 5, 64, metric };
	struct csa_vec_hit	*h;
	size_t			 n, dropped;
	const char		*why = NULL;

	if (csa_pinecone_matches(&want, s, len, &h, &n, &dropped, &why) ==
	    -1) {
		CSA_MUST(why != NULL && n == 0);
		return;
	}
	CSA_MUST(n <= 5);
	for (size_t i = 0; i < n; i++) {
		CSA_MUST(isfinite(h[i].score));
		CSA_MUST(i == 0 || h[i].score <= h[i - 1].score);
		CSA_MUST(h[i].chunk.id[0] != '\0');
		CSA_MUST(h[i].chunk.title != NULL &&
		    h[i].chunk.document_id != NULL);
		CSA_MUST(h[i].chunk.text == NULL || (h[i].chunk.len <= 64 &&
		    csa_utf8_valid(h[i].chunk.text, h[i].chunk.len, NULL)));
		for (size_t k = 0; k < i; k++)
			CSA_MUST(strcmp(h[i].chunk.id, h[k].chunk.id) != 0);
	}
}

static void
id(const char *s)
{
	char	 out[CSA_VECTOR_ID_MAX + 1];

	if (csa_vector_id(s, out) == -1)
		return;
	CSA_MUST(strlen(out) <= CSA_VECTOR_ID_MAX && strlen(out) >= strlen(s));
	for (const char *p = out; *p != '\0'; p++)
		CSA_MUST(*p >= 0x20 && *p < 0x7f);
}

static void
error(const char *s, size_t n)
{
	char	 out[160];

	(void)csa_pinecone_error(s, n, "pk-secret", out, sizeof(out));
	CSA_MUST(strstr(out, "pk-secret") == NULL);
	CSA_MUST(csa_utf8_valid(out, strlen(out), NULL));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_index_info	 info;
	const char		*s = (const char *)data + 1;

	if (n > 0) {
		switch (data[0] & 3) {
		case 0:
			error(s, n - 1);
			id(csa_arena_strndup(arena, s, n - 1));
			break;
		case 1:
			CSA_MUST(csa_pinecone_upserted(s, n - 1) >= -1);
			(void)csa_pinecone_index(arena, s, n - 1, &info);
			break;
		default:
			matches(arena, s, n - 1, data[0] & 4 ?
			    CSA_METRIC_EUCLIDEAN : CSA_METRIC_COSINE);
		}
	}
	csa_arena_free(arena);
	return 0;
}
