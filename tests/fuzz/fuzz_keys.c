/*
 * fuzz_keys: a keys file of any bytes is taken or refused with a reason, and
 * nothing in it touches the internal key.
 */

#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handlers/app.h"
#include "handlers/keys.h"
#include "lib/base/must.h"
#include "tests/fuzz/fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct csa_key	*key;
	struct csa_keys		*k;
	struct csa_err		 err = { 0 };
	char			 path[40];
	int			 fd = memfd_create("keys", MFD_CLOEXEC);

	CSA_MUST(fd != -1 && fchmod(fd, 0600) == 0);
	CSA_MUST(write(fd, data, size) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	k = csa_keys_load(path, "internal", "", &err);
	close(fd);
	if (k == NULL) {
		CSA_MUST(strncmp(err.msg, path, strlen(path)) == 0);
		return 0;
	}
	/* Nothing in a file takes the internal key's place. */
	key = csa_keys_find(k, "internal", 8);
	CSA_MUST(key != NULL && key->endpoints == CSA_POOL_ALL);
	CSA_MUST(csa_key_allows_bot(key, "b") && key->tenant == NULL);
	/* In the corpus: the hash of "a". */
	key = csa_keys_find(k, "a", 1);
	if (key != NULL) {
		CSA_MUST((key->endpoints & ~(unsigned)CSA_POOL_ALL) == 0);
		CSA_MUST(key->endpoints != 0);
		(void)csa_key_allows_bot(key, "shop-1");
	}
	csa_keys_free(k);
	return 0;
}
