/*
 * numarr_usual: the shape nearly every number of an embedding has, and nearly
 * every gap between two; private to lib/text.
 *
 * A usual number is one digit, a point and digits, perhaps behind a minus.  The
 * usual gap is the one before: a program that indents does it the same each
 * time, and to guess it right costs nothing, while to find its end costs waiting
 * for it.
 *
 * Bytes become bits, bit i of byte i, sixteen at a time with SSE2, which every
 * amd64 has, or in plain C: both give the same, and the tests see to that.
 */

#ifndef CSA_TEXT_NUMARR_USUAL_H
#define CSA_TEXT_NUMARR_USUAL_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "lib/text/swar.h"

#define CSA_WINDOW	16
#define CSA_BLOCK	64

/* So many bytes must be there for a gap and a look at the number behind it. */
#define CSA_USUAL	(2 * CSA_WINDOW + 2)

/* Past the blanks: a pretty-printer's are a newline and then many spaces. */
static inline const char *
csa_skip_blanks(const char *p, const char *end)
{
	uint64_t	 m;

	for (; p < end && (unsigned char)*p <= ' '; p++) {
		if (*p == ' ' && end - p >= 8) {
			m = csa_not_spaces(csa_load8(p));
			p += m != 0 ? csa_first8(m) - 1 : 7;
		} else if (*p != ' ' && *p != '\n' && *p != '\r' &&
		    *p != '\t')
			break;
	}
	return p;
}

/* ---- bits ---- */

/* The top bits of eight bytes, the first of them lowest. */
static inline unsigned
csa_gather8(uint64_t tops)
{
	return (unsigned)((tops >> 7) * UINT64_C(0x0102040810204080) >> 56);
}

static inline unsigned
csa_digit_bits_plain(const char *p)
{
	return 0xffff & ~(csa_gather8(csa_not_digits(csa_load8(p))) |
	    csa_gather8(csa_not_digits(csa_load8(p + 8))) << 8);
}

/* What is not white space, in CSA_BLOCK bytes of text that has been checked. */
static inline uint64_t
csa_ink_bits_plain(const char *p)
{
	uint64_t	 ink = 0;

	/* Adding 0x5f sets the top bit from 0x21 on; all are ASCII. */
	for (unsigned i = 0; i < CSA_BLOCK; i += 8)
		ink |= (uint64_t)csa_gather8((csa_load8(p + i) +
		    CSA_ONES * 0x5f) & CSA_TOPS) << i;
	return ink;
}

#ifdef __SSE2__

static inline __m128i
csa_load16(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline unsigned
csa_digit_bits_sse2(const char *p)
{
	/* 0x80 - '0' turns '0' into -128, the least, '9' into -119. */
	return (unsigned)_mm_movemask_epi8(_mm_cmplt_epi8(_mm_add_epi8(
	    csa_load16(p), _mm_set1_epi8(0x80 - '0')), _mm_set1_epi8(-118)));
}

static inline uint64_t
csa_ink_bits16(const char *p)
{
	return (unsigned)_mm_movemask_epi8(_mm_cmpgt_epi8(csa_load16(p),
	    _mm_set1_epi8(' ')));
}

static inline uint64_t
csa_ink_bits_sse2(const char *p)
{
	return csa_ink_bits16(p) | csa_ink_bits16(p + 16) << 16 |
	    csa_ink_bits16(p + 32) << 32 | csa_ink_bits16(p + 48) << 48;
}

#define csa_digit_bits	csa_digit_bits_sse2
#define csa_ink_bits	csa_ink_bits_sse2
#else
#define csa_digit_bits	csa_digit_bits_plain
#define csa_ink_bits	csa_ink_bits_plain
#endif

/* ---- numbers ---- */

/*
 * The length of the usual number at p, of which CSA_WINDOW bytes and one more
 * are there; 0 for any other.  CSA_WINDOW: there may be more digits of it.
 */
static inline unsigned
csa_usual_number(const char *p)
{
	unsigned	 minus = *p == '-', bits = csa_digit_bits(p) >> minus;

	/* A digit, none, a digit. */
	if ((bits & 7) != 5 || p[minus + 1] != '.')
		return 0;
	return (unsigned)__builtin_ctz(~(bits | 3)) + minus;
}

/* ---- gaps ---- */

struct csa_gap {
	uint64_t	 text[2], mask[2];
	unsigned	 n;
};

/* Take the blanks at p, which may be none, as what is between all numbers. */
static inline void
csa_gap_learn(struct csa_gap *g, const char *p, const char *end)
{
	*g = (struct csa_gap){ 0 };
	if (end - p < CSA_WINDOW)
		return;
	g->n = (unsigned)(csa_skip_blanks(p, p + CSA_WINDOW) - p);
	for (unsigned i = 0, n = g->n; i < 2; i++, n -= n < 8 ? n : 8) {
		g->mask[i] = n == 0 ? 0 : ~UINT64_C(0) >> (n < 8 ?
		    64 - 8 * n : 0);
		g->text[i] = csa_load8(p + 8 * i) & g->mask[i];
	}
}

/* Is it at p, of which CSA_WINDOW bytes are there? */
static inline bool
csa_gap_is(const struct csa_gap *g, const char *p)
{
	return (((csa_load8(p) ^ g->text[0]) & g->mask[0]) |
	    ((csa_load8(p + 8) ^ g->text[1]) & g->mask[1])) == 0;
}

#endif
