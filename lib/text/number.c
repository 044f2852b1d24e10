#include "config.h"

#include <limits.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/text/number.h"

/*
 * The smallest integers that round to infinity: half a unit in the last place
 * above the largest finite number, 2^1024 - 2^970 and 2^128 - 2^103.
 */
static const char double_limit[] =
    "179769313486231580793728971405303415079934132710037826936173778980444968"
    "292764750946649017977587207096330286416692887910946555547851940402630657"
    "488671505820681908902000708383676273854845817711531764475730270069855571"
    "366959622842914819860834936475292719074168444365510704342711559699508093"
    "042880177904174497792";
static const char float_limit[] = "340282356779733661637539395458142568448";

static size_t
digits(const char *s, size_t i, size_t n)
{
	while (i < n && s[i] >= '0' && s[i] <= '9')
		i++;
	return i;
}

enum csa_number
csa_number_scan(const char *s, size_t n, struct csa_number_text *t)
{
	size_t	 i = n > 0 && s[0] == '-', from;

	t->exponent = false;
	from = i;
	t->len = i = digits(s, i, n);
	if (i == from)
		return CSA_NUMBER_SYNTAX;
	if (s[from] == '0' && i > from + 1) {
		t->len = from;
		return CSA_NUMBER_ZERO;
	}
	if (i < n && s[i] == '.') {
		from = i + 1;
		t->len = i = digits(s, from, n);
		if (i == from)
			return CSA_NUMBER_SYNTAX;
	}
	if (i < n && (s[i] == 'e' || s[i] == 'E')) {
		t->exponent = true;
		from = i + 1;
		if (from < n && (s[from] == '+' || s[from] == '-'))
			from++;
		t->len = i = digits(s, from, n);
		if (i == from)
			return CSA_NUMBER_SYNTAX;
	}
	return i > CSA_NUMBER_MAX ? CSA_NUMBER_LONG : CSA_NUMBER_OK;
}

/* The exponent at s, held to what cannot overflow later sums. */
static long
exponent(const char *s, size_t n)
{
	size_t	 i = s[0] == '+' || s[0] == '-';
	long	 e = 0;

	for (; i < n; i++)
		if (e < 1000000)
			e = e * 10 + (s[i] - '0');
	return s[0] == '-' ? -e : e;
}

/*
 * Is the number, without its sign, at least limit?  Its digits are put beside
 * those of limit without its point and leading zeros; the exponent says how many
 * of them stand before the point.
 */
static bool
reaches(const char *s, size_t n, const char *limit)
{
	size_t	 i = s[0] == '-', k = 0;
	long	 whole = 0, want = (long)strlen(limit);
	int	 order = 0;
	bool	 point = false;

	for (; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
		if (s[i] == '.') {
			point = true;
			continue;
		}
		if (k == 0 && s[i] == '0') {
			whole -= point;
			continue;
		}
		whole += !point;
		if (order == 0 && limit[k] != '\0')
			order = (s[i] > limit[k]) - (s[i] < limit[k]);
		k += limit[k] != '\0';
	}
	if (k == 0)
		return false;			/* zero, whatever its exponent */
	if (i < n)
		whole += exponent(s + i + 1, n - i - 1);
	if (whole != want)
		return whole > want;
	/* Digits left out are zeros: limit's own end decides. */
	for (; order == 0 && limit[k] != '\0'; k++)
		if (limit[k] != '0')
			order = -1;
	return order >= 0;
}

bool
csa_number_exceeds_double(const char *s, size_t n)
{
	return reaches(s, n, double_limit);
}

bool
csa_number_exceeds_float(const char *s, size_t n)
{
	return reaches(s, n, float_limit);
}

static locale_t		 c_locale;
static pthread_once_t	 c_locale_once = PTHREAD_ONCE_INIT;

static void
c_locale_make(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	CSA_MUST(c_locale != (locale_t)0);
}

static void
terminated(const char *s, size_t n, char *copy)
{
	CSA_MUST(n <= CSA_NUMBER_MAX);
	memcpy(copy, s, n);
	copy[n] = '\0';
	pthread_once(&c_locale_once, c_locale_make);
}

double
csa_number_double(const char *s, size_t n)
{
	char	 copy[CSA_NUMBER_MAX + 1];

	terminated(s, n, copy);
	return strtod_l(copy, NULL, c_locale);
}

float
csa_number_float(const char *s, size_t n)
{
	char	 copy[CSA_NUMBER_MAX + 1];

	terminated(s, n, copy);
	return strtof_l(copy, NULL, c_locale);
}
