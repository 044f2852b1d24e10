/*
 * mem: allocation that cannot fail, for small and fixed sizes.
 *
 * The policy: what a client can make large lives in a csa_buf, whose ceiling is
 * an error; everything else is small, and a process without memory for it ends
 * (it is replaced, and its requests are refused rather than answered wrongly).
 */

#ifndef CSA_BASE_MEM_H
#define CSA_BASE_MEM_H

#include <stddef.h>

/* malloc, calloc, realloc, strdup that end the process instead of failing. */
void	*csa_malloc(size_t n);
void	*csa_calloc(size_t n, size_t size);
void	*csa_realloc(void *p, size_t n, size_t size);	/* n * size, checked */
char	*csa_strdup(const char *s);
char	*csa_strndup(const char *s, size_t n);

#define csa_new(type)		((type *)csa_calloc(1, sizeof(type)))
#define csa_new_array(n, type)	((type *)csa_calloc((n), sizeof(type)))

#define CSA_NITEMS(a)		(sizeof(a) / sizeof((a)[0]))

#endif
