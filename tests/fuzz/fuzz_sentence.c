/*
 * Spans hold every byte that is not blank, once and in order, begin and end with
 * one, and are cut between characters.  Of input that is not UTF-8 only that it
 * does no harm is asked.
 */

#include "config.h"

#include "lib/base/must.h"
#include "lib/text/sentence.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MAX	256

static void
check(const char *s, size_t n, const struct csa_span *spans, size_t count)
{
	size_t	 at = 0;

	for (size_t i = 0; i < count; i++) {
		const struct csa_span	*p = &spans[i];

		CSA_MUST(p->start >= at && p->len > 0);
		CSA_MUST(p->start + p->len <= n);
		CSA_MUST(csa_utf8_blank(s + at, p->start - at));
		CSA_MUST(csa_utf8_skip(s + p->start, p->len) == 0);
		CSA_MUST(csa_utf8_valid(s + p->start, p->len, NULL));
		at = p->start + p->len;
	}
	CSA_MUST(csa_utf8_blank(s + at, n - at));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static struct csa_span	 spans[MAX], fewer[MAX];
	const char		*s = (const char *)data;
	size_t			 count = csa_sentences(s, n, spans, MAX), k;

	CSA_MUST(count <= MAX);
	CSA_MUST(csa_sentences(s, n, fewer, 0) == 0);
	if (!csa_utf8_valid(s, n, NULL))
		return 0;
	check(s, n, spans, count);
	CSA_MUST((count == 0) == csa_utf8_blank(s, n));
	/* With less room the first ones are the same. */
	k = count > 1 ? 1 + n % (count - 1) : count;
	CSA_MUST(csa_sentences(s, n, fewer, k) == k);
	check(s, n, fewer, k);
	for (size_t i = 0; i + 1 < k; i++)
		CSA_MUST(fewer[i].start == spans[i].start &&
		    fewer[i].len == spans[i].len);
	return 0;
}
