/*
 * startup: what a process does before it trusts itself with anything.
 */

#ifndef CSA_FCGI_STARTUP_H
#define CSA_FCGI_STARTUP_H

#include <stddef.h>

/*
 * Make descriptors 0 to 2 exist, close all above but the n in keep, drop what
 * the environment could redirect our connections with, give up gaining rights,
 * and raise the limit of descriptors.
 */
void	csa_startup(const int *keep, size_t n);

/* Is fd a listening stream socket?  Made non-blocking.  0, or -1 with errno. */
int	csa_startup_listener(int fd);

/*
 * Block the signals of the list (0-terminated) in this thread and all to come,
 * and return a signalfd for them.
 */
int	csa_startup_signals(const int *list);

/* The number in an environment variable, at least 0; -1 where there is none. */
int	csa_startup_env_fd(const char *name);

#endif
