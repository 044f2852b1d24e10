#include "config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "lib/base/must.h"
#include "lib/http/http_internal.h"
#include "lib/http/look.h"

#define MAX_HEADERS	65536
#define MAX_BODY	(1024 * 1024)

struct looking {
	const struct csa_look_req *req;
	struct csa_look	*l;
	bool		 left;
};

static size_t
on_header(char *line, size_t size, size_t n, void *arg)
{
	struct csa_look	*l = ((struct looking *)arg)->l;

	n *= size;
	/* After an interim reply (1xx) the real one starts afresh. */
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
		csa_buf_reset(&l->headers);
	csa_buf_add(&l->headers, line, n);
	return l->headers.failed ? 0 : n;
}

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct looking	*at = arg;

	n *= size;
	if (at->req->each != NULL) {
		at->left = !at->req->each(at->req->arg, data, n);
		return at->left ? 0 : n;
	}
	csa_buf_add(&at->l->body, data, n);
	return at->l->body.failed ? 0 : n;
}

static void
set_request(CURL *e, const struct csa_look_req *req)
{
	curl_easy_setopt(e, CURLOPT_URL, req->url);
	if (strcmp(req->method, "POST") == 0) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)req->len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    req->body != NULL ? req->body : "");
	} else if (strcmp(req->method, "GET") != 0)
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, req->method);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, req->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, req->timeout_ms);
	curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, req->connect_only ? 1L : 0L);
	if (req->ca_file != NULL && req->ca_file[0] != '\0')
		curl_easy_setopt(e, CURLOPT_CAINFO, req->ca_file);
}

static void
set_rest(CURL *e, struct looking *at)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS,
	    (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else a name server that hangs would be waited for at the end. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(e, CURLOPT_CERTINFO, 1L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, at->l->why);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, at);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, at);
}

static enum csa_look_end
end_of(CURLcode rc, const struct looking *at)
{
	if (at->left)
		return CSA_LOOK_LEFT;
	switch (rc) {
	case CURLE_OK:
		return CSA_LOOK_DONE;
	case CURLE_COULDNT_RESOLVE_HOST:
		return CSA_LOOK_NAME;
	case CURLE_COULDNT_CONNECT:
		return CSA_LOOK_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return CSA_LOOK_TIMEOUT;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
		return CSA_LOOK_TLS;
	default:
		return CSA_LOOK_BROKEN;
	}
}

static double
when(CURL *e, CURLINFO info)
{
	curl_off_t	 us = 0;

	curl_easy_getinfo(e, info, &us);
	return (double)us / 1000;
}

/* The end of the server's own certificate: curl prints it as OpenSSL does. */
static void
read_certificate(CURL *e, struct csa_look *l)
{
	static const char	 field[] = "Expire date:";
	struct curl_certinfo	*info = NULL;
	struct tm		 tm;

	if (curl_easy_getinfo(e, CURLINFO_CERTINFO, &info) != CURLE_OK ||
	    info == NULL || info->num_of_certs < 1)
		return;
	for (struct curl_slist *s = info->certinfo[0]; s != NULL; s = s->next) {
		if (strncmp(s->data, field, sizeof(field) - 1) != 0)
			continue;
		memset(&tm, 0, sizeof(tm));
		if (strptime(s->data + sizeof(field) - 1,
		    "%b %d %H:%M:%S %Y", &tm) == NULL)
			return;
		l->dated = true;
		l->days = (long)((timegm(&tm) - time(NULL)) / 86400);
	}
}

static void
read_result(CURL *e, CURLcode rc, const struct looking *at)
{
	struct csa_look	*l = at->l;
	const char	*ip = NULL;
	long		 n = 0;

	l->end = end_of(rc, at);
	if (l->end == CSA_LOOK_DONE || l->end == CSA_LOOK_LEFT)
		l->why[0] = '\0';
	else if (l->why[0] == '\0')
		snprintf(l->why, sizeof(l->why), "%s", curl_easy_strerror(rc));
	if (curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &n) == CURLE_OK)
		l->status = (int)n;
	if (curl_easy_getinfo(e, CURLINFO_HTTP_VERSION, &n) == CURLE_OK)
		l->version = n == CURL_HTTP_VERSION_1_0 ? 10 : 11;
	if (curl_easy_getinfo(e, CURLINFO_PRIMARY_IP, &ip) == CURLE_OK &&
	    ip != NULL)
		snprintf(l->address, sizeof(l->address), "%s", ip);
	(void)curl_easy_getinfo(e, CURLINFO_PRIMARY_PORT, &l->port);
	l->name_ms = when(e, CURLINFO_NAMELOOKUP_TIME_T);
	l->connect_ms = when(e, CURLINFO_CONNECT_TIME_T);
	l->tls_ms = when(e, CURLINFO_APPCONNECT_TIME_T);
	l->total_ms = when(e, CURLINFO_TOTAL_TIME_T);
	read_certificate(e, l);
}

void
csa_look(const struct csa_look_req *req, struct csa_look *l)
{
	struct looking		 at = { .req = req, .l = l };
	struct curl_slist	*list = NULL;
	CURL			*e;

	_Static_assert(sizeof(l->why) >= CURL_ERROR_SIZE, "curl writes there");
	memset(l, 0, sizeof(*l));
	csa_buf_init(&l->headers, MAX_HEADERS);
	csa_buf_init(&l->body, MAX_BODY);
	csa_engine_global();
	e = curl_easy_init();
	CSA_MUST(e != NULL);
	/* A body would be announced, and the server waited for. */
	list = curl_slist_append(list, "Expect:");
	for (size_t i = 0; i < req->nheaders; i++)
		list = curl_slist_append(list, req->headers[i]);
	set_request(e, req);
	set_rest(e, &at);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, list);
	read_result(e, curl_easy_perform(e), &at);
	curl_easy_cleanup(e);
	curl_slist_free_all(list);
}

void
csa_look_fini(struct csa_look *l)
{
	csa_buf_fini(&l->headers);
	csa_buf_fini(&l->body);
}

bool
csa_look_header(const struct csa_look *l, const char *name, char *value,
    size_t size)
{
	const char	*p = l->headers.len > 0 ? l->headers.data : "";
	size_t		 n = strlen(name), len;

	value[0] = '\0';
	for (; *p != '\0'; p += len + (p[len] != '\0')) {
		len = strcspn(p, "\n");
		if (len <= n || p[n] != ':' || strncasecmp(p, name, n) != 0)
			continue;
		p += n + 1;
		p += strspn(p, " \t");
		snprintf(value, size, "%.*s", (int)strcspn(p, "\r\n"), p);
		return true;
	}
	return false;
}
