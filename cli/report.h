/*
 * report: what a command found, a line a check, for people or as JSON.
 *
 *	ok    memcached       2 servers, set 0.11 ms, get 0.06 ms
 *	FAIL  stream.gaps     8 events came within 2 ms, not over 1050
 *	      do: ...
 *
 * Text is shown as it comes; JSON is one object at the end.  What came from
 * outside may stand in both: nothing but printable UTF-8 gets through.
 */

#ifndef CSA_CLI_REPORT_H
#define CSA_CLI_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/must.h"

enum csa_verdict {
	CSA_VERDICT_OK,
	CSA_VERDICT_WARN,
	CSA_VERDICT_FAIL,
	CSA_VERDICT_SKIP,		/* not looked at, and why */
	CSA_VERDICT__MAX
};

struct csa_report {
	FILE		*out;
	bool		 json;
	struct csa_buf	 list;		/* the JSON array, without its end */
	bool		 advised;	/* the last check has advice already */
	unsigned	 n[CSA_VERDICT__MAX];
};

void	csa_report_init(struct csa_report *, FILE *out, bool json);

/* One check; its name is a word with dots ("socket.chat"). */
void	csa_report(struct csa_report *, enum csa_verdict, const char *check,
	    const char *fmt, ...) CSA_PRINTF(4, 5);

/* What to do about the check before: a directive to add, a command to run. */
void	csa_report_do(struct csa_report *, const char *fmt, ...)
	    CSA_PRINTF(2, 3);

/* Sum up.  Returns the exit status: 1 where something failed, else 0. */
int	csa_report_end(struct csa_report *);

#endif
