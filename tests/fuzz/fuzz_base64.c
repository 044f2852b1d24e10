/*
 * Every text that decodes is the one its bytes encode to; all bytes survive.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/base64.h"
#include "tests/fuzz/fuzz.h"

static void
decode(const char *s, size_t n)
{
	uint8_t		*out = csa_malloc(n / 4 * 3);
	long		 len = csa_base64_decode(s, n, out);
	struct csa_buf	 b;

	csa_buf_init(&b, n);
	if (len >= 0) {
		CSA_MUST((size_t)len <= n / 4 * 3);
		csa_base64_encode(&b, out, (size_t)len);
		CSA_MUST(b.len == n && (n == 0 || memcmp(b.data, s, n) == 0));
	}
	csa_buf_fini(&b);
	free(out);
}

static void
encode(const uint8_t *data, size_t n)
{
	struct csa_buf	 b;
	uint8_t		*out;

	csa_buf_init(&b, (n + 2) / 3 * 4);
	csa_base64_encode(&b, data, n);
	CSA_MUST(!b.failed && b.len == b.max);
	out = csa_malloc(b.len / 4 * 3);
	CSA_MUST(csa_base64_decode(b.len > 0 ? b.data : "", b.len, out) ==
	    (long)n);
	CSA_MUST(n == 0 || memcmp(out, data, n) == 0);
	csa_buf_fini(&b);
	free(out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	decode((const char *)data, n);
	encode(data, n);
	return 0;
}
