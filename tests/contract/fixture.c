#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "tests/contract/fixture.h"

char *
exact(const char *s, size_t n)
{
	char	*copy = malloc(n > 0 ? n : 1);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, s, n);
	return copy;
}

char *
fixture(const char *name, size_t *len)
{
	const char	*dir = getenv("CSA_SRCDIR");
	char		 path[512], *s;
	FILE		*f;
	long		 n;

	snprintf(path, sizeof(path), "%s/tests/data/provider/%s",
	    dir != NULL ? dir : ".", name);
	ck_assert_msg((f = fopen(path, "rb")) != NULL, "%s", path);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	s = csa_malloc((size_t)n + 1);
	*len = fread(s, 1, (size_t)n, f);
	s[*len] = '\0';
	fclose(f);
	return s;
}
