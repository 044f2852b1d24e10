#ifndef EMU_HTTP_H
#define EMU_HTTP_H

#include <stdint.h>

struct emu_listen {
	uint16_t	 port;		/* 0: any free one */
	unsigned	 threads;
	unsigned	 idle_timeout;	/* seconds; 0: never */
	char		*cert, *key;	/* PEM text, both or none */
	int		 verbose_fd;	/* -1: no access log */
};

/*
 * Listen on 127.0.0.1 and return the port; then serve until emu_http_stop,
 * after which no callback runs any more.  Both exit with a message when they
 * fail.  They are two so that the port is known before the first request.
 */
uint16_t emu_http_listen(const struct emu_listen *);
void	emu_http_start(const struct emu_listen *);
void	emu_http_stop(void);

#endif
