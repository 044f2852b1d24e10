#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/fcgi_client.h"
#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/text/num.h"

#define MAX_REPLY	(256u * 1024)

/* Types of records. */
enum { BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, STDERR = 7 };

static void
record(struct csa_buf *b, int type, const void *data, size_t n)
{
	unsigned char	 head[8] = { 1, (unsigned char)type, 0, 1,
			    (unsigned char)(n >> 8), (unsigned char)n, 0, 0 };

	CSA_MUST(n <= 65535);
	csa_buf_add(b, head, sizeof(head));
	csa_buf_add(b, data, n);
}

static void
length(struct csa_buf *b, size_t n)
{
	if (n < 128)
		csa_buf_putc(b, (char)n);
	else
		csa_buf_add(b, (unsigned char[]){ (unsigned char)(n >> 24 |
		    0x80), (unsigned char)(n >> 16), (unsigned char)(n >> 8),
		    (unsigned char)n }, 4);
}

static void
param(struct csa_buf *b, const char *name, const char *value)
{
	length(b, strlen(name));
	length(b, strlen(value));
	csa_buf_puts(b, name);
	csa_buf_puts(b, value);
}

static void
make_request(struct csa_buf *b, const char *uri, const char *key)
{
	static const unsigned char	 responder[8] = { 0, 1 };
	struct csa_buf			 params;

	csa_buf_init(&params, 65535);
	param(&params, "GATEWAY_INTERFACE", "CGI/1.1");
	param(&params, "SERVER_PROTOCOL", "HTTP/1.1");
	param(&params, "SERVER_SOFTWARE", "chatsphere-doctor");
	param(&params, "REQUEST_METHOD", "GET");
	param(&params, "REQUEST_URI", uri);
	param(&params, "REMOTE_ADDR", "127.0.0.1");
	if (key != NULL)
		param(&params, "HTTP_X_INTERNAL_API_KEY", key);
	record(b, BEGIN, responder, sizeof(responder));
	if (!params.failed)
		record(b, PARAMS, params.data, params.len);
	record(b, PARAMS, "", 0);
	record(b, STDIN, "", 0);
	csa_buf_fini(&params);
}

/* The head that the program wrote: a Status line, or 200. */
static void
read_head(struct csa_fcgi_reply *r)
{
	const char	*p = r->out.len > 0 ? r->out.data : "", *end;
	char		 digits[4];
	int64_t		 v;

	r->status = 200;
	r->body = "";
	if ((end = strstr(p, "\r\n\r\n")) == NULL)
		return;
	r->body = end + 4;
	for (; p < end; p = strstr(p, "\r\n") + 2) {
		if (strncasecmp(p, "Status:", 7) != 0)
			continue;
		p += 7 + strspn(p + 7, " ");
		snprintf(digits, sizeof(digits), "%.3s", p);
		if (csa_parse_int(digits, 100, 599, &v) == 0)
			r->status = (int)v;
		return;
	}
}

int
csa_fcgi_parse(const void *data, size_t n, struct csa_fcgi_reply *r)
{
	const unsigned char	*p = data;
	size_t			 len, size;

	csa_buf_reset(&r->out);
	for (; n >= 8; p += size, n -= size) {
		len = (size_t)p[4] << 8 | p[5];
		size = 8 + len + p[6];
		if (p[0] != 1 || p[1] == 0 || p[1] > 11)
			return -1;
		if (n < size)
			return 0;
		if (p[1] == STDOUT)
			csa_buf_add(&r->out, p + 8, len);
		if (r->out.failed)
			return -1;
		if (p[1] == END) {
			read_head(r);
			return 1;
		}
	}
	/* A greeting of some other protocol may be shorter than a record. */
	return n > 0 && p[0] != 1 ? -1 : 0;
}

/* 0, or -1 with errno. */
static int
open_socket(const char *path)
{
	struct sockaddr_un	 sa = { .sun_family = AF_UNIX };
	int			 fd, saved;

	if (strlen(path) >= sizeof(sa.sun_path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(sa.sun_path, path, strlen(path) + 1);
	/* On a unix socket a full queue is EAGAIN, at once. */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* Wait for the descriptor; false when time is over. */
static bool
ready(int fd, short events, int64_t deadline)
{
	struct pollfd	 p = { .fd = fd, .events = events };
	int		 rc;

	do
		rc = poll(&p, 1, (int)csa_left_ms(deadline));
	while (rc == -1 && errno == EINTR);
	return rc == 1;
}

static enum csa_fcgi_end
send_all(int fd, const char *p, size_t n, int64_t deadline)
{
	ssize_t	 sent;

	while (n > 0) {
		sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent == -1 && errno == EAGAIN) {
			if (!ready(fd, POLLOUT, deadline))
				return CSA_FCGI_TIMEOUT;
			continue;
		}
		if (sent == -1 && errno != EINTR)
			return CSA_FCGI_CLOSED;
		if (sent > 0) {
			p += sent;
			n -= (size_t)sent;
		}
	}
	return CSA_FCGI_REPLY;
}

static enum csa_fcgi_end
receive(int fd, struct csa_buf *raw, struct csa_fcgi_reply *r,
    int64_t deadline)
{
	char	 data[4096];
	ssize_t	 n;
	int	 rc;

	for (;;) {
		if (!ready(fd, POLLIN, deadline))
			return CSA_FCGI_TIMEOUT;
		n = recv(fd, data, sizeof(data), 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			return CSA_FCGI_CLOSED;
		csa_buf_add(raw, data, (size_t)n);
		if (raw->failed ||
		    (rc = csa_fcgi_parse(raw->data, raw->len, r)) == -1)
			return CSA_FCGI_FOREIGN;
		if (rc == 1)
			return CSA_FCGI_REPLY;
	}
}

void
csa_fcgi_get(const char *path, const char *uri, const char *key,
    long timeout_ms, struct csa_fcgi_reply *r)
{
	int64_t		 start = csa_now_ns();
	int64_t		 deadline = csa_now_ms() + timeout_ms;
	struct csa_buf	 raw, request;
	int		 fd;

	memset(r, 0, sizeof(*r));
	csa_buf_init(&r->out, MAX_REPLY);
	r->body = "";
	if ((fd = open_socket(path)) == -1) {
		r->error = errno;
		r->end = CSA_FCGI_CONNECT;
		return;
	}
	csa_buf_init(&raw, 2 * MAX_REPLY);
	csa_buf_init(&request, MAX_REPLY);
	make_request(&request, uri, key);
	r->end = send_all(fd, request.data, request.len, deadline);
	if (r->end == CSA_FCGI_REPLY)
		r->end = receive(fd, &raw, r, deadline);
	r->ms = (double)(csa_now_ns() - start) / 1e6;
	csa_buf_fini(&raw);
	csa_buf_fini(&request);
	close(fd);
}

void
csa_fcgi_fini(struct csa_fcgi_reply *r)
{
	csa_buf_fini(&r->out);
}
