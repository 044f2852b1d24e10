/*
 * digest: SHA-256, hex, comparison in constant time, random bytes.  digest.c is
 * the only place that knows libcrypto; who needs but the rest (random.c), as the
 * master does, is not linked with it, which is 0.5 MB.
 */

#ifndef CSA_TEXT_DIGEST_H
#define CSA_TEXT_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CSA_DIGEST	32

struct csa_digest { uint8_t b[CSA_DIGEST]; };

void	csa_sha256(const void *data, size_t n, struct csa_digest *);

/* out takes 2 * n + 1 bytes, lower case, NUL-terminated. */
void	csa_hex(const uint8_t *b, size_t n, char *out);
/* 0 to 15 of a hex digit of either case; -1: it is none. */
int	csa_hex_digit(char);
/* 2 * n hex digits of either case into n bytes; -1 if s is anything else. */
int	csa_unhex(const char *s, uint8_t *b, size_t n);

/* Equal, in a time that does not depend on where they differ. */
bool	csa_digest_eq(const struct csa_digest *, const struct csa_digest *);

/* Fill b with random bytes fit for ids and keys. */
void	csa_random(void *b, size_t n);

/* A request or job id: 32 hex digits of random bytes, NUL-terminated. */
void	csa_random_id(char out[33]);

#endif
