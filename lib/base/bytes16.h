/*
 * bytes16: sixteen bytes at a time, for whoever reads much text.
 *
 * Comparing gives 0xff or 0 for each byte, and masks can be joined with |.
 */

#ifndef CSA_BASE_BYTES16_H
#define CSA_BASE_BYTES16_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define CSA_BYTES16	16

typedef unsigned char	 csa_bytes16 __attribute__((vector_size(CSA_BYTES16)));

static inline csa_bytes16
csa_load_bytes16(const void *p)
{
	csa_bytes16	 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* The number of the first byte in memory that is not 0; CSA_BYTES16: none. */
static inline unsigned
csa_first16(csa_bytes16 mask)
{
	uint64_t	 half[2];

	memcpy(half, &mask, sizeof(half));
	if (half[0] != 0)
		return (unsigned)__builtin_ctzll(le64toh(half[0])) / 8;
	if (half[1] != 0)
		return (unsigned)__builtin_ctzll(le64toh(half[1])) / 8 + 8;
	return CSA_BYTES16;
}

#endif
