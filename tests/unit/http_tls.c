#include "config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/metrics/metrics.h"
#include "tests/unit/http_fixture.h"

START_TEST(tls)
{
	struct csa_http_call	*c[MANY];
	int			 n = many(MANY);

	for (int i = 0; i < 20; i++)
		whole(start("/echo"), 200, "hello");
	ck_assert_int_eq(atomic_load(&srv->connections), 1);
	/* A server that knows no HTTP/2 must not make the calls queue up. */
	for (int i = 0; i < n; i++)
		c[i] = start("/slow?800");
	for (int i = 0; i < n; i++)
		whole(c[i], 200, "hello");
	ck_assert_int_ge(atomic_load(&srv->connections), n);
}
END_TEST

/* The same from cold: waiting for HTTP/2 ends when it is not offered. */
START_TEST(tls_cold)
{
	struct csa_http_call	*c[MANY];
	int64_t			 begin = csa_now_ms();
	int			 n = many(MANY);

	for (int i = 0; i < n; i++)
		c[i] = start("/slow?800");
	for (int i = 0; i < n; i++)
		whole(c[i], 200, "hello");
	ck_assert_int_eq(atomic_load(&srv->connections), n);
	ck_assert_int_lt(csa_now_ms() - begin, patience(40000));
}
END_TEST

START_TEST(tls_refused)
{
	server_stop(srv);
	srv = server_start(certs_tls((enum cert)_i));
	fails(start("/echo"), CSA_ERR_PROVIDER_UNAVAILABLE);
	await_open(0);
	ck_assert_int_ge(atomic_load(&srv->connections), 1);
	ck_assert_uint_eq(atomic_load(&srv->received), 0);
}
END_TEST

START_TEST(tls_truncated)
{
	fails(start("/truncated"), CSA_ERR_PROVIDER_UNAVAILABLE);
	fails(start("/reset"), CSA_ERR_PROVIDER_UNAVAILABLE);
	fails(start("/cut-chunks"), CSA_ERR_PROVIDER_UNAVAILABLE);
	whole(start("/echo"), 200, "hello");
}
END_TEST

/* As dead_connection, over TLS. */
START_TEST(tls_dead)
{
	for (int i = 0; i < 20; i++)
		whole(start(_i ? "/last-reset" : "/last-fin"), 200, "hello");
	ck_assert_int_eq(atomic_load(&srv->requests), 20);
	ck_assert_int_eq(atomic_load(&srv->connections), 20);
}
END_TEST

static void
copy_file(FILE *out, const char *path)
{
	FILE	*in = fopen(path, "r");
	int	 ch;

	ck_assert_ptr_nonnull(in);
	while ((ch = getc(in)) != EOF)
		putc(ch, out);
	fclose(in);
}

/*
 * One among many, some with the same subject, one twice, between what is none;
 * and what is in the file is trusted, root or not.
 */
START_TEST(tls_bundle)
{
	char	 path[] = "/tmp/csa-bundle.XXXXXX";
	FILE	*out = fdopen(mkstemp(path), "w");

	ck_assert_ptr_nonnull(out);
	fputs("a word first\n", out);
	copy_file(out, certs_file(CERT_WRONG_HOST, 1));
	copy_file(out, certs_file(CERT_SELF_SIGNED, 0));
	copy_file(out, certs_file(CERT_WRONG_HOST, 0));
	copy_file(out, certs_ca());
	copy_file(out, certs_ca());
	fclose(out);
	teardown();
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	srv = server_start(certs_tls((enum cert)_i));
	http = engine(path, patience(30000));
	unlink(path);
	waiter = csa_waiter_new(http);
	if (_i == CERT_UNKNOWN_CA)
		fails(start("/echo"), CSA_ERR_PROVIDER_UNAVAILABLE);
	else
		for (int i = 0; i < 3; i++)
			whole(start("/last-fin"), 200, "hello");
}
END_TEST

START_TEST(tls_cut)
{
	char			 path[] = "/tmp/csa-bundle.XXXXXX";
	FILE			*out = fdopen(mkstemp(path), "w");
	struct csa_http_opts	 opts = { .ca_file = path };

	ck_assert_ptr_nonnull(out);
	copy_file(out, certs_ca());
	fputs("-----BEGIN CERTIFICATE-----\nMIIB\n"
	    "-----END CERTIFICATE-----\n", out);
	fclose(out);
	ck_assert_ptr_null(csa_http_new(&opts, &err));
	ck_assert_int_eq(err.code, CSA_ERR_INTERNAL);
	unlink(path);
}
END_TEST

TCase *
tls_case(void)
{
	TCase	*t = tcase_create("tls");

	tcase_add_checked_fixture(t, setup_tls, teardown_tls);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, tls);
	tcase_add_test(t, tls_cold);
	tcase_add_loop_test(t, tls_refused, CERT_WRONG_HOST, CERT__MAX);
	tcase_add_test(t, tls_truncated);
	tcase_add_loop_test(t, tls_dead, 0, 2);
	tcase_add_test(t, tls_cut);
	/* Good, self-signed and in it; of a CA that is not in it. */
	tcase_add_loop_test(t, tls_bundle, CERT_GOOD, CERT_GOOD + 1);
	tcase_add_loop_test(t, tls_bundle, CERT_SELF_SIGNED, CERT__MAX);
	return t;
}
