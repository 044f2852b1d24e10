/*
 * ca: the certificates that are trusted, read once for the whole process and
 * parsed when they are asked for.
 *
 * Left to itself libcurl parses the bundle for every connection: 24-40 ms of
 * CPU and 0.8 MB each, and its own cache is off wherever a default CA path is
 * built in, as on Debian.  Of the bundle's 140 certificates a process needs two
 * or three: here the others stay what they are in the file, found by their
 * subject, and cost a fifth of that memory and little of the time.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "lib/base/mem.h"
#include "lib/http/http_internal.h"

#define MAX_BUNDLE	(64 * 1024 * 1024)

struct cert {
	unsigned long	 hash;		/* of the subject */
	size_t		 at, len;	/* in der */
	bool		 trusted;	/* "TRUSTED CERTIFICATE": more follows it */
	bool		 taken;		/* is in the store by now */
};

struct bundle {
	struct cert	*cert;
	size_t		 n;
	struct csa_buf	 der;		/* one behind the other */
};

/*
 * Go into, or past, one element of DER.  -1: there is none, or it is cut short.
 */
static int
element(const unsigned char **p, const unsigned char *end, bool enter)
{
	const unsigned char	*at = *p;
	long			 len;
	int			 tag, class;

	if (at >= end || (ASN1_get_object(&at, &len, &tag, &class,
	    (long)(end - at)) & 0x81) != 0)
		return -1;
	*p = enter ? at : at + len;
	return tag;
}

/* RFC 5280, 4.1: Certificate and TBSCertificate, up to the subject. */
static X509_NAME *
subject_of(const unsigned char *p, const unsigned char *end)
{
	const unsigned char	*version;

	if (element(&p, end, true) == -1 || element(&p, end, true) == -1)
		return NULL;
	version = p;
	if (element(&p, end, false) != 0)
		p = version;		/* none: it is of the first */
	/* Serial number, algorithm, issuer, validity. */
	for (int i = 0; i < 4; i++)
		if (element(&p, end, false) == -1)
			return NULL;
	return d2i_X509_NAME(NULL, &p, (long)(end - p));
}

static int
add(struct bundle *b, const unsigned char *der, size_t len, bool trusted)
{
	X509_NAME	*subject = subject_of(der, der + len);
	struct cert	*c;
	int		 ok = 0;

	if (subject == NULL)
		return -1;
	b->cert = csa_realloc(b->cert, b->n + 1, sizeof(*b->cert));
	c = &b->cert[b->n++];
	*c = (struct cert){ .at = b->der.len, .len = len, .trusted = trusted };
	csa_buf_add(&b->der, der, len);
	c->hash = X509_NAME_hash_ex(subject, NULL, NULL, &ok);
	X509_NAME_free(subject);
	return ok == 1 && !b->der.failed ? 0 : -1;
}

/* 1: one was read, of whatever kind; 0: there are no more. */
static int
read_one(struct bundle *b, BIO *in)
{
	char		*name, *header;
	unsigned char	*der;
	long		 len;
	bool		 trusted;
	int		 rc = 1;

	if (PEM_read_bio(in, &name, &header, &der, &len) != 1)
		return ERR_GET_REASON(ERR_peek_last_error()) ==
		    PEM_R_NO_START_LINE ? 0 : -1;
	trusted = strcmp(name, PEM_STRING_X509_TRUSTED) == 0;
	if (trusted || strcmp(name, PEM_STRING_X509) == 0 ||
	    strcmp(name, PEM_STRING_X509_OLD) == 0)
		rc = add(b, der, (size_t)len, trusted) == -1 ? -1 : 1;
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(der);
	return rc;
}

static X509 *
parse(const struct bundle *b, const struct cert *c)
{
	const unsigned char	*p =
				    (const unsigned char *)b->der.data + c->at;

	return c->trusted ? d2i_X509_AUX(NULL, &p, (long)c->len) :
	    d2i_X509(NULL, &p, (long)c->len);
}

/* Into the store with it, if it is name's. */
static void
take(X509_LOOKUP *l, struct cert *c, const X509_NAME *name)
{
	X509	*x = parse(X509_LOOKUP_get_method_data(l), c);

	if (x == NULL)
		c->taken = true;	/* and of no use to anybody */
	else if (X509_NAME_cmp(X509_get_subject_name(x), name) == 0)
		c->taken = X509_STORE_add_cert(X509_LOOKUP_get_store(l),
		    x) == 1;
	X509_free(x);
}

/*
 * What the store has by that name.  OpenSSL counts the reference in ret itself
 * and forgets ours, so it is the store's that ret lives by.
 */
static int
in_store(X509_STORE *store, const X509_NAME *name, X509_OBJECT *ret)
{
	X509_OBJECT	*o;
	X509		*x;
	int		 found = 0;

	X509_STORE_lock(store);
	o = X509_OBJECT_retrieve_by_subject(X509_STORE_get0_objects(store),
	    X509_LU_X509, name);
	if (o != NULL && (x = X509_OBJECT_get0_X509(o)) != NULL &&
	    (found = X509_OBJECT_set1_X509(ret, x)) == 1)
		X509_free(x);
	X509_STORE_unlock(store);
	return found;
}

/* All of that name, as OpenSSL looks for the one that fits in the store. */
static int
by_subject(X509_LOOKUP *l, X509_LOOKUP_TYPE type, const X509_NAME *name,
    X509_OBJECT *ret)
{
	struct bundle	*b = X509_LOOKUP_get_method_data(l);
	unsigned long	 hash;
	int		 ok = 0, found = 0;

	if (type != X509_LU_X509)
		return 0;
	ERR_set_mark();
	hash = X509_NAME_hash_ex(name, NULL, NULL, &ok);
	for (size_t i = 0; ok == 1 && i < b->n; i++)
		if (b->cert[i].hash == hash) {
			found = 1;
			if (!b->cert[i].taken)
				take(l, &b->cert[i], name);
		}
	if (found)
		found = in_store(X509_LOOKUP_get_store(l), name, ret);
	ERR_pop_to_mark();
	return found;
}

static void
bundle_free(X509_LOOKUP *l)
{
	struct bundle	*b = X509_LOOKUP_get_method_data(l);

	free(b->cert);
	csa_buf_fini(&b->der);
	free(b);
}

static X509_LOOKUP_METHOD	*method;
static pthread_once_t		 once = PTHREAD_ONCE_INIT;

static void
method_new(void)
{
	method = X509_LOOKUP_meth_new("certificates of a bundle");
	CSA_MUST(method != NULL);
	X509_LOOKUP_meth_set_get_by_subject(method, by_subject);
	X509_LOOKUP_meth_set_free(method, bundle_free);
}

static int
load(X509_STORE *store, const char *file)
{
	struct bundle	*b = csa_new(struct bundle);
	X509_LOOKUP	*l;
	BIO		*in = BIO_new_file(file, "r");
	int		 rc = -1;

	csa_buf_init(&b->der, MAX_BUNDLE);
	pthread_once(&once, method_new);
	l = X509_STORE_add_lookup(store, method);
	CSA_MUST(l != NULL && X509_LOOKUP_set_method_data(l, b) == 1);
	if (in != NULL)
		while ((rc = read_one(b, in)) == 1)
			continue;
	BIO_free(in);
	return rc == 0 && b->n > 0 ? 0 : -1;
}

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
	if (load(store, file) == 0) {
		ERR_clear_error();	/* that nothing follows the last */
		return store;
	}
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
