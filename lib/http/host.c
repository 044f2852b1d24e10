/*
 * host: a connection that can be shared is worth standing in line for.
 *
 * Over HTTP/2 a hundred calls share a connection, and a thousand calls in
 * flight need ten of them: that, not threads, is what keeps a busy process
 * small.  Left alone, curl opens one connection for every call that comes
 * while those there are full or not yet made (CURLOPT_PIPEWAIT helps only
 * before the first; 7.88 made 101 for 200 calls).  So calls over TLS wait here
 * until there is room: one, the pioneer, is let through to make a connection,
 * and when it has one it is known whether that can be shared.  Where it
 * cannot, nobody waits any more.
 *
 * Everything here is under the curl lock.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

#define STREAMS		100	/* calls on a connection: curl's limit too */
#define MAX_HOSTS	64	/* more than a configuration can name */

/* "https://host:port" of a URL, as long as it is written the same way. */
static size_t
origin_len(const char *url)
{
	const char	*host = strstr(url, "://");

	return host == NULL ? strlen(url) :
	    (size_t)(host - url) + 3 + strcspn(host + 3, "/?#");
}

static struct csa_host *
host_new(struct csa_http *h, const char *url, size_t n)
{
	struct csa_host	*host;

	if (h->nhosts == MAX_HOSTS)
		return NULL;
	h->nhosts++;
	host = csa_new(struct csa_host);
	host->origin = csa_strndup(url, n);
	TAILQ_INIT(&host->line);
	LIST_INIT(&host->calls);
	LIST_INSERT_HEAD(&h->hosts, host, entry);
	return host;
}

static struct csa_host *
host_of(struct csa_http *h, const char *url)
{
	size_t		 n = origin_len(url);
	struct csa_host	*host;

	LIST_FOREACH(host, &h->hosts, entry)
		if (strlen(host->origin) == n &&
		    memcmp(host->origin, url, n) == 0)
			return host;
	return host_new(h, url, n);
}

/* Let it through, if it may go. */
static bool
pass(struct csa_host *host, struct csa_http_call *c)
{
	if (host->kind != CSA_HOST_ALONE &&
	    host->ncalls >= STREAMS * host->nshared) {
		if (host->pioneer != NULL)
			return false;
		host->pioneer = c;
	}
	host->ncalls++;
	LIST_INSERT_HEAD(&host->calls, c, fellow);
	return true;
}

bool
csa_host_enter(struct csa_http_call *c)
{
	struct csa_host	*host = c->tls ? host_of(c->http, c->url) : NULL;

	if ((c->host = host) == NULL)
		return true;
	/* Nobody overtakes those in line. */
	if (TAILQ_EMPTY(&host->line) && pass(host, c))
		return true;
	TAILQ_INSERT_TAIL(&host->line, c, line);
	c->in_line = true;
	return false;
}

struct csa_http_call *
csa_host_next(struct csa_host *host)
{
	struct csa_http_call	*c = TAILQ_FIRST(&host->line);

	if (c == NULL || !pass(host, c))
		return NULL;
	TAILQ_REMOVE(&host->line, c, line);
	c->in_line = false;
	return c;
}

/* No call will be put on this shared connection any more. */
static void
forget(struct csa_host *host, const SSL *ssl)
{
	struct csa_http_call	*c;

	host->nshared--;
	LIST_FOREACH(c, &host->calls, fellow)
		if (c->connection == ssl)
			c->connection = NULL;
}

/* A TLS connection is no more; host is set where it was a shared one. */
static void
on_free(void *ssl, void *host, CRYPTO_EX_DATA *ad, int idx, long l, void *p)
{
	(void)ad;
	(void)idx;
	(void)l;
	(void)p;
	if (host != NULL)
		forget(host, ssl);
}

static int		 ssl_index;
static pthread_once_t	 once = PTHREAD_ONCE_INIT;

static void
index_new(void)
{
	ssl_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_free);
	CSA_MUST(ssl_index != -1);
}

static bool
is_h2(SSL *ssl)
{
	const unsigned char	*alpn = NULL;
	unsigned		 n = 0;

	SSL_get0_alpn_selected(ssl, &alpn, &n);
	return n == 2 && memcmp(alpn, "h2", 2) == 0;
}

void
csa_host_connected(struct csa_http_call *c, SSL *ssl)
{
	struct csa_host	*host = c->host;

	pthread_once(&once, index_new);
	c->connection = ssl;
	c->shared = is_h2(ssl);
	host->kind = c->shared ? CSA_HOST_SHARED : CSA_HOST_ALONE;
	if (c->shared && SSL_get_ex_data(ssl, ssl_index) == NULL &&
	    SSL_set_ex_data(ssl, ssl_index, host) == 1) {
		host->nshared++;
		/*
		 * There are few of these and they are busy: to give its buffers
		 * back after every read and write would only make holes.
		 */
		SSL_clear_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
	}
	if (host->pioneer == c) {
		host->pioneer = NULL;
		c->http->hosts_due = true;
	}
}

void
csa_host_dead(struct csa_http_call *c)
{
	SSL	*ssl = c->connection;

	if (!c->shared || ssl == NULL || SSL_get_ex_data(ssl, ssl_index) == NULL)
		return;
	SSL_set_ex_data(ssl, ssl_index, NULL);
	forget(c->host, ssl);
}

struct csa_http_call *
csa_host_fellow(const struct csa_http_call *c)
{
	struct csa_http_call	*other;

	if (c->connection == NULL)
		return NULL;
	LIST_FOREACH(other, &c->host->calls, fellow)
		if (other != c && other->connection == c->connection)
			return other;
	return NULL;
}

bool
csa_host_leave(struct csa_http_call *c, CURLcode result)
{
	struct csa_host	*host = c->host;
	bool		 pioneer, hopeless;

	if (host == NULL)
		return false;
	c->http->hosts_due = true;
	if (c->in_line) {
		TAILQ_REMOVE(&host->line, c, line);
		c->in_line = false;
		return false;
	}
	pioneer = host->pioneer == c;
	hopeless = pioneer && result != CURLE_OK && host->nshared == 0;
	if (pioneer)
		host->pioneer = NULL;
	LIST_REMOVE(c, fellow);
	host->ncalls--;
	return hopeless;
}

void
csa_hosts_free(struct csa_http *h)
{
	struct csa_host	*host;

	while ((host = LIST_FIRST(&h->hosts)) != NULL) {
		CSA_MUST(TAILQ_EMPTY(&host->line) && host->ncalls == 0);
		LIST_REMOVE(host, entry);
		free(host->origin);
		free(host);
	}
}
