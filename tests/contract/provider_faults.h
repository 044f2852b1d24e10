/*
 * provider_faults: what a far end may do wrong, and what must come of it for
 * every remote driver.
 */

#ifndef CSA_TESTS_PROVIDER_FAULTS_H
#define CSA_TESTS_PROVIDER_FAULTS_H

#include <stdint.h>

#include "lib/base/err.h"

struct fault_case {
	const char	*rule;
	enum csa_errcode code;
	int		 retry_after;	/* -1: any */
	long		 ms;		/* deadline; 0: plenty */
};

#define NFAULTS		26
extern const struct fault_case faults[NFAULTS];

/* Plan it, and shorten the deadline where it needs that; returns the time. */
int64_t	arrange(const struct fault_case *);

/* Is this the error it must be, in time, and without the far end's words? */
void	check_failure(const struct fault_case *, enum csa_source,
	    const struct csa_err *, int64_t start);

#endif
