/*
 * http_server: a small HTTP/1.1 server for test_http, a thread a connection.
 *
 * What it does is in the path; see the table in http_server.c.  It counts what
 * the tests want to know and listens on a port of its own on 127.0.0.1.
 */

#ifndef CSA_TESTS_HTTP_SERVER_H
#define CSA_TESTS_HTTP_SERVER_H

#include <stdatomic.h>
#include <stdint.h>

#include <openssl/ssl.h>

struct server {
	int			 fd;
	int			 port;
	SSL_CTX			*tls;		/* NULL: plain */
	atomic_int		 connections;	/* accepted */
	atomic_int		 open;
	atomic_int		 requests;
	_Atomic uint64_t	 received;	/* bytes, after decryption */
	_Atomic uint64_t	 sent;		/* by /flood */
	_Atomic int64_t		 closed_ms;	/* last time a peer left */
};

struct server *server_start(SSL_CTX *tls);

/* Keys and certificates made for this run, in a directory under /tmp. */
enum cert { CERT_GOOD, CERT_WRONG_HOST, CERT_SELF_SIGNED, CERT_UNKNOWN_CA,
	CERT__MAX };

void	certs_make(void);
void	certs_remove(void);
SSL_CTX	*certs_tls(enum cert);
const char *certs_ca(void);		/* path of the CA that is trusted */
const char *certs_file(enum cert, int key);	/* path of certificate or key */

#endif
