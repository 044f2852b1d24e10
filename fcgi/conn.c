#include "config.h"

#include <sys/socket.h>
#include <sys/time.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <fastcgi.h>

#include "fcgi/conn.h"
#include "lib/base/clock.h"
#include "lib/text/num.h"

/* How long a peer may leave an answer unread. */
#define SEND_MS		30000

static const char *
header(void *arg, const char *name, unsigned *count)
{
	const struct csa_conn	*c = arg;
	const char		*value = NULL;
	size_t			 n = strlen(name);
	unsigned		 seen = 0;

	for (char **p = c->fcgi.envp; *p != NULL; p++) {
		if (**p != *name || strncmp(*p, name, n) != 0 ||
		    (*p)[n] != '=')
			continue;
		seen++;
		if (value == NULL && (*p)[n + 1] != '\0')
			value = *p + n + 1;
	}
	if (count != NULL)
		*count = seen;
	return value;
}

static const char *
param(struct csa_conn *c, const char *name)
{
	const char	*value = header(c, name, NULL);

	return value != NULL ? value : "";
}

/* The announced length, -1 where none is: the server streams the body. */
static int
announced(struct csa_conn *c, const struct csa_buf *b, int64_t *want,
    struct csa_err *err)
{
	unsigned	 count;
	const char	*s = header(c, "CONTENT_LENGTH", &count);
	size_t		 n;

	*want = -1;
	if (s == NULL)
		return 0;
	/* More digits than a number has are still a length, and too large. */
	if (count == 1 && csa_parse_size(s, &n) == 0) {
		if (n > b->max)
			return csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
			    "the request body is larger than %zu bytes",
			    b->max);
		*want = (int64_t)n;
		return 0;
	}
	if (count == 1 && s[strspn(s, "0123456789")] == '\0')
		return csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT, NULL);
	return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
	    "Content-Length is not a number");
}

/*
 * A process that is stopped and goes on, or that somebody traces, has its read
 * interrupted where that has a time limit, whatever SA_RESTART says (signal(7)).
 * FCGX_ClearError leaves the stream closed, for those that write; of one that
 * reads nothing is lost.
 */
static int
first_byte(FCGX_Stream *in)
{
	int	 ch;

	while ((ch = FCGX_GetChar(in)) == EOF && FCGX_GetError(in) == EINTR) {
		FCGX_ClearError(in);
		in->isClosed = 0;
	}
	return ch;
}

/*
 * Append what has arrived; only the first byte is waited for.  1, 0 at the end.
 */
static int
take(FCGX_Stream *in, struct csa_buf *b)
{
	int	 ch = first_byte(in);
	size_t	 n = (size_t)(in->stop - in->rdNext);

	if (ch == EOF)
		return 0;
	if (csa_buf_reserve(b, n + 1) == -1)
		return 1;
	b->data[b->len++] = (char)ch;
	b->len += (size_t)FCGX_GetStr(b->data + b->len, (int)n, in);
	b->data[b->len] = '\0';
	return 1;
}

static int
body_ended(struct csa_conn *c, const struct csa_buf *b, int64_t want,
    struct csa_err *err)
{
	int	 error = FCGX_GetError(c->fcgi.in);

	/* The deadline's shutdown looks like a peer that went away. */
	if (error == EAGAIN ||
	    (error != 0 && csa_now_ms() >= atomic_load(&c->read_by)))
		return csa_fail(err, CSA_ERR_BODY_TIMEOUT, CSA_SRC_CLIENT,
		    NULL);
	if (error != 0 || (want >= 0 && (int64_t)b->len < want))
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "the body is shorter than was announced");
	c->read_all = true;
	if (want >= 0 && (int64_t)b->len > want)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "the body is longer than was announced");
	return 0;
}

static int
read_body(struct csa_conn *c, struct csa_buf *b, struct csa_err *err)
{
	struct timeval	 silence = {
		.tv_sec = c->body_ms / 1000,
		.tv_usec = c->body_ms % 1000 * 1000,
	};
	int64_t		 want;

	if (announced(c, b, &want, err) == -1)
		return -1;
	/* One that stays silent ends here, one that dribbles at read_by. */
	(void)setsockopt(c->sink.fd, SOL_SOCKET, SO_RCVTIMEO, &silence,
	    sizeof(silence));
	if (want > 0)
		(void)csa_buf_reserve(b, (size_t)want);
	while (take(c->fcgi.in, b) == 1)
		if (b->failed)
			return csa_fail(err, CSA_ERR_TOO_LARGE, CSA_SRC_CLIENT,
			    "the request body is larger than %zu bytes",
			    b->max);
	return body_ended(c, b, want, err);
}

static int
body(void *arg, struct csa_buf *b, struct csa_err *err)
{
	struct csa_conn	*c = arg;
	int		 ret;

	atomic_store(&c->read_by, c->req.ctx.deadline > 0 ?
	    c->req.ctx.deadline : INT64_MAX);
	ret = read_body(c, b, err);
	atomic_store(&c->read_by, 0);
	/* The request may wait for long; its reader has 8 kB. */
	FCGX_FreeStream(&c->fcgi.in);
	return ret;
}

static const struct csa_req_io io = { header, body };

void
csa_conn_init(struct csa_conn *c, long body_ms)
{
	/* -1: a peer that is no FastCGI server must not lead into an accept. */
	(void)FCGX_InitRequest(&c->fcgi, -1, 0);
	c->fcgi.ipcFd = -1;
	c->body_ms = body_ms;
	atomic_init(&c->read_by, 0);
}

static void
fill_request(struct csa_conn *c, int64_t accepted_ns)
{
	c->req = (struct csa_req){
		.method = param(c, "REQUEST_METHOD"),
		.target = param(c, "REQUEST_URI"),
		.path = "",
		.query = "",
		.remote_addr = param(c, "REMOTE_ADDR"),
		.content_type = param(c, "CONTENT_TYPE"),
		.started = accepted_ns,
		.io = &io,
		.io_arg = c,
	};
}

int
csa_conn_open(struct csa_conn *c, int fd, int64_t accepted_ns)
{
	int	 ret;

	atomic_store(&c->read_by, csa_now_ms() + CSA_HEAD_MS);
	c->read_all = false;
	/*
	 * FCGX_Accept_r first finishes the last request, and closes ipcFd
	 * unless the connection is one to be kept.  detached: where it gives up
	 * it closes without waiting for the peer.
	 */
	c->fcgi.ipcFd = fd;
	c->fcgi.keepConnection = 1;
	c->fcgi.detached = 1;
	ret = FCGX_Accept_r(&c->fcgi);
	atomic_store(&c->read_by, 0);
	if (ret < 0) {
		c->fcgi.ipcFd = -1;
		return -1;
	}
	/* libfcgi's writers, of more than 8 kB, have nothing to do here. */
	FCGX_FreeStream(&c->fcgi.out);
	FCGX_FreeStream(&c->fcgi.err);
	csa_fsink_init(&c->sink, fd, c->fcgi.requestId, SEND_MS);
	if (c->fcgi.role != FCGI_RESPONDER) {
		(void)csa_fsink_end(&c->sink, FCGI_UNKNOWN_ROLE);
		(void)csa_conn_close(c);
		close(fd);
		return -1;
	}
	fill_request(c, accepted_ns);
	return 0;
}

bool
csa_conn_close(struct csa_conn *c)
{
	(void)csa_fsink_end(&c->sink, FCGI_REQUEST_COMPLETE);
	/* 0: the descriptor stays; its end is ours to choose. */
	FCGX_Free(&c->fcgi, 0);
	c->fcgi.ipcFd = -1;
	return !c->read_all && !c->sink.gone;
}
