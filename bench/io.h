/*
 * io: what the bench programs share: a clock, numbers from the command line,
 * files, sockets.
 *
 * These are tools for a developer's machine: what cannot go on ends the
 * program with a message.  Only loopback addresses and unix sockets are ever
 * opened, so that a slip in a command line loads nobody else's machine.
 */

#ifndef CSA_BENCH_IO_H
#define CSA_BENCH_IO_H

#include <stddef.h>
#include <stdint.h>

#define CSA_NS_MS	1000000ull
#define CSA_NS_S	1000000000ull

/* Bytes that somebody owns; data is NUL-terminated for convenience. */
struct csa_bytes {
	char	*data;
	size_t	 len;
	size_t	 cap;
};

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t csa_now(void);

/* Print "program: message" and exit 2. */
_Noreturn void
	 csa_die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* calloc and realloc that end the program when there is no memory. */
void	*csa_zalloc(size_t n);
void	*csa_grow(void *p, size_t n);

/* A decimal number within [min, max], or the end of the program. */
double	 csa_number(const char *what, const char *s, double min, double max);

/* Append formatted text, growing b. */
void	 csa_addf(struct csa_bytes *b, const char *fmt, ...)
	    __attribute__((format(printf, 2, 3)));
void	 csa_add(struct csa_bytes *b, const void *data, size_t len);

/* The whole file, or the end of the program.  The caller frees data. */
struct csa_bytes
	 csa_slurp(const char *path);

/* Write data to path, or end the program. */
void	 csa_spill(const char *path, const void *data, size_t len);

/*
 * A listening TCP socket on 127.0.0.1, non-blocking, SO_REUSEPORT set.
 * *port 0 picks a free one and stores it.  listening false only binds, which
 * keeps the port for others that will listen on it.
 */
int	 csa_listen(uint16_t *port, int listening);

/*
 * Start to connect to 127.0.0.1:port without blocking, TCP_NODELAY set.
 * Returns the descriptor, or -1 with errno set.
 */
int	 csa_connect(uint16_t port);

/* Lift the limit on descriptors as far as the hard limit allows. */
void	 csa_more_files(void);

#endif
