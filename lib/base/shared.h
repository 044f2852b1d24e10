/*
 * shared: memory that all processes of an installation map, a file of run_dir.
 *
 * The file's name carries a hash of its layout: a new version whose layout is
 * another starts another file beside it.  What lies behind the head begins as
 * zeros, and must bear that a process dies between any two instructions.
 */

#ifndef CSA_BASE_SHARED_H
#define CSA_BASE_SHARED_H

#include <stddef.h>
#include <stdint.h>

/* What such memory begins with. */
struct csa_shared {
	char		 magic[8];
	uint64_t	 layout;
	uint64_t	 size;		/* of all of it, in bytes */
};

/*
 * Map DIR/NAME-LAYOUT, made where it is missing or not what head says; at most
 * 16 bytes of name.  NULL with errno.  Until csa_shared_unmap.
 */
void	*csa_shared_map(const char *dir, const char *name,
	    const struct csa_shared *head);
void	 csa_shared_unmap(void *);

/* FNV-1a: h, begun with CSA_FNV, and the bytes of s, its end included. */
#define CSA_FNV		UINT64_C(0xcbf29ce484222325)
uint64_t csa_fnv(uint64_t h, const char *s);

#endif
