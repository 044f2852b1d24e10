#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <string.h>
#include <strings.h>

#include "bench/httpreq.h"

#define HEAD_MAX	32768	/* a longer head is none of our clients' */
#define BODY_MAX	(64u << 20)

bool
csa_slice_is(struct csa_slice s, const char *text)
{
	return s.len == strlen(text) && memcmp(s.p, text, s.len) == 0;
}

bool
csa_slice_ends(struct csa_slice s, const char *text)
{
	size_t	 n = strlen(text);

	return s.len >= n && memcmp(s.p + s.len - n, text, n) == 0;
}

bool
csa_slice_starts(struct csa_slice s, const char *text)
{
	size_t	 n = strlen(text);

	return s.len >= n && memcmp(s.p, text, n) == 0;
}

static bool
same_word(struct csa_slice s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.p, word, s.len) == 0;
}

/* "METHOD SP target SP HTTP/1.x" */
static int
parse_line(struct csa_httpreq *req, struct csa_slice line)
{
	const char	*end = line.p + line.len, *target, *version, *mark;

	if ((target = memchr(line.p, ' ', line.len)) == NULL)
		return -1;
	req->method = (struct csa_slice){ line.p, (size_t)(target - line.p) };
	target++;
	if ((version = memchr(target, ' ', (size_t)(end - target))) == NULL ||
	    end - version != 9 || memcmp(version, " HTTP/1.", 8) != 0)
		return -1;
	req->closes = version[8] == '0';
	mark = memchr(target, '?', (size_t)(version - target));
	req->path = (struct csa_slice){ target,
	    (size_t)((mark != NULL ? mark : version) - target) };
	if (mark != NULL)
		req->query = (struct csa_slice){ mark + 1,
		    (size_t)(version - mark - 1) };
	return 0;
}

static int
parse_length(size_t *len, struct csa_slice value)
{
	*len = 0;
	if (value.len == 0)
		return -1;
	for (size_t i = 0; i < value.len; i++) {
		if (value.p[i] < '0' || value.p[i] > '9')
			return -1;
		*len = *len * 10 + (size_t)(value.p[i] - '0');
		if (*len > BODY_MAX)
			return -1;
	}
	return 0;
}

static int
parse_field(struct csa_httpreq *req, struct csa_slice line)
{
	const char		*colon = memchr(line.p, ':', line.len);
	struct csa_slice	 name, value;

	if (colon == NULL)
		return -1;
	name = (struct csa_slice){ line.p, (size_t)(colon - line.p) };
	value = (struct csa_slice){ colon + 1, line.len - name.len - 1 };
	for (; value.len > 0 && *value.p == ' '; value.p++)
		value.len--;

	if (same_word(name, "content-length"))
		return parse_length(&req->body_len, value);
	if (same_word(name, "host"))
		req->host = value;
	else if (same_word(name, "x-forwarded-proto"))
		req->proto = value;
	else if (same_word(name, "x-pinecone-api-version"))
		req->api_version = value;
	else if (same_word(name, "transfer-encoding"))
		req->chunked = true;
	else if (same_word(name, "expect"))
		req->expects = same_word(value, "100-continue");
	else if (same_word(name, "connection") && same_word(value, "close"))
		req->closes = true;
	return 0;
}

int
csa_httpreq_parse(struct csa_httpreq *req, const char *buf, size_t len)
{
	const char	*end = memmem(buf, len, "\r\n\r\n", 4), *eol;

	if (end == NULL)
		return len > HEAD_MAX ? -1 : 0;
	memset(req, 0, sizeof(*req));
	req->head_len = (size_t)(end - buf) + 4;
	for (const char *p = buf; p < end + 2; p = eol + 2) {
		struct csa_slice line;

		eol = memmem(p, (size_t)(end + 2 - p), "\r\n", 2);
		line = (struct csa_slice){ p, (size_t)(eol - p) };
		if ((p == buf ? parse_line : parse_field)(req, line) == -1)
			return -1;
	}
	return 1;
}
