/*
 * swar: eight bytes at a time in one register, for whoever reads much text.
 *
 * A load's first byte in memory is its lowest, on any machine.
 */

#ifndef CSA_TEXT_SWAR_H
#define CSA_TEXT_SWAR_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define CSA_ONES	0x0101010101010101u
#define CSA_TOPS	0x8080808080808080u

static inline uint64_t
csa_load8(const char *p)
{
	uint64_t	 v;

	memcpy(&v, p, 8);
	return le64toh(v);
}

/* The first byte, 0 to 7, whose top bit is set in mask, which is not 0. */
static inline unsigned
csa_first8(uint64_t mask)
{
	return (unsigned)__builtin_ctzll(mask) / 8;
}

/*
 * Top bit set in every byte that is no digit.  Exact: x ^ '0' is 0 to 9 for a
 * digit, and adding 0x76 to seven bits never carries out of the byte.
 */
static inline uint64_t
csa_not_digits(uint64_t v)
{
	uint64_t	 t = v ^ CSA_ONES * '0';

	return (((t & ~CSA_TOPS) + CSA_ONES * 0x76) | t) & CSA_TOPS;
}

/* Top bit set in every byte that is no blank (space).  Exact, as above. */
static inline uint64_t
csa_not_spaces(uint64_t v)
{
	uint64_t	 t = v ^ CSA_ONES * ' ';

	return (((t & ~CSA_TOPS) + ~CSA_TOPS) | t) & CSA_TOPS;
}

/* The top bits of eight bytes, the first of them lowest. */
static inline uint64_t
csa_gather8(uint64_t tops)
{
	return (tops >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

/* The value of eight digits, the first in memory the most significant. */
static inline uint32_t
csa_eight_digits(uint64_t v)
{
	v -= CSA_ONES * '0';
	v = v * 10 + (v >> 8);
	v = ((v & 0x000000ff000000ffu) * (100 + (UINT64_C(1000000) << 32)) +
	    (v >> 16 & 0x000000ff000000ffu) * (1 + (UINT64_C(10000) << 32)))
	    >> 32;
	return (uint32_t)v;
}

#endif
