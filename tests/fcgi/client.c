#include "config.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/must.h"
#include "tests/fcgi/client.h"

#define ALL		(256 * 1024 * 1024)
#define REPLY_MS	20000

void
fcgi_record(struct csa_buf *b, int type, int id, const void *data, size_t n)
{
	unsigned char	 h[8] = {
		1, (unsigned char)type, (unsigned char)(id >> 8),
		(unsigned char)id, (unsigned char)(n >> 8), (unsigned char)n
	};

	CSA_MUST(n <= 65535);
	csa_buf_add(b, h, sizeof(h));
	csa_buf_add(b, data, n);
}

void
fcgi_begin(struct csa_buf *b, int id, int role, int flags)
{
	unsigned char	 body[8] = {
		0, (unsigned char)role, (unsigned char)flags
	};

	fcgi_record(b, 1, id, body, sizeof(body));
}

static void
length(struct csa_buf *b, size_t n)
{
	unsigned char	 x[4] = {
		(unsigned char)(n >> 24 | 0x80), (unsigned char)(n >> 16),
		(unsigned char)(n >> 8), (unsigned char)n
	};

	if (n < 128)
		csa_buf_putc(b, (char)n);
	else
		csa_buf_add(b, x, sizeof(x));
}

void
fcgi_param(struct csa_buf *b, const char *name, const char *value)
{
	length(b, strlen(name));
	length(b, strlen(value));
	csa_buf_puts(b, name);
	csa_buf_puts(b, value);
}

void
fcgi_stream(struct csa_buf *b, int type, int id, const void *data, size_t n)
{
	const char	*p = data;
	size_t		 part;

	for (; n > 0; p += part, n -= part) {
		part = n < 65535 ? n : 65535;
		fcgi_record(b, type, id, p, part);
	}
	fcgi_record(b, type, id, "", 0);
}

void
fcgi_request(struct csa_buf *b, const char *method, const char *uri,
    const char *len, const struct csa_buf *params, const void *body, size_t n)
{
	struct csa_buf	 all;
	char		 own[24];

	snprintf(own, sizeof(own), "%zu", n);
	csa_buf_init(&all, ALL);
	fcgi_param(&all, "REQUEST_METHOD", method);
	fcgi_param(&all, "REQUEST_URI", uri);
	fcgi_param(&all, "CONTENT_LENGTH", len != NULL ? len : own);
	if (params != NULL && params->len > 0)
		csa_buf_add(&all, params->data, params->len);
	fcgi_begin(b, 1, FCGI_RESPONDER_ROLE, 0);
	fcgi_stream(b, 4, 1, all.data, all.len);
	fcgi_stream(b, 5, 1, body, n);
	csa_buf_fini(&all);
}

int
fcgi_connect(const char *path)
{
	struct sockaddr_un	 sa = { .sun_family = AF_UNIX };
	int			 fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (fd != -1 &&
	    connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

int
fcgi_send(int fd, const void *data, size_t n, size_t step)
{
	const char	*p = data;
	ssize_t		 sent;

	while (n > 0) {
		sent = send(fd, p, step > 0 && step < n ? step : n,
		    MSG_NOSIGNAL);
		if (sent == -1 && errno == EINTR)
			continue;
		if (sent == -1)
			return -1;
		p += sent;
		n -= (size_t)sent;
	}
	return 0;
}

/* Everything that comes; returns whether the peer closed. */
static bool
read_all(int fd, struct csa_buf *b, int timeout_ms)
{
	struct pollfd	 p = { .fd = fd, .events = POLLIN };
	char		 data[65536];
	ssize_t		 n;

	while (poll(&p, 1, timeout_ms) == 1) {
		n = read(fd, data, sizeof(data));
		if (n <= 0)
			return n == 0;
		csa_buf_add(b, data, (size_t)n);
	}
	return false;
}

static void
take_record(struct fcgi_reply *r, const unsigned char *h, size_t n)
{
	if (h[1] == 6)
		csa_buf_add(&r->out, h + 8, n);
	else if (h[1] == 3 && n == 8) {
		r->ends++;
		r->protocol = h[12];
	} else
		r->others++;
}

static void
take_records(struct fcgi_reply *r, const unsigned char *p, size_t left)
{
	size_t	 n, size;

	while (left > 0 && !r->odd) {
		n = left >= 8 ? (size_t)(p[4] << 8 | p[5]) : 0;
		size = left >= 8 ? 8 + n + p[6] : SIZE_MAX;
		r->odd = size > left || p[0] != 1;
		if (r->odd)
			return;
		take_record(r, p, n);
		p += size;
		left -= size;
	}
}

void
fcgi_read(int fd, struct fcgi_reply *r, int timeout_ms)
{
	struct csa_buf	 raw;
	const char	*end;

	memset(r, 0, sizeof(*r));
	csa_buf_init(&raw, ALL);
	csa_buf_init(&r->out, ALL);
	r->closed = read_all(fd, &raw, timeout_ms);
	take_records(r, (unsigned char *)raw.data, raw.len);
	csa_buf_fini(&raw);
	r->body = "";
	if (r->out.len == 0)
		return;
	if (strncmp(r->out.data, "Status: ", 8) == 0)
		r->status = atoi(r->out.data + 8);
	if ((end = strstr(r->out.data, "\r\n\r\n")) != NULL) {
		r->body = end + 4;
		r->len = r->out.len - (size_t)(r->body - r->out.data);
	}
}

void
fcgi_free(struct fcgi_reply *r)
{
	csa_buf_fini(&r->out);
}

bool
fcgi_header(const struct fcgi_reply *r, const char *name, char *value,
    size_t n)
{
	char		 start[64];
	const char	*p;

	snprintf(start, sizeof(start), "\r\n%s: ", name);
	if (r->out.len == 0 || (p = strstr(r->out.data, start)) == NULL ||
	    p >= r->body)
		return false;
	p += strlen(start);
	snprintf(value, n, "%.*s", (int)strcspn(p, "\r"), p);
	return true;
}

int
fcgi_ask(const char *path, const char *uri, const void *body, size_t n,
    struct fcgi_reply *r)
{
	struct csa_buf	 b;
	int		 fd;

	memset(r, 0, sizeof(*r));
	r->body = "";
	if ((fd = fcgi_connect(path)) == -1)
		return 0;
	csa_buf_init(&b, ALL);
	fcgi_request(&b, "POST", uri, NULL, NULL, body, n);
	(void)fcgi_send(fd, b.data, b.len, 0);
	csa_buf_fini(&b);
	fcgi_read(fd, r, REPLY_MS);
	close(fd);
	return r->status;
}
