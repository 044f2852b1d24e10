/*
 * value: the envelope around everything that is cached; for lib/cache alone.
 *
 *	 0  "csaV"
 *	 4  1, the version of the envelope
 *	 5  the letter of the kind
 *	 6  the version of the kind
 *	 7  0
 *	 8  the digest of the key, all of it
 *	40  the length of the value, eight bytes, little end first
 *	48  the value
 *	..  the first 16 bytes of the SHA-256 of all that stands before
 *
 * So a value that was put under another key, by another version, or is not to
 * the last bit what was put, is none.
 */

#ifndef CSA_CACHE_VALUE_H
#define CSA_CACHE_VALUE_H

#include <stddef.h>

#include "lib/cache/key.h"
#include "lib/kv/kv.h"

#define CSA_VALUE_HEAD	48
#define CSA_VALUE_TAIL	16
#define CSA_VALUE_MORE	(CSA_VALUE_HEAD + CSA_VALUE_TAIL)
/* More than this is not kept: no memcached as it is by default would. */
#define CSA_VALUE_MAX	(CSA_KV_VALMAX - CSA_VALUE_MORE)

/* n bytes, at most CSA_VALUE_MAX, into out, which takes CSA_VALUE_MORE more. */
void	csa_value_seal(const struct csa_cache_key *, const void *, size_t n,
	    void *out);
/* The n bytes of the value, in the envelope of size len; NULL: it is odd. */
const void *csa_value_unseal(const struct csa_cache_key *, const void *,
	    size_t len, size_t *n);

#endif
