/*
 * must: stop at the impossible.
 *
 * CSA_MUST is never compiled out.  A worker that aborts is replaced; one that
 * goes on may answer with another bot's documents.
 */

#ifndef CSA_BASE_MUST_H
#define CSA_BASE_MUST_H

#define CSA_MUSTCHECK	__attribute__((warn_unused_result))
#define CSA_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* Log the failed condition and abort. */
_Noreturn void	csa_panic(const char *file, int line, const char *what);

#define CSA_MUST(x)							\
	((x) ? (void)0 : csa_panic(__FILE__, __LINE__, #x))

/* What csa_panic does after logging; a test may set it.  NULL: abort(). */
extern void	(*csa_on_panic)(void);

#endif
