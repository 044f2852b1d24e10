#include "config.h"

#include <string.h>

#include "lib/text/num.h"
#include "lib/text/number.h"

/* The digits of s as a magnitude of at most max; -1 if s has anything else. */
static int
magnitude(const char *s, uint64_t max, uint64_t *v)
{
	uint64_t	 x = 0;
	unsigned	 d;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return -1;
		d = (unsigned)(*s - '0');
		if (x > (max - d) / 10)
			return -1;
		x = x * 10 + d;
	}
	*v = x;
	return 0;
}

int
csa_parse_int(const char *s, int64_t min, int64_t max, int64_t *v)
{
	int		 minus = *s == '-';
	uint64_t	 x;
	int64_t		 value;

	if (magnitude(s + minus, (uint64_t)INT64_MAX + (unsigned)minus,
	    &x) == -1)
		return -1;
	/* -INT64_MIN has no value of its own. */
	value = !minus ? (int64_t)x : x == 0 ? 0 : -(int64_t)(x - 1) - 1;
	if (value < min || value > max)
		return -1;
	*v = value;
	return 0;
}

int
csa_parse_double(const char *s, double min, double max, double *v)
{
	struct csa_number_text	 t;
	size_t			 n = strlen(s);
	double			 x;

	if (csa_number_scan(s, n, &t) != CSA_NUMBER_OK || t.len != n ||
	    csa_number_exceeds_double(s, n))
		return -1;
	x = csa_number_double(s, n);
	if (x < min || x > max)
		return -1;
	*v = x;
	return 0;
}

int
csa_parse_size(const char *s, size_t *v)
{
	uint64_t	 x;

	if (magnitude(s, SIZE_MAX, &x) == -1)
		return -1;
	*v = (size_t)x;
	return 0;
}
