/*
 * sentence: where sentences end, well enough to quote one.
 *
 * Ends are . ! ? and their like in other scripts, with closing quotes and brackets
 * and [1] behind them, followed by white space or the end (Chinese and Japanese
 * marks: by anything); a blank line; the end of a heading, a table row or a rule;
 * and the line before one of these or a list item.  Common abbreviations, initials,
 * decimals, list numbers and what goes on in small letters do not end one.
 */

#ifndef CSA_TEXT_SENTENCE_H
#define CSA_TEXT_SENTENCE_H

#include <stddef.h>

struct csa_span { size_t start, len; };	/* bytes of the text */

/*
 * Split s, valid UTF-8, into at most max spans without the white space around
 * them (csa_utf8_space); returns how many.  Every non-blank byte is in exactly one
 * span, up to the max-th, which takes the rest.  Time is proportional to n.
 */
size_t	csa_sentences(const char *s, size_t n, struct csa_span *out,
	    size_t max);

#endif
