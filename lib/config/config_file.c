#include "config.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <ini.h>

#include "lib/base/mem.h"
#include "lib/config/config_internal.h"
#include "lib/text/utf8.h"

/* A system prompt may be long, a file is small. */
#define LINEMAX		32768
#define LINES		10000

struct reader {
	struct csa_loaded	*l;
	FILE			*f;
};

/* Read over the rest of a line that is too long. */
static void
skip_line(FILE *f)
{
	int	 c;

	while ((c = getc(f)) != EOF && c != '\n')
		;
}

/* fgets that knows how much it read: a NUL in a line must not hide the rest. */
static size_t
get_line(FILE *f, char *s, size_t size)
{
	size_t	 n = 0;
	int	 c;

	while (n < size - 1 && (c = getc(f)) != EOF) {
		s[n++] = (char)c;
		if (c == '\n')
			break;
	}
	s[n] = '\0';
	return n;
}

/* What inih would pass over, or take for something else, is said here. */
static const char *
wrong(const char *s, size_t n)
{
	if (memchr(s, '\0', n) != NULL)
		return "a NUL byte";
	if (!csa_utf8_valid(s, n, NULL))
		return "not UTF-8";
	while (isspace((unsigned char)*s))
		s++;
	if (*s == '[')
		return "there are no sections: take this header out";
	if (*s == '\0' || *s == '#' || *s == ';' ||
	    strncmp(s, "\xef\xbb\xbf", 3) == 0)
		return NULL;
	if (*s == '=' || strchr(s, '=') == NULL)
		return "expected NAME = VALUE";
	return NULL;
}

/* inih's reader: a line, or an empty one in place of what was complained of. */
static char *
read_line(char *s, int size, void *arg)
{
	struct reader	*r = arg;
	const char	*what;
	size_t		 n;

	if (size < 3 || (n = get_line(r->f, s, (size_t)size - 1)) == 0)
		return NULL;
	if (++r->l->at_line > LINES) {
		csa_config_complain(r->l, "more than %d lines", LINES);
		return NULL;
	}
	what = wrong(s, n);
	if (s[n - 1] != '\n' && n == (size_t)size - 2) {
		skip_line(r->f);
		what = "this line is too long";
	}
	if (what != NULL) {
		csa_config_complain(r->l, "%s", what);
		strcpy(s, "\n");
	}
	return s;
}

static size_t
least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Levenshtein's distance; b has at most 63 letters, longer ones are far. */
static size_t
distance(const char *a, const char *b)
{
	size_t	 row[64], n = strlen(b), above, left;

	if (n >= CSA_NITEMS(row))
		return SIZE_MAX;
	for (size_t j = 0; j <= n; j++)
		row[j] = j;
	for (size_t i = 0; a[i] != '\0'; i++) {
		above = row[0];
		row[0] = i + 1;
		for (size_t j = 1; j <= n; j++) {
			left = above + (a[i] != b[j - 1]);
			above = row[j];
			row[j] = least(left, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[n];
}

/* Only what looks like a name is shown: a slip may have put a key there. */
static void
unknown(struct csa_loaded *l, const char *name)
{
	char		 shown[41];
	const char	*best = NULL;
	size_t		 n, d, least_d = 4;

	n = strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789");
	snprintf(shown, sizeof(shown), "%.*s", (int)least(n, 40), name);
	/* Whoever gets twenty of these has given the wrong file. */
	for (int p = 0; l->complaints < 20 && p < CSA_P__MAX; p++)
		if ((d = distance(shown, csa_pdescs[p].name)) < least_d &&
		    d < strlen(csa_pdescs[p].name) / 2) {
			least_d = d;
			best = csa_pdescs[p].name;
		}
	csa_config_complain(l, "there is no option %s%s%s%s",
	    n > 0 ? shown : "of that name", best != NULL ? "; is it " : "",
	    best != NULL ? best : "", best != NULL ? "?" : "");
}

/* inih's handler. */
static int
take(void *arg, const char *section, const char *name, const char *value)
{
	struct csa_loaded	*l = ((struct reader *)arg)->l;

	(void)section;
	for (int p = 0; p < CSA_P__MAX; p++) {
		if (strcmp(name, csa_pdescs[p].name) != 0)
			continue;
		if (l->line[p] != 0) {
			csa_config_complain(l, "%s: given before, in line %d",
			    name, l->line[p]);
			return 1;
		}
		l->line[p] = l->at_line;
		csa_config_set(l, p, value, NULL);
		return 1;
	}
	unknown(l, name);
	return 1;
}

/*
 * inih's habits that a flat file of ours must not have: text after " ;" would
 * be cut off a system prompt, an indented line would be the one above once more,
 * and a line of 200 bytes would be two.
 */
static void
tame_inih(void)
{
	ini_allow_inline_comments = false;
	ini_allow_multiline = false;
	ini_use_stack = false;
	ini_max_line = ini_initial_alloc = LINEMAX;
}

void
csa_config_read(struct csa_loaded *l, FILE *f)
{
	struct reader	 r = { l, f };
	unsigned	 before = l->complaints;
	int		 rc;

	tame_inih();
	rc = ini_parse_stream(read_line, &r, take, &r);
	if (ferror(f))
		csa_config_complain(l, "cannot be read");
	else if (rc != 0 && l->complaints == before) {
		l->at_line = rc > 0 ? rc : 0;
		csa_config_complain(l, "expected NAME = VALUE");
	}
}
