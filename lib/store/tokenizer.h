/*
 * tokenizer: the full-text index's own way to cut text into words; see
 * tokens.h.
 *
 * It is registered with every connection under the name "csa".  Index and
 * csa_tokens use the very same function, so a word of a question and a word of
 * a sentence are equal exactly where the index would have them equal.
 */

#ifndef CSA_STORE_TOKENIZER_H
#define CSA_STORE_TOKENIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fts5_api;
struct sqlite3;

/* The door to FTS5's own functions, or NULL where SQLite has no FTS5. */
struct fts5_api *csa_fts5_api(struct sqlite3 *db);

/*
 * Make "csa" known to the connection.  Returns an SQLite code.
 *
 * What is given to MATCH is taken as it stands: each quoted string is one token
 * that csa_tokens has made.  Cutting it up again would stem it twice, and
 * porter's stem of a stem is not always itself.
 */
int	csa_tokenizer_register(struct sqlite3 *db);

/* One token: text (n bytes, not terminated) of the bytes start to end. */
typedef int csa_tokenizer_each(void *arg, const char *text, int n, int start,
		    int end);

/*
 * Cut s up outside of any index, until each returns other than 0.  Safe in any
 * thread.  n is at most INT_MAX.
 */
void	csa_tokenizer_run(const char *s, size_t n, csa_tokenizer_each *each,
	    void *arg);

/* Is this a character of a script that is written without spaces? */
bool	csa_is_spaceless(uint32_t cp);

#endif
