/*
 * rights: who is at the other end of a socket, and what may he do to a file?
 *
 * As Linux tells it in /proc; a check by mode bits alone (no ACLs).
 */

#ifndef CSA_CLI_RIGHTS_H
#define CSA_CLI_RIGHTS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#define CSA_GROUPS_MAX	64

struct csa_who {
	bool	 known;
	uid_t	 uid;
	gid_t	 gid;
	gid_t	 groups[CSA_GROUPS_MAX];
	size_t	 ngroups;
	char	 name[64];	/* of the user, or its number */
	char	 program[32];	/* "lighttpd", "" where none was found */
};

/* This process; the user of that name (false where there is none). */
void	csa_who_self(struct csa_who *);
bool	csa_who_user(const char *name, struct csa_who *);

/*
 * Who serves the unix socket of that path, or listens at that TCP port of this
 * host.  A process that is not root is told before one that is: it is those
 * who work.  false where nobody does, or this process may not see who.
 */
bool	csa_who_unix(const char *path, struct csa_who *);
bool	csa_who_tcp(unsigned port, struct csa_who *);

enum { CSA_MAY_READ = 4, CSA_MAY_WRITE = 2, CSA_MAY_ENTER = 1 };

/* What a file's mode lets him do: `want` is of CSA_MAY_*. */
bool	csa_may_mode(const struct csa_who *, uid_t owner, gid_t group,
	    mode_t mode, int want);

/*
 * May he do that to path, through all its directories?  Where not, stops gets
 * the place that stops him (path, or one of its directories), with size.
 */
bool	csa_may(const struct csa_who *, const char *path, int want,
	    char *stops, size_t size);

#endif
