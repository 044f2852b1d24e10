#include "config.h"

#include <string.h>
#include <strings.h>

#include "lib/web/accept.h"

/* "0.25" is 250: a weight has three decimals at most.  Nonsense is 1. */
static int
thousandths(const char *s)
{
	int	 q = 0;

	if (*s != '0')
		return 1000;
	if (s[1] == '.')
		for (int i = 2, unit = 100; unit > 0 && s[i] >= '0' &&
		    s[i] <= '9'; i++, unit /= 10)
			q += (s[i] - '0') * unit;
	return q;
}

/* The weight among the parameters in s[0..n). */
static int
weight_of(const char *s, size_t n)
{
	const char	*end = s + n;

	while ((s = memchr(s, ';', (size_t)(end - s))) != NULL) {
		s++;
		s += strspn(s, " \t");
		if (strncasecmp(s, "q=", 2) == 0)
			return thousandths(s + 2);
	}
	return 1000;
}

/* What a type that is named weighs, 0 where it isn't. */
static int
weight(const char *header, const char *type)
{
	size_t	 len = strlen(type), n;

	for (const char *s = header; *s != '\0'; s += n) {
		s += strspn(s, ", \t");
		n = strcspn(s, ",");
		if (n >= len && strncasecmp(s, type, len) == 0 &&
		    strcspn(s + len, "; \t,") == 0)
			return weight_of(s + len, n - len);
	}
	return 0;
}

bool
csa_accepts_events(const char *header)
{
	int	 events;

	if (header == NULL)
		return false;
	events = weight(header, "text/event-stream");
	return events > 0 && events >= weight(header, "application/json");
}
