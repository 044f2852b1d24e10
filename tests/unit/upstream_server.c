#include "config.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "tests/unit/upstream_server.h"

struct conn {
	LIST_ENTRY(conn) entry;
	struct script	*script;
	int		 fd;
	char		 buf[65536];
	size_t		 len;
};

/*
 * In a child that is forked meanwhile their threads are gone: what they had is
 * found here, and valgrind has no leak to tell.
 */
static LIST_HEAD(, conn) conns = LIST_HEAD_INITIALIZER(conns);
static pthread_mutex_t	 conns_mutex = PTHREAD_MUTEX_INITIALIZER;

static void
listed(struct conn *c, bool is)
{
	pthread_mutex_lock(&conns_mutex);
	if (is)
		LIST_INSERT_HEAD(&conns, c, entry);
	else
		LIST_REMOVE(c, entry);
	pthread_mutex_unlock(&conns_mutex);
}

static void
say(struct conn *c, const char *s)
{
	(void)!send(c->fd, s, strlen(s), MSG_NOSIGNAL);
}

static void
hang(struct conn *c)
{
	char	 byte;

	while (recv(c->fd, &byte, 1, 0) > 0)
		continue;
}

static void
reset(struct conn *c)
{
	struct linger	 l = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
}

/* False: the connection is to be closed. */
static bool
act(struct conn *c, const struct step *s)
{
	const char	*body = s->body != NULL ? s->body : "ok";
	struct csa_buf	 out;

	if (s->delay_ms > 0)
		poll(NULL, 0, s->delay_ms);
	switch (s->what) {
	case RESET:
		reset(c);
		return false;
	case HANG:
		hang(c);
		return false;
	case GARBAGE:
		say(c, "220 smtp.test ESMTP\r\n\r\n");
		return false;
	default:
		break;
	}
	/* In one piece, or the peer's delayed acknowledgement is waited for. */
	csa_buf_init(&out, 1 << 20);
	csa_buf_addf(&out, "HTTP/1.1 %d X\r\n%s%sContent-Length: %zu\r\n\r\n"
	    "%s", s->status, s->header != NULL ? s->header : "",
	    s->header != NULL ? "\r\n" : "",
	    s->what == REPLY ? strlen(body) : 1000, body);
	say(c, out.data);
	csa_buf_fini(&out);
	if (s->what == STALL)
		hang(c);
	return s->what == REPLY;
}

/* Read one request; its head ends where it is 0.  False: the peer left. */
static bool
read_request(struct conn *c)
{
	char	*end, *at;
	size_t	 need;
	ssize_t	 got;

	for (;;) {
		c->buf[c->len] = '\0';
		if ((end = strstr(c->buf, "\r\n\r\n")) != NULL) {
			at = strcasestr(c->buf, "\r\ncontent-length:");
			need = (size_t)(end + 4 - c->buf) +
			    (at != NULL ? strtoul(at + 17, NULL, 10) : 0);
			if (c->len >= need)
				break;
		}
		got = recv(c->fd, c->buf + c->len,
		    sizeof(c->buf) - 1 - c->len, 0);
		if (got <= 0)
			return false;
		c->len += (size_t)got;
	}
	end[2] = '\0';
	/* No pipelining. */
	c->len = 0;
	return true;
}

static const struct step *
step_of(struct script *s, const char *head)
{
	int		 i = atomic_fetch_add(&s->requests, 1);
	int		 n = atomic_load(&s->nsteps);
	const char	*key = strcasestr(head, "\r\nx-key: k");

	if (key != NULL && key[10] >= '1' && key[10] <= '3') {
		atomic_fetch_add(&s->keyed[key[10] - '1'], 1);
		if (s->of_key[key[10] - '1'] != NULL)
			return s->of_key[key[10] - '1'];
	}
	return &atomic_load(&s->step)[i < n ? i : n - 1];
}

static void *
conn_main(void *arg)
{
	struct conn	*c = arg;

	while (read_request(c) && act(c, step_of(c->script, c->buf)))
		continue;
	close(c->fd);
	listed(c, false);
	free(c);
	return NULL;
}

static void *
accept_main(void *arg)
{
	struct script	*s = arg;
	struct conn	*c;
	int		 listening = s->fd, fd;
	pthread_t	 t;

	while ((fd = accept(listening, NULL, NULL)) != -1) {
		c = csa_new(struct conn);
		c->script = s;
		c->fd = fd;
		listed(c, true);
		CSA_MUST(pthread_create(&t, NULL, conn_main, c) == 0);
		pthread_detach(t);
	}
	close(listening);
	return NULL;
}

void
script_set(struct script *s, const struct step *step, int n)
{
	atomic_store(&s->step, step);
	atomic_store(&s->nsteps, n);
	atomic_store(&s->requests, 0);
	for (size_t i = 0; i < CSA_NITEMS(s->keyed); i++) {
		atomic_store(&s->keyed[i], 0);
		s->of_key[i] = NULL;
	}
}

void
script_up(struct script *s)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);
	pthread_t		 t;
	int			 on = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)s->port);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(s->fd, 1024), 0);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&a, &n), 0);
	s->port = ntohs(a.sin_port);
	ck_assert_int_eq(pthread_create(&t, NULL, accept_main, s), 0);
	pthread_detach(t);
}

void
script_down(struct script *s)
{
	/* Wakes whoever accepts; it closes. */
	shutdown(s->fd, SHUT_RDWR);
}

struct script *
script_start(void)
{
	static const struct step	 fine = { REPLY, 200, 0, NULL, NULL };
	/* All that were: their threads outlive a test. */
	static struct script		*last;
	struct script			*s = csa_new(struct script);

	s->before = last;
	last = s;
	script_set(s, &fine, 1);
	script_up(s);
	return s;
}
