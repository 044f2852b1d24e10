/*
 * http_server: a small HTTP/1.1 server for test_http, a thread a connection.
 *
 * What it does is in the path; see the table in http_server.c.  It counts what
 * the tests want to know and listens on a port of its own on 127.0.0.1.
 */

#ifndef CSA_TESTS_HTTP_SERVER_H
#define CSA_TESTS_HTTP_SERVER_H

#include <sys/queue.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
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
	atomic_bool		 gate;		/* open: /gate may answer */
	pthread_t		 thread;
	pthread_mutex_t		 lock;
	LIST_HEAD(, conn)	 conns;		/* past ones as well */
};

/* tls: its from now on; NULL: plain. */
struct server *server_start(SSL_CTX *tls);
/*
 * Cut what is left, and wait for its threads: OpenSSL must not be in use any
 * more when the process exits.
 */
void	server_stop(struct server *);

/* Keys and certificates made for this run, in a directory under /tmp. */
enum cert { CERT_GOOD, CERT_WRONG_HOST, CERT_SELF_SIGNED, CERT_UNKNOWN_CA,
	CERT__MAX };

void	certs_make(void);
void	certs_remove(void);
SSL_CTX	*certs_tls(enum cert);
const char *certs_ca(void);		/* path of the CA that is trusted */
const char *certs_file(enum cert, int key);	/* path of certificate or key */

#endif
