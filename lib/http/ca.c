/*
 * ca: the certificates that are trusted, parsed once for the whole process.
 *
 * Left to itself libcurl parses the bundle for every connection: 24-40 ms of
 * CPU and 0.8 MB each, and its own cache is off wherever a default CA path is
 * built in, as on Debian.
 */

#include "config.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/http/http_internal.h"

X509_STORE *
csa_ca_load(const char *file, struct csa_err *e)
{
	X509_STORE	*store = X509_STORE_new();
	char		 why[160] = "out of memory";

	if (store == NULL)
		goto fail;
	/* As curl does: a certificate in the file is trusted, root or not. */
	X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	if (file == NULL || file[0] == '\0')
		return store;
	ERR_clear_error();
	if (X509_STORE_load_locations(store, file, NULL) == 1)
		return store;
	ERR_error_string_n(ERR_peek_error(), why, sizeof(why));
	ERR_clear_error();
fail:
	X509_STORE_free(store);
	csa_fail(e, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
	    "the CA file cannot be used");
	csa_fail_detail(e, "%s: %s", file != NULL ? file : "", why);
	return NULL;
}

/* CURLOPT_SSL_CTX_FUNCTION: called for every new connection. */
CURLcode
csa_ca_use(CURL *easy, void *ssl_ctx, void *store)
{
	(void)easy;
	SSL_CTX_set1_cert_store(ssl_ctx, store);
	/* An idle connection gives its two 17 kB buffers back. */
	SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
	return CURLE_OK;
}
