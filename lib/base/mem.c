#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/must.h"

void *
csa_malloc(size_t n)
{
	void	*p = malloc(n > 0 ? n : 1);

	CSA_MUST(p != NULL);
	return p;
}

void *
csa_calloc(size_t n, size_t size)
{
	void	*p = calloc(n > 0 ? n : 1, size > 0 ? size : 1);

	CSA_MUST(p != NULL);
	return p;
}

void *
csa_realloc(void *p, size_t n, size_t size)
{
	CSA_MUST(size == 0 || n <= SIZE_MAX / size);
	p = realloc(p, n * size > 0 ? n * size : 1);
	CSA_MUST(p != NULL);
	return p;
}

char *
csa_strdup(const char *s)
{
	return csa_strndup(s, strlen(s));
}

char *
csa_strndup(const char *s, size_t n)
{
	char	*copy = csa_malloc(n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}
