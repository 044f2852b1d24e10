/*
 * tokens: words as the full-text index sees them.
 *
 * Folded (case, diacritics) and stemmed as FTS5's `porter unicode61
 * remove_diacritics 2`; runs of scripts written without spaces (Han, Kana,
 * Thai, Lao, Khmer, Myanmar) become overlapping pairs of characters, the last
 * character of a run also alone, so that such text is found by any part of it.
 */

#ifndef CSA_STORE_TOKENS_H
#define CSA_STORE_TOKENS_H

#include <stdbool.h>
#include <stddef.h>

struct csa_token {
	const char	*text;		/* in the arena, NUL-terminated */
	size_t		 start, end;	/* bytes of the original */
	bool		 stop;		/* a stop or question word */
	bool		 prefix;	/* single character of such a script */
};

struct csa_arena;

/* The tokens of s, at most max; *out in the arena.  Returns how many. */
size_t	csa_tokens(struct csa_arena *, const char *s, size_t n, size_t max,
	    struct csa_token **out);

#endif
