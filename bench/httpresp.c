#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bench/httpresp.h"
#include "bench/io.h"

void
csa_httpresp_reset(struct csa_httpresp *r)
{
	struct csa_bytes	 in = r->in;

	memset(r, 0, sizeof(*r));
	r->in = in;
	r->in.len = 0;
}

static void
read_field(struct csa_httpresp *r, const char *line)
{
	if (strncasecmp(line, "content-length:", 15) == 0) {
		r->framing = CSA_FRAMED_LENGTH;
		r->body_len = strtoul(line + 15, NULL, 10);
	} else if (strncasecmp(line, "transfer-encoding: chunked", 26) == 0)
		r->framing = CSA_FRAMED_CHUNKS;
	else if (strncasecmp(line, "connection: close", 17) == 0)
		r->keeps = false;
}

/* in is NUL-terminated and a CRLF CRLF is in it, so the scans stop. */
static int
read_head(struct csa_httpresp *r, const char *end)
{
	const char	*p = r->in.data;

	if (strncmp(p, "HTTP/1.", 7) != 0)
		return -1;
	r->status = atoi(p + 9);
	if (r->status < 100 || r->status > 599)
		return -1;
	r->head_len = (size_t)(end - p) + 4;
	r->chunk = r->head_len;
	r->framing = CSA_FRAMED_CLOSE;
	r->keeps = p[7] == '1';
	while ((p = strstr(p, "\r\n")) != NULL && p < end) {
		p += 2;
		read_field(r, p);
	}
	if (r->status == 204 || r->status == 304) {
		r->framing = CSA_FRAMED_LENGTH;
		r->body_len = 0;
	}
	return 0;
}

/* Step over whole chunks; 1 after the last one and its blank line. */
static int
skip_chunks(struct csa_httpresp *r)
{
	const char	*p, *eol;
	size_t		 n, next;

	for (;;) {
		if (r->chunk >= r->in.len || r->in.data == NULL)
			return 0;
		p = r->in.data + r->chunk;
		if (p == NULL)	/* never; gcc with -fsanitize wants it said */
			return 0;
		eol = memmem(p, r->in.len - r->chunk, "\r\n", 2);
		if (eol == NULL)
			return 0;
		n = strtoul(p, NULL, 16);
		next = (size_t)(eol + 2 - r->in.data) + n + 2;
		if (next > r->in.len)
			return 0;
		if (n == 0)
			return 1;
		r->chunk = next;
	}
}

int
csa_httpresp_check(struct csa_httpresp *r)
{
	const char	*end;

	if (r->in.len == 0)
		return 0;
	if (r->status == 0) {
		end = memmem(r->in.data, r->in.len, "\r\n\r\n", 4);
		if (end == NULL)
			return 0;
		if (read_head(r, end) == -1)
			return -1;
	}
	switch (r->framing) {
	case CSA_FRAMED_LENGTH:
		return r->in.len >= r->head_len + r->body_len;
	case CSA_FRAMED_CHUNKS:
		return skip_chunks(r);
	default:
		return 0;
	}
}

bool
csa_httpresp_closed(const struct csa_httpresp *r)
{
	return r->status != 0 && r->framing == CSA_FRAMED_CLOSE;
}

void
csa_httpresp_body(const struct csa_httpresp *r, struct csa_bytes *out)
{
	const char	*p = r->in.data + r->head_len, *eol;
	const char	*end = r->in.data + r->in.len;
	size_t		 n;

	if (r->framing != CSA_FRAMED_CHUNKS) {
		csa_add(out, p, (size_t)(end - p));
		return;
	}
	while ((n = strtoul(p, NULL, 16)) > 0) {
		eol = memmem(p, (size_t)(end - p), "\r\n", 2);
		if (eol == NULL || n > (size_t)(end - eol) - 2)
			return;
		csa_add(out, eol + 2, n);
		p = eol + 2 + n + 2;
	}
}
