#include "config.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/bots.h"
#include "lib/config/lines.h"

#define BOTS		100000
#define BOTMAX		128

struct csa_bots {
	struct entry {
		char		*bot, *tenant;	/* tenant NULL: any */
		enum csa_reuse	 cache;
		unsigned	 line;
	} *entries;		/* sorted by bot and tenant once loaded */
	size_t		 n;
};

enum csa_reuse
csa_reuse_of(const char *s)
{
	static const struct { const char *name; enum csa_reuse is; } known[] = {
		{ "off", CSA_REUSE_OFF }, { "exact", CSA_REUSE_EXACT },
		{ "semantic", CSA_REUSE_SEMANTIC },
	};

	for (size_t i = 0; i < CSA_NITEMS(known); i++)
		if (strcmp(s, known[i].name) == 0)
			return known[i].is;
	return CSA_REUSE_UNSAID;
}

/* As the contract has them, or *. */
static bool
is_bot(const char *s)
{
	size_t	 n = strlen(s);

	if (strcmp(s, "*") == 0)
		return true;
	return n >= 1 && n <= BOTMAX && s[0] != '.' &&
	    strspn(s, CSA_NAMECHARS ".") == n && strstr(s, "..") == NULL;
}

struct fields {
	const char	*bot, *tenant;
	enum csa_reuse	 cache;
};

static int
parse_field(const struct csa_place *at, char *word, struct fields *f)
{
	char	*value = strchr(word, '=');

	if (value == NULL)
		return csa_wrong(at, "\"%.40s\" is not NAME=VALUE", word);
	*value++ = '\0';
	if (strcmp(word, "cache") == 0 && f->cache == CSA_REUSE_UNSAID) {
		f->cache = csa_reuse_of(value);
		return f->cache != CSA_REUSE_UNSAID ? 0 : csa_wrong(at,
		    "cache: \"%.40s\" is not off, exact or semantic", value);
	}
	if (strcmp(word, "tenant") == 0 && f->tenant == NULL) {
		f->tenant = value;
		return csa_is_name(value) ? 0 : csa_wrong(at,
		    "tenant: \"%.40s\" is not 1 to 64 of A-Z a-z 0-9 _ -",
		    value);
	}
	return csa_wrong(at, "\"%.40s\" is given twice, or not cache or tenant",
	    word);
}

/* A whole line into the parts of it; they stay within the line. */
static int
parse_line(const struct csa_place *at, char *line, struct fields *f)
{
	char	*word;

	memset(f, 0, sizeof(*f));
	while ((word = strsep(&line, " \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (f->bot == NULL)
			f->bot = word;
		else if (parse_field(at, word, f) == -1)
			return -1;
	}
	if (!is_bot(f->bot))
		return csa_wrong(at, "\"%.40s\" is not a bot id or *", f->bot);
	if (f->cache == CSA_REUSE_UNSAID)
		return csa_wrong(at, "%.40s: cache= is needed", f->bot);
	return 0;
}

static int
take_line(void *arg, const struct csa_place *at, char *line)
{
	struct csa_bots		*b = arg;
	struct fields	 f;
	struct entry	*e;

	if (parse_line(at, line, &f) == -1)
		return -1;
	if (b->n >= BOTS)
		return csa_wrong(at, "more than %d bots", BOTS);
	/* Room by powers of two; n & (n - 1) is 0 for those. */
	if ((b->n & (b->n - 1)) == 0)
		b->entries = csa_realloc(b->entries,
		    b->n > 0 ? b->n * 2 : 1, sizeof(*b->entries));
	e = &b->entries[b->n++];
	e->bot = csa_strdup(f.bot);
	e->tenant = f.tenant != NULL ? csa_strdup(f.tenant) : NULL;
	e->cache = f.cache;
	e->line = at->line;
	return 0;
}

/* By bot, then by tenant, any tenant (NULL) first. */
static int
order(const char *bot1, const char *tenant1, const char *bot2,
    const char *tenant2)
{
	int	 c = strcmp(bot1, bot2);

	if (c != 0)
		return c;
	if (tenant1 == NULL || tenant2 == NULL)
		return (tenant1 != NULL) - (tenant2 != NULL);
	return strcmp(tenant1, tenant2);
}

static int
compare(const void *a, const void *b)
{
	const struct entry	*x = a, *y = b;
	int			 c;

	c = order(x->bot, x->tenant, y->bot, y->tenant);
	return c != 0 ? c : (x->line > y->line) - (x->line < y->line);
}

/* Sort them for the search, and find out who is there twice. */
static int
arrange(struct csa_bots *b, struct csa_place *at)
{
	if (b->n > 0)
		qsort(b->entries, b->n, sizeof(*b->entries), compare);
	for (size_t i = 1; i < b->n; i++) {
		const struct entry *x = &b->entries[i - 1], *y = x + 1;

		if (order(x->bot, x->tenant, y->bot, y->tenant) == 0) {
			at->line = y->line;
			return csa_wrong(at, "%.40s: line %u says it already",
			    y->bot, x->line);
		}
	}
	return 0;
}

static int
load_file(struct csa_bots *b, const char *file, struct csa_err *err)
{
	struct csa_place	 at = { file, 0, err };

	if (csa_lines_read(&at, take_line, b) == -1)
		return -1;
	return arrange(b, &at);
}

struct csa_bots *
csa_bots_load(const char *file, struct csa_err *err)
{
	struct csa_bots	*b = csa_new(struct csa_bots);

	if (file != NULL && *file != '\0' && load_file(b, file, err) == -1) {
		csa_bots_free(b);
		return NULL;
	}
	return b;
}

void
csa_bots_free(struct csa_bots *b)
{
	if (b == NULL)
		return;
	for (size_t i = 0; i < b->n; i++) {
		free(b->entries[i].bot);
		free(b->entries[i].tenant);
	}
	free(b->entries);
	free(b);
}

static enum csa_reuse
find(const struct csa_bots *b, const char *bot, const char *tenant)
{
	size_t	 lo = 0, hi = b->n, mid;
	int	 c;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		c = order(bot, tenant, b->entries[mid].bot,
		    b->entries[mid].tenant);
		if (c == 0)
			return b->entries[mid].cache;
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return CSA_REUSE_UNSAID;
}

enum csa_reuse
csa_bots_cache(const struct csa_bots *b, const struct csa_scope *scope)
{
	const char	*names[] = { scope->bot, "*" };
	enum csa_reuse	 r = CSA_REUSE_UNSAID;

	if (b == NULL || b->n == 0)
		return r;
	for (size_t i = 0; i < CSA_NITEMS(names); i++) {
		if (scope->tenant[0] != '\0')
			r = find(b, names[i], scope->tenant);
		if (r == CSA_REUSE_UNSAID)
			r = find(b, names[i], NULL);
		if (r != CSA_REUSE_UNSAID)
			break;
	}
	return r;
}
