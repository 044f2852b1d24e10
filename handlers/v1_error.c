#include "config.h"

#include <stdio.h>
#include <string.h>

#include "handlers/fail.h"
#include "handlers/v1_error.h"
#include "lib/base/buf.h"
#include "lib/base/err.h"
#include "lib/base/mem.h"
#include "lib/web/req.h"
#include "lib/web/resp.h"

static bool
below_v1(const char *path)
{
	return strncmp(path, "/v1", 3) == 0 &&
	    (path[3] == '/' || path[3] == '\0' || path[3] == '?');
}

bool
csa_v1_path(const struct csa_req *req, const char *prefix)
{
	const char	*s = req->target;
	size_t		 n = strlen(prefix);

	if (req->path != NULL && req->path[0] != '\0')
		return below_v1(req->path);
	while (n > 0 && prefix[n - 1] == '/')
		n--;
	return s != NULL && strncmp(s, prefix, n) == 0 && below_v1(s + n);
}

/* Fields that messages begin with, and a client may have sent. */
static const char *const fields[] = {
	"chatsphere", "dimensions", "encoding_format", "input", "input_type",
	"max_completion_tokens", "max_tokens", "messages", "model", "n",
	"response_format", "stream", "stream_options", "temperature",
};

/*
 * The length of the field that msg begins with, as in "messages[0].content
 * must be ..."; 0 where it is about none.
 */
static size_t
field_of(const char *msg)
{
	size_t	 n, name;

	n = strspn(msg, "abcdefghijklmnopqrstuvwxyz_0123456789.[]");
	name = strcspn(msg, ".[ :");
	if (n < name || (msg[n] != ' ' && msg[n] != ':'))
		return 0;
	for (size_t i = 0; i < CSA_NITEMS(fields); i++)
		if (strlen(fields[i]) == name &&
		    memcmp(fields[i], msg, name) == 0)
			return n;
	return 0;
}

static const char *
type_of(const struct csa_errinfo *info)
{
	switch (info->status) {
	case 403:
		return "permission_error";
	case 429:
		return "rate_limit_error";
	default:
		return info->status < 500 ? "invalid_request_error" :
		    "server_error";
	}
}

static const char *
code_of(const struct csa_err *err, bool has_field)
{
	if (err->code == CSA_ERR_UNAUTHORIZED)
		return "invalid_api_key";
	if (err->code == CSA_ERR_NOT_FOUND && has_field)
		return "model_not_found";
	return csa_errinfo(err->code)->code;
}

/* What serves both names a field as /chat does. */
static const char *
message_of(const struct csa_err *err, char *text, size_t n)
{
	static const char	 theirs[] = "config_params.";

	if (strncmp(err->msg, theirs, sizeof(theirs) - 1) != 0)
		return err->msg;
	snprintf(text, n, "chatsphere.%s", err->msg + sizeof(theirs) - 1);
	return text;
}

void
csa_v1_error_json(struct csa_buf *b, const struct csa_err *err,
    const char *request_id)
{
	const struct csa_errinfo	*info = csa_errinfo(err->code);
	char				 text[sizeof(err->msg)];
	const char			*msg = message_of(err,
					     text, sizeof(text));
	size_t				 n = 0;

	if (err->source == CSA_SRC_CLIENT)
		n = field_of(msg);
	csa_buf_puts(b, "{\"error\":{\"message\":");
	csa_buf_jsonz(b, msg);
	csa_buf_addf(b, ",\"type\":\"%s\",\"param\":", type_of(info));
	if (n > 0)
		csa_buf_json(b, msg, n);
	else
		csa_buf_puts(b, "null");
	csa_buf_addf(b, ",\"code\":\"%s\",\"source\":\"%s\","
	    "\"retryable\":%s,\"request_id\":", code_of(err, n > 0),
	    csa_source_name(err->source), info->retryable ? "true" : "false");
	csa_buf_jsonz(b, request_id);
	csa_buf_puts(b, "}}");
}

void
csa_v1_send_error(struct csa_resp *resp, const struct csa_err *err,
    const char *request_id)
{
	const struct csa_errinfo	*info = csa_errinfo(err->code);
	struct csa_buf			 b;

	csa_error_retry(resp, err);
	csa_resp_header(resp, "X-Should-Retry",
	    info->retryable ? "true" : "false");
	csa_buf_init(&b, 8192);
	csa_v1_error_json(&b, err, request_id);
	(void)csa_resp_send(resp, info->status,
	    "application/json; charset=utf-8", b.data, b.len);
	csa_buf_fini(&b);
}
