/*
 * log: one JSON object a line, written with one write(2).
 *
 * Text from outside is escaped, a line is at most 8 KiB, and nothing here ever
 * blocks a request or reports a failure: a line that cannot be written is
 * counted and dropped.
 */

#ifndef CSA_BASE_LOG_H
#define CSA_BASE_LOG_H

#include <stdbool.h>

#include "lib/base/must.h"

enum csa_level { CSA_DEBUG, CSA_INFO, CSA_WARN, CSA_ERROR };

/*
 * Write to file (appended, reopened by csa_log_reopen) or, where it is NULL or
 * empty, to stderr.  program is copied.  Returns -1 with errno where the file
 * cannot be opened; stderr is used then.
 */
int	csa_log_open(const char *program, const char *file, enum csa_level);
void	csa_log_reopen(void);

/* This thread's request id, borrowed until changed; NULL for none. */
void	csa_log_request(const char *request_id);

/* Would such a line be written?  For whoever takes pains with it. */
bool	csa_log_wants(enum csa_level);

void	csa_log(enum csa_level, const char *fmt, ...) CSA_PRINTF(2, 3);
#define csa_debug(...)	csa_log(CSA_DEBUG, __VA_ARGS__)
#define csa_info(...)	csa_log(CSA_INFO, __VA_ARGS__)
#define csa_warn(...)	csa_log(CSA_WARN, __VA_ARGS__)
#define csa_error(...)	csa_log(CSA_ERROR, __VA_ARGS__)

/* A line with members of the caller's own: json is `"k":v,...`, already JSON. */
void	csa_log_json(enum csa_level, const char *msg, const char *json);

#endif
