#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/provider_internal.h"

/* Would s break out of a header line or an address? */
static bool
is_plain(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= 0x20 || *s == 0x7f)
			return false;
	return true;
}

static bool
is_address(const char *s)
{
	return (strncmp(s, "http://", 7) == 0 ||
	    strncmp(s, "https://", 8) == 0) && is_plain(s) &&
	    strpbrk(s, "?#\\\"<>") == NULL;
}

int
csa_remote_init(struct csa_remote *r, struct csa_http *http,
    enum csa_source source, const char *base, const char *auth,
    const char *key, struct csa_err *err)
{
	size_t	 n = strlen(base);

	memset(r, 0, sizeof(*r));
	if (!is_address(base))
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the address configured for %s must be http:// or https:// "
		    "without a query", csa_source_name(source));
	if (!is_plain(key))
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the key configured for %s has white space in it",
		    csa_source_name(source));
	while (n > 0 && base[n - 1] == '/')
		n--;
	r->http = http;
	r->source = source;
	r->base = csa_strndup(base, n);
	r->key = key;
	r->header[r->nheaders++] = csa_strdup("Content-Type: application/json");
	if (key[0] != '\0') {
		size_t	 size = strlen(auth) + strlen(key) + 1;
		char	*h = csa_malloc(size);

		snprintf(h, size, "%s%s", auth, key);
		r->header[r->nheaders++] = h;
	}
	return 0;
}

void
csa_remote_fini(struct csa_remote *r)
{
	free(r->base);
	for (size_t i = 0; i < r->nheaders; i++)
		free(r->header[i]);
	memset(r, 0, sizeof(*r));
}

static struct csa_http_call *
start(const struct csa_remote *r, struct csa_ctx *ctx, const char *operation,
    const char *url, const struct csa_buf *body, size_t max_reply, bool stream)
{
	const char	*header[CSA_MAX_HEADERS];
	struct csa_http_req req = {
		.source = r->source,
		.operation = operation,
		.method = "POST",
		.url = url,
		.headers = header,
		.nheaders = r->nheaders,
		.body = body->data,
		.len = body->len,
		.max_reply = max_reply,
		.deadline = ctx->deadline,
		.stream = stream,
	};

	for (size_t i = 0; i < r->nheaders; i++)
		header[i] = r->header[i];
	return csa_http_start(r->http, ctx->waiter, &req);
}

struct csa_http_call *
csa_remote_post(const struct csa_remote *r, struct csa_ctx *ctx,
    const char *operation, const char *url, const struct csa_buf *body,
    size_t max_reply)
{
	return start(r, ctx, operation, url, body, max_reply, false);
}

struct csa_http_call *
csa_remote_stream(const struct csa_remote *r, struct csa_ctx *ctx,
    const char *operation, const char *url, const struct csa_buf *body,
    size_t max_reply)
{
	return start(r, ctx, operation, url, body, max_reply, true);
}

int
csa_remote_status_error(const struct csa_remote *r,
    const struct csa_http_call *call, struct csa_err *err)
{
	const char	*body;
	size_t		 len;

	body = csa_http_body(call, &len);
	return csa_remote_body_error(r, call, body, len, err);
}

int
csa_remote_body_error(const struct csa_remote *r,
    const struct csa_http_call *call, const char *body, size_t len,
    struct csa_err *err)
{
	struct csa_provider_error	 e;

	csa_provider_error_read(&e, body, len, r->key);
	csa_http_status_error(call, e.retry_s, err);
	return csa_fail_detail(err, "%s: status %d: %s",
	    csa_source_name(r->source), csa_http_status(call), e.message);
}

char *
csa_space_name(const char *model, long dimensions)
{
	size_t	 size = strlen(model) + 24;
	char	*s = csa_malloc(size);

	if (dimensions > 0)
		snprintf(s, size, "%s#%ld", model, dimensions);
	else
		snprintf(s, size, "%s", model);
	return s;
}
