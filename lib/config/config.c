#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/config/config_internal.h"
#include "lib/text/item.h"
#include "lib/text/num.h"

#define TEXT_(x)	#x
#define TEXT(x)		TEXT_(x)
#define AT(name)	offsetof(struct csa_config, name)

const struct csa_pdesc csa_pdescs[CSA_P__MAX] = {
#define P_STR(name, def, env, text)					\
	[CSA_P_##name] = { #name, CSA_STR, AT(name), env, def, 0, 0, NULL },
#define P_SECRET(name, env, text)					\
	[CSA_P_##name] = { #name, CSA_SECRET, AT(name), env, "", 0, 0, NULL },
#define P_INT(name, def, min, max, env, text)				\
	[CSA_P_##name] = { #name, CSA_INT, AT(name), env, TEXT(def),	\
	    min, max, NULL },
#define P_DBL(name, def, min, max, env, text)				\
	[CSA_P_##name] = { #name, CSA_DBL, AT(name), env, TEXT(def),	\
	    min, max, NULL },
#define P_BOOL(name, def, env, text)					\
	[CSA_P_##name] = { #name, CSA_BOOL, AT(name), env, TEXT(def),	\
	    0, 0, NULL },
#define P_ENUM(name, def, values, env, text)				\
	[CSA_P_##name] = { #name, CSA_ENUM, AT(name), env, def,		\
	    0, 0, values },
#include "lib/config/params.def"
#undef P_STR
#undef P_SECRET
#undef P_INT
#undef P_DBL
#undef P_BOOL
#undef P_ENUM
};

const char *
csa_config_shown(const char *value, char out[84])
{
	size_t	 n = strnlen(value, 81);

	snprintf(out, 84, "%.80s%s", value, n > 80 ? "..." : "");
	for (char *p = out; *p != '\0'; p++)
		if (*p < ' ' || *p == 0x7f)
			*p = '?';
	return out;
}

void
csa_config_complain(struct csa_loaded *l, const char *fmt, ...)
{
	va_list	 ap;

	l->complaints++;
	fprintf(l->errors, "%s:%d: ", l->file, l->at_line);
	va_start(ap, fmt);
	vfprintf(l->errors, fmt, ap);
	va_end(ap);
	fputc('\n', l->errors);
}

/* "FILE:7: threads: ", "CHATSPHERE_THREADS: " or, of a default, "threads: ". */
static void
place(struct csa_loaded *l, enum csa_param p)
{
	if (l->env[p] != NULL)
		fprintf(l->errors, "%s: ", l->env[p]);
	else if (l->line[p] != 0)
		fprintf(l->errors, "%s:%d: %s: ", l->file, l->line[p],
		    csa_pdescs[p].name);
	else
		fprintf(l->errors, "%s: ", csa_pdescs[p].name);
}

void
csa_config_blame(struct csa_loaded *l, enum csa_param p, const char *fmt, ...)
{
	va_list	 ap;

	l->complaints++;
	place(l, p);
	va_start(ap, fmt);
	vfprintf(l->errors, fmt, ap);
	va_end(ap);
	fputc('\n', l->errors);
}

void
csa_config_warn(struct csa_loaded *l, enum csa_param p, const char *fmt, ...)
{
	va_list	 ap;

	fputs("warning: ", l->errors);
	place(l, p);
	va_start(ap, fmt);
	vfprintf(l->errors, fmt, ap);
	va_end(ap);
	fputc('\n', l->errors);
}

bool
csa_config_given(const struct csa_loaded *l, enum csa_param p)
{
	return l->line[p] != 0 || l->env[p] != NULL;
}

void
csa_config_settle(struct csa_loaded *l, enum csa_param p, const char *value)
{
	char	*old = l->strings[p];

	CSA_MUST(csa_pdescs[p].type == CSA_STR);
	l->strings[p] = csa_strdup(value);
	*(const char **)((char *)&l->config + csa_pdescs[p].offset) =
	    l->strings[p];
	free(old);		/* last: value may be a part of it */
}

/* The one of values ("a|b") that text is, or NULL. */
static const char *
one_of(const char *values, const char *text, size_t *len)
{
	size_t	 n = strlen(text);

	for (const char *v = values;; v += *len + 1) {
		*len = strcspn(v, "|");
		if (*len == n && memcmp(v, text, n) == 0)
			return v;
		if (v[*len] == '\0')
			return NULL;
	}
}

static int
parse_bool(const char *text, bool *v)
{
	static const char *const	 words[] = {
		"no", "yes", "false", "true", "off", "on", "0", "1",
	};

	for (size_t i = 0; i < CSA_NITEMS(words); i++)
		if (strcmp(text, words[i]) == 0) {
			*v = i % 2 != 0;
			return 0;
		}
	return -1;
}

/* A provider takes one of several; of our own each has an option. */
static bool
is_list(enum csa_param p)
{
	return p == CSA_P_google_api_key || p == CSA_P_openai_api_key ||
	    p == CSA_P_pinecone_api_key;
}

/* A key goes into a header, where a comma would be two of them. */
static bool
is_key(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (s[i] <= ' ' || s[i] > '~' || s[i] == ',')
			return false;
	return true;
}

/* NULL, or what is wrong. */
static const char *
bad_secret(enum csa_param p, const char *s)
{
	static const char	 bad[] = "may have neither blanks nor anything "
	    "but printable ASCII, and a comma only between several of a "
	    "provider";
	size_t			 n = strlen(s);
	bool			 none = n > 0;
	const char		*key;

	if (!is_list(p))
		return is_key(s, n) ? NULL : bad;
	for (; (key = csa_item(&s, &n)) != NULL; none = false)
		if (!is_key(key, n))
			return bad;
	return none ? "is none" : NULL;
}

/* NULL, or in why what text would have to be. */
static const char *
store(struct csa_loaded *l, enum csa_param p, const char *text, char why[160])
{
	const struct csa_pdesc	*d = &csa_pdescs[p];
	char			*field = (char *)&l->config + d->offset;
	const char		*wrong;
	int64_t			 i;
	size_t			 n;

	switch (d->type) {
	case CSA_INT:
		snprintf(why, 160, "is not in %.0f..%.0f", d->min, d->max);
		if (csa_parse_int(text, (int64_t)d->min, (int64_t)d->max,
		    &i) == -1)
			return why;
		*(long *)(void *)field = (long)i;
		return NULL;
	case CSA_DBL:
		snprintf(why, 160, "is not in %g..%g", d->min, d->max);
		return csa_parse_double(text, d->min, d->max,
		    (double *)(void *)field) == -1 ? why : NULL;
	case CSA_BOOL:
		return parse_bool(text, (bool *)(void *)field) == -1 ?
		    "is not yes or no" : NULL;
	case CSA_ENUM:
		snprintf(why, 160, "is not one of %s", d->values);
		if (one_of(d->values, text, &n) == NULL)
			return why;
		break;
	case CSA_SECRET:
		if ((wrong = bad_secret(p, text)) != NULL)
			return wrong;
		break;
	case CSA_STR:
		for (const char *s = text; *s != '\0'; s++)
			if ((unsigned char)*s < ' ' || *s == 0x7f)
				return "has a control character in it";
		break;
	}
	free(l->strings[p]);
	l->strings[p] = csa_strdup(text);
	*(const char **)(void *)field = l->strings[p];
	return NULL;
}

void
csa_config_set(struct csa_loaded *l, enum csa_param p, const char *text,
    const char *env)
{
	char		 shown[84], why[160];
	const char	*wrong;

	if (env != NULL)
		l->env[p] = env;
	if ((wrong = store(l, p, text, why)) == NULL)
		return;
	if (csa_pdescs[p].type == CSA_SECRET)
		csa_config_blame(l, p, "the key %s", wrong);
	else
		csa_config_blame(l, p, "%s %s", csa_config_shown(text, shown),
		    wrong);
}

static void
defaults(struct csa_loaded *l)
{
	char	 why[160];

	for (int p = 0; p < CSA_P__MAX; p++)
		CSA_MUST(store(l, p, csa_pdescs[p].def, why) == NULL);
}

/* Set and empty is not set: that is what container tools make of nothing. */
static void
environment(struct csa_loaded *l)
{
	const char	*value;

	for (int p = 0; p < CSA_P__MAX; p++) {
		const char	*env = csa_pdescs[p].env;

		value = env != NULL ? getenv(env) : NULL;
		if (p == CSA_P_google_api_key &&
		    (value == NULL || *value == '\0')) {
			/* The vendor's SDKs know both; the first one wins. */
			env = "GEMINI_API_KEY";
			value = getenv(env);
		}
		if (value != NULL && *value != '\0')
			csa_config_set(l, p, value, env);
	}
}

/* What is in the file is, whatever the environment says over it. */
static void
readable_secrets(struct csa_loaded *l)
{
	if ((l->mode & S_IROTH) == 0)
		return;
	for (int p = 0; p < CSA_P__MAX; p++)
		if (csa_pdescs[p].type == CSA_SECRET && l->line[p] != 0 &&
		    *l->strings[p] != '\0') {
			csa_config_warn(l, p, "everybody can read this file");
			return;
		}
}

struct csa_config *
csa_config_load_stream(FILE *f, const char *name, FILE *errors)
{
	struct csa_loaded	*l = csa_new(struct csa_loaded);
	struct stat		 st;

	l->file = name;
	l->errors = errors;
	defaults(l);
	if (f != NULL) {
		if (fileno(f) != -1 && fstat(fileno(f), &st) == 0)
			l->mode = st.st_mode;
		csa_config_read(l, f);
		readable_secrets(l);
	}
	environment(l);
	if (!csa_config_given(l, CSA_P_store_timeout_ms) &&
	    csa_config_given(l, CSA_P_request_timeout_ms))
		l->config.store_timeout_ms = l->config.request_timeout_ms;
	csa_config_check_values(l);
	/* Who would be chosen by half a configuration is of no interest. */
	if (l->complaints == 0)
		csa_config_resolve(l);
	if (l->complaints == 0)
		return &l->config;
	csa_config_free(&l->config);
	return NULL;
}

struct csa_config *
csa_config_load(const char *file, FILE *errors)
{
	struct csa_config	*c;
	FILE			*f;

	if (file == NULL)
		return csa_config_load_stream(NULL, NULL, errors);
	if ((f = fopen(file, "re")) == NULL) {
		fprintf(errors, "%s: %s\n", file, strerror(errno));
		return NULL;
	}
	c = csa_config_load_stream(f, file, errors);
	fclose(f);
	return c;
}

/* Written over first: a core file should not have them. */
void
csa_config_free(struct csa_config *c)
{
	struct csa_loaded	*l = (struct csa_loaded *)c;

	if (c == NULL)
		return;
	for (int p = 0; p < CSA_P__MAX; p++) {
		if (l->strings[p] != NULL && csa_pdescs[p].type == CSA_SECRET)
			explicit_bzero(l->strings[p], strlen(l->strings[p]));
		free(l->strings[p]);
	}
	free(l);
}

static void
print_value(const struct csa_config *c, const struct csa_pdesc *d, FILE *f)
{
	const char	*field = (const char *)c + d->offset;
	const char	*s;

	switch (d->type) {
	case CSA_INT:
		fprintf(f, " %ld", *(const long *)(const void *)field);
		break;
	case CSA_DBL:
		fprintf(f, " %g", *(const double *)(const void *)field);
		break;
	case CSA_BOOL:
		fputs(*(const bool *)(const void *)field ? " yes" : " no", f);
		break;
	case CSA_SECRET:
		s = *(const char *const *)(const void *)field;
		fputs(*s != '\0' ? " (set)" : " (not set)", f);
		break;
	default:
		s = *(const char *const *)(const void *)field;
		if (*s != '\0')
			fprintf(f, " %s", s);
	}
}

void
csa_config_print(const struct csa_config *c, FILE *f)
{
	for (int p = 0; p < CSA_P__MAX; p++) {
		fprintf(f, "%s =", csa_pdescs[p].name);
		print_value(c, &csa_pdescs[p], f);
		fputc('\n', f);
	}
	/* What the values above come to, as quickstart shows it. */
	fprintf(f, "# answers: %s, from full text", c->chat);
	if (strcmp(c->embedding, "none") != 0)
		fprintf(f, " and vectors (%s, in %s)", c->embedding,
		    c->vectors);
	fputc('\n', f);
}
