#include "config.h"

#include <pthread.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "lib/base/must.h"
#include "lib/text/digest.h"

static pthread_once_t	 fetch_once = PTHREAD_ONCE_INIT;
static EVP_MD		*sha256;

static void
fetch(void)
{
	sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	CSA_MUST(sha256 != NULL);
}

/* EVP_sha256() would be looked for each time, which costs more than hashing. */
void
csa_sha256(const void *data, size_t n, struct csa_digest *d)
{
	unsigned	 len = 0;

	CSA_MUST(pthread_once(&fetch_once, fetch) == 0);
	CSA_MUST(EVP_Digest(data, n, d->b, &len, sha256, NULL) == 1);
	CSA_MUST(len == sizeof(d->b));
}

bool
csa_digest_eq(const struct csa_digest *a, const struct csa_digest *b)
{
	return CRYPTO_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}
