/*
 * numarr_marks: what stands where in 64 bytes of an array, a bit for a byte,
 * the first byte's lowest; private to lib/text.
 *
 * With bits, all numbers in a window are checked by the same few operations,
 * where one byte after the other costs a guess each.  Three ways to make them
 * give the same, and the tests see to that: AVX2, where the processor has it,
 * SSE2, which every amd64 has, or plain C.
 */

#ifndef CSA_TEXT_NUMARR_MARKS_H
#define CSA_TEXT_NUMARR_MARKS_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "lib/text/swar.h"

#define CSA_WINDOW	64

struct csa_marks {
	uint64_t	 digit, point, minus, comma;
	uint64_t	 blank;		/* a space or a newline: what is usual */
};

/* Which of the eight bytes of v is c? */
static inline uint64_t
csa_which8(uint64_t v, char c)
{
	uint64_t	 t = v ^ CSA_ONES * (unsigned char)c;

	return csa_gather8(~(((t & ~CSA_TOPS) + ~CSA_TOPS) | t) & CSA_TOPS);
}

static inline void
csa_marks_plain(const char *p, struct csa_marks *m)
{
	uint64_t	 v;

	*m = (struct csa_marks){ 0 };
	for (unsigned i = 0; i < CSA_WINDOW; i += 8) {
		v = csa_load8(p + i);
		m->digit |= csa_gather8(~csa_not_digits(v) & CSA_TOPS) << i;
		m->point |= csa_which8(v, '.') << i;
		m->minus |= csa_which8(v, '-') << i;
		m->comma |= csa_which8(v, ',') << i;
		m->blank |= (csa_which8(v, ' ') | csa_which8(v, '\n')) << i;
	}
}

#ifdef __x86_64__

#define CSA_BITS16(v)	((uint64_t)(unsigned)_mm_movemask_epi8(v))

static inline __attribute__((always_inline)) void
csa_mark16(const char *p, unsigned i, struct csa_marks *m)
{
	__m128i	 v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));

	/* 0x80 - '0' turns '0' into -128, the least, '9' into -119. */
	m->digit |= CSA_BITS16(_mm_cmplt_epi8(_mm_add_epi8(v,
	    _mm_set1_epi8(0x80 - '0')), _mm_set1_epi8(-118))) << i;
	m->point |= CSA_BITS16(_mm_cmpeq_epi8(v, _mm_set1_epi8('.'))) << i;
	m->minus |= CSA_BITS16(_mm_cmpeq_epi8(v, _mm_set1_epi8('-'))) << i;
	m->comma |= CSA_BITS16(_mm_cmpeq_epi8(v, _mm_set1_epi8(','))) << i;
	m->blank |= CSA_BITS16(_mm_or_si128(_mm_cmpeq_epi8(v,
	    _mm_set1_epi8(' ')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\n')))) << i;
}

static inline void
csa_marks_sse2(const char *p, struct csa_marks *m)
{
	*m = (struct csa_marks){ 0 };
	csa_mark16(p, 0, m);
	csa_mark16(p, 16, m);
	csa_mark16(p, 32, m);
	csa_mark16(p, 48, m);
}

#define CSA_AVX2	__attribute__((target("avx2,bmi,popcnt")))
#define CSA_BITS32(v)	((uint64_t)(unsigned)_mm256_movemask_epi8(v))

static inline bool
csa_has_avx2(void)
{
	return __builtin_cpu_supports("avx2") &&
	    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("popcnt");
}

CSA_AVX2 static inline __attribute__((always_inline)) void
csa_mark32(const char *p, unsigned i, struct csa_marks *m)
{
	__m256i	 v = _mm256_loadu_si256((const __m256i *)(const void *)(p + i));

	m->digit |= CSA_BITS32(_mm256_cmpgt_epi8(_mm256_set1_epi8(-118),
	    _mm256_add_epi8(v, _mm256_set1_epi8(0x80 - '0')))) << i;
	m->point |= CSA_BITS32(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8('.'))) << i;
	m->minus |= CSA_BITS32(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8('-'))) << i;
	m->comma |= CSA_BITS32(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8(','))) << i;
	m->blank |= CSA_BITS32(_mm256_or_si256(_mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8(' ')), _mm256_cmpeq_epi8(v,
	    _mm256_set1_epi8('\n')))) << i;
}

CSA_AVX2 static inline void
csa_marks_avx2(const char *p, struct csa_marks *m)
{
	*m = (struct csa_marks){ 0 };
	csa_mark32(p, 0, m);
	csa_mark32(p, 32, m);
}

#endif
#endif
