#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/config/config.h"
#include "lib/text/item.h"

#define CALL_MS	5000

/*
 * One call that costs nothing: a list or the description of something.  Vendors
 * bill tokens and reads, not these (Gemini and OpenAI: models; Pinecone: the
 * control plane).
 */
struct free_call {
	const char	*check;		/* "gemini" */
	const char	*what;		/* option that names what is asked */
	char		 url[1200];
	char		 key[4300];	/* header with the key, "" for none */
	char		 version[64];	/* another header, "" for none */
	const char	*key_option;	/* where a wrong one is set right */
	bool		 connect_only;
};

static void
host_of(const char *url, char *host, size_t size)
{
	const char	*p = strstr(url, "://");

	p = p != NULL ? p + 3 : url;
	snprintf(host, size, "%.*s", (int)strcspn(p, "/?#"), p);
}

static void
say_unreachable(struct csa_doctor *d, const struct free_call *c,
    const struct csa_look *l)
{
	char	 host[256], name[256];

	host_of(c->url, host, sizeof(host));
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(host, ":"), host);
	csa_report(&d->report, CSA_VERDICT_FAIL, c->check, "%s: %s (after "
	    "%.0f ms)", host, l->why, l->total_ms);
	switch (l->end) {
	case CSA_LOOK_NAME:
		csa_report_do(&d->report, "getent hosts %s; correct "
		    "/etc/resolv.conf, or the address in the configuration",
		    name);
		break;
	case CSA_LOOK_TLS:
		csa_report_do(&d->report, "apt-get install ca-certificates, "
		    "and look at ca_file (%s) and the clock; whoever "
		    "intercepts TLS here must be in ca_file",
		    d->config->ca_file);
		break;
	default:
		csa_report_do(&d->report, "let this host connect to %s "
		    "(firewall, route; a proxy from the environment is not "
		    "used)", host);
	}
}

/* Google's word for a bad key is 400, with a reason of its own. */
static bool
key_refused(const struct csa_look *l)
{
	return l->status == 401 || l->status == 403 || (l->status == 400 &&
	    l->body.len > 0 &&
	    memmem(l->body.data, l->body.len, "API_KEY_INVALID", 15) != NULL);
}

static void
say_reply(struct csa_doctor *d, const struct free_call *c,
    const struct csa_look *l)
{
	struct csa_report	*r = &d->report;
	char			 host[256];

	host_of(c->url, host, sizeof(host));
	if (c->connect_only || (l->status >= 200 && l->status <= 299))
		csa_report(r, CSA_VERDICT_OK, c->check, "%s: name %.0f ms, "
		    "connected %.0f ms, TLS %.0f ms, answer %.0f ms%s", host,
		    l->name_ms, l->connect_ms, l->tls_ms, l->total_ms,
		    c->connect_only ? "" : c->key[0] != '\0' ?
		    "; takes the key" : "");
	else if (key_refused(l)) {
		csa_report(r, CSA_VERDICT_FAIL, c->check, "%s answers, but "
		    "refuses the key (status %d)", host, l->status);
		csa_report_do(r, "set %s to a valid key, and reload the pools",
		    c->key_option);
	} else if (l->status == 404 && c->what != NULL) {
		csa_report(r, CSA_VERDICT_FAIL, c->check, "%s does not know "
		    "what %s names", host, c->what);
		csa_report_do(r, "correct %s", c->what);
	} else {
		csa_report(r, CSA_VERDICT_WARN, c->check, "%s answers status "
		    "%d to a harmless question", host, l->status);
		csa_report_do(r, "%s", l->status == 429 || l->status >= 500 ?
		    "wait, and look at the provider's status page" :
		    "look whether the address in the configuration is whole "
		    "(up to and with /v1)");
	}
}

static void
make_call(struct csa_doctor *d, const struct free_call *c)
{
	const char		*headers[3] = { "Accept: application/json" };
	struct csa_look_req	 req = {
		.method = "GET", .url = c->url,
		.headers = headers, .nheaders = 1,
		.ca_file = d->config->ca_file,
		.timeout_ms = csa_doctor_ms(d, CALL_MS),
		.connect_only = c->connect_only,
	};
	struct csa_look		 l;

	if (c->key[0] != '\0')
		headers[req.nheaders++] = c->key;
	if (c->version[0] != '\0')
		headers[req.nheaders++] = c->version;
	csa_look(&req, &l);
	if (l.end != CSA_LOOK_DONE)
		say_unreachable(d, c, &l);
	else
		say_reply(d, c, &l);
	csa_look_fini(&l);
}

/* With each key of the list, or without where there is none. */
static void
call_with_each(struct csa_doctor *d, struct free_call *c, const char *before,
    const char *keys)
{
	const char	*key;
	size_t		 n;

	key = csa_item(&keys, &n);
	do {
		c->key[0] = '\0';
		if (key != NULL)
			snprintf(c->key, sizeof(c->key), "%s%.*s", before,
			    (int)n, key);
		make_call(d, c);
	} while ((key = csa_item(&keys, &n)) != NULL);
	explicit_bzero(c->key, sizeof(c->key));
}

/* "models/NAME", as Gemini's addresses have it. */
static void
check_gemini(struct csa_doctor *d, const char *model, const char *option)
{
	const struct csa_config	*g = d->config;
	struct free_call	 c = { .check = "gemini",
				    .key_option = "GOOGLE_API_KEY" };

	if (*model == '\0')
		snprintf(c.url, sizeof(c.url), "%s/%s/models?pageSize=1",
		    g->google_gemini_base_url, g->gemini_api_version);
	else {
		c.what = option;
		snprintf(c.url, sizeof(c.url), "%s/%s/%s%s",
		    g->google_gemini_base_url, g->gemini_api_version,
		    strchr(model, '/') == NULL ? "models/" : "", model);
	}
	call_with_each(d, &c, "x-goog-api-key: ", g->google_api_key);
}

static void
check_openai(struct csa_doctor *d, const char *base)
{
	struct free_call	 c = { .check = "openai",
				    .key_option = "OPENAI_API_KEY" };

	snprintf(c.url, sizeof(c.url), "%s/models", base);
	call_with_each(d, &c, "Authorization: Bearer ",
	    d->config->openai_api_key);
}

/* The control plane describes the index for nothing; the index itself bills. */
static void
check_pinecone(struct csa_doctor *d)
{
	const struct csa_config	*p = d->config;
	struct free_call	 c = { .check = "pinecone",
				    .key_option = "PINECONE_API_KEY" };

	if (p->pinecone_index_name[0] != '\0') {
		c.what = "pinecone_index_name";
		snprintf(c.url, sizeof(c.url), "%s/indexes/%s",
		    p->pinecone_controller_host, p->pinecone_index_name);
		snprintf(c.version, sizeof(c.version),
		    "X-Pinecone-Api-Version: %s", p->pinecone_api_version);
		call_with_each(d, &c, "Api-Key: ", p->pinecone_api_key);
	}
	if (p->pinecone_index_host[0] == '\0')
		return;
	c = (struct free_call){ .check = "pinecone.index",
	    .connect_only = true };
	snprintf(c.url, sizeof(c.url), "%s", p->pinecone_index_host);
	make_call(d, &c);
}

static bool
uses(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

void
csa_check_upstream(struct csa_doctor *d)
{
	const struct csa_config	*c = d->config;

	if (c == NULL)
		return;
	if (uses(c->chat, "extractive") && uses(c->embedding, "none"))
		csa_report(&d->report, CSA_VERDICT_OK, "providers", "none is "
		    "configured; nothing leaves this host");
	if (uses(c->chat, "gemini"))
		check_gemini(d, c->generative_model_name,
		    "generative_model_name");
	if (uses(c->embedding, "gemini"))
		check_gemini(d, c->embedding_model_name,
		    "embedding_model_name");
	if (uses(c->chat, "openai"))
		check_openai(d, c->openai_base_url);
	if (uses(c->embedding, "openai") && (!uses(c->chat, "openai") ||
	    !uses(c->openai_base_url, c->openai_embedding_base_url)))
		check_openai(d, c->openai_embedding_base_url);
	if (uses(c->vectors, "pinecone") && !uses(c->embedding, "none"))
		check_pinecone(d);
}
