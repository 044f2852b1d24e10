#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench/io.h"

#define BACKLOG	4096

uint64_t
csa_now(void)
{
	struct timespec	 ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * CSA_NS_S + (uint64_t)ts.tv_nsec;
}

void
csa_die(const char *fmt, ...)
{
	va_list	 ap;

	fprintf(stderr, "%s: ", program_invocation_short_name);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	exit(2);
}

void *
csa_zalloc(size_t n)
{
	void	*p;

	if ((p = calloc(1, n)) == NULL)
		csa_die("out of memory");
	return p;
}

void *
csa_grow(void *p, size_t n)
{
	if ((p = realloc(p, n)) == NULL)
		csa_die("out of memory");
	return p;
}

double
csa_number(const char *what, const char *s, double min, double max)
{
	char	*end;
	double	 v;

	errno = 0;
	v = strtod(s, &end);
	if (errno != 0 || end == s || *end != '\0' || !(v >= min && v <= max))
		csa_die("%s: \"%s\" is not a number from %.0f to %.0f", what,
		    s, min, max);
	return v;
}

void
csa_add(struct csa_bytes *b, const void *data, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = 2 * b->cap + len + 256;
		b->data = csa_grow(b->data, b->cap);
	}
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
csa_addf(struct csa_bytes *b, const char *fmt, ...)
{
	char	*text;
	va_list	 ap;
	int	 n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (n < 0)
		csa_die("out of memory");
	csa_add(b, text, (size_t)n);
	free(text);
}

struct csa_bytes
csa_slurp(const char *path)
{
	struct csa_bytes	 b = { NULL, 0, 0 };
	char			 part[16384];
	size_t			 n;
	FILE			*f;

	if ((f = fopen(path, "rb")) == NULL)
		csa_die("%s: %s", path, strerror(errno));
	while ((n = fread(part, 1, sizeof(part), f)) > 0)
		csa_add(&b, part, n);
	if (ferror(f))
		csa_die("%s: %s", path, strerror(errno));
	fclose(f);
	csa_add(&b, "", 0);
	return b;
}

void
csa_spill(const char *path, const void *data, size_t len)
{
	FILE	*f;

	if ((f = fopen(path, "wb")) == NULL ||
	    fwrite(data, 1, len, f) != len || fclose(f) != 0)
		csa_die("%s: %s", path, strerror(errno));
}

static struct sockaddr_in
loopback(uint16_t port)
{
	struct sockaddr_in	 sin;

	memset(&sin, 0, sizeof(sin));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(port);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return sin;
}

int
csa_listen(uint16_t *port, int listening)
{
	struct sockaddr_in	 sin = loopback(*port);
	socklen_t		 len = sizeof(sin);
	int			 fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == -1 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) == -1 ||
	    bind(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    (listening && listen(fd, BACKLOG) == -1) ||
	    getsockname(fd, (struct sockaddr *)&sin, &len) == -1)
		csa_die("port %u: %s", *port, strerror(errno));
	*port = ntohs(sin.sin_port);
	return fd;
}

int
csa_connect(uint16_t port)
{
	struct sockaddr_in	 sin = loopback(port);
	int			 fd, on = 1;

	fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* A body in two segments must not wait for an acknowledgement. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == -1 &&
	    errno != EINPROGRESS) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

void
csa_more_files(void)
{
	struct rlimit	 rl;

	/* Where it fails, accept or connect will say so in time. */
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &rl);
	}
}
