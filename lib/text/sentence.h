/*
 * sentence: where sentences end, well enough to quote one.
 *
 * Ends are . ! ? and their wide forms followed by white space or the end, a line
 * that ends without one but before a blank line, and list items.  Common
 * abbreviations, initials and decimals do not end one.
 */

#ifndef CSA_TEXT_SENTENCE_H
#define CSA_TEXT_SENTENCE_H

#include <stddef.h>

struct csa_span { size_t start, len; };	/* bytes of the text */

/*
 * Split s into at most max spans without the white space around them; returns how
 * many.  Every non-blank byte is in exactly one span, up to the max-th, which
 * takes the rest.
 */
size_t	csa_sentences(const char *s, size_t n, struct csa_span *out,
	    size_t max);

#endif
