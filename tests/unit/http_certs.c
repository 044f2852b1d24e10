#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <check.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "tests/unit/http_server.h"

static char	dir[] = "/tmp/csa-certs-XXXXXX";
static char	paths[CERT__MAX + 1][2][64];

#define CA	CERT__MAX

static void
save(int which, X509 *x, EVP_PKEY *key)
{
	FILE	*f;

	for (int k = 0; k < 2; k++) {
		snprintf(paths[which][k], sizeof(paths[which][k]), "%s/%d.%s",
		    dir, which, k ? "key" : "pem");
		ck_assert_ptr_nonnull(f = fopen(paths[which][k], "w"));
		if (k)
			ck_assert_int_eq(PEM_write_PrivateKey(f, key, NULL,
			    NULL, 0, NULL, NULL), 1);
		else
			ck_assert_int_eq(PEM_write_X509(f, x), 1);
		fclose(f);
	}
}

static void
extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509_EXTENSION	*ext;
	X509V3_CTX	 ctx;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	ck_assert_ptr_nonnull(ext);
	X509_add_ext(x, ext, -1);
	X509_EXTENSION_free(ext);
}

/* names NULL makes a CA; issuer NULL signs with the own key. */
static X509 *
make(const char *cn, const char *names, X509 *issuer, EVP_PKEY *issuer_key,
    EVP_PKEY **key)
{
	static long	 serial;
	X509		*x = X509_new();
	X509_NAME	*name = X509_get_subject_name(x);

	*key = EVP_EC_gen("P-256");
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -3600);
	X509_gmtime_adj(X509_getm_notAfter(x), 86400);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(x, issuer != NULL ?
	    X509_get_subject_name(issuer) : name);
	X509_set_pubkey(x, *key);
	if (names != NULL)
		extend(x, issuer != NULL ? issuer : x, NID_subject_alt_name,
		    names);
	else
		extend(x, x, NID_basic_constraints, "critical,CA:TRUE");
	ck_assert_int_gt(X509_sign(x, issuer != NULL ? issuer_key : *key,
	    EVP_sha256()), 0);
	return x;
}

static void
leaf(enum cert which, const char *names, X509 *issuer, EVP_PKEY *issuer_key)
{
	EVP_PKEY	*key;
	X509		*x = make("test", names, issuer, issuer_key, &key);

	save((int)which, x, key);
	X509_free(x);
	EVP_PKEY_free(key);
}

void
certs_make(void)
{
	static const char	*here =
	    "DNS:localhost,DNS:good.test,IP:127.0.0.1";
	EVP_PKEY		*key, *other_key;
	X509			*ca, *other;

	/* The one before left its letters in it. */
	memset(dir + sizeof(dir) - 7, 'X', 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ca = make("test CA", NULL, NULL, NULL, &key);
	other = make("unknown CA", NULL, NULL, NULL, &other_key);
	save(CA, ca, key);
	leaf(CERT_GOOD, here, ca, key);
	leaf(CERT_WRONG_HOST, "DNS:elsewhere.test", ca, key);
	leaf(CERT_SELF_SIGNED, here, NULL, NULL);
	leaf(CERT_UNKNOWN_CA, here, other, other_key);
	X509_free(ca);
	X509_free(other);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other_key);
}

void
certs_remove(void)
{
	for (int i = 0; i <= CA; i++)
		for (int k = 0; k < 2; k++)
			unlink(paths[i][k]);
	rmdir(dir);
}

const char *
certs_ca(void)
{
	return paths[CA][0];
}

const char *
certs_file(enum cert which, int key)
{
	return paths[which][key];
}

SSL_CTX *
certs_tls(enum cert which)
{
	SSL_CTX	*ctx = SSL_CTX_new(TLS_server_method());

	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(SSL_CTX_use_certificate_file(ctx, paths[which][0],
	    SSL_FILETYPE_PEM), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(ctx, paths[which][1],
	    SSL_FILETYPE_PEM), 1);
	return ctx;
}
