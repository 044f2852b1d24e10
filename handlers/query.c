#include "config.h"

#include <string.h>

#include "handlers/query.h"
#include "lib/base/arena.h"
#include "lib/text/digest.h"
#include "lib/text/utf8.h"

/* -1 for a % without two digits. */
static long
decode(const char *s, size_t n, char *out)
{
	size_t	 len = 0;
	char	 digits[3] = "";
	uint8_t	 byte;

	for (size_t i = 0; i < n; i++) {
		if (s[i] != '%') {
			out[len++] = s[i] == '+' ? ' ' : s[i];
			continue;
		}
		if (n - i < 3)
			return -1;
		memcpy(digits, s + i + 1, 2);
		if (csa_unhex(digits, &byte, 1) == -1)
			return -1;
		out[len++] = (char)byte;
		i += 2;
	}
	out[len] = '\0';
	return (long)len;
}

/* The n bytes after "name=", or NULL where s is another parameter. */
static const char *
value_of(const char *s, size_t len, const char *name, size_t *n)
{
	size_t	 k = strlen(name);

	if (len < k || strncmp(s, name, k) != 0 || (len > k && s[k] != '='))
		return NULL;
	*n = len > k ? len - k - 1 : 0;
	return s + len - *n;
}

int
csa_query_get(struct csa_arena *arena, const char *query, const char *name,
    const char **value, size_t *n, struct csa_err *err)
{
	const char	*s, *raw = NULL;
	size_t		 len, size, rawlen = 0;
	char		*out;
	long		 decoded;

	for (; *query != '\0'; query += len + (query[len] == '&')) {
		len = strcspn(query, "&");
		if ((s = value_of(query, len, name, &size)) == NULL)
			continue;
		if (raw != NULL)
			return csa_fail(err, CSA_ERR_BAD_REQUEST,
			    CSA_SRC_CLIENT, "%s is given more than once", name);
		raw = s;
		rawlen = size;
	}
	if (raw == NULL)
		return 0;
	out = csa_arena_alloc(arena, rawlen + 1);
	decoded = decode(raw, rawlen, out);
	if (decoded == -1 || !csa_utf8_valid(out, (size_t)decoded, NULL))
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s is not percent-encoded UTF-8", name);
	*value = out;
	*n = (size_t)decoded;
	return 1;
}
