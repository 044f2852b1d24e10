#include "config.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <fastcgi.h>

#include "fcgi/linger.h"
#include "fcgi/sink.h"
#include "handlers/fail.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "lib/text/digest.h"

#define LINGER_MS	1000
#define TRASH		16384	/* thrown away in one turn, of one peer */

struct entry {
	int		 fd;
	bool		 answered;
	int64_t		 until;
};

struct csa_linger {
	struct entry	 e[CSA_LINGER_MAX];	/* oldest first */
	size_t		 n;
};

struct csa_linger *
csa_linger_new(void)
{
	return csa_new(struct csa_linger);
}

void
csa_linger_free(struct csa_linger *l)
{
	if (l == NULL)
		return;
	while (l->n > 0)
		close(l->e[--l->n].fd);
	free(l);
}

/* The refusal; a client that comes back at once would find no place either. */
static void
say_busy(int fd, int id)
{
	struct csa_fsink	 sink;
	struct csa_resp		 resp;
	struct csa_err		 err;
	uint8_t			 dice;
	char			 request[33];

	csa_random_id(request);
	csa_random(&dice, 1);
	(void)csa_fail(&err, CSA_ERR_OVERLOADED, CSA_SRC_AGENT, NULL);
	err.retry_after = 1 + dice % 3;
	/* Fresh connections have room for it; nobody is waited for here. */
	csa_fsink_init(&sink, fd, id, 0);
	csa_resp_init(&resp, &sink.base);
	csa_resp_header(&resp, "X-Request-Id", request);
	csa_send_error(&resp, &err, request);
	csa_resp_fini(&resp);
	(void)csa_fsink_end(&sink, FCGI_REQUEST_COMPLETE);
}

/*
 * Read the request's number and answer.  1, 0: not there yet, -1: no request.
 */
static int
answer(int fd)
{
	unsigned char	 h[FCGI_HEADER_LEN];
	ssize_t		 n;

	n = recv(fd, h, sizeof(h), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	/*
	 * No server sends less than a whole record; waiting for more would
	 * spin.
	 */
	if (n < FCGI_HEADER_LEN)
		return -1;
	if (h[0] != FCGI_VERSION_1 || h[1] != FCGI_BEGIN_REQUEST)
		return -1;
	say_busy(fd, h[2] << 8 | h[3]);
	(void)shutdown(fd, SHUT_WR);
	return 1;
}

/* Throw away what came.  Returns whether the peer has closed. */
static bool
drain(int fd)
{
	char	 trash[TRASH];
	ssize_t	 n;

	n = recv(fd, trash, sizeof(trash), MSG_DONTWAIT);
	return n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR);
}

/* One step; false once the connection is done with. */
static bool
step(struct entry *e)
{
	int	 ret;

	if (!e->answered) {
		if ((ret = answer(e->fd)) == -1)
			return false;
		e->answered = ret == 1;
	}
	return !e->answered || !drain(e->fd);
}

static void
drop(struct csa_linger *l, size_t i)
{
	CSA_MUST(i < l->n);
	close(l->e[i].fd);
	l->n--;
	memmove(&l->e[i], &l->e[i + 1], (l->n - i) * sizeof(l->e[0]));
}

static void
add(struct csa_linger *l, int fd, bool answered)
{
	struct entry	 e = { fd, answered, csa_now_ms() + LINGER_MS };

	if (!step(&e)) {
		close(fd);
		return;
	}
	if (l->n == CSA_LINGER_MAX)
		drop(l, 0);
	l->e[l->n++] = e;
}

void
csa_linger_refuse(struct csa_linger *l, int fd)
{
	add(l, fd, false);
}

void
csa_linger_close(struct csa_linger *l, int fd)
{
	(void)shutdown(fd, SHUT_WR);
	add(l, fd, true);
}

size_t
csa_linger_poll(struct csa_linger *l, struct pollfd *p)
{
	for (size_t i = 0; i < l->n; i++)
		p[i] = (struct pollfd){ .fd = l->e[i].fd, .events = POLLIN };
	return l->n;
}

void
csa_linger_turn(struct csa_linger *l, const struct pollfd *p, size_t n)
{
	int64_t	 now;

	CSA_MUST(n == l->n);
	if (n == 0)
		return;
	now = csa_now_ms();
	/* From the end, so that what is dropped moves nothing still to come. */
	while (n-- > 0)
		if (now >= l->e[n].until ||
		    (p[n].revents != 0 && !step(&l->e[n])))
			drop(l, n);
}

int64_t
csa_linger_due(const struct csa_linger *l)
{
	/* All stay equally long, so the first is the first to go. */
	return l->n > 0 ? l->e[0].until : INT64_MAX;
}
