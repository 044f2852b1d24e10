/*
 * http_relay: bytes to and fro between a client and a port of 127.0.0.1, until
 * the test has it cut the connections: what TLS hides from a server of HTTP.
 */

#ifndef CSA_TESTS_HTTP_RELAY_H
#define CSA_TESTS_HTTP_RELAY_H

#include <stdatomic.h>

struct relay;

enum cut { CUT_FIN, CUT_RESET };

struct relay *relay_start(int to_port);
void	relay_stop(struct relay *);
int	relay_port(const struct relay *);
/* Connections made since the start. */
int	relay_connections(const struct relay *);
/*
 * What a connection that exists now gets next from its client goes no further,
 * and ends it.  Those that come later are spared.
 */
void	relay_cut(struct relay *, enum cut);

#endif
