/*
 * Text without a character of a script without spaces is cut up exactly as
 * FTS5's `porter unicode61 remove_diacritics 2` does it, whatever its
 * bytes.  All text: tokens rise and lie within the text; a character alone is
 * its own bytes.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#include "lib/base/arena.h"
#include "lib/base/must.h"
#include "lib/store/tokenizer.h"
#include "lib/store/tokens.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MAX	512

/* FTS5's own tokenizer, and how far the comparison has come. */
static fts5_tokenizer	 porter;
static Fts5Tokenizer	*reference;
static struct csa_token	*ours;
static size_t		 nours, at;

static void
open_reference(void)
{
	static const char *const words[] = {
		"unicode61", "remove_diacritics", "2",
	};
	static sqlite3	*db;		/* for good; never a leak */
	const char	*args[3];
	fts5_api	*api;
	void		*arg;

	memcpy(args, words, sizeof(args));
	CSA_MUST(sqlite3_open(":memory:", &db) == SQLITE_OK);
	CSA_MUST((api = csa_fts5_api(db)) != NULL);
	CSA_MUST(api->xFindTokenizer(api, "porter", &arg, &porter) ==
	    SQLITE_OK);
	CSA_MUST(porter.xCreate(arg, args, 3, &reference) == SQLITE_OK);
}

static int
compare(void *arg, int flags, const char *text, int n, int start, int end)
{
	const struct csa_token	*t = &ours[at];

	(void)arg;
	(void)flags;
	if (at == MAX)
		return SQLITE_DONE;
	CSA_MUST(at++ < nours);
	CSA_MUST(strlen(t->text) == (size_t)n &&
	    memcmp(t->text, text, (size_t)n) == 0);
	CSA_MUST(t->start == (size_t)start && t->end == (size_t)end);
	return SQLITE_OK;
}

static bool
has_spaceless(const char *s, size_t n)
{
	uint32_t	 cp;

	for (size_t i = 0; i < n; i += csa_utf8_decode(s + i, n - i, &cp)) {
		(void)csa_utf8_decode(s + i, n - i, &cp);
		if (csa_is_spaceless(cp))
			return true;
	}
	return false;
}

static void
check(const char *s, size_t n, bool valid)
{
	size_t	 before = 0;

	for (size_t i = 0; i < nours; i++) {
		const struct csa_token	*t = &ours[i];

		CSA_MUST(t->start >= before && t->start < t->end &&
		    t->end <= n);
		CSA_MUST(*t->text != '\0');
		if (valid && t->prefix)
			CSA_MUST(memcmp(t->text, s + t->start,
			    t->end - t->start) == 0);
		before = t->start;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_arena	*arena = csa_arena_new();
	const char		*s = (const char *)data;
	bool			 valid = csa_utf8_valid(s, n, NULL);

	if (reference == NULL)
		open_reference();
	nours = csa_tokens(arena, s, n, MAX, &ours);
	CSA_MUST(nours <= MAX);
	check(s, n, valid);
	if (valid && !has_spaceless(s, n) && n > 0) {
		at = 0;
		(void)porter.xTokenize(reference, NULL,
		    FTS5_TOKENIZE_DOCUMENT, s, (int)n, compare);
		CSA_MUST(at == nours);
	}
	csa_arena_free(arena);
	return 0;
}
