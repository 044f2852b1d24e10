#include "config.h"

#include <arpa/inet.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config_internal.h"
#include "lib/text/json_check.h"
#include "lib/text/num.h"

#define LETTERS	"abcdefghijklmnopqrstuvwxyz"
#define UPPER	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS	"0123456789"
#define MODELS	LETTERS UPPER DIGITS "._/:@+-"

static bool
only(const char *s, const char *chars)
{
	return strspn(s, chars) == strlen(s);
}

/*
 * An address, its trailing slashes taken off so that paths can be put behind
 * it.  http is for loopback alone where the other end is a public service.
 */
static void
url(struct csa_loaded *l, enum csa_param p, const char *value, bool public)
{
	struct csa_url	 u;
	const char	*wrong;
	char		 text[1024], shown[84];
	size_t		 n;

	if (*value == '\0')
		return;
	/* Pinecone shows its hosts bare. */
	n = (size_t)snprintf(text, sizeof(text), "%s%s",
	    (p == CSA_P_pinecone_index_host ||
	    p == CSA_P_pinecone_controller_host) &&
	    strstr(value, "://") == NULL ? "https://" : "", value);
	if (n >= sizeof(text)) {
		csa_config_blame(l, p, "this address is too long");
		return;
	}
	while (n > 0 && text[n - 1] == '/')
		text[--n] = '\0';
	if ((wrong = csa_config_url(text, &u)) != NULL) {
		/* A password in it must not get into the log. */
		csa_config_blame(l, p, "%s %s", strchr(value, '@') != NULL ?
		    "this address" : csa_config_shown(value, shown), wrong);
		return;
	}
	csa_config_settle(l, p, text);
	if (u.https || u.loopback)
		return;
	if (public)
		csa_config_blame(l, p, "%s: plain http is allowed to a "
		    "loopback address only: use https", csa_config_shown(text,
		    shown));
	else
		csa_config_warn(l, p, "%s: over plain http, keys and texts "
		    "can be read on the way", csa_config_shown(text, shown));
}

static void
json_object(struct csa_loaded *l, enum csa_param p, const char *s)
{
	const char	*why;
	size_t		 where;

	if (*s == '\0')
		return;
	if (*s != '{')
		csa_config_blame(l, p, "is not a JSON object");
	else if (csa_json_check(s, strlen(s), &csa_json_request_limits,
	    &where, &why) == -1)
		csa_config_blame(l, p, "is not JSON: %s, at byte %zu", why,
		    where);
}

/* "" or /a/b: whole segments, nothing that a server would rewrite. */
static void
prefix(struct csa_loaded *l, const char *s)
{
	char	 shown[84];
	size_t	 n = strlen(s);

	if (n == 0 || (n <= 200 && s[0] == '/' && s[n - 1] != '/' &&
	    only(s, LETTERS UPPER DIGITS "._~-/") && strstr(s, "//") == NULL &&
	    strstr(s, "/.") == NULL))
		return;
	csa_config_blame(l, CSA_P_url_prefix, "%s is not a path like /agent "
	    "(no slash at its end, no dot at the begin of a part)",
	    csa_config_shown(s, shown));
}

/* Relative ones would mean another place for every way to start. */
static void
path(struct csa_loaded *l, enum csa_param p, const char *s, bool empty_too)
{
	char	 shown[84];

	if (*s == '\0' ? !empty_too : *s != '/')
		csa_config_blame(l, p, "%s is not an absolute path",
		    *s != '\0' ? csa_config_shown(s, shown) : "nothing");
}

/* Each item of a list with commas, copied to be NUL-terminated. */
static void
each(struct csa_loaded *l, enum csa_param p, const char *list,
    bool (*good)(const char *), const char *expected)
{
	char	 item[256], shown[84];
	size_t	 n;

	if (*list == '\0')
		return;
	for (;;) {
		list += strspn(list, " ");
		n = strcspn(list, ",");
		while (n > 0 && list[n - 1] == ' ')
			n--;
		snprintf(item, sizeof(item), "%.*s", (int)n, list);
		if (n >= sizeof(item) || !good(item))
			csa_config_blame(l, p, "\"%s\" is not %s",
			    csa_config_shown(item, shown), expected);
		list += strcspn(list, ",");
		if (*list++ == '\0')
			return;
	}
}

static bool
is_address(const char *s)
{
	struct in6_addr	 a;

	return inet_pton(AF_INET, s, &a) == 1 ||
	    inet_pton(AF_INET6, s, &a) == 1;
}

static bool
is_server(const char *s)
{
	const char	*colon;
	int64_t		 port;

	if (*s == '/')
		return strlen(s) < 108;		/* sun_path */
	if (*s == '[') {
		if ((colon = strchr(s, ']')) == NULL || *++colon != ':')
			return false;
	} else if ((colon = strchr(s, ':')) == NULL || colon == s)
		return false;
	return csa_parse_int(colon + 1, 1, 65535, &port) == 0;
}

/* NAME, gemini:NAME or openai:NAME. */
static bool
is_model(const char *s)
{
	if (strncmp(s, "gemini:", 7) == 0 || strncmp(s, "openai:", 7) == 0)
		s += 7;
	return *s != '\0' && only(s, MODELS) && strstr(s, "..") == NULL;
}

/* NAME=INPUT/OUTPUT or NAME=INPUT/OUTPUT/CACHED; NAME may end with a '*'. */
static bool
is_price(const char *s)
{
	const char	*p = strchr(s, '=');
	char		 number[32];
	double		 v;
	size_t		 n;
	int		 numbers = 0;

	if (p == NULL || p == s ||
	    strspn(s, MODELS) + (p[-1] == '*') != (size_t)(p - s))
		return false;
	do {
		n = strcspn(++p, "/");
		snprintf(number, sizeof(number), "%.*s", (int)n, p);
		if (n >= sizeof(number) ||
		    csa_parse_double(number, 0, 100000, &v) == -1)
			return false;
		numbers++;
		p += n;
	} while (*p == '/');
	return numbers == 2 || numbers == 3;
}

/* A segment of Gemini's paths. */
static void
gemini_version(struct csa_loaded *l, const char *s)
{
	char	 shown[84];

	/* So it says in the vendor's SDKs. */
	if (strcmp(s, "beta") == 0)
		csa_config_settle(l, CSA_P_gemini_api_version, "v1beta");
	else if (s[0] != 'v' || strlen(s) > 20 || !only(s, LETTERS DIGITS))
		csa_config_blame(l, CSA_P_gemini_api_version,
		    "%s is not a version like v1 or v1beta",
		    csa_config_shown(s, shown));
}

/* Names go into JSON and, for Gemini, into a path. */
static void
model(struct csa_loaded *l, enum csa_param p, const char *s)
{
	char	 shown[84];

	if (!only(s, MODELS) || strlen(s) > 200 ||
	    strstr(s, "..") != NULL)
		csa_config_blame(l, p, "%s is no name of a model",
		    csa_config_shown(s, shown));
}

static void
pinecone_names(struct csa_loaded *l)
{
	const char	*s = l->config.pinecone_index_name;
	char		 shown[84];

	if (strlen(s) > 45 || !only(s, LETTERS DIGITS "-"))
		csa_config_blame(l, CSA_P_pinecone_index_name,
		    "%s is not 1 to 45 of a-z, 0-9 and -",
		    csa_config_shown(s, shown));
	s = l->config.pinecone_api_version;
	if (strlen(s) != 7 || s[4] != '-' || !only(s, DIGITS "-"))
		csa_config_blame(l, CSA_P_pinecone_api_version,
		    "%s is not a version like 2025-10",
		    csa_config_shown(s, shown));
}

void
csa_config_check_values(struct csa_loaded *l)
{
	const struct csa_config	*c = &l->config;

#define PATH(name, empty_too)	path(l, CSA_P_##name, c->name, empty_too)
	PATH(run_dir, true);
	PATH(data_dir, false);
	PATH(log_file, true);
	PATH(keys_file, true);
	PATH(bots_file, true);
	PATH(ca_file, false);
	prefix(l, c->url_prefix);
	each(l, CSA_P_metrics_allow, c->metrics_allow, is_address,
	    "an IP address");
	each(l, CSA_P_memcached_servers, c->memcached_servers, is_server,
	    "host:port or /path/to/socket");
#define URL(name, public)	url(l, CSA_P_##name, c->name, public)
	URL(google_gemini_base_url, true);
	URL(openai_base_url, false);
	URL(openai_embedding_base_url, false);
	URL(pinecone_index_host, true);
	URL(pinecone_controller_host, true);
#define MODEL(name)		model(l, CSA_P_##name, c->name)
	MODEL(generative_model_name);
	MODEL(embedding_model_name);
	MODEL(embedding_query_model);
	each(l, CSA_P_fallback_models, c->fallback_models, is_model,
	    "NAME, gemini:NAME or openai:NAME");
	if (c->prices[0] != '/')
		each(l, CSA_P_prices, c->prices, is_price,
		    "MODEL=INPUT/OUTPUT or MODEL=INPUT/OUTPUT/CACHED");
	gemini_version(l, c->gemini_api_version);
	pinecone_names(l);
#define OBJECT(name)		json_object(l, CSA_P_##name, c->name)
	OBJECT(embedding_query_body);
	OBJECT(embedding_passage_body);
}
