/*
 * store_fixture: a directory that goes away, a store in it, and short ways to
 * ask.
 */

#ifndef TESTS_CONTRACT_STORE_FIXTURE_H
#define TESTS_CONTRACT_STORE_FIXTURE_H

#include <check.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/store/store.h"

extern char		 dir[64];	/* the data_dir */
extern struct csa_store	*store;		/* sqlite in it */
extern struct csa_ctx	 ctx;		/* ten minutes' time */
extern struct csa_err	 err;
extern const struct csa_scope one;	/* bot "one", no tenant */

void	fx_setup(void);
void	fx_teardown(void);
void	fx_reopen(void);
void	fx_remove(void);		/* the directory alone */

/* The file of bot, with a tail such as "-lock". */
const char *fx_path(const char *bot, const char *tail);

/*
 * Store n chunks "DOC-chunk-I" that each say text and the number I.  Returns
 * what put_document does.
 */
int	fx_put(const struct csa_scope *, const char *doc, size_t n,
	    const char *text);
/* The same with ck_assert. */
void	fx_store(const struct csa_scope *, const char *doc, size_t n,
	    const char *text);

/* Ask; the answer must not fail. */
struct csa_text_result fx_ask(const struct csa_scope *, const char *question,
	    size_t k);
/* How many chunks have a word of the question. */
size_t	fx_count(const struct csa_scope *, const char *question);
uint64_t fx_generation(const struct csa_scope *);

/* integrity_check, the foreign keys and the full-text index of the bot. */
void	fx_assert_sound(const char *bot);

TCase	*fx_basics(void);
TCase	*fx_delete(void);
TCase	*fx_search(void);
TCase	*fx_faults(void);

#endif
