#include "config.h"

#include <string.h>

#include "lib/text/item.h"

const char *
csa_item(const char **list, size_t *n)
{
	const char	*s = *list + strspn(*list, ", ");

	*n = strcspn(s, ",");
	*list = s + *n;
	while (*n > 0 && s[*n - 1] == ' ')
		--*n;
	return *n > 0 ? s : NULL;
}
