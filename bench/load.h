/*
 * load: what the parts of the load generator share: what was asked for, and
 * what came of it.
 */

#ifndef CSA_BENCH_LOAD_H
#define CSA_BENCH_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/hist.h"
#include "bench/io.h"

enum csa_load_mode {
	CSA_LOAD_NONE,
	CSA_LOAD_OPEN,		/* a rate, whatever comes back */
	CSA_LOAD_CLOSED,	/* so many clients, one request after another */
	CSA_LOAD_BURST		/* so many requests at once */
};

enum csa_load_trouble {
	CSA_TROUBLE_CONNECT,	/* refused, or no descriptor left */
	CSA_TROUBLE_RESET,	/* the peer left before its answer was whole */
	CSA_TROUBLE_GARBAGE,	/* not HTTP */
	CSA_TROUBLE_TIMEOUT,
	CSA_TROUBLE_UNSENT,	/* due, but no connection became free */
	CSA_TROUBLE__MAX
};

#define CSA_LOAD_STATUSES	600

struct csa_load {
	enum csa_load_mode	 mode;
	uint16_t		 port;
	size_t			 clients;	/* connections at most */
	double			 rate;		/* requests a second */
	double			 seconds;
	double			 warm;		/* seconds before that */
	uint64_t		 timeout;	/* ns */
	bool			 anew;		/* no keep-alive */
	const char		*save;		/* file for the first body */
	const char		*mark;		/* replaced by a number */
	struct csa_bytes	 request;
};

struct csa_load_result {
	struct csa_hist	 from_due;	/* from when it should have gone */
	struct csa_hist	 from_sent;	/* from when it went */
	struct csa_hist	 lag;		/* open: from due until begun */
	uint64_t	 status[CSA_LOAD_STATUSES];
	uint64_t	 trouble[CSA_TROUBLE__MAX];
	uint64_t	 opened;	/* connections */
	uint64_t	 again;		/* sent twice: keep-alive had ended */
	double		 rate;		/* achieved, requests a second */
};

/* Do what load says, once in the life of the program, and fill result. */
void	 csa_load_run(const struct csa_load *load,
	    struct csa_load_result *result);

/* Print it for people, or as one JSON line. */
void	 csa_load_print(const struct csa_load_result *result);
void	 csa_load_print_json(const struct csa_load *load,
	    const struct csa_load_result *result);

#endif
