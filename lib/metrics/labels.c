#include "config.h"

#include <string.h>

#include "lib/metrics/metrics.h"

void
csa_labels(char *out, size_t size, const char *const *values)
{
	char	*p = out, *last = out + size - 1;
	size_t	 n;

	for (; *values != NULL && p < last; values++) {
		if (p > out)
			*p++ = '|';
		n = strnlen(*values, (size_t)(last - p));
		memcpy(p, *values, n);
		p += n;
	}
	*p = '\0';
}
