/*
 * err: what went wrong, whose fault it is, and what the client may be told.
 *
 * Every fallible function takes a struct csa_err * as its last argument and
 * fills it in before it returns -1; on success the struct is left alone.  msg is
 * for the client: it never holds a key, an address or a provider's own words.
 * detail is for the log alone.
 */

#ifndef CSA_BASE_ERR_H
#define CSA_BASE_ERR_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/must.h"

enum csa_errcode {
	CSA_OK = 0,
#define ERR(name, code, status, retryable, after, text)	CSA_ERR_##name,
#include "lib/base/errs.def"
#undef ERR
	CSA_ERR__MAX
};

/* Who failed; shown as error.source. */
enum csa_source {
	CSA_SRC_AGENT = 0,
	CSA_SRC_CLIENT,
	CSA_SRC_STORE,
	CSA_SRC_MEMCACHED,
	CSA_SRC_GEMINI,
	CSA_SRC_OPENAI,
	CSA_SRC_PINECONE,
	CSA_SRC__MAX
};

struct csa_err {
	enum csa_errcode	 code;
	enum csa_source		 source;
	int			 retry_after;	/* seconds; 0: the table's */
	char			 msg[256];	/* for the client */
	char			 detail[256];	/* for the log */
};

/* What the table in errs.def says of a code. */
struct csa_errinfo {
	const char	*code;		/* "provider_busy" */
	int		 status;	/* HTTP */
	bool		 retryable;
	int		 retry_after;	/* seconds, 0: none */
	const char	*text;
};

const struct csa_errinfo *csa_errinfo(enum csa_errcode);
const char	*csa_source_name(enum csa_source);	/* "gemini" */

/*
 * Fill e in and return -1, so that a caller can `return csa_fail(...)`.  fmt
 * NULL takes the table's sentence.  A message longer than msg is cut on a
 * character, and so is what a precision of fmt cuts.
 */
int	csa_fail(struct csa_err *e, enum csa_errcode, enum csa_source,
	    const char *fmt, ...) CSA_PRINTF(4, 5);

/* Add what only the log may see.  Returns -1, as csa_fail does. */
int	csa_fail_detail(struct csa_err *e, const char *fmt, ...)
	    CSA_PRINTF(2, 3);

#endif
