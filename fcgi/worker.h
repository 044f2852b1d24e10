/*
 * worker: the life of a FastCGI program.
 *
 * The same under chatsphere-prefork, multiwatch, lighttpd's bin-path and
 * mod_fcgid: a listening socket on descriptor 0, served until a signal or
 * max_requests ends it.
 */

#ifndef CSA_FCGI_WORKER_H
#define CSA_FCGI_WORKER_H

/* Exit statuses; chatsphere-prefork tells them apart. */
#define CSA_EXIT_FAILED		1	/* ended with requests unfinished */
#define CSA_EXIT_CONFIG		2	/* starting again is no help */

/* The master's pipe, told 'R' (ready) and 'D' (accepts no more). */
#define CSA_NOTIFY_ENV		"CHATSPHERE_NOTIFY_FD"
#define CSA_MASTER_ENV		"CHATSPHERE_MASTER_PID"
#define CSA_CONF_ENV		"CHATSPHERE_CONF"

/* Threads of a worker; above, memory is dearer than a little of the CPU. */
#define CSA_CROWD		128

/*
 * name: the pool ("chat"); pools: its endpoints, CSA_POOL_*.  Returns main's
 * status.
 */
int	csa_worker_main(const char *name, unsigned pools, int argc,
	    char *argv[]);

#endif
