/*
 * A decoder that goes by the bit layout and the shortest length says the same as
 * ours; a valid text cut anywhere is valid.
 */

#include "config.h"

#include <stdbool.h>

#include "lib/base/must.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

/* Length of the character at p, and its number; 0 if it is none. */
static size_t
plainly(const uint8_t *p, size_t n, uint32_t *cp)
{
	static const uint32_t	 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t			 len;

	*cp = p[0];
	if (p[0] < 0x80)
		return 1;
	len = (p[0] & 0xe0) == 0xc0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 :
	    (p[0] & 0xf8) == 0xf0 ? 4 : 0;
	if (len == 0 || len > n)
		return 0;
	*cp = p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3fu);
	}
	if (*cp < least[len] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return len;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char	*s = (const char *)data;
	size_t		 where = n, i = 0, len, cut;
	uint32_t	 cp, ours;
	bool		 valid = csa_utf8_valid(s, n, &where);

	for (; i < n; i += len) {
		len = plainly(data + i, n - i, &cp);
		if (len == 0) {
			CSA_MUST(csa_utf8_decode(s + i, n - i, &ours) == 1);
			CSA_MUST(ours == 0xfffd);
			break;
		}
		CSA_MUST(csa_utf8_decode(s + i, n - i, &ours) == len);
		CSA_MUST(ours == cp);
	}
	CSA_MUST(valid == (i == n));
	CSA_MUST(where == i);
	CSA_MUST(csa_utf8_skip(s, n) <= n);
	CSA_MUST(csa_utf8_blank(s, n) == (csa_utf8_skip(s, n) == n));
	for (size_t max = 0; valid && max <= n && max < 64; max++) {
		cut = csa_utf8_cut(s, n, max);
		CSA_MUST(cut <= max && max - cut < 4);
		CSA_MUST(csa_utf8_valid(s, cut, NULL));
	}
	return 0;
}
