/*
 * The extractive answer: whatever the question and the passages are, each
 * quote is a piece of its passage, and the best comes first.  The first line
 * of the input is the question, blank lines part the passages.
 */

#include "config.h"

#include <math.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/provider/quote.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

static size_t
split(struct csa_arena *arena, const char *s, struct csa_passage *p,
    size_t max)
{
	size_t	 n = 0;

	while (n < max && *s != '\0') {
		const char	*end = strstr(s, "\n\n");

		memset(&p[n], 0, sizeof(p[n]));
		p[n].chunk.len = end != NULL ? (size_t)(end - s) : strlen(s);
		p[n].chunk.text = csa_arena_strndup(arena, s, p[n].chunk.len);
		p[n].chunk.id = "c";
		p[n].chunk.title = n % 2 == 0 ? "" : "Some title";
		s += p[n++].chunk.len;
		s += strspn(s, "\n");
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_arena	*arena = csa_arena_new();
	struct csa_passage	 p[12];
	struct csa_quotes	 q;
	char			*s, *end;
	size_t			 np;

	s = csa_arena_strndup(arena, (const char *)data, n);
	end = strchr(s, '\n');
	if (!csa_utf8_valid(s, strlen(s), NULL) || end == NULL)
		goto out;
	*end = '\0';
	np = split(arena, end + 1, p, CSA_NITEMS(p));
	csa_quote(arena, s, p, np, NULL, &q);
	CSA_MUST(q.n <= CSA_QUOTES && q.missing != NULL);
	CSA_MUST(q.confidence >= 0 && q.confidence <= 1);
	for (size_t i = 0; i < q.n; i++) {
		const struct csa_chunk	*c = &p[q.q[i].passage].chunk;

		CSA_MUST(q.q[i].passage < np && q.q[i].len > 0);
		CSA_MUST(q.q[i].s >= c->text &&
		    q.q[i].s + q.q[i].len <= c->text + c->len);
		CSA_MUST(isfinite(q.q[i].score));
		CSA_MUST(i == 0 || q.q[i].score <= q.q[i - 1].score);
		CSA_MUST(csa_utf8_valid(q.q[i].s, q.q[i].len, NULL));
	}
out:
	csa_arena_free(arena);
	return 0;
}
