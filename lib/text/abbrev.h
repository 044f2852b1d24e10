/*
 * abbrev: is this full stop an abbreviation's?  Private to lib/text.
 */

#ifndef CSA_TEXT_ABBREV_H
#define CSA_TEXT_ABBREV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Small and capital letters: Latin, Greek, Cyrillic. */
bool	csa_is_lower(uint32_t cp);
bool	csa_is_upper(uint32_t cp);

/*
 * s[start..n) begins with the sentence; dot is its full stop, next the first byte
 * of the word after the white space behind it.  True where the full stop belongs
 * to an abbreviation, an initial or the number of a list item.
 */
bool	csa_is_abbreviation(const char *s, size_t n, size_t start, size_t dot,
	    size_t next);

#endif
