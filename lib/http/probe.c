/*
 * probe: is there somebody at this address?
 *
 * curl on a handle of its own resolves (in a thread: a name server may hang)
 * and connects.  The scheme is set to http: only the port matters, and a TLS
 * handshake would cost a parsed CA bundle to learn nothing more.
 */

#include "config.h"

#include <string.h>

#include "lib/http/http_internal.h"

/* "http://host:port/"; curl_free it.  NULL where url is none of ours. */
static char *
target(const char *url)
{
	CURLU	*u = curl_url();
	char	*port = NULL, *scheme = NULL, *out = NULL;

	if (u == NULL ||
	    curl_url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK ||
	    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK ||
	    (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) ||
	    curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) !=
	    CURLUE_OK)
		goto end;
	if (curl_url_set(u, CURLUPART_PORT, port, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_SCHEME, "http", 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_USER, NULL, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_PASSWORD, NULL, 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_PATH, "/", 0) == CURLUE_OK &&
	    curl_url_set(u, CURLUPART_QUERY, NULL, 0) == CURLUE_OK)
		curl_url_get(u, CURLUPART_URL, &out, 0);
end:
	curl_free(port);
	curl_free(scheme);
	curl_url_cleanup(u);
	return out;
}

int
csa_http_probe(const char *url, long ms)
{
	CURL	*e = NULL;
	char	*to;
	int	 rc = -1;

	csa_engine_global();
	if ((to = target(url)) == NULL || (e = curl_easy_init()) == NULL)
		goto end;
	curl_easy_setopt(e, CURLOPT_URL, to);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, ms > 0 ? ms : 1);
	curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, ms > 0 ? ms : 1);
#if LIBCURL_VERSION_NUM >= 0x075700
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
	if (curl_easy_perform(e) == CURLE_OK)
		rc = 0;
	curl_easy_cleanup(e);
end:
	curl_free(to);
	return rc;
}
