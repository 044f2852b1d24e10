#ifndef EMU_WORDS_H
#define EMU_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_WORDMAX	48

struct emu_word {
	char	 text[EMU_WORDMAX];	/* lower case, stemmed a little */
	size_t	 len;
	uint64_t hash;			/* of the text */
	bool	 stop;			/* says nothing about the topic */
};

/*
 * The next word at *s before end; false at the end.  Letters and digits make
 * words; where a script has no spaces (Chinese, Japanese) every two adjacent
 * characters do.
 */
bool	emu_word_next(const char **s, const char *end, struct emu_word *);

/* What the models here call tokens: four bytes each, rounded up. */
size_t	emu_tokens(size_t bytes);

#endif
