#include "config.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/json.h"

#define ASK_MS		5000
#define FEW_DAYS	14	/* renewals are tried well before */

/* ---- for all checks from outside ---- */

static const char *
trusted(const struct csa_doctor *d)
{
	if (d->ca_file != NULL)
		return d->ca_file;
	return d->config != NULL ? d->config->ca_file : NULL;
}

void
csa_front_ask(const struct csa_doctor *d, const char *path,
    enum csa_key_how how, const char *key, const void *body, size_t n,
    long ms, struct csa_look *l)
{
	char			 url[2048], with_key[4200];
	const char		*headers[2];
	struct csa_look_req	 req = {
		.method = body != NULL ? "POST" : "GET", .url = url,
		.headers = headers, .body = body, .len = n,
		.ca_file = trusted(d), .timeout_ms = csa_doctor_ms(d, ms),
	};

	snprintf(url, sizeof(url), "%s%s", d->url, path);
	if (how != CSA_KEY_NONE && key != NULL) {
		snprintf(with_key, sizeof(with_key), "%s%s",
		    how == CSA_KEY_HEADER ? "X-Internal-API-Key: " :
		    "Authorization: Bearer ", key);
		headers[req.nheaders++] = with_key;
	}
	if (body != NULL)
		headers[req.nheaders++] = "Content-Type: application/json";
	csa_look(&req, l);
	explicit_bzero(with_key, sizeof(with_key));
}

bool
csa_front_ours(const struct csa_look *l)
{
	char	 id[80];

	/* Every answer of the service has it, and no server's own. */
	return l->end == CSA_LOOK_DONE &&
	    csa_look_header(l, "X-Request-Id", id, sizeof(id));
}

void
csa_front_member(const struct csa_look *l, const char *path, char *value,
    size_t size)
{
	struct json_object	*o = csa_json_reply(l->body.len > 0 ?
				    l->body.data : "", l->body.len);

	snprintf(value, size, "%s", csa_json_path_str(o, path, ""));
	csa_json_free(o);
}

static void
advise_unreached(struct csa_doctor *d, const struct csa_look *l)
{
	switch (l->end) {
	case CSA_LOOK_NAME:
		csa_report_do(&d->report, "correct the name in --url (and in "
		    "AGENT_SERVICE_URL)");
		break;
	case CSA_LOOK_TLS:
		csa_report_do(&d->report, "let the web server send the whole "
		    "certificate chain for this name; for a CA of your own "
		    "give --ca-file here, and the same to the callers");
		break;
	case CSA_LOOK_CONNECT:
		csa_report_do(&d->report, "start the web server, and look at "
		    "the port it listens at: ss -ltnp");
		break;
	default:
		csa_report_do(&d->report, "see the web server's error log and "
		    "the pools' logs");
	}
}

void
csa_front_fail(struct csa_doctor *d, const char *check,
    const struct csa_look *l)
{
	char	 server[80], to[256];

	csa_look_header(l, "Server", server, sizeof(server));
	if (l->end != CSA_LOOK_DONE) {
		csa_report(&d->report, CSA_VERDICT_FAIL, check, "%s: %s",
		    d->url, l->why);
		advise_unreached(d, l);
	} else if (csa_look_header(l, "Location", to, sizeof(to)) &&
	    l->status >= 300 && l->status <= 399) {
		csa_report(&d->report, CSA_VERDICT_FAIL, check, "%s sends "
		    "elsewhere (%d): %s", d->url, l->status, to);
		csa_report_do(&d->report, "use that address here and in "
		    "AGENT_SERVICE_URL: redirects are not followed");
	} else {
		csa_report(&d->report, CSA_VERDICT_FAIL, check, "%s answers "
		    "%d by itself, not the service", server[0] != '\0' ?
		    server : "the web server", l->status);
		csa_advise(&d->report, l->status >= 500 ?
		    CSA_PROBLEM_GATEWAY : l->status == 413 ?
		    CSA_PROBLEM_BODY : CSA_PROBLEM_MOUNT, d->front);
	}
}

/* ---- is it there? ---- */

/* An address of this host can be bound to. */
static bool
is_local(const char *address)
{
	struct sockaddr_in6	 six = { .sin6_family = AF_INET6 };
	struct sockaddr_in	 four = { .sin_family = AF_INET };
	bool			 v4 = strchr(address, ':') == NULL, local;
	int			 fd;

	if (inet_pton(v4 ? AF_INET : AF_INET6, address, v4 ?
	    (void *)&four.sin_addr : (void *)&six.sin6_addr) != 1)
		return false;
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return false;
	local = (v4 ? bind(fd, (struct sockaddr *)&four, sizeof(four)) :
	    bind(fd, (struct sockaddr *)&six, sizeof(six))) == 0;
	close(fd);
	return local;
}

static void
note_server(struct csa_doctor *d, const struct csa_look *l)
{
	char	 server[80];

	csa_look_header(l, "Server", server, sizeof(server));
	d->front = csa_front_of(server);
	if (!d->web.known && l->port > 0 && is_local(l->address))
		(void)csa_who_tcp((unsigned)l->port, &d->web);
}

/* The service's own answer, but none that belongs there. */
static void
say_prefix(struct csa_doctor *d, const struct csa_look *l)
{
	const char	*path = strchr(strstr(d->url, "://") + 3, '/');

	csa_report(&d->report, CSA_VERDICT_FAIL, "front", "the service "
	    "answers %d to GET %s/health: it knows itself under the prefix "
	    "\"%s\"", l->status, path != NULL ? path : "",
	    d->config != NULL ? d->config->url_prefix : "?");
	csa_report_do(&d->report, "url_prefix = %s, or the right path in "
	    "--url", path != NULL ? path : "(empty)");
}

static void
say_health(struct csa_doctor *d, const struct csa_look *l)
{
	char	 server[80];

	csa_look_header(l, "Server", server, sizeof(server));
	csa_report(&d->report, CSA_VERDICT_OK, "front", "%s leads to the "
	    "service through %s, in %.1f ms", d->url, server[0] != '\0' ?
	    server : "a server that does not say its name", l->total_ms);
	if (l->version != 10)
		return;
	csa_report(&d->report, CSA_VERDICT_WARN, "front.http", "it answers "
	    "in HTTP/1.0: a stream that breaks off looks complete");
	csa_report_do(&d->report, "nginx before another server: "
	    "proxy_http_version 1.1;");
}

void
csa_check_health(struct csa_doctor *d)
{
	struct csa_look	 l;
	char		 word[32];

	if (d->url == NULL) {
		csa_report(&d->report, CSA_VERDICT_SKIP, "front", "no --url: "
		    "nothing was looked at from outside");
		return;
	}
	csa_front_ask(d, "/health", CSA_KEY_NONE, NULL, NULL, 0, ASK_MS, &l);
	note_server(d, &l);
	csa_front_member(&l, "status", word, sizeof(word));
	d->front_answers = csa_front_ours(&l) && l.status == 200 &&
	    strcmp(word, "ok") == 0;
	if (d->front_answers)
		say_health(d, &l);
	else if (csa_front_ours(&l))
		say_prefix(d, &l);
	else
		csa_front_fail(d, "front", &l);
	csa_look_fini(&l);
}

/* ---- the rest of what needs no right ---- */

static bool
is_loopback(const char *url)
{
	static const char *const	 names[] = { "127.", "localhost",
					    "[::1]" };
	const char			*host = strstr(url, "://") + 3;

	for (size_t i = 0; i < CSA_NITEMS(names); i++)
		if (strncmp(host, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void
check_tls(struct csa_doctor *d, const struct csa_look *l)
{
	if (l->dated) {
		csa_report(&d->report, l->days < FEW_DAYS ? CSA_VERDICT_WARN :
		    CSA_VERDICT_OK, "front.tls", "the certificate is good for "
		    "%ld days more", l->days);
		if (l->days < FEW_DAYS)
			csa_report_do(&d->report, "renew it (certbot renew) "
			    "and reload the web server");
		return;
	}
	if (strncmp(d->url, "https://", 8) == 0 || is_loopback(d->url))
		return;
	csa_report(&d->report, CSA_VERDICT_WARN, "front.tls", "over plain "
	    "http, keys and texts can be read on the way");
	csa_report_do(&d->report, "give the web server a certificate, and "
	    "callers https://");
}

/* "memcached, gemini": those that are not ok. */
static void
list_down(const struct csa_look *l, char *out, size_t size)
{
	static const char *const	 names[] = { "store", "memcached",
					    "gemini", "openai", "pinecone" };
	char				 path[64], word[32];
	size_t				 n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < CSA_NITEMS(names) && n < size; i++) {
		snprintf(path, sizeof(path), "dependencies.%s", names[i]);
		csa_front_member(l, path, word, sizeof(word));
		if (word[0] != '\0' && strcmp(word, "ok") != 0)
			n += (size_t)snprintf(out + n, size - n, "%s%s",
			    n > 0 ? ", " : "", names[i]);
	}
}

static void
check_ready(struct csa_doctor *d)
{
	struct csa_look	 l;
	char		 word[32], down[128];

	csa_front_ask(d, "/ready", CSA_KEY_HEADER, d->key, NULL, 0, ASK_MS,
	    &l);
	csa_front_member(&l, "status", word, sizeof(word));
	list_down(&l, down, sizeof(down));
	if (!csa_front_ours(&l))
		csa_front_fail(d, "front.ready", &l);
	else if (l.status != 200) {
		csa_report(&d->report, CSA_VERDICT_FAIL, "front.ready",
		    "the service cannot serve: %s", word);
		csa_report_do(&d->report, "see the status pool's log; the "
		    "store is in data_dir");
	} else if (strcmp(word, "degraded") == 0) {
		csa_report(&d->report, CSA_VERDICT_WARN, "front.ready",
		    "degraded: %s cannot be reached", down[0] != '\0' ? down :
		    "something (a good key shows what)");
		csa_report_do(&d->report, "see the check of that name above");
	} else
		csa_report(&d->report, CSA_VERDICT_OK, "front.ready",
		    "%s, in %.1f ms", word, l.total_ms);
	check_tls(d, &l);
	csa_look_fini(&l);
}

/* What is no endpoint must be answered by the service as well. */
static void
check_mount(struct csa_doctor *d)
{
	struct csa_look	 l;
	char		 code[40];

	csa_front_ask(d, "/doctor/nothing-is-here", CSA_KEY_NONE, NULL, NULL,
	    0, ASK_MS, &l);
	csa_front_member(&l, "error.code", code, sizeof(code));
	if (csa_front_ours(&l) && l.status == 404 &&
	    strcmp(code, "not_found") == 0)
		csa_report(&d->report, CSA_VERDICT_OK, "front.errors",
		    "an unknown path is 404 in the service's own shape");
	else
		csa_front_fail(d, "front.errors", &l);
	csa_look_fini(&l);
}

void
csa_check_front(struct csa_doctor *d)
{
	if (!d->front_answers)
		return;
	check_ready(d);
	check_mount(d);
}
