/*
 * buf: a growing byte buffer with a ceiling given at birth.
 *
 * Whatever a client or an upstream can make large is collected in one of these.
 * Once an append would pass the ceiling, or memory runs out, the buffer is
 * `failed`: its content is freed, every later append does nothing, and the one
 * who collects looks once, at the end.
 */

#ifndef CSA_BASE_BUF_H
#define CSA_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/must.h"

struct csa_buf {
	char	*data;		/* NULL while empty; always NUL-terminated */
	size_t	 len;
	size_t	 size;		/* allocated */
	size_t	 max;		/* ceiling for len */
	bool	 failed;
};

/* max: the ceiling in bytes.  Nothing is allocated yet. */
void	csa_buf_init(struct csa_buf *, size_t max);
void	csa_buf_fini(struct csa_buf *);		/* usable again after init */
void	csa_buf_reset(struct csa_buf *);	/* empty, memory kept */

/* Make room for n more bytes.  Returns -1, and fails the buffer, if it can't. */
int	csa_buf_reserve(struct csa_buf *, size_t n);
/* Give back what is not used: for what will be kept for long. */
void	csa_buf_fit(struct csa_buf *);

void	csa_buf_add(struct csa_buf *, const void *data, size_t n);
void	csa_buf_puts(struct csa_buf *, const char *s);
void	csa_buf_putc(struct csa_buf *, char c);
void	csa_buf_int(struct csa_buf *, int64_t);		/* in decimal */
void	csa_buf_addf(struct csa_buf *, const char *fmt, ...) CSA_PRINTF(2, 3);

/*
 * Append s as a JSON string with its quotes (RFC 8259).  <, > and & and the
 * two Unicode line separators are escaped too, so that the text is safe inside a
 * script element and in one line.  s must be valid UTF-8.
 */
void	csa_buf_json(struct csa_buf *, const char *s, size_t n);
void	csa_buf_jsonz(struct csa_buf *, const char *s);	/* NULL gives null */
/* A part of such a string, without quotes. */
void	csa_buf_escaped(struct csa_buf *, const char *s, size_t n);

/*
 * Append x, from 0 to 1e12 (cut to that; NaN is 0), with at most so many
 * decimals (6), zeros at the end left out ("0.7", "1.0").  Scores and times: printf would cost more than finding what they tell.
 */
void	csa_buf_fixed(struct csa_buf *, double x, unsigned decimals);

#endif
