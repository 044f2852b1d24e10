/*
 * numarr: arrays of numbers as bytes.
 *
 * An embedding of 768 numbers must never become a tree of objects: that
 * doubles the CPU of a chat.  Where it only passes through, its text is checked
 * where it lies and copied; where it is needed as floats, it is read straight into
 * them.
 */

#ifndef CSA_TEXT_NUMARR_H
#define CSA_TEXT_NUMARR_H

#include <stddef.h>

struct csa_buf;

struct csa_numarr {
	const char	*s;		/* from '[' */
	size_t		 n;		/* to and with ']' */
	size_t		 count;		/* how many numbers */
};

/*
 * Check the JSON array of finite numbers that starts at s (which must be '['), and
 * take the white space out of it where it is: a is s without blanks, and what is
 * left behind it up to s + *used, where the array ended, is of no use any more.
 * Returns 0 and fills in a, or -1 for anything but numbers that a float can hold:
 * NaN, 1e999 and 1e39 are none; then s may be spoilt.  An empty array is one.  max
 * bounds the count.
 */
int	csa_numarr_scan(char *s, size_t n, size_t max, struct csa_numarr *a,
	    size_t *used);

/*
 * Find the value of the first member called name in the JSON text s, at any
 * depth, that starts at or after *pos, skipping over strings correctly.  Returns a
 * pointer to the first byte of its value and moves *pos past the name, or NULL.
 * *pos must not be inside a string.  Names are compared as they are written: one
 * with escapes in it is not found.  The text must be JSON (csa_json_check it, or
 * treat any later misfit as nonsense).
 */
const char *
	csa_json_find(const char *s, size_t n, const char *name, size_t *pos);

/* Read an array that was checked into f[0] to f[count - 1].  Correctly rounded. */
void	csa_numarr_floats(const struct csa_numarr *a, float *f);

/*
 * Append f as JSON text without blanks, in up to 9 digits: each number reads back
 * as the same float.  What is not finite becomes 0.
 */
void	csa_numarr_write(struct csa_buf *b, const float *f, size_t count);

#endif
