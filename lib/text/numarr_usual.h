/*
 * numarr_usual: the shape nearly every number of an embedding has; private to
 * lib/text.
 *
 * A usual number is one digit, a point and digits, perhaps behind a minus.
 */

#ifndef CSA_TEXT_NUMARR_USUAL_H
#define CSA_TEXT_NUMARR_USUAL_H

#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/text/swar.h"

/* A number of so many bytes may have more. */
#define CSA_USUAL	16

/* So many bytes must be there for a look at one. */
#define CSA_USUAL_LOOK	(2 * CSA_USUAL + 2)

/* Which of the sixteen bytes at p are digits, bit i of byte i. */
static inline unsigned
csa_digit_bits(const char *p)
{
#ifdef __SSE2__
	__m128i	 v = _mm_loadu_si128((const __m128i *)(const void *)p);

	/* 0x80 - '0' turns '0' into -128, the least, '9' into -119. */
	return (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(_mm_add_epi8(v,
	    _mm_set1_epi8(0x80 - '0')), _mm_set1_epi8(-118)));
#else
	return (unsigned)(csa_gather8(~csa_not_digits(csa_load8(p)) &
	    CSA_TOPS) | csa_gather8(~csa_not_digits(csa_load8(p + 8)) &
	    CSA_TOPS) << 8);
#endif
}

/* The length of the usual number at p; 0 for any other. */
static inline unsigned
csa_usual_number(const char *p)
{
	unsigned	 minus = *p == '-', bits = csa_digit_bits(p) >> minus;

	/* A digit, none, a digit. */
	if ((bits & 7) != 5 || p[minus + 1] != '.')
		return 0;
	return (unsigned)__builtin_ctz(~(bits | 3)) + minus;
}

#endif
