#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/provider_internal.h"

static bool
is_address(const char *s)
{
	return (strncmp(s, "http://", 7) == 0 ||
	    strncmp(s, "https://", 8) == 0) && csa_up_plain(s, strlen(s)) &&
	    strpbrk(s, "?#\\\"<>") == NULL;
}

static void
hint(int status, const char *body, size_t len, struct csa_up_hint *h)
{
	struct csa_provider_error	 e;

	(void)status;
	csa_provider_error_read(&e, body, len, "");
	h->retry_s = e.retry_s;
	h->key_refused = e.key_refused;
}

int
csa_remote_init(struct csa_remote *r, const struct csa_config *config,
    struct csa_http *http, enum csa_source source, const char *base,
    const char *auth, const char *keys, struct csa_err *err)
{
	struct csa_upstream_opts o = { source, base, auth, keys, hint };
	size_t			 n = strlen(base);

	memset(r, 0, sizeof(*r));
	if (!is_address(base))
		return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "the address configured for %s must be http:// or https:// "
		    "without a query", csa_source_name(source));
	while (n > 0 && base[n - 1] == '/')
		n--;
	r->source = source;
	if ((r->up = csa_upstream_open(config, http, &o, err)) == NULL)
		return -1;
	r->base = csa_strndup(base, n);
	return 0;
}

void
csa_remote_fini(struct csa_remote *r)
{
	csa_upstream_close(r->up);
	free(r->base);
	memset(r, 0, sizeof(*r));
}

struct csa_up_call *
csa_remote_start(const struct csa_remote *r, struct csa_ctx *ctx,
    struct csa_up_req req)
{
	static const char *const	 header[] = {
		"Content-Type: application/json",
	};

	req.method = "POST";
	req.headers = header;
	req.nheaders = 1;
	req.deadline = ctx->deadline;
	return csa_up_start(r->up, ctx->waiter, &req);
}

int
csa_remote_status_error(const struct csa_remote *r,
    const struct csa_up_call *call, struct csa_err *err)
{
	const char	*body;
	size_t		 len;

	body = csa_up_body(call, &len);
	return csa_remote_body_error(r, call, body, len, err);
}

int
csa_remote_body_error(const struct csa_remote *r,
    const struct csa_up_call *call, const char *body, size_t len,
    struct csa_err *err)
{
	struct csa_provider_error	 e;

	csa_provider_error_read(&e, body, len, csa_up_key(call));
	csa_up_status_error(call, err);
	return csa_fail_detail(err, "%s: status %d: %s",
	    csa_source_name(r->source), csa_up_status(call), e.message);
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
