/*
 * base64: RFC 4648 section 4, padding required, no white space.
 */

#ifndef CSA_TEXT_BASE64_H
#define CSA_TEXT_BASE64_H

#include <stddef.h>
#include <stdint.h>

struct csa_buf;

/*
 * Bytes written to out (room for n / 4 * 3), or -1 for malformed text; bits that
 * the padding leaves over must be zero.
 */
long	csa_base64_decode(const char *s, size_t n, uint8_t *out);
void	csa_base64_encode(struct csa_buf *b, const void *data, size_t n);

#endif
