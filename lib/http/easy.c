/*
 * easy: one exchange as curl sees it.
 *
 * Handles are kept and used again; what differs from call to call is set each
 * time, the rest once.  An idle handle has no buffers, curl frees them itself.
 */

#include "config.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

/*
 * What one read takes, and one write of what is too long for one.  Over TLS a
 * read is no system call: it takes from what came in one, so less will do there;
 * every call in flight has such a buffer.  A stream that its reader lets wait
 * needs more: with less curl (7.88) stops all others on its HTTP/2 connection.
 * What embeds or writes a hundred texts is rare and has a megabyte to read or
 * write.
 */
static const struct { long read, write; } sizes[] = {
	[CSA_EASY_PLAIN] = { 8192, 16384 },
	[CSA_EASY_TLS] = { 1024, 16384 },		/* both: curl's least */
	[CSA_EASY_STREAM] = { 4096, 16384 },
	[CSA_EASY_BULK] = { 65536, 131072 },
};

#define BULK		65536	/* a long question has a long answer */
#define MAX_SPARE	256
#define MAX_HEADERS	(256 * 1024)	/* bytes of headers in a reply */
#define MAX_KEPT	512		/* of one header */
#define RESERVE		(4096 * 1024)	/* at most, on Content-Length's word */
#define HIGH_WATER	(256 * 1024)	/* unread bytes of a stream */

/*
 * How often we try again; the last time on a connection of its own.  Over HTTP/2
 * the first may be on one that others share, and that may be a kept one too.
 */
#define MAX_AGAIN	2

/* name: not terminated.  Is it one that csa_http_header knows? */
static bool
worth_keeping(const char *name, size_t n)
{
	return (n == 11 && strncasecmp(name, "retry-after", n) == 0) ||
	    (n == 12 && strncasecmp(name, "content-type", n) == 0) ||
	    (n > 11 && strncasecmp(name, "x-pinecone-", 11) == 0);
}

static void
keep(struct csa_buf *b, const char *line, size_t n)
{
	const char	*colon = memchr(line, ':', n);
	size_t		 len;

	if (colon == NULL || n > MAX_KEPT || b->max - b->len < n + 2)
		return;
	len = (size_t)(colon - line);
	if (!worth_keeping(line, len))
		return;
	for (size_t i = 0; i < len; i++)
		csa_buf_putc(b, (char)tolower((unsigned char)line[i]));
	csa_buf_putc(b, '\0');
	for (line += len + 1, n -= len + 1;
	    n > 0 && isspace((unsigned char)*line); line++, n--)
		continue;
	while (n > 0 && isspace((unsigned char)line[n - 1]))
		n--;
	/* A NUL inside would end the value early for the reader; fine. */
	csa_buf_add(b, line, n);
	csa_buf_putc(b, '\0');
}

static size_t
on_header(char *line, size_t size, size_t n, void *call)
{
	struct csa_http_call	*c = call;

	n *= size;
	csa_limit_heard(c);
	c->header_bytes += n;
	if (c->header_bytes > MAX_HEADERS) {
		c->too_large = true;
		return 0;
	}
	/* A reader may look at them by now; trailers mean nothing to us. */
	if (c->in_body)
		return n;
	/* After an interim reply (1xx) the real one starts afresh. */
	if (n > 5 && memcmp(line, "HTTP/", 5) == 0)
		csa_buf_reset(&c->kept);
	keep(&c->kept, line, n);
	return n;
}

static void
read_status(struct csa_http_call *c)
{
	long	 status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	c->status = (int)status;
}

/* The headers are complete.  -1: what is announced is too large. */
static int
begin_body(struct csa_http_call *c)
{
	curl_off_t	 len = -1;

	read_status(c);
	c->in_body = true;
	curl_easy_getinfo(c->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &len);
	if (len <= 0)
		return 0;
	if ((uint64_t)len > c->max_reply)
		return -1;
	if (!c->stream)
		csa_buf_reserve(&c->body,
		    len > RESERVE ? RESERVE : (size_t)len);
	return 0;
}

/* Hand it to the reader, or have curl keep it.  See HTTP/2 below. */
static size_t
stream(struct csa_http_call *c, const char *data, size_t n)
{
	struct csa_http		*h = c->http;
	struct csa_waiter	*w = c->waiter;
	bool			 driving, ok;

	pthread_mutex_lock(&h->state);
	if (c->body.len - c->taken >= HIGH_WATER) {
		c->paused = true;
		pthread_mutex_unlock(&h->state);
		return CURL_WRITEFUNC_PAUSE;
	}
	csa_buf_add(&c->body, data, n);
	ok = !c->body.failed;
	driving = h->driver == w;
	pthread_mutex_unlock(&h->state);
	csa_engine_notify(w, driving);
	return ok ? n : 0;
}

static size_t
on_body(char *data, size_t size, size_t n, void *call)
{
	struct csa_http_call	*c = call;
	size_t			 taken;

	n *= size;
	csa_limit_heard(c);
	if ((!c->in_body && begin_body(c) == -1) ||
	    n > c->max_reply - c->received) {
		c->too_large = true;
		return 0;
	}
	if (c->stream)
		taken = stream(c, data, n);
	else {
		csa_buf_add(&c->body, data, n);
		taken = c->body.failed ? 0 : n;
	}
	if (taken == n)
		c->received += n;
	return taken;
}

/* CAN_KNOW: does curl say when a call has got its connection, and which? */
#define CAN_KNOW	(LIBCURL_VERSION_NUM >= 0x075000)

#if CAN_KNOW
/* CURLOPT_PREREQFUNCTION: called before the request is sent. */
static int
on_connected(void *call, char *ip, char *own_ip, int port, int own_port)
{
	struct csa_http_call	*c = call;
	struct curl_tlssessioninfo *tls = NULL;

	(void)ip;
	(void)own_ip;
	(void)port;
	(void)own_port;
	csa_limit_sent(c);
	if (c->host == NULL)
		return CURL_PREREQFUNC_OK;
	curl_easy_getinfo(c->easy, CURLINFO_TLS_SSL_PTR, &tls);
	/* The store was set on an SSL_CTX of OpenSSL, so that is what it is. */
	CSA_MUST(tls != NULL && tls->backend == CURLSSLBACKEND_OPENSSL &&
	    tls->internals != NULL);
	csa_host_connected(c, tls->internals);
	return CURL_PREREQFUNC_OK;
}
#endif

static void
set_protocols(CURL *e)
{
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(e, CURLOPT_PROTOCOLS,
	    (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	/* Whatever the environment says. */
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "");
	curl_easy_setopt(e, CURLOPT_PATH_AS_IS, 1L);
}

static void
set_tls(CURL *e, struct csa_http *h)
{
	curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_FUNCTION, csa_ca_use);
	curl_easy_setopt(e, CURLOPT_SSL_CTX_DATA, h->store);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(e, CURLOPT_SHARE, h->share);
}

static void
set_net(CURL *e, struct csa_http *h, enum csa_easy_kind kind)
{
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, h->connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, sizes[kind].read);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, sizes[kind].write);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, csa_sock_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, h);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, csa_sock_close);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, h);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Else cancelling a call whose name is being looked up waits for it. */
	curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
#endif
}

static CURL *
easy_new(struct csa_http *h, enum csa_easy_kind kind)
{
	struct csa_spare	*spare = &h->spare[kind];
	CURL			*e;

	if (spare->n > 0)
		return spare->easy[--spare->n];
	if ((e = curl_easy_init()) == NULL)
		return NULL;
	set_protocols(e);
	set_tls(e, h);
	set_net(e, h, kind);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
#if CAN_KNOW
	curl_easy_setopt(e, CURLOPT_PREREQFUNCTION, on_connected);
#endif
	return e;
}

/*
 * HAS_UPLOAD_BUFFER: curl copies a body into a buffer of the transfer's, 16 kB,
 * which it gives back with the handle (since 8.7 there is none).  Setting its size
 * frees it, and curl makes another should it ever have to send again; so where
 * the body is on its way, a slow model is waited for without.
 */
#define HAS_UPLOAD_BUFFER	(LIBCURL_VERSION_NUM < 0x080700)

static void
free_upload_buffer(CURL *e, enum csa_easy_kind kind)
{
#if HAS_UPLOAD_BUFFER
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, sizes[kind].write);
#else
	(void)e;
	(void)kind;
#endif
}

static void
easy_free(struct csa_http *h, enum csa_easy_kind kind, CURL *e)
{
	struct csa_spare	*spare = &h->spare[kind];

	if (spare->n == MAX_SPARE) {
		curl_easy_cleanup(e);
		return;
	}
	if (spare->easy == NULL)
		spare->easy = csa_new_array(MAX_SPARE, CURL *);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, 0L);
	free_upload_buffer(e, kind);
	/* Nothing of the caller's may be left in it. */
	curl_easy_setopt(e, CURLOPT_CURLU, NULL);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, NULL);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, NULL);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, NULL);
	curl_easy_setopt(e, CURLOPT_PRIVATE, NULL);
	spare->easy[spare->n++] = e;
}

static CURLcode
set_request(CURL *e, struct csa_http_call *c)
{
	curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->errbuf);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, &c->nodes[0]);
	if (c->post) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
		    (curl_off_t)c->len);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS,
		    c->data != NULL ? c->data : "");
	} else
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
#if CAN_KNOW
	curl_easy_setopt(e, CURLOPT_PREREQDATA, c);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)(c->host != NULL ?
	    CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
#else
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#endif
	/* The others that were kept may be as dead. */
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, (long)(c->again > 0 &&
	    (c->again == MAX_AGAIN || c->host == NULL ||
	    c->host->kind != CSA_HOST_SHARED || c->host->pioneer == c)));
	if ((c->parts = csa_url_use(c->http, c->url)) != NULL)
		curl_easy_setopt(e, CURLOPT_CURLU, c->parts->parts);
	/* With both it takes the parts, and need not put them together again. */
	return curl_easy_setopt(e, CURLOPT_URL, c->url);
}

bool
csa_easy_sent(struct csa_http_call *c)
{
	curl_off_t	 n = 0;

	curl_easy_getinfo(c->easy, CURLINFO_SIZE_UPLOAD_T, &n);
	if ((uint64_t)n < c->len)
		return false;
	free_upload_buffer(c->easy, c->kind);
	return true;
}

static enum csa_easy_kind
kind_of(const struct csa_http_call *c)
{
	if (c->len >= BULK)
		return CSA_EASY_BULK;
	return !c->tls ? CSA_EASY_PLAIN :
	    c->stream ? CSA_EASY_STREAM : CSA_EASY_TLS;
}

CURLcode
csa_easy_start(struct csa_http_call *c)
{
	struct csa_http	*h = c->http;
	CURLcode	 rc;

	c->kind = kind_of(c);
	if ((c->easy = easy_new(h, c->kind)) == NULL)
		return CURLE_OUT_OF_MEMORY;
	if ((rc = set_request(c->easy, c)) != CURLE_OK)
		return rc;
#if !CAN_KNOW
	csa_limit_sent(c);
#endif
	return curl_multi_add_handle(h->multi, c->easy) == CURLM_OK ?
	    CURLE_OK : CURLE_FAILED_INIT;
}

/*
 * curl tries again itself what it could not send, or what a kept connection
 * died under without an answer.  But it counts such retries by the handle, not
 * by the exchange, and at the sixth gives up (7.88; the count is set back only
 * by curl_easy_reset): of a handle that is used again every sixth stale
 * connection would be an error.  Nor does it retry where the connection dies in
 * the middle of sending a body, or where one of HTTP/2 just ends, which it calls
 * a partial file.  NUM_CONNECTS is 0 where no connection was made for this call,
 * curl's own retries included: whatever died was kept.
 */
bool
csa_easy_stale(const struct csa_http_call *c, CURLcode result)
{
	long	 connects = 1;

	if (c->again == MAX_AGAIN || c->easy == NULL || c->header_bytes > 0)
		return false;
	if (result != CURLE_SEND_ERROR && result != CURLE_RECV_ERROR &&
	    result != CURLE_GOT_NOTHING && result != CURLE_PARTIAL_FILE)
		return false;
	curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
	return connects == 0;
}

/*
 * A stream of HTTP/2 is cut: curl (7.88) writes the frame that says so into
 * its buffer and leaves it there until something else is sent, while the
 * provider goes on thinking, at our cost.  Pausing another stream of that
 * connection for a moment sends it; where there is none, the connection is
 * closed.
 */
static struct csa_http_call *
prepare_cut(struct csa_http_call *c)
{
	struct csa_http_call	*other;

	if (!c->shared)
		return NULL;
	other = csa_host_fellow(c);
	if (other == NULL)
		curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 1L);
	return other;
}

void
csa_easy_stop(struct csa_http_call *c, bool cut)
{
	struct csa_http		*h = c->http;
	struct csa_http_call	*other = NULL;
	long			 connects = 0;

	if (c->easy == NULL)
		return;
	if (!c->in_body)
		read_status(c);
	curl_easy_getinfo(c->easy, CURLINFO_NUM_CONNECTS, &connects);
	c->connects += connects;
	if (cut)
		other = prepare_cut(c);
	curl_multi_remove_handle(h->multi, c->easy);
	easy_free(h, c->kind, c->easy);
	c->easy = NULL;
	csa_url_done(c->parts);
	c->parts = NULL;
	if (other != NULL) {
		curl_easy_pause(other->easy, CURLPAUSE_RECV);
		curl_easy_pause(other->easy, CURLPAUSE_CONT);
	}
}
