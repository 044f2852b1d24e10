#include "config.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

#include <fastcgi.h>

#include "fcgi/sink.h"
#include "lib/base/must.h"

/* A multiple of eight, so that no record needs padding but the last. */
#define RECORDMAX	65528
#define PADMAX		7

/* What stands behind the content of a record: padding, and in the last record
 * the end of the output and of the request. */
struct tail {
	unsigned char	 pad[PADMAX];
	unsigned char	 end[8 + 8 + 8];
};

static size_t
put_head(unsigned char *p, int type, int id, size_t n)
{
	size_t	 pad = (8 - n % 8) % 8;

	CSA_MUST(n <= FCGI_MAX_LENGTH);
	p[0] = FCGI_VERSION_1;
	p[1] = (unsigned char)type;
	p[2] = (unsigned char)(id >> 8);
	p[3] = (unsigned char)id;
	p[4] = (unsigned char)(n >> 8);
	p[5] = (unsigned char)n;
	p[6] = (unsigned char)pad;
	p[7] = 0;
	return pad;
}

/* Wait until fd takes more; -1 when it doesn't within the sink's patience. */
static int
wait_writable(const struct csa_fsink *s)
{
	struct pollfd	 p = { .fd = s->fd, .events = POLLOUT };
	int		 n;

	while ((n = poll(&p, 1, s->wait_ms)) == -1 && errno == EINTR)
		;
	return n == 1 ? 0 : -1;
}

static void
advance(struct msghdr *m, size_t n)
{
	while (m->msg_iovlen > 0 && n >= m->msg_iov->iov_len) {
		n -= m->msg_iov->iov_len;
		m->msg_iov++;
		m->msg_iovlen--;
	}
	if (n > 0) {
		m->msg_iov->iov_base = (char *)m->msg_iov->iov_base + n;
		m->msg_iov->iov_len -= n;
	}
}

static int
send_all(struct csa_fsink *s, struct iovec *iov, size_t niov)
{
	struct msghdr	 m = { .msg_iov = iov, .msg_iovlen = niov };
	ssize_t		 n;

	while (!s->gone && m.msg_iovlen > 0) {
		n = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0)
			advance(&m, (size_t)n);
		else if ((errno != EAGAIN || wait_writable(s) == -1) &&
		    errno != EINTR)
			s->gone = true;
	}
	return s->gone ? -1 : 0;
}

/*
 * Send what is collected and then data, the first record holding both; and the
 * request's end with the last one, where nend is not 0.
 */
static int
send_records(struct csa_fsink *s, const unsigned char *data, size_t n,
    struct tail *tail, size_t nend)
{
	unsigned char	 head[8], *at = s->buf;
	struct iovec	 iov[3];
	size_t		 used = s->used, part, pad;

	s->used = 0;
	do {
		part = n < RECORDMAX - used ? n : RECORDMAX - used;
		pad = put_head(at, FCGI_STDOUT, s->id, used + part);
		iov[0] = (struct iovec){ at, 8 + used };
		/* The kernel only reads; iovec has no const. */
		iov[1] = (struct iovec){ (void *)(uintptr_t)data, part };
		iov[2] = (struct iovec){ tail->pad + PADMAX - pad,
		    pad + (part == n ? nend : 0) };
		if (send_all(s, iov, 3) == -1)
			return -1;
		data = part > 0 ? data + part : data;
		n -= part;
		used = 0;
		at = head;
	} while (n > 0);
	return 0;
}

static int
sink_write(struct csa_sink *base, const void *data, size_t n)
{
	struct csa_fsink	*s = (struct csa_fsink *)base;
	struct tail		 tail = { 0 };

	CSA_MUST(!s->ended);
	if (s->gone)
		return -1;
	if (n > CSA_SINK_ROOM - s->used)
		return send_records(s, data, n, &tail, 0);
	memcpy(s->buf + 8 + s->used, data, n);
	s->used += n;
	return 0;
}

static int
sink_flush(struct csa_sink *base)
{
	struct csa_fsink	*s = (struct csa_fsink *)base;
	struct tail		 tail = { 0 };

	if (s->gone)
		return -1;
	return s->used > 0 ? send_records(s, NULL, 0, &tail, 0) : 0;
}

static int
end_with(struct csa_fsink *s, const void *data, size_t n, int protocol_status)
{
	struct tail	 tail = { 0 };
	struct iovec	 iov = { tail.end, sizeof(tail.end) };

	if (s->ended || s->gone)
		return s->gone ? -1 : 0;
	s->ended = true;
	(void)put_head(tail.end, FCGI_STDOUT, s->id, 0);
	(void)put_head(tail.end + 8, FCGI_END_REQUEST, s->id, 8);
	tail.end[20] = (unsigned char)protocol_status;
	/* A record without content would be the end already. */
	if (s->used == 0 && n == 0)
		return send_all(s, &iov, 1);
	return send_records(s, data, n, &tail, sizeof(tail.end));
}

int
csa_fsink_end(struct csa_fsink *s, int protocol_status)
{
	return end_with(s, NULL, 0, protocol_status);
}

static int
sink_end(struct csa_sink *base, const void *data, size_t n)
{
	struct csa_fsink	*s = (struct csa_fsink *)base;

	CSA_MUST(!s->ended);
	return end_with(s, data, n, FCGI_REQUEST_COMPLETE);
}

static const struct csa_sink_ops ops = {
	.write = sink_write,
	.flush = sink_flush,
	.end = sink_end,
};

void
csa_fsink_init(struct csa_fsink *s, int fd, int id, int wait_ms)
{
	s->base.ops = &ops;
	s->fd = fd;
	s->id = id;
	s->wait_ms = wait_ms;
	s->gone = s->ended = false;
	s->used = 0;
}
