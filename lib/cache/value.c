#include "config.h"

#include <string.h>

#include "lib/base/must.h"
#include "lib/cache/cache_internal.h"
#include "lib/cache/value.h"

_Static_assert(CSA_VALUE_HEAD == 8 + CSA_DIGEST + 8, "see value.h");
_Static_assert(CSA_VALUE_TAIL <= CSA_DIGEST, "see value.h");

/* What the head of an envelope for key must be. */
static void
make_head(const struct csa_cache_key *key, size_t n, uint8_t *p)
{
	CSA_MUST((unsigned)key->kind < CSA_CACHE__MAX);
	memcpy(p, "csaV\1", 5);
	p[5] = (uint8_t)csa_cache_kinds[key->kind].letter;
	p[6] = csa_cache_kinds[key->kind].version;
	p[7] = 0;
	memcpy(p + 8, key->digest.b, CSA_DIGEST);
	for (int i = 0; i < 8; i++)
		p[8 + CSA_DIGEST + i] = (uint8_t)((uint64_t)n >> (8 * i));
}

void
csa_value_seal(const struct csa_cache_key *key, const void *data, size_t n,
    void *out)
{
	uint8_t			*p = out;
	struct csa_digest	 sum;

	CSA_MUST(n <= CSA_VALUE_MAX);
	make_head(key, n, p);
	if (n > 0)
		memcpy(p + CSA_VALUE_HEAD, data, n);
	csa_sha256(p, CSA_VALUE_HEAD + n, &sum);
	memcpy(p + CSA_VALUE_HEAD + n, sum.b, CSA_VALUE_TAIL);
}

const void *
csa_value_unseal(const struct csa_cache_key *key, const void *envelope,
    size_t len, size_t *n)
{
	const uint8_t		*p = envelope;
	uint8_t			 head[CSA_VALUE_HEAD];
	struct csa_digest	 sum;

	*n = 0;
	if (len < CSA_VALUE_MORE || len - CSA_VALUE_MORE > CSA_VALUE_MAX)
		return NULL;
	/* The length is compared, never used: it may say anything. */
	make_head(key, len - CSA_VALUE_MORE, head);
	if (memcmp(p, head, sizeof(head)) != 0)
		return NULL;
	csa_sha256(p, len - CSA_VALUE_TAIL, &sum);
	if (memcmp(p + len - CSA_VALUE_TAIL, sum.b, CSA_VALUE_TAIL) != 0)
		return NULL;
	*n = len - CSA_VALUE_MORE;
	return p + CSA_VALUE_HEAD;
}
