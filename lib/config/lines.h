/*
 * lines: a file of settings, one thing a line: keys_file, bots_file.
 *
 * Empty lines and those that begin with # say nothing.  A file that everybody may
 * write is refused, for who can write it can give himself rights.
 */

#ifndef CSA_CONFIG_LINES_H
#define CSA_CONFIG_LINES_H

#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/base/must.h"

/* Of the names in such files. */
#define CSA_NAMECHARS	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"			\
	"abcdefghijklmnopqrstuvwxyz0123456789_-"

/* Is it the name of a tenant, or of a key: 1 to 64 of those? */
bool	csa_is_name(const char *);

/* Where a complaint is about, and where it goes. */
struct csa_place {
	const char	*file;
	unsigned	 line;		/* 0: of the file as a whole */
	struct csa_err	*err;
};

/* "FILE:LINE: ..." in at->err; returns -1. */
int	csa_wrong(const struct csa_place *at, const char *fmt, ...)
	    CSA_PRINTF(2, 3);

/*
 * Give take each line that says something, from its first character on and
 * without its end, to write into as it likes.  0; or -1 with at->err, from take's
 * first -1 or for what cannot be read.  at->line ends at the last line.
 */
int	csa_lines_read(struct csa_place *at,
	    int (*take)(void *arg, const struct csa_place *, char *line),
	    void *arg) CSA_MUSTCHECK;

#endif
