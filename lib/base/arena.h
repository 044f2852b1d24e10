/*
 * arena: memory that lives as long as its request.
 *
 * Nothing allocated here is freed by itself; csa_arena_reset lets go of all of
 * it at once and keeps the first block for the next request.  An arena belongs
 * to one thread.
 */

#ifndef CSA_BASE_ARENA_H
#define CSA_BASE_ARENA_H

#include <stddef.h>

#include "lib/base/must.h"

struct csa_arena;

struct csa_arena *csa_arena_new(void);
void	 csa_arena_free(struct csa_arena *);	/* NULL: nothing to do */
void	 csa_arena_reset(struct csa_arena *);

/* Never NULL; aligned for any type.  csa_arena_zalloc's memory is zero. */
void	*csa_arena_alloc(struct csa_arena *, size_t n);
void	*csa_arena_zalloc(struct csa_arena *, size_t n, size_t size);
char	*csa_arena_strdup(struct csa_arena *, const char *s);
char	*csa_arena_strndup(struct csa_arena *, const char *s, size_t n);
char	*csa_arena_printf(struct csa_arena *, const char *fmt, ...)
	    CSA_PRINTF(2, 3);

#define csa_arena_array(a, n, type)					\
	((type *)csa_arena_zalloc((a), (n), sizeof(type)))

#endif
