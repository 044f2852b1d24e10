/*
 * What scans is JSON, reads like strtof, and comes out of a copy and of a write
 * the same; what is JSON and numbers alone scans.  csa_json_find moves on and
 * stays inside.
 */

#include "config.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/text/json_check.h"
#include "lib/text/numarr.h"
#include "tests/fuzz/fuzz.h"

#define MAX	100000

static const struct csa_json_limits any = {
	.max_depth = 64, .max_names = MAX, .max_values = MAX + 1,
};

static bool
is_json(const char *s, size_t n)
{
	size_t		 where;
	const char	*why;

	return csa_json_check(s, n, &any, &where, &why) == 0;
}

/* s is NUL-terminated; each of its numbers is one strtof reads the same. */
static void
like_strtof(const char *s, const float *f, size_t count)
{
	char	*end;
	float	 want;

	for (size_t i = 0; i < count; i++) {
		want = strtof(s + 1, &end);
		CSA_MUST(memcmp(&want, &f[i], sizeof(want)) == 0);
		CSA_MUST(*end == (i + 1 < count ? ',' : ']'));
		s = end;
	}
}

/* Scan a copy of s; *used is how many bytes of s were the array. */
static int
scan(const char *s, size_t n, size_t max, struct csa_numarr *a, char **copy,
    size_t *used)
{
	*copy = csa_malloc(n + 1);
	memcpy(*copy, s, n);
	return csa_numarr_scan(*copy, n, max, a, used);
}

/* As one would do it by hand. */
static void
is_without_blanks(const struct csa_numarr *a, const char *s, size_t used)
{
	size_t	 at = 0;

	for (size_t i = 0; i < used; i++)
		if (strchr(" \t\r\n", s[i]) == NULL) {
			CSA_MUST(at < a->n && a->s[at] == s[i]);
			at++;
		}
	CSA_MUST(at == a->n);
}

static void
accepted(const struct csa_numarr *a)
{
	struct csa_numarr	 b;
	struct csa_buf		 copy, text;
	size_t			 used;
	float			*f = csa_new_array(a->count, float),
				*g = csa_new_array(a->count, float);

	CSA_MUST(is_json(a->s, a->n));
	csa_buf_init(&copy, a->n);
	csa_buf_add(&copy, a->s, a->n);
	CSA_MUST(csa_numarr_scan(copy.data, copy.len, MAX, &b, &used) == 0);
	CSA_MUST(b.count == a->count && b.n == copy.len && used == b.n);
	CSA_MUST(memcmp(b.s, a->s, a->n) == 0);
	csa_numarr_floats(a, f);
	csa_numarr_floats(&b, g);
	CSA_MUST(memcmp(f, g, a->count * sizeof(*f)) == 0);
	like_strtof(copy.data, f, a->count);

	csa_buf_init(&text, 17 * a->count + 2);
	csa_numarr_write(&text, f, a->count);
	CSA_MUST(!text.failed);
	CSA_MUST(csa_numarr_scan(text.data, text.len, MAX, &b, &used) == 0);
	CSA_MUST(b.count == a->count && b.n == text.len);
	csa_numarr_floats(&b, g);
	for (size_t i = 0; i < a->count; i++)
		CSA_MUST(f[i] == g[i]);
	csa_buf_fini(&text);
	csa_buf_fini(&copy);
	free(f);
	free(g);
}

/* An array of numbers, as far as JSON goes; one may be too large for us. */
static bool
only_floats(const char *s, size_t n)
{
	char	*copy = csa_strndup(s, n), *p = copy;
	bool	 finite = n > 0 && *p == '[' && strlen(copy) == n &&
		    strspn(p + 1, "0123456789+-.eE, \t\r\n") + 2 == n &&
		    is_json(s, n);

	while (finite && (p = strpbrk(p, "-0123456789")) != NULL)
		finite = isfinite(strtof(p, &p));
	free(copy);
	return finite;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char		*s = (const char *)data, *v;
	struct csa_numarr	 a, b;
	size_t			 pos = 0, last = 0, used;
	char			*copy, *other;

	if (scan(s, n, MAX, &a, &copy, &used) == 0) {
		CSA_MUST(a.s == copy && a.n <= used && used <= n &&
		    a.count <= a.n);
		is_without_blanks(&a, s, used);
		accepted(&a);
		if (a.count > 0) {
			CSA_MUST(scan(s, n, a.count - 1, &b, &other,
			    &used) == -1);
			free(other);
		}
	} else
		CSA_MUST(!only_floats(s, n));
	free(copy);
	while ((v = csa_json_find(s, n, "v", &pos)) != NULL) {
		CSA_MUST(pos > last && v >= s + pos && v < s + n);
		last = pos;
		if (*v == '[') {
			(void)scan(v, (size_t)(s + n - v), MAX, &a, &copy,
			    &used);
			free(copy);
		}
	}
	return 0;
}
