#include "config.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/prices.h"
#include "lib/provider/provider.h"
#include "lib/text/num.h"

#define AS_INPUT	(-1)

/* Dollars a million tokens; dearer than this is a slip of the pen. */
#define DEAREST		100000

/* Lines of a file, and items of a list; a ceiling nobody meets. */
#define MAX_OWN		10000

struct price {
	const char	*model;
	int		 from, until;	/* YYYYMMDD; 0: open */
	long		 above;		/* prompt tokens */
	double		 input, output, cached;
};

static const struct price	published[] = {
#define PRICE(model, from, until, above, input, output, cached)		\
	{ model, from, until, above, input, output, cached },
#include "lib/provider/prices.def"
#undef PRICE
};

/* Of the setting. */
struct own {
	char		*name;		/* without the '*' */
	bool		 prefix;
	struct price	 price;
};

struct csa_prices {
	struct own	*own;
	size_t		 nown;
	_Atomic uint64_t said;		/* hashes of models complained of */
};

/* ---- the setting ---- */

static int
wrong(struct csa_err *err, const char *item)
{
	return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
	    "prices: \"%.80s\" is not NAME=INPUT/OUTPUT or "
	    "NAME=INPUT/OUTPUT/CACHED", item);
}

/* s is cut at the slashes.  -1: not two or three prices. */
static int
read_numbers(char *s, struct price *p)
{
	double	 v[3] = { 0, 0, AS_INPUT };
	char	*next;

	for (size_t i = 0; i < CSA_NITEMS(v); i++) {
		if ((next = strchr(s, '/')) != NULL)
			*next++ = '\0';
		if (csa_parse_double(s, 0, DEAREST, &v[i]) == -1)
			return -1;
		if (next == NULL) {
			p->input = v[0];
			p->output = v[1];
			p->cached = v[2];
			return i == 0 ? -1 : 0;
		}
		s = next;
	}
	return -1;
}

/* Adds what item says; item is cut to pieces. */
static int
add(struct csa_prices *p, char *item, struct csa_err *err)
{
	struct own	 o = { .name = NULL };
	char		*value = strchr(item, '='), *end, whole[84];

	snprintf(whole, sizeof(whole), "%s", item);
	if (value == NULL || value == item || p->nown == MAX_OWN)
		return wrong(err, whole);
	for (end = value++; end > item && strchr(" \t", end[-1]) != NULL; end--)
		;
	if (end > item && end[-1] == '*') {
		o.prefix = true;
		end--;
	}
	*end = '\0';
	value += strspn(value, " \t");
	if (strpbrk(item, " \t*|") != NULL ||
	    read_numbers(value, &o.price) == -1)
		return wrong(err, whole);
	o.name = csa_strdup(item);
	p->own = csa_realloc(p->own, p->nown + 1, sizeof(*p->own));
	p->own[p->nown++] = o;
	return 0;
}

/* Add the items of s, which any of `between` separates; s is cut to pieces. */
static int
add_all(struct csa_prices *p, char *s, const char *between,
    struct csa_err *err)
{
	char	*item, *rest = s, *end;

	while ((item = strsep(&rest, between)) != NULL) {
		item[strcspn(item, "#")] = '\0';
		item += strspn(item, " \t\r");
		for (end = item + strlen(item); end > item &&
		    strchr(" \t\r", end[-1]) != NULL; end--)
			end[-1] = '\0';
		if (*item != '\0' && add(p, item, err) == -1)
			return -1;
	}
	return 0;
}

static int
add_file(struct csa_prices *p, const char *path, struct csa_err *err)
{
	char	 line[1024];
	FILE	*f = fopen(path, "re");
	int	 rc = 0;

	if (f == NULL)
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "prices: %.100s: %s", path, strerror(errno));
	while (rc == 0 && fgets(line, sizeof(line), f) != NULL)
		rc = add_all(p, line, "\n", err);
	if (rc == 0 && ferror(f))
		rc = csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "prices: %.100s cannot be read", path);
	fclose(f);
	return rc;
}

struct csa_prices *
csa_prices_new(const char *setting, struct csa_err *err)
{
	struct csa_prices	*p = csa_new(struct csa_prices);
	char			*copy = csa_strdup(setting);
	int			 rc;

	rc = *setting == '/' ? add_file(p, setting, err) :
	    add_all(p, copy, ",", err);
	free(copy);
	if (rc == 0)
		return p;
	csa_prices_free(p);
	return NULL;
}

void
csa_prices_free(struct csa_prices *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->nown; i++)
		free(p->own[i].name);
	free(p->own);
	free(p);
}

/* ---- looking up ---- */

/* "-001", "-2026-05-01", "-preview-09-2026", "-latest": the same model. */
static bool
is_version(const char *s)
{
	static const char *const	 words[] = {
		"-preview", "-latest", "-exp"
	};

	while (*s == '-') {
		size_t	 n = 1 + strspn(s + 1, "0123456789");

		for (size_t i = 0; n == 1 && i < CSA_NITEMS(words); i++)
			if (strncmp(s, words[i], strlen(words[i])) == 0)
				n = strlen(words[i]);
		if (n == 1)
			return false;
		s += n;
	}
	return *s == '\0';
}

static const struct price *
find_own(const struct csa_prices *p, const char *model)
{
	const struct own	*best = NULL;
	size_t			 len = 0, n;

	for (size_t i = 0; i < p->nown; i++) {
		const struct own	*o = &p->own[i];

		n = strlen(o->name);
		if (strncmp(model, o->name, n) != 0 ||
		    (model[n] != '\0' && !o->prefix))
			continue;
		/* The whole name wins over a prefix; the last over equals. */
		if (best == NULL || n > len ||
		    (n == len && (best->prefix || !o->prefix))) {
			best = o;
			len = n;
		}
	}
	return best != NULL ? &best->price : NULL;
}

static const struct price *
find_published(const char *model, int day, long prompt)
{
	const struct price	*best = NULL;

	for (size_t i = 0; i < CSA_NITEMS(published); i++) {
		const struct price	*p = &published[i];
		size_t			 n = strlen(p->model);

		if (strncmp(model, p->model, n) != 0 || !is_version(model + n))
			continue;
		if (day < p->from || (p->until != 0 && day >= p->until) ||
		    (p->above > 0 && prompt <= p->above))
			continue;
		/* "x-preview" is a version of "x" where it has no line. */
		if (best == NULL || n > strlen(best->model) ||
		    (n == strlen(best->model) && p->above > best->above))
			best = p;
	}
	return best;
}

static int
day_of(int64_t wall_ms)
{
	time_t		 t = (time_t)(wall_ms / 1000);
	struct tm	 tm;

	if (gmtime_r(&t, &tm) == NULL)
		return 0;
	return (tm.tm_year + 1900) * 10000 + (tm.tm_mon + 1) * 100 + tm.tm_mday;
}

bool
csa_price(const struct csa_prices *prices, int64_t wall_ms,
    const struct csa_chat_res *res, double *usd)
{
	const struct price	*p;
	const char		*model = res->model;
	double			 cached = (double)res->cached_tokens;
	double			 prompt = (double)res->prompt_tokens;

	*usd = 0;
	if (strncmp(model, "models/", 7) == 0)
		model += 7;
	p = find_own(prices, model);
	if (p == NULL)
		p = find_published(model, day_of(wall_ms), res->prompt_tokens);
	if (p == NULL)
		return false;
	/* Whatever a server says of itself, nothing is paid back. */
	if (cached > prompt)
		cached = prompt;
	*usd = ((prompt - cached) * p->input +
	    cached * (p->cached >= 0 ? p->cached : p->input) +
	    (double)res->completion_tokens * p->output) / 1e6;
	return true;
}

/* ---- settling ---- */

static void
count(enum csa_metric m, const char *model, const char *kind, uint64_t n)
{
	char	 labels[256];

	CSA_LABELS(labels, model, kind);
	csa_count(m, labels, n);
}

static void
no_price(struct csa_prices *p, const char *model)
{
	unsigned	 h = 0;
	uint64_t	 bit;

	csa_count(CSA_M_unpriced, model, 1);
	for (const char *s = model; *s != '\0'; s++)
		h = h * 31 + (unsigned char)*s;
	bit = UINT64_C(1) << h % 64;
	if ((atomic_fetch_or(&p->said, bit) & bit) == 0)
		csa_warn("nobody says what %.100s costs: it counts as 0 until "
		    "the setting `prices` has it", model);
}

void
csa_prices_settle(struct csa_prices *p, struct csa_chat_res *res)
{
	res->cost_usd = 0;
	if (res->model == NULL || res->total_tokens <= 0)
		return;
	count(CSA_M_tokens, res->model, "prompt",
	    (uint64_t)res->prompt_tokens);
	count(CSA_M_tokens, res->model, "completion",
	    (uint64_t)res->completion_tokens);
	if (!csa_price(p, csa_wall_ms(), res, &res->cost_usd))
		no_price(p, res->model);
	else
		csa_count(CSA_M_cost, res->model,
		    (uint64_t)llround(res->cost_usd * 1e9));
}
