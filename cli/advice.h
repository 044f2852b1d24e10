/*
 * advice: which directive mends what, for the server that answered.
 */

#ifndef CSA_CLI_ADVICE_H
#define CSA_CLI_ADVICE_H

#include "cli/report.h"

enum csa_front {
	CSA_FRONT_UNKNOWN = 0,
	CSA_FRONT_LIGHTTPD,
	CSA_FRONT_NGINX,
	CSA_FRONT_APACHE
};

enum csa_problem {
	CSA_PROBLEM_BUFFERED,
	CSA_PROBLEM_COMPRESSED,
	CSA_PROBLEM_ABORT,
	CSA_PROBLEM_AUTHORIZATION,
	CSA_PROBLEM_KEY,
	CSA_PROBLEM_BODY,
	CSA_PROBLEM_MOUNT,
	CSA_PROBLEM_GATEWAY
};

/* From the value of a Server header; UNKNOWN for "" and all others. */
enum csa_front csa_front_of(const char *server);

/* Advise for that server, for all where it is unknown. */
void	csa_advise(struct csa_report *, enum csa_problem, enum csa_front);

#endif
