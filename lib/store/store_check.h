/*
 * store_check: are the files of the bots sound?  For tools.
 *
 * Reads only: nothing is made, migrated, locked or checkpointed, so it may be
 * done beside running workers.
 */

#ifndef CSA_STORE_STORE_CHECK_H
#define CSA_STORE_STORE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/err.h"

struct csa_store_file {
	int	 schema;	/* its version; 0: no tables yet */
	int	 known;		/* the one this program writes */
	int64_t	 chunks;
	int64_t	 wal;		/* bytes in the write-ahead log */
	bool	 whole;		/* the check came to its end in time */
};

/*
 * Calls each(arg, path, modified) for every bot's file under data_dir until
 * it returns false; modified in seconds since 1970.  Returns how many there
 * were, or -1 with errno where the directory cannot be read.  A data_dir with
 * no bots yet: 0.
 */
long	csa_store_files(const char *data_dir, bool (*each)(void *arg,
	    const char *path, int64_t modified), void *arg);

/*
 * Look at one of them until the deadline (a csa_now_ms() time).  0, or -1 with
 * detail saying what is wrong: not to be read, not one of ours, of a newer
 * version, damaged.
 */
int	csa_store_check(const char *path, int64_t deadline,
	    struct csa_store_file *, struct csa_err *) CSA_MUSTCHECK;

#endif
