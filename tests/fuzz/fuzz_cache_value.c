/*
 * What memcached says is there: what is taken of it is, sealed again, the same to
 * the last byte.  And whatever is put is taken, under its own key alone.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/cache/value.h"
#include "tests/fuzz/fuzz.h"

static void
make_key(enum csa_cache_kind kind, const char *s, struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, kind);
	csa_key_str(&b, s);
	csa_key_end(&b, kind, key);
}

static void
put_and_take(const struct csa_cache_key *key, const uint8_t *data, size_t n)
{
	struct csa_cache_key	 other;
	uint8_t			*sealed;
	const void		*val;
	size_t			 len;

	if (n > CSA_VALUE_MAX)
		return;
	sealed = csa_malloc(n + CSA_VALUE_MORE);
	csa_value_seal(key, data, n, sealed);
	val = csa_value_unseal(key, sealed, n + CSA_VALUE_MORE, &len);
	CSA_MUST(val != NULL && len == n);
	CSA_MUST(n == 0 || memcmp(val, data, n) == 0);
	make_key(key->kind, "other", &other);
	CSA_MUST(csa_value_unseal(&other, sealed, n + CSA_VALUE_MORE, &len) ==
	    NULL);
	CSA_MUST(csa_value_unseal(key, sealed, n + CSA_VALUE_MORE - 1, &len) ==
	    NULL);
	free(sealed);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct csa_cache_key	 key;
	const void		*val;
	uint8_t			*again;
	size_t			 len;

	for (int kind = 0; kind < CSA_CACHE__MAX; kind++) {
		make_key((enum csa_cache_kind)kind, "seed", &key);
		val = csa_value_unseal(&key, data, n, &len);
		if (val == NULL) {
			CSA_MUST(len == 0);
			continue;
		}
		CSA_MUST(len + CSA_VALUE_MORE == n);
		again = csa_malloc(n);
		csa_value_seal(&key, val, len, again);
		CSA_MUST(memcmp(again, data, n) == 0);
		free(again);
	}
	put_and_take(&key, data, n);
	return 0;
}
