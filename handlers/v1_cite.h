/*
 * v1_cite: an answer's citations for those who read nothing but its text.
 */

#ifndef CSA_HANDLERS_V1_CITE_H
#define CSA_HANDLERS_V1_CITE_H

#include <stdbool.h>
#include <stddef.h>

struct csa_buf;
struct csa_turn;

/* Takes [n] out of a text that comes in pieces, cut anywhere. */
struct csa_v1_uncite {
	size_t	 sources;	/* [1] to [sources] are citations */
	char	 held[48];	/* what may turn out to be one */
	size_t	 nheld;
	bool	 open;		/* held has its bracket */
};

/*
 * Append to out what of the text is known not to be a citation.  Blanks before
 * one go with it.  csa_v1_uncite_end: nothing more comes.
 */
void	csa_v1_uncite_init(struct csa_v1_uncite *, size_t sources);
void	csa_v1_uncite_add(struct csa_v1_uncite *, const char *s, size_t n,
	    struct csa_buf *out);
void	csa_v1_uncite_end(struct csa_v1_uncite *, struct csa_buf *out);

/*
 * Append the sources that the answer cites as a Markdown list, a blank line
 * before it: "- [1] " and the document's title, or its id.  Nothing where it
 * cites none.
 */
void	csa_v1_list_sources(const struct csa_turn *, struct csa_buf *out);

#endif
