/*
 * number: the grammar of one JSON number, and its value; private to lib/text.
 *
 * Nothing here depends on the locale: the decimal sign is a point.
 */

#ifndef CSA_TEXT_NUMBER_H
#define CSA_TEXT_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

/* No honest number is longer; it bounds the copy that is made to convert one. */
#define CSA_NUMBER_MAX	512

enum csa_number {
	CSA_NUMBER_OK = 0,
	CSA_NUMBER_SYNTAX,		/* no digit where one must be */
	CSA_NUMBER_ZERO,		/* 01 */
	CSA_NUMBER_LONG			/* than CSA_NUMBER_MAX */
};

struct csa_number_text {
	size_t	 len;			/* up to the first misfit, if any */
	bool	 exponent;
};

/*
 * Read the number (RFC 8259 section 6) that s begins with.  What comes after it
 * is the caller's business.
 */
enum csa_number csa_number_scan(const char *s, size_t n,
		    struct csa_number_text *);

/*
 * Would this number, scanned before, round to infinity?  Exact: the digits are
 * compared with those of the smallest number that does.
 */
bool	csa_number_exceeds_double(const char *s, size_t n);
bool	csa_number_exceeds_float(const char *s, size_t n);

/* The value, correctly rounded; n <= CSA_NUMBER_MAX. */
double	csa_number_double(const char *s, size_t n);
float	csa_number_float(const char *s, size_t n);

#endif
