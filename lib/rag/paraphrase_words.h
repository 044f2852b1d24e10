/*
 * paraphrase_words: a question's words, and what they do in it; private to
 * paraphrase.
 */

#ifndef CSA_RAG_PARAPHRASE_WORDS_H
#define CSA_RAG_PARAPHRASE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct csa_arena;

enum csa_language {
	CSA_LANGUAGE_NONE,
#define LANGUAGE(id)				CSA_LANGUAGE_##id,
#define WORDS(language, role, words)
#define NUMBERS(language, words)
#define SAME(word, words)
#include "lib/rag/paraphrase.def"
#undef LANGUAGE
#undef WORDS
#undef NUMBERS
#undef SAME
	CSA_LANGUAGE__MAX
};

enum csa_word_role {
	CSA_WORD_CONTENT,	/* in no list */
	CSA_WORD_DROP,		/* says nothing */
	CSA_WORD_BE, CSA_WORD_DO,
	CSA_WORD_PAST, CSA_WORD_FUTURE, CSA_WORD_CAN, CSA_WORD_WOULD,
	CSA_WORD_MAY, CSA_WORD_MUST, CSA_WORD_SHOULD,
	CSA_WORD_NOT, CSA_WORD_NEVER, CSA_WORD_NONE, CSA_WORD_NOBODY,
	CSA_WORD_NOTHING, CSA_WORD_WITHOUT,
	CSA_WORD_WHO, CSA_WORD_WHEN, CSA_WORD_WHERE, CSA_WORD_WHY,
	CSA_WORD_HOW, CSA_WORD_WHAT,
	CSA_WORD_OF, CSA_WORD_RELATION,
	/* Of a polite opening: asked for by csa_word_is alone. */
	CSA_WORD_OPEN, CSA_WORD_ASK, CSA_WORD_WHETHER
};

struct csa_word {
	const char	*low;		/* small letters, NUL-terminated */
	size_t		 n;
	bool		 capital;	/* and not because a sentence begins */
	bool		 acronym;	/* two capitals or more */
	bool		 ends;		/* a comma or the like follows */
};

/*
 * The words of s, contractions taken apart; *out in the arena.  SIZE_MAX where
 * there are more than max.
 */
size_t	csa_words(struct csa_arena *, const char *s, size_t n, size_t max,
	    struct csa_word **out);

/* The language that knows most of the words; NONE where two do, or hardly one. */
enum csa_language csa_words_language(const struct csa_word *, size_t n);

enum csa_word_role csa_word_role_of(enum csa_language, const struct csa_word *);
bool		csa_word_is(enum csa_language, enum csa_word_role,
		    const struct csa_word *);

/* The value of a number in words ("7", "7." for the seventh), or NULL. */
const char *csa_word_number(struct csa_arena *, enum csa_language,
		    const struct csa_word *);
/* The English word that stands for all that mean the same; else w itself. */
const char *csa_word_same(const char *w);

#endif
