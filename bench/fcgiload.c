/*
 * fcgiload: drives one FastCGI program over its unix socket, without a web
 * server, so that what is counted is the program's alone.
 *
 *	fcgiload -s SOCKET [-u PATH] [-b BODYFILE] [-k KEY] [-n N] [-c N]
 *	    [-t S] [-o FILE]
 *
 * Each of the -n requests (1) has a connection of its own, as lighttpd does
 * it; -c of them (1) are under way at a time.  With -b they are POSTs, -k is
 * the X-Internal-API-Key.  -o keeps the body of the first answer.  A JSON
 * line tells statuses and times; the exit status is 1 unless every request
 * was answered with a 200.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/hist.h"
#include "bench/io.h"

/* FastCGI 1.0, sections 3.3 and 8. */
#define FCGI_VERSION_1		1
#define FCGI_BEGIN_REQUEST	1
#define FCGI_END_REQUEST	3
#define FCGI_PARAMS		4
#define FCGI_STDIN		5
#define FCGI_STDOUT		6
#define FCGI_STDERR		7
#define FCGI_RESPONDER		1
#define HEAD_LEN		8
#define RECORD_MAX		65535
#define REQUEST_ID		1

#define EVENTS		256
#define SWEEP_MS	100

struct conn {
	int			 fd;	/* -1: none */
	uint64_t		 began;
	size_t			 sent;
	struct csa_bytes	 in;	/* records, as they come */
	size_t			 seen;	/* of in */
	struct csa_bytes	 out;	/* what STDOUT carried */
};

static struct {
	const char	*socket;
	const char	*path;
	const char	*body;
	const char	*key;
	const char	*save;
	size_t		 requests;
	size_t		 clients;
	uint64_t	 timeout;	/* ns */
} opt = { .path = "/chat", .requests = 1, .clients = 1,
	.timeout = 60 * CSA_NS_S };

static struct csa_bytes	 request;
static struct csa_hist	 times;
static uint64_t		 status[600], broken, late, errors_out;
static size_t		 begun, ended;
static int		 epfd;

static void
add_record(struct csa_bytes *b, int type, const void *data, size_t len)
{
	const unsigned char	 head[HEAD_LEN] = {
		FCGI_VERSION_1, (unsigned char)type, 0, REQUEST_ID,
		(unsigned char)(len >> 8), (unsigned char)len, 0, 0
	};

	csa_add(b, head, sizeof(head));
	csa_add(b, data, len);
}

/* A stream of records: as many as the data needs, and the empty last one. */
static void
add_stream(struct csa_bytes *b, int type, const char *data, size_t len)
{
	size_t	 n;

	for (; len > 0; data += n, len -= n) {
		n = len < RECORD_MAX ? len : RECORD_MAX;
		add_record(b, type, data, n);
	}
	add_record(b, type, "", 0);
}

static void
add_length(struct csa_bytes *b, size_t n)
{
	const unsigned char	 four[4] = { (unsigned char)(n >> 24 | 0x80),
	    (unsigned char)(n >> 16), (unsigned char)(n >> 8),
	    (unsigned char)n };

	if (n < 128)
		csa_add(b, four + 3, 1);
	else
		csa_add(b, four, 4);
}

static void
add_param(struct csa_bytes *b, const char *name, const char *value)
{
	add_length(b, strlen(name));
	add_length(b, strlen(value));
	csa_add(b, name, strlen(name));
	csa_add(b, value, strlen(value));
}

static void
make_request(void)
{
	static const unsigned char	 begin[8] = { 0, FCGI_RESPONDER };
	struct csa_bytes		 body = { NULL, 0, 0 };
	struct csa_bytes		 params = { NULL, 0, 0 };
	char				 length[24];

	if (opt.body != NULL)
		body = csa_slurp(opt.body);
	snprintf(length, sizeof(length), "%zu", body.len);
	add_param(&params, "GATEWAY_INTERFACE", "CGI/1.1");
	add_param(&params, "SERVER_SOFTWARE", "fcgiload");
	add_param(&params, "SERVER_PROTOCOL", "HTTP/1.1");
	add_param(&params, "SERVER_NAME", "127.0.0.1");
	add_param(&params, "REMOTE_ADDR", "127.0.0.1");
	add_param(&params, "REQUEST_METHOD", body.len > 0 ? "POST" : "GET");
	add_param(&params, "REQUEST_URI", opt.path);
	add_param(&params, "SCRIPT_NAME", opt.path);
	add_param(&params, "QUERY_STRING", "");
	add_param(&params, "HTTP_HOST", "127.0.0.1");
	if (opt.key != NULL)
		add_param(&params, "HTTP_X_INTERNAL_API_KEY", opt.key);
	if (body.len > 0) {
		add_param(&params, "CONTENT_TYPE", "application/json");
		add_param(&params, "CONTENT_LENGTH", length);
	}
	add_record(&request, FCGI_BEGIN_REQUEST, begin, sizeof(begin));
	add_stream(&request, FCGI_PARAMS, params.data, params.len);
	add_stream(&request, FCGI_STDIN, body.data, body.len);
	free(params.data);
	free(body.data);
}

/* Blocks while the backlog is full, which is what a web server would do. */
static int
connect_unix(void)
{
	struct sockaddr_un	 sun;
	int			 fd;

	memset(&sun, 0, sizeof(sun));
	sun.sun_family = AF_UNIX;
	if (strlen(opt.socket) >= sizeof(sun.sun_path))
		csa_die("%s: the path is too long for a socket", opt.socket);
	strcpy(sun.sun_path, opt.socket);
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) == -1 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    fcntl(fd, F_SETFL, O_NONBLOCK) == -1)
		csa_die("%s: %s", opt.socket, strerror(errno));
	return fd;
}

static void
push(struct conn *c)
{
	ssize_t	 n;

	while (c->sent < request.len) {
		n = send(c->fd, request.data + c->sent, request.len - c->sent,
		    MSG_NOSIGNAL);
		if (n == -1)
			return;		/* full, or broken: recv will tell */
		c->sent += (size_t)n;
	}
}

static void
begin(struct conn *c)
{
	struct epoll_event	 ev = { 0 };

	c->fd = connect_unix();
	c->began = csa_now();
	c->sent = c->seen = c->in.len = c->out.len = 0;
	begun++;
	ev.events = EPOLLIN | EPOLLOUT | EPOLLET;
	ev.data.ptr = c;
	if (epoll_ctl(epfd, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		csa_die("epoll_ctl: %s", strerror(errno));
	push(c);
}

/* The CGI head's Status, 200 where it has none; 0 when it is no head. */
static int
status_of(const struct csa_bytes *out)
{
	const char	*end, *p;
	int		 code;

	if (out->len == 0 || (end = strstr(out->data, "\r\n\r\n")) == NULL)
		return 0;
	if ((p = strcasestr(out->data, "Status:")) == NULL || p > end)
		return 200;
	code = atoi(p + 7);
	return code >= 100 && code < 600 ? code : 0;
}

static void
save_body(const struct conn *c)
{
	const char	*p;

	if (opt.save == NULL)
		return;
	p = strstr(c->out.data, "\r\n\r\n");
	if (p != NULL)
		csa_spill(opt.save, p + 4,
		    c->out.len - (size_t)(p + 4 - c->out.data));
	opt.save = NULL;
}

static void
over(struct conn *c, bool whole)
{
	int	 code = whole ? status_of(&c->out) : 0;

	if (code == 0)
		broken++;
	else {
		status[code]++;
		csa_hist_add(&times, csa_now() - c->began);
		save_body(c);
	}
	close(c->fd);
	c->fd = -1;
	ended++;
	if (begun < opt.requests)
		begin(c);
}

/* Take whole records out of in.  True after FCGI_END_REQUEST. */
static bool
take_records(struct conn *c)
{
	const unsigned char	*h;
	size_t			 len, whole;

	while (c->in.len - c->seen >= HEAD_LEN) {
		h = (const unsigned char *)c->in.data + c->seen;
		len = (size_t)h[4] << 8 | h[5];
		whole = HEAD_LEN + len + h[6];
		if (c->in.len - c->seen < whole)
			return false;
		c->seen += whole;
		if (h[1] == FCGI_STDOUT)
			csa_add(&c->out, h + HEAD_LEN, len);
		else if (h[1] == FCGI_STDERR)
			errors_out += len;
		else if (h[1] == FCGI_END_REQUEST)
			return true;
	}
	return false;
}

static void
pull(struct conn *c)
{
	char	 part[16384];
	ssize_t	 n;

	for (;;) {
		n = recv(c->fd, part, sizeof(part), 0);
		if (n == -1 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			over(c, false);
			return;
		}
		csa_add(&c->in, part, (size_t)n);
		if (take_records(c)) {
			over(c, true);
			return;
		}
	}
}

static void
sweep(struct conn *conns)
{
	uint64_t	 now = csa_now();

	for (size_t i = 0; i < opt.clients; i++)
		if (conns[i].fd != -1 && now - conns[i].began > opt.timeout) {
			late++;
			over(&conns[i], false);
		}
}

static void
run(struct conn *conns)
{
	struct epoll_event	 evs[EVENTS];
	int			 n;

	for (size_t i = 0; i < opt.clients; i++) {
		conns[i].fd = -1;
		if (begun < opt.requests)
			begin(&conns[i]);
	}
	while (ended < opt.requests) {
		n = epoll_wait(epfd, evs, EVENTS, SWEEP_MS);
		if (n == -1 && errno != EINTR)
			csa_die("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			push(evs[i].data.ptr);
			pull(evs[i].data.ptr);
		}
		if (n == 0)
			sweep(conns);
	}
}

static void
print_json(void)
{
	struct csa_bytes	 out = { NULL, 0, 0 };
	const char		*comma = "";

	csa_addf(&out, "{\"requests\":%zu,\"clients\":%zu,\"status\":{",
	    opt.requests, opt.clients);
	for (int i = 0; i < 600; i++)
		if (status[i] > 0) {
			csa_addf(&out, "%s\"%d\":%llu", comma, i,
			    (unsigned long long)status[i]);
			comma = ",";
		}
	csa_addf(&out, "},\"broken\":%llu,\"timeout\":%llu,"
	    "\"stderr_bytes\":%llu,\"ms\":", (unsigned long long)broken,
	    (unsigned long long)late, (unsigned long long)errors_out);
	csa_hist_json(&times, &out);
	csa_add(&out, "}", 1);
	puts(out.data);
	free(out.data);
}

static void
options(int argc, char **argv)
{
	int	 c;

	while ((c = getopt(argc, argv, "b:c:k:n:o:s:t:u:")) != -1) {
		switch (c) {
		case 'b':
			opt.body = optarg;
			break;
		case 'c':
			opt.clients = (size_t)csa_number("-c", optarg, 1,
			    10000);
			break;
		case 'k':
			opt.key = optarg;
			break;
		case 'n':
			opt.requests = (size_t)csa_number("-n", optarg, 1,
			    1e8);
			break;
		case 'o':
			opt.save = optarg;
			break;
		case 's':
			opt.socket = optarg;
			break;
		case 't':
			opt.timeout = (uint64_t)(csa_number("-t", optarg,
			    0.01, 3600) * (double)CSA_NS_S);
			break;
		case 'u':
			opt.path = optarg;
			break;
		default:
			opt.socket = NULL;
			optind = argc;
			break;
		}
	}
	if (opt.socket == NULL)
		csa_die("usage: -s SOCKET [-u PATH] [-b BODY] [-k KEY] [-n N] "
		    "[-c N] [-t S] [-o FILE]");
}

int
main(int argc, char **argv)
{
	struct conn	*conns;

	options(argc, argv);
	csa_more_files();
	if ((epfd = epoll_create1(EPOLL_CLOEXEC)) == -1)
		csa_die("epoll: %s", strerror(errno));
	make_request();
	conns = csa_zalloc(opt.clients * sizeof(*conns));
	run(conns);
	print_json();
	for (size_t i = 0; i < opt.clients; i++) {
		free(conns[i].in.data);
		free(conns[i].out.data);
	}
	free(conns);
	free(request.data);
	return status[200] == opt.requests ? 0 : 1;
}
