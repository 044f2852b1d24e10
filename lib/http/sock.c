/*
 * sock: the sockets and the timer that curl wants watched.
 *
 * curl's "no longer" is never passed on.  A kept-alive connection stays in the
 * epoll set while it is idle: taking it out after every exchange and putting
 * it back before the next would be two system calls for nothing.  And curl
 * (7.88) says it about a connection that was not made after closing the
 * descriptor, when the number may be another thread's already.  What is closed
 * has left the set, and what is not is taken out if it ever reports something
 * that nobody wants.
 */

#include "config.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

static struct csa_sock *
sock(struct csa_http *h, int fd)
{
	size_t	 n = h->nsocks;

	CSA_MUST(fd >= 0);
	if ((size_t)fd >= n) {
		n = (size_t)fd + 64;
		h->socks = csa_realloc(h->socks, n, sizeof(*h->socks));
		memset(h->socks + h->nsocks, 0,
		    (n - h->nsocks) * sizeof(*h->socks));
		h->nsocks = n;
	}
	return &h->socks[fd];
}

static void
set_mask(struct csa_http *h, int fd, uint8_t mask)
{
	struct csa_sock		*s = sock(h, fd);
	struct epoll_event	 ev = { .events = mask };
	int			 op;

	if (s->mask == mask)
		return;
	ev.data.u64 = CSA_EVENT_SOCK | (uint64_t)fd;
	op = s->mask == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	s->mask = mask;
	if (epoll_ctl(h->epfd, op, fd, &ev) == 0)
		return;
	/* Closed and opened again behind our back, or still there. */
	op = errno == ENOENT ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	CSA_MUST(epoll_ctl(h->epfd, op, fd, &ev) == 0);
}

/* CURLMOPT_SOCKETFUNCTION */
int
csa_sock_wanted(CURL *easy, curl_socket_t fd, int what, void *http, void *p)
{
	struct csa_http	*h = http;
	struct csa_sock	*s = sock(h, fd);
	uint8_t		 mask;

	(void)easy;
	(void)p;
	s->wanted = what != CURL_POLL_REMOVE;
	if (what == CURL_POLL_REMOVE) {
		/*
		 * Only of a connection that was made, and therefore read from,
		 * will we learn when it is closed.  Of others believe nothing.
		 */
		if (!s->ours || !(s->mask & EPOLLIN))
			s->mask = 0;
		return 0;
	}
	mask = what == CURL_POLL_IN ? EPOLLIN :
	    what == CURL_POLL_OUT ? EPOLLOUT : EPOLLIN | EPOLLOUT;
	set_mask(h, fd, mask);
	return 0;
}

/* CURLMOPT_TIMERFUNCTION; a driver that would sleep past it is woken. */
int
csa_sock_timer(CURLM *multi, long ms, void *http)
{
	struct csa_http	*h = http;

	(void)multi;
	h->timer = ms < 0 ? -1 : csa_now_ms() + ms;
	return 0;
}

/* CURLOPT_OPENSOCKETFUNCTION */
curl_socket_t
csa_sock_open(void *http, curlsocktype purpose, struct curl_sockaddr *a)
{
	struct csa_http	*h = http;
	int		 fd;

	(void)purpose;
	fd = socket(a->family, a->socktype | SOCK_CLOEXEC, a->protocol);
	if (fd == -1)
		return CURL_SOCKET_BAD;
	memset(sock(h, fd), 0, sizeof(struct csa_sock));
	sock(h, fd)->ours = 1;
	return fd;
}

/* CURLOPT_CLOSESOCKETFUNCTION */
int
csa_sock_close(void *http, curl_socket_t fd)
{
	/* Closing takes it out of the epoll set as well. */
	memset(sock(http, fd), 0, sizeof(struct csa_sock));
	return close(fd);
}

/*
 * An event.  It may be stale: meant for a connection that has been closed and
 * whose number another one has now.  Saying "ready" to that one is harmless, it
 * will find EAGAIN; saying "error" would end it.  So errors are passed on as
 * readiness, and the next read or write finds them.
 */
void
csa_sock_ready(struct csa_http *h, int fd, uint32_t events)
{
	struct csa_sock	*s = sock(h, fd);
	int		 what = 0, running;

	if (!s->wanted) {
		/* An idle connection was closed by its peer, say. */
		s->mask = 0;
		epoll_ctl(h->epfd, EPOLL_CTL_DEL, fd, NULL);
		return;
	}
	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP)) {
		if (s->mask & EPOLLIN)
			what |= CURL_CSELECT_IN;
		if (s->mask & EPOLLOUT)
			what |= CURL_CSELECT_OUT;
	}
	curl_multi_socket_action(h->multi, fd, what, &running);
}
