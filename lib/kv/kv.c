#include "config.h"

#include <string.h>

#include "lib/kv/kv.h"

bool
csa_kv_key_good(const char *key)
{
	size_t	 n = strnlen(key, CSA_KV_KEYMAX + 1);

	if (n == 0 || n > CSA_KV_KEYMAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (key[i] < '!' || key[i] > '~')
			return false;
	return true;
}
