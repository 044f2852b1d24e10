#include "config.h"

#include <sys/queue.h>
#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>

#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "tests/unit/http_relay.h"

struct pipe_pair {
	struct relay		*relay;
	int			 fd[2];		/* the client's, the server's */
	int			 number;
	pthread_t		 thread;
	SLIST_ENTRY(pipe_pair)	 entry;
};

struct relay {
	int			 fd, port, to;
	atomic_int		 connections;
	atomic_int		 cut;		/* those up to this number */
	atomic_int		 how;
	atomic_bool		 stop;
	pthread_t		 thread;
	SLIST_HEAD(, pipe_pair)	 pairs;
};

/* Some bytes from one side to the other; -1: that was all. */
static int
pump(struct pipe_pair *p, int from)
{
	char	 part[16384];
	ssize_t	 n = recv(p->fd[from], part, sizeof(part), 0), put;

	if (n <= 0 || (from == 0 && p->number <= atomic_load(&p->relay->cut)))
		return -1;
	for (ssize_t at = 0; at < n; at += put)
		if ((put = send(p->fd[!from], part + at, (size_t)(n - at),
		    MSG_NOSIGNAL)) <= 0)
			return -1;
	return 0;
}

static void *
pair_main(void *arg)
{
	struct pipe_pair	*p = arg;
	struct pollfd		 q[2] = { { .fd = p->fd[0], .events = POLLIN },
				    { .fd = p->fd[1], .events = POLLIN } };
	struct linger		 l = { .l_onoff = 1, .l_linger = 0 };

	while (!atomic_load(&p->relay->stop)) {
		if (poll(q, 2, 20) <= 0)
			continue;
		if ((q[0].revents && pump(p, 0) == -1) ||
		    (q[1].revents && pump(p, 1) == -1))
			break;
	}
	if (p->number <= atomic_load(&p->relay->cut) &&
	    atomic_load(&p->relay->how) == CUT_RESET)
		setsockopt(p->fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	close(p->fd[0]);
	close(p->fd[1]);
	return NULL;
}

static int
connect_to(int port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	int			 fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	CSA_MUST(connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void *
accept_main(void *arg)
{
	struct relay		*r = arg;
	struct pipe_pair	*p;
	int			 fd, on = 1;

	while ((fd = accept(r->fd, NULL, NULL)) != -1) {
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		p = csa_new(struct pipe_pair);
		p->relay = r;
		p->fd[0] = fd;
		p->fd[1] = connect_to(r->to);
		p->number = atomic_fetch_add(&r->connections, 1) + 1;
		SLIST_INSERT_HEAD(&r->pairs, p, entry);
		CSA_MUST(pthread_create(&p->thread, NULL, pair_main, p) == 0);
	}
	return NULL;
}

struct relay *
relay_start(int to_port)
{
	struct relay		*r = csa_new(struct relay);
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	socklen_t		 n = sizeof(a);

	SLIST_INIT(&r->pairs);
	r->to = to_port;
	r->fd = socket(AF_INET, SOCK_STREAM, 0);
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ck_assert_int_eq(bind(r->fd, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(r->fd, 1024), 0);
	ck_assert_int_eq(getsockname(r->fd, (struct sockaddr *)&a, &n), 0);
	r->port = ntohs(a.sin_port);
	ck_assert_int_eq(pthread_create(&r->thread, NULL, accept_main, r), 0);
	return r;
}

int
relay_port(const struct relay *r)
{
	return r->port;
}

int
relay_connections(const struct relay *r)
{
	return atomic_load(&r->connections);
}

void
relay_cut(struct relay *r, enum cut how)
{
	atomic_store(&r->how, (int)how);
	atomic_store(&r->cut, atomic_load(&r->connections));
}

void
relay_stop(struct relay *r)
{
	struct pipe_pair	*p;

	shutdown(r->fd, SHUT_RDWR);
	pthread_join(r->thread, NULL);
	close(r->fd);
	atomic_store(&r->stop, true);
	while ((p = SLIST_FIRST(&r->pairs)) != NULL) {
		SLIST_REMOVE_HEAD(&r->pairs, entry);
		pthread_join(p->thread, NULL);
		free(p);
	}
	free(r);
}
