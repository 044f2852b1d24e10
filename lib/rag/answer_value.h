/*
 * answer_value: an answer as bytes, for the answer cache and for flights.
 *
 * Three kinds, told apart by the first byte:
 *
 *	'A'  an answer, whole, with the passages it came from
 *	'P'  an answer in progress: its passages, and the text so far, which is last
 *	     so that it can be appended to
 *	'E'  no answer: whose fault, for those who would have met the same one
 *
 * then a byte that is the version, and fields in a fixed order: numbers with
 * their little end first, doubles by their bits, strings by their length in four
 * bytes (all ones: NULL) with a NUL behind them.  What is read is checked to the
 * last byte, so that a value which is none is refused, never shown: strings are
 * UTF-8 without NUL, metadata is JSON, numbers are in range.
 */

#ifndef CSA_RAG_ANSWER_VALUE_H
#define CSA_RAG_ANSWER_VALUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/provider/provider.h"

struct csa_arena;
struct csa_buf;
struct csa_err;

/* No answer has more passages than this. */
#define CSA_ANSWER_PASSAGES	1000

struct csa_answer {
	struct csa_passage	*passages;	/* best first; no vectors */
	size_t			 n;
	bool			*cited;		/* n of them */
	/* Of each: only the index of vectors has its text.  NULL: of none. */
	const bool		*elsewhere;
	struct csa_chat_res	 res;		/* its counts: what was paid */
	const char		*degraded;	/* of the whole; NULL: it is not */
};

/* Append it to b, which fails where it is too large. */
void	csa_answer_write(struct csa_buf *b, const struct csa_answer *);
/* Append all of one in progress but its text, which the caller appends. */
void	csa_progress_write(struct csa_buf *b, const struct csa_passage *,
	    size_t n);
void	csa_trouble_write(struct csa_buf *b, const struct csa_err *);

/* Which kind this claims to be: 'A', 'P', 'E', or 0. */
int	csa_answer_kind(const void *data, size_t n);

/*
 * 0, or -1 where it is nothing of the kind.  Strings stand in data, which has to
 * live as long as they are used; the rest is in the arena.
 */
int	csa_answer_read(struct csa_arena *, const void *data, size_t n,
	    struct csa_answer *) CSA_MUSTCHECK;
/* Of one in progress; the text is only looked at to be UTF-8. */
int	csa_progress_read(struct csa_arena *, const void *data, size_t n,
	    struct csa_passage **, size_t *npassages, const char **text,
	    size_t *len) CSA_MUSTCHECK;
/* 0 with err as it was, but for its detail, which stays in the first one's log. */
int	csa_trouble_read(const void *data, size_t n, struct csa_err *err)
	    CSA_MUSTCHECK;

#endif
