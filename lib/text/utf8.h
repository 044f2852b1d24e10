/*
 * utf8: Unicode 15 well-formed UTF-8, table 3-7 (no overlong forms, no
 * surrogates, nothing above U+10FFFF).
 */

#ifndef CSA_TEXT_UTF8_H
#define CSA_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Is s valid?  If not, *where (may be NULL) is the first bad byte's offset. */
bool	csa_utf8_valid(const char *s, size_t n, size_t *where);

/*
 * Decode the character at s (n > 0 bytes left, valid UTF-8).  Returns its
 * length, 1 to 4, and sets *cp.  What is not UTF-8 after all is one byte long
 * and U+FFFD; nothing behind the n bytes is looked at.
 */
size_t	csa_utf8_decode(const char *s, size_t n, uint32_t *cp);

/* The largest length <= max at which s can be cut between two characters. */
size_t	csa_utf8_cut(const char *s, size_t n, size_t max);

/*
 * Copy s into size bytes as one printable line: it ends where there is no more
 * room or no UTF-8, and control characters are blanks.
 */
void	csa_utf8_line(char *out, size_t size, const char *s, size_t n);

/*
 * White space: the property White_Space, and what shows as nothing as well
 * (zero width space, word joiner, BOM).  csa_utf8_skip returns how many bytes of
 * it s begins with; csa_utf8_blank, whether s has nothing else in it.
 */
bool	csa_utf8_space(uint32_t cp);
size_t	csa_utf8_skip(const char *s, size_t n);
bool	csa_utf8_blank(const char *s, size_t n);

/* Tokens that a text comes to, estimated: bytes / 4 for ASCII, one for every
 * other character. */
size_t	csa_tokens_estimate(const char *s, size_t n);

#endif
