/*
 * options: the command line that all programs share.
 *
 *	-c FILE	the configuration; else CHATSPHERE_CONF names it, else the
 *		system's, where it exists, else the defaults
 *	-t	check the configuration and say so
 *	-T	print it, without its secrets
 *	-V, -h	version, usage
 */

#ifndef CSA_FCGI_OPTIONS_H
#define CSA_FCGI_OPTIONS_H

#include "lib/base/err.h"
#include "lib/base/log.h"
#include "lib/config/config.h"

struct csa_options {
	const char	*program;	/* the file name's last part */
	const char	*file;		/* NULL: no file */
	bool		 check, print;
	char		**operands;	/* NULL-terminated, of argv */
	/* What else -t looks at, NULL: nothing.  0, or -1 with err. */
	int		(*look)(const struct csa_config *, struct csa_err *);
};

/*
 * operands: what the usage says about them, NULL where the program takes none.
 * Options end at the first operand.  0, or -1 with *status: the program ends
 * here.
 */
int	csa_options_read(struct csa_options *, int argc, char *argv[],
	    const char *operands, int *status);

/*
 * Load the configuration and do what -t and -T ask.  NULL with *status: the
 * program ends here.  *status is CSA_EXIT_CONFIG where the file is bad; the
 * complaints are on stderr.
 */
struct csa_config *csa_options_config(const struct csa_options *, int *status);

enum csa_level csa_options_level(const struct csa_config *);

#endif
