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

static const unsigned char zeros[PADMAX];

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

/* Send what is collected and then data, the first record holding both. */
static int
send_records(struct csa_fsink *s, const unsigned char *data, size_t n)
{
	unsigned char	 head[8];
	struct iovec	 iov[3];
	size_t		 part, pad;

	part = n < RECORDMAX - s->used ? n : RECORDMAX - s->used;
	pad = put_head(s->buf, FCGI_STDOUT, s->id, s->used + part);
	iov[0] = (struct iovec){ s->buf, 8 + s->used };
	s->used = 0;
	for (;;) {
		/* The kernel only reads; iovec has no const. */
		iov[1] = (struct iovec){ (void *)(uintptr_t)data, part };
		iov[2] = (struct iovec){ (void *)(uintptr_t)zeros, pad };
		if (send_all(s, iov, 3) == -1)
			return -1;
		data += part;
		if ((n -= part) == 0)
			return 0;
		part = n < RECORDMAX ? n : RECORDMAX;
		pad = put_head(head, FCGI_STDOUT, s->id, part);
		iov[0] = (struct iovec){ head, 8 };
	}
}

static int
sink_write(struct csa_sink *base, const void *data, size_t n)
{
	struct csa_fsink	*s = (struct csa_fsink *)base;

	CSA_MUST(!s->ended);
	if (s->gone)
		return -1;
	if (n > CSA_SINK_ROOM - s->used)
		return send_records(s, data, n);
	memcpy(s->buf + 8 + s->used, data, n);
	s->used += n;
	return 0;
}

static int
sink_flush(struct csa_sink *base)
{
	struct csa_fsink	*s = (struct csa_fsink *)base;

	if (s->gone)
		return -1;
	return s->used > 0 ? send_records(s, NULL, 0) : 0;
}

int
csa_fsink_end(struct csa_fsink *s, int protocol_status)
{
	struct iovec	 iov;
	unsigned char	*p = s->buf;
	size_t		 pad;

	if (s->ended || s->gone)
		return s->gone ? -1 : 0;
	s->ended = true;
	if (s->used > 0) {
		pad = put_head(p, FCGI_STDOUT, s->id, s->used);
		p += 8 + s->used;
		memset(p, 0, pad);
		p += pad;
		s->used = 0;
	}
	(void)put_head(p, FCGI_STDOUT, s->id, 0);
	(void)put_head(p + 8, FCGI_END_REQUEST, s->id, 8);
	memset(p + 16, 0, 8);
	p[20] = (unsigned char)protocol_status;
	iov = (struct iovec){ s->buf, (size_t)(p + 24 - s->buf) };
	return send_all(s, &iov, 1);
}

static int
sink_end(struct csa_sink *base)
{
	return csa_fsink_end((struct csa_fsink *)base, FCGI_REQUEST_COMPLETE);
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
