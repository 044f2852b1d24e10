/*
 * cache: what the files of "chatsphere cache" share.
 *
 * cache.c		options, and which of the two it is
 * cache_flush.c	a bot's cached things are believed no more
 * cache_stats.c	what the caches have done so far
 */

#ifndef CSA_CLI_CACHE_H
#define CSA_CLI_CACHE_H

#include <stdio.h>

#include "lib/base/ctx.h"

struct csa_config;

/* They write to out and return the exit status. */
int	csa_cache_flush(const struct csa_config *, const struct csa_scope *,
	    FILE *out);
int	csa_cache_stats(const struct csa_config *, FILE *out);

/*
 * The table of csa_cache_stats, from the page that /metrics shows: page is that
 * text.  For tests.
 */
void	csa_cache_table(const char *page, FILE *out);

#endif
