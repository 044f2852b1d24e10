#include "config.h"

#include <string.h>

#include "lib/rag/rag.h"

/* A number of at most four digits at s; 0 where there is none. */
static size_t
number(const char **s, const char *end)
{
	size_t	 v = 0;
	int	 digits = 0;

	while (*s < end && **s >= '0' && **s <= '9' && digits < 4) {
		v = v * 10 + (size_t)(**s - '0');
		(*s)++;
		digits++;
	}
	return v;
}

static const char *
skip_blanks(const char *s, const char *end)
{
	while (s < end && *s == ' ')
		s++;
	return s;
}

/* "1", "1, 2" or "1-3" up to ']'; returns past it, or NULL: not a citation. */
static const char *
one(const char *s, const char *end, bool *cited, size_t n)
{
	size_t	 from, to;

	for (;;) {
		s = skip_blanks(s, end);
		if ((from = to = number(&s, end)) == 0)
			return NULL;
		s = skip_blanks(s, end);
		if (s < end && *s == '-') {
			s = skip_blanks(s + 1, end);
			if ((to = number(&s, end)) < from)
				return NULL;
			s = skip_blanks(s, end);
		}
		if (s == end)
			return NULL;
		for (size_t i = from; i <= to && i <= n; i++)
			cited[i - 1] = true;
		if (*s == ']')
			return s + 1;
		if (*s != ',' && *s != ';')
			return NULL;
		s++;
	}
}

void
csa_citations(const char *text, size_t len, bool *cited, size_t n)
{
	const char	*s = text, *end = text + len, *next;

	while (s < end &&
	    (s = memchr(s, '[', (size_t)(end - s))) != NULL) {
		next = one(s + 1, end, cited, n);
		s = next != NULL ? next : s + 1;
	}
}
