#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "tests/unit/http_server.h"

struct conn {
	struct server	*server;
	SSL		*ssl;
	int		 fd;		/* -1: closed; under the server's lock */
	pthread_t	 thread;
	LIST_ENTRY(conn) entry;
	bool		 close;		/* after this reply */
	char		 head[16384];	/* of the request, NUL-terminated */
	char		*body;
	size_t		 len;
	char		 rest[16384];	/* read too far */
	size_t		 nrest;
};

static ssize_t
conn_recv(struct conn *c, void *p, size_t n)
{
	ssize_t	 got = c->ssl != NULL ? SSL_read(c->ssl, p, (int)n) :
	    recv(c->fd, p, n, 0);

	if (got > 0)
		atomic_fetch_add(&c->server->received, (uint64_t)got);
	return got;
}

static int
conn_send(struct conn *c, const void *data, size_t n)
{
	const char	*p = data;
	ssize_t		 put;

	while (n > 0) {
		put = c->ssl != NULL ? SSL_write(c->ssl, p, (int)n) :
		    send(c->fd, p, n, MSG_NOSIGNAL);
		if (put <= 0) {
			c->close = true;
			return -1;
		}
		p += put;
		n -= (size_t)put;
	}
	return 0;
}

static int
conn_puts(struct conn *c, const char *s)
{
	return conn_send(c, s, strlen(s));
}

static void
reply(struct conn *c, const char *status, const char *headers,
    const void *body, size_t n)
{
	char	 head[1024];

	snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n"
	    "\r\n", status, headers, n);
	conn_puts(c, head);
	conn_send(c, body, n);
}

/* Until the peer has left. */
static void
hang(struct conn *c)
{
	char	 byte;

	while (recv(c->fd, &byte, 1, 0) > 0)
		continue;
	c->close = true;
}

static int
query(const struct conn *c)
{
	const char	*q = strchr(c->head, '?');

	return q != NULL ? atoi(q + 1) : 0;
}

static void
do_echo(struct conn *c)
{
	reply(c, "200 OK", "Content-Type: text/plain\r\n", c->body, c->len);
}

static void
do_head(struct conn *c)
{
	reply(c, "200 OK", "", c->head, strlen(c->head));
}

/* ?MS: answers after that long, unless the peer leaves. */
static void
do_slow(struct conn *c)
{
	struct pollfd	 p = { .fd = c->fd, .events = POLLRDHUP };

	if (poll(&p, 1, query(c)) == 0)
		do_echo(c);
	else
		c->close = true;
}

/* When the test opens the gate, or the peer leaves. */
static void
do_gate(struct conn *c)
{
	struct pollfd	 p = { .fd = c->fd, .events = POLLRDHUP };

	while (!atomic_load(&c->server->gate) && poll(&p, 1, 1) == 0)
		continue;
	do_echo(c);
}

/* ?BYTES */
static void
do_big(struct conn *c)
{
	size_t	 n = (size_t)query(c);
	char	*p = csa_malloc(n + 1);

	memset(p, 'b', n);
	reply(c, "200 OK", "", p, n);
	free(p);
}

/* The same without saying how much it will be. */
static void
do_big_chunked(struct conn *c)
{
	static const char	 kilo[1025] = { [0 ... 1023] = 'c' };
	int			 n = query(c) / 1024;

	conn_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	while (n-- > 0)
		if (conn_puts(c, "400\r\n") == -1 ||
		    conn_send(c, kilo, 1024) == -1 ||
		    conn_puts(c, "\r\n") == -1)
			return;
	conn_puts(c, "0\r\nX-Pinecone-Late: yes\r\n\r\n");
}

static void
do_no_headers(struct conn *c)
{
	hang(c);
}

static void
do_half_body(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
	hang(c);
}

static void
do_head_only(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
	hang(c);
}

/* No FIN, a RST. */
static void
do_reset(struct conn *c)
{
	struct linger	 l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	c->close = true;
}

/* Some of the body arrives, and is read, before the RST. */
static void
do_cut_reset(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\n12345\r\n");
	poll(NULL, 0, 50);
	do_reset(c);
}

static void
do_truncated(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345");
	c->close = true;
}

static void
do_bad_chunk(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\n12345\r\nxyz\r\n");
	c->close = true;
}

static void
do_cut_chunks(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	    "5\r\n12345\r\n");
	c->close = true;
}

/* A whole reply, and the connection is dead although it was not announced. */
static void
do_last(struct conn *c)
{
	do_echo(c);
	c->close = true;
}

/* Read some of the next request before the end: all of it if it is short. */
static void
taste(struct conn *c)
{
	if (c->nrest == 0)
		conn_recv(c, c->rest, sizeof(c->rest));
}

static void
do_last_fin(struct conn *c)
{
	do_last(c);
	taste(c);
}

static void
do_last_reset(struct conn *c)
{
	do_last(c);
	taste(c);
	do_reset(c);
}

static void
do_busy(struct conn *c)
{
	reply(c, "429 Too Many Requests", "Retry-After: 7\r\n"
	    "X-Pinecone-Request-Id:  abc \r\nX-Other: no\r\n", "busy", 4);
}

/* ?STATUS */
static void
do_status(struct conn *c)
{
	char	 status[32];

	snprintf(status, sizeof(status), "%d Whatever", query(c));
	reply(c, status, "", "why", 3);
}

static void
do_redirect(struct conn *c)
{
	char	 head[128];

	snprintf(head, sizeof(head), "Location: http://127.0.0.1:%d/echo\r\n",
	    c->server->port);
	reply(c, "302 Found", head, "", 0);
}

/* ?N: N events, 10 ms apart. */
static void
do_events(struct conn *c)
{
	char	 line[64], chunk[96];
	int	 n = query(c);

	conn_puts(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < n; i++) {
		snprintf(line, sizeof(line), "data: %d\n\n", i);
		snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(line),
		    line);
		if (conn_puts(c, chunk) == -1)
			return;
		poll(NULL, 0, 10);
	}
	conn_puts(c, "0\r\n\r\n");
}

/* ?BYTES as fast as they are taken, counted; each byte tells its place. */
static void
do_flood(struct conn *c)
{
	char	 head[64], block[4096];
	int	 n = query(c);

	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"
	    "\r\n", n);
	conn_puts(c, head);
	for (int at = 0; at < n; at += (int)sizeof(block)) {
		for (int i = 0; i < (int)sizeof(block); i++)
			block[i] = (char)((at + i) % 251);
		if (conn_send(c, block, sizeof(block)) == -1)
			return;
		atomic_fetch_add(&c->server->sent, sizeof(block));
	}
}

static void
do_garbage(struct conn *c)
{
	conn_puts(c, "220 smtp.test ESMTP\r\n\r\n");
	c->close = true;
}

static void
do_long_header(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\nX-Long: ");
	for (int i = 0; i < 1024; i++) {
		char	 kilo[1024];

		memset(kilo, 'h', sizeof(kilo));
		if (conn_send(c, kilo, sizeof(kilo)) == -1)
			return;
	}
	conn_puts(c, "\r\nContent-Length: 0\r\n\r\n");
}

static void
do_many_headers(struct conn *c)
{
	conn_puts(c, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 100000; i++)
		if (conn_puts(c, "X-Many: headers\r\n") == -1)
			return;
	conn_puts(c, "Content-Length: 0\r\n\r\n");
}

static void
do_interim(struct conn *c)
{
	for (int i = 0; i < 20; i++)
		conn_puts(c, "HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n"
		    "\r\n");
	do_echo(c);
}

static const struct {
	const char	*path;
	void		(*serve)(struct conn *);
} routes[] = {
	{ "/echo", do_echo },
	{ "/head", do_head },
	{ "/slow", do_slow },
	{ "/gate", do_gate },
	{ "/big", do_big },
	{ "/big-chunked", do_big_chunked },
	{ "/no-headers", do_no_headers },
	{ "/half-body", do_half_body },
	{ "/head-only", do_head_only },
	{ "/truncated", do_truncated },
	{ "/cut-reset", do_cut_reset },
	{ "/bad-chunk", do_bad_chunk },
	{ "/cut-chunks", do_cut_chunks },
	{ "/reset", do_reset },
	{ "/last", do_last },
	{ "/last-fin", do_last_fin },
	{ "/last-reset", do_last_reset },
	{ "/busy", do_busy },
	{ "/status", do_status },
	{ "/redirect", do_redirect },
	{ "/events", do_events },
	{ "/flood", do_flood },
	{ "/garbage", do_garbage },
	{ "/long-header", do_long_header },
	{ "/many-headers", do_many_headers },
	{ "/interim", do_interim },
};

/* Read one request.  -1: the peer left. */
static int
read_request(struct conn *c)
{
	size_t		 n = c->nrest;
	const char	*at;
	char		*end = NULL;
	ssize_t		 got;

	memcpy(c->head, c->rest, n);
	c->head[n] = '\0';
	while ((end = strstr(c->head, "\r\n\r\n")) == NULL) {
		got = conn_recv(c, c->head + n, sizeof(c->head) - 1 - n);
		if (got <= 0)
			return -1;
		n += (size_t)got;
		c->head[n] = '\0';
	}
	end += 4;
	at = strcasestr(c->head, "\r\ncontent-length:");
	c->len = at != NULL ? strtoul(at + 17, NULL, 10) : 0;
	free(c->body);
	c->body = csa_malloc(c->len + 1);
	n -= (size_t)(end - c->head);
	c->nrest = n > c->len ? n - c->len : 0;
	memcpy(c->rest, end + c->len, c->nrest);
	n -= c->nrest;
	memcpy(c->body, end, n);
	*end = '\0';
	while (n < c->len) {
		got = conn_recv(c, c->body + n, c->len - n);
		if (got <= 0)
			return -1;
		n += (size_t)got;
	}
	return 0;
}

static void
serve(struct conn *c)
{
	const char	*path = strchr(c->head, ' ') + 1;
	size_t		 n = strcspn(path, " ?");

	for (size_t i = 0; i < CSA_NITEMS(routes); i++)
		if (strlen(routes[i].path) == n &&
		    memcmp(routes[i].path, path, n) == 0) {
			routes[i].serve(c);
			return;
		}
	reply(c, "404 Not Found", "", "", 0);
}

static void *
conn_main(void *arg)
{
	struct conn	*c = arg;
	struct server	*s = c->server;

	if (c->ssl == NULL || SSL_accept(c->ssl) == 1)
		while (!c->close && read_request(c) == 0) {
			atomic_fetch_add(&s->requests, 1);
			serve(c);
		}
	SSL_free(c->ssl);
	pthread_mutex_lock(&s->lock);
	close(c->fd);
	c->fd = -1;
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub(&s->open, 1);
	return NULL;
}

static void
conn_start(struct server *s, int fd)
{
	struct conn	*c = csa_new(struct conn);
	int		 on = 1;

	c->server = s;
	c->fd = fd;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (s->tls != NULL) {
		c->ssl = SSL_new(s->tls);
		SSL_set_fd(c->ssl, fd);
	}
	atomic_fetch_add(&s->connections, 1);
	atomic_fetch_add(&s->open, 1);
	pthread_mutex_lock(&s->lock);
	LIST_INSERT_HEAD(&s->conns, c, entry);
	pthread_mutex_unlock(&s->lock);
	CSA_MUST(pthread_create(&c->thread, NULL, conn_main, c) == 0);
}

static void *
accept_main(void *arg)
{
	struct server	*s = arg;
	int		 fd;

	while ((fd = accept(s->fd, NULL, NULL)) != -1)
		conn_start(s, fd);
	return NULL;
}

struct server *
server_start(SSL_CTX *tls)
{
	struct server		*s = csa_new(struct server);
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);

	LIST_INIT(&s->conns);
	CSA_MUST(pthread_mutex_init(&s->lock, NULL) == 0);
	s->tls = tls;
	s->fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(s->fd, 1024), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, accept_main, s), 0);
	return s;
}

void
server_stop(struct server *s)
{
	struct conn	*c;

	/* accept returns; nobody adds to the list any more. */
	shutdown(s->fd, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->fd);
	pthread_mutex_lock(&s->lock);
	LIST_FOREACH(c, &s->conns, entry)
		if (c->fd != -1)
			shutdown(c->fd, SHUT_RDWR);
	pthread_mutex_unlock(&s->lock);
	while ((c = LIST_FIRST(&s->conns)) != NULL) {
		pthread_join(c->thread, NULL);
		LIST_REMOVE(c, entry);
		free(c->body);
		free(c);
	}
	SSL_CTX_free(s->tls);
	pthread_mutex_destroy(&s->lock);
	free(s);
}
