#include "config.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "lib/web/resp.h"

/* nginx takes 4 kB of header by default; ours stay well below. */
#define HEADERMAX	3072

static const struct {
	int		 status;
	const char	*text;
} phrases[] = {
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 304, "Not Modified" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 415, "Unsupported Media Type" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 499, "Client Closed Request" },
	{ 500, "Internal Server Error" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
};

const char *
csa_status_text(int status)
{
	for (size_t i = 0; i < CSA_NITEMS(phrases); i++)
		if (phrases[i].status == status)
			return phrases[i].text;
	return "Unknown";
}

void
csa_resp_init(struct csa_resp *r, struct csa_sink *sink)
{
	*r = (struct csa_resp){ .sink = sink };
	csa_buf_init(&r->headers, HEADERMAX);
}

void
csa_resp_fini(struct csa_resp *r)
{
	csa_buf_fini(&r->headers);
}

static bool
printable(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	return true;
}

void
csa_resp_header(struct csa_resp *r, const char *name, const char *value)
{
	CSA_MUST(r->status == 0);
	/*
	 * A line end in a value would be another header, or another response.
	 */
	CSA_MUST(printable(name) && printable(value));
	csa_buf_puts(&r->headers, name);
	csa_buf_puts(&r->headers, ": ");
	csa_buf_puts(&r->headers, value);
	csa_buf_puts(&r->headers, "\r\n");
	CSA_MUST(!r->headers.failed);
}

static int
put(struct csa_resp *r, const void *data, size_t n)
{
	if (!r->gone && r->sink->ops->write(r->sink, data, n) == -1)
		r->gone = true;
	return r->gone ? -1 : 0;
}

int
csa_resp_begin(struct csa_resp *r, int status, const char *type, long length)
{
	struct csa_buf	 head;
	int		 ret;

	CSA_MUST(r->status == 0 && status >= 200 && status <= 599);
	CSA_MUST(printable(type));
	r->status = status;
	csa_buf_init(&head, HEADERMAX + 1024);
	/* What a proxy would compress it would first collect. */
	csa_buf_puts(&head, "Status: ");
	csa_buf_int(&head, status);
	csa_buf_putc(&head, ' ');
	csa_buf_puts(&head, csa_status_text(status));
	csa_buf_puts(&head, "\r\nContent-Type: ");
	csa_buf_puts(&head, type);
	csa_buf_puts(&head, length < 0 ?
	    "\r\nCache-Control: no-store, no-transform" :
	    "\r\nCache-Control: no-store");
	csa_buf_puts(&head, "\r\nX-Content-Type-Options: nosniff\r\n");
	if (length >= 0) {
		csa_buf_puts(&head, "Content-Length: ");
		csa_buf_int(&head, length);
		csa_buf_puts(&head, "\r\n");
	} else
		/* nginx would keep a stream back until it has a buffer full. */
		csa_buf_puts(&head, "X-Accel-Buffering: no\r\n");
	if (r->headers.len > 0)
		csa_buf_add(&head, r->headers.data, r->headers.len);
	csa_buf_puts(&head, "\r\n");
	CSA_MUST(!head.failed);
	ret = put(r, head.data, head.len);
	csa_buf_fini(&head);
	return ret;
}

int
csa_resp_write(struct csa_resp *r, const void *data, size_t n)
{
	CSA_MUST(r->status != 0);
	if (n == 0)
		return r->gone ? -1 : 0;
	if (put(r, data, n) == -1)
		return -1;
	r->written += n;
	return 0;
}

int
csa_resp_flush(struct csa_resp *r)
{
	if (!r->gone && r->sink->ops->flush(r->sink) == -1)
		r->gone = true;
	return r->gone ? -1 : 0;
}

/* The sink's end, without the hook that was called before the head. */
static int
put_end(struct csa_resp *r, const void *data, size_t n)
{
	if (r->gone)
		return -1;
	if (r->sink->ops->end == NULL)
		return csa_resp_write(r, data, n) == -1 ? -1 :
		    csa_resp_flush(r);
	if (r->sink->ops->end(r->sink, data, n) == -1) {
		r->gone = true;
		return -1;
	}
	r->written += n;
	return 0;
}

int
csa_resp_end(struct csa_resp *r, const void *data, size_t n)
{
	CSA_MUST(r->status != 0);
	if (r->ending != NULL)
		r->ending(r->ending_arg, r->status);
	return put_end(r, data, n);
}

int
csa_resp_send(struct csa_resp *r, int status, const char *type,
    const void *body, size_t n)
{
	CSA_MUST(n < 0x7fffffff);
	if (r->ending != NULL)
		r->ending(r->ending_arg, status);
	if (csa_resp_begin(r, status, type, (long)n) == -1)
		return -1;
	return put_end(r, body, n);
}
