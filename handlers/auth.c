#include "config.h"

#include <string.h>
#include <strings.h>

#include "handlers/auth.h"
#include "handlers/keys.h"
#include "lib/config/config.h"
#include "lib/web/req.h"

/*
 * One header's value; NULL where it is absent.  A server may fold look-alike
 * names into one variable or join repeated headers with a comma: either way that
 * is two keys, and which one was meant is not ours to guess.
 */
static int
one_header(const struct csa_req *req, const char *name, const char *shown,
    const char **value, struct csa_err *err)
{
	unsigned	 count = 0;

	*value = req->io->header(req->io_arg, name, &count);
	if (count > 1 || (*value != NULL && strchr(*value, ',') != NULL))
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "%s was sent more than once", shown);
	return 0;
}

/* The token of "Bearer TOKEN", NULL for another scheme (the site's own). */
static const char *
bearer(const char *value)
{
	static const char	 scheme[] = "Bearer ";

	if (value == NULL ||
	    strncasecmp(value, scheme, sizeof(scheme) - 1) != 0)
		return NULL;
	value += sizeof(scheme) - 1;
	value += strspn(value, " ");
	return *value != '\0' ? value : NULL;
}

/* The key that was presented, NULL for none. */
static int
presented(const struct csa_req *req, const char **key, struct csa_err *err)
{
	const char	*internal, *auth, *token;

	if (one_header(req, "HTTP_X_INTERNAL_API_KEY", "X-Internal-API-Key",
	    &internal, err) == -1 ||
	    one_header(req, "HTTP_AUTHORIZATION", "Authorization", &auth,
	    err) == -1)
		return -1;
	/* What a rewrite rule in .htaccess makes of it. */
	if (auth == NULL && one_header(req, "REDIRECT_HTTP_AUTHORIZATION",
	    "Authorization", &auth, err) == -1)
		return -1;
	token = bearer(auth);
	if (internal != NULL && token != NULL && strcmp(internal, token) != 0)
		return csa_fail(err, CSA_ERR_BAD_REQUEST, CSA_SRC_CLIENT,
		    "X-Internal-API-Key and Authorization hold different keys");
	*key = internal != NULL ? internal : token;
	return 0;
}

/* Is address one of the comma-separated list? */
static bool
address_in(const char *list, const char *address)
{
	size_t	 n = strlen(address), len;

	while (n > 0 && *list != '\0') {
		list += strspn(list, ", ");
		len = strcspn(list, ", ");
		if (len == n && memcmp(list, address, n) == 0)
			return true;
		list += len;
	}
	return false;
}

int
csa_authenticate(struct csa_app *app, struct csa_call *call,
    struct csa_err *err)
{
	enum csa_who	 who = call->route->who;
	const char	*key = NULL;

	if (presented(call->req, &key, err) == -1)
		return who == CSA_WHO_OPEN ? 0 : -1;
	if (key != NULL)
		call->key = csa_keys_find(app->keys, key, strlen(key));
	if (who == CSA_WHO_OPEN)
		return 0;
	if (call->key == NULL) {
		if (who == CSA_WHO_SCRAPE && key == NULL && address_in(
		    app->config->metrics_allow, call->req->remote_addr))
			return 0;
		return csa_fail(err, CSA_ERR_UNAUTHORIZED, CSA_SRC_CLIENT,
		    key == NULL ? "no key: send X-Internal-API-Key or "
		    "Authorization: Bearer" :
		    "this key is not known");
	}
	if (!csa_key_allows_endpoint(call->key, call->route->pool))
		return csa_fail(err, CSA_ERR_FORBIDDEN, CSA_SRC_CLIENT,
		    "this key has no right to %s", call->route->path);
	return 0;
}

int
csa_authorize_bot(const struct csa_call *call, const char *bot,
    struct csa_scope *scope, struct csa_err *err)
{
	if (!csa_key_allows_bot(call->key, bot))
		return csa_fail(err, CSA_ERR_FORBIDDEN, CSA_SRC_CLIENT,
		    "this key has no right to that bot");
	scope->tenant = call->key->tenant != NULL ? call->key->tenant : "";
	scope->bot = bot;
	return 0;
}
