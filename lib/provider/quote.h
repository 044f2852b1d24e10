/*
 * quote: the sentences of some passages that answer a question best.
 *
 * No model: words that question and sentence share, weighted by how rare they
 * are, and a few hints of what is asked for.
 */

#ifndef CSA_PROVIDER_QUOTE_H
#define CSA_PROVIDER_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/provider/provider.h"

#define CSA_QUOTES	3	/* sentences at most */

struct csa_quote {
	size_t		 passage;	/* index into the passages */
	const char	*s;		/* in the passage's own text */
	size_t		 len;
	double		 score;
};

struct csa_quotes {
	struct csa_quote q[CSA_QUOTES];	/* best first */
	size_t		 n;
	/*
	 * How much of the question the best passage has, 0..1: its share of
	 * the ideal BM25, or of the weight of the question's words.
	 */
	double		 confidence;
	/* The question's words that no passage has: "a", "b"; "" for none. */
	const char	*missing;
};

/*
 * Look through the first passages (there is a limit, so that the work is
 * bounded whatever the caller passes).  text may be NULL.
 */
void	csa_quote(struct csa_arena *, const char *question,
	    const struct csa_passage *, size_t n,
	    const struct csa_text_result *text, struct csa_quotes *);

/* ---- quote_terms.c: the words of a question, and finding them ---- */

#define CSA_QTERMS	64

struct csa_qterm {
	const char	*text;		/* folded and stemmed */
	bool		 prefix;	/* any word that begins like this */
	double		 idf;
	bool		 seen;		/* in some passage */
	size_t		 start, end;	/* where it stands in the question */
};

/* What kind of thing is asked for. */
enum csa_asked { CSA_ASKED_ANYTHING, CSA_ASKED_NUMBER, CSA_ASKED_DATE,
    CSA_ASKED_NAME };

struct csa_qterms {
	const char	*question;
	struct csa_qterm t[CSA_QTERMS];
	size_t		 n;
	double		 sum_idf;
	double		 chunks;	/* how many the idf is of; 0: unknown */
	enum csa_asked	 asked;
	uint8_t		 slot[256];	/* hash: index + 1, 0 empty */
};

/* The question's words, with the index's idf where text has it, else 0. */
void	csa_qterms(struct csa_arena *, const char *question,
	    const struct csa_text_result *text, struct csa_qterms *);

/* The index of the term that a passage's word is, or -1. */
int	csa_qterm_find(const struct csa_qterms *, const char *word);

/* Has the sentence something of the kind that is asked for? */
bool	csa_qterms_answered(const struct csa_qterms *, const char *s, size_t n);

/* The words of the question that were not seen, as quotes.missing. */
const char *csa_qterms_missing(struct csa_arena *, const struct csa_qterms *);

#endif
