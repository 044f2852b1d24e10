#ifndef EMU_ANSWER_H
#define EMU_ANSWER_H

#include "tests/emu/emu.h"

/* What the model was given, gathered by the vendor's code. */
struct emu_prompt {
	struct emu_buf	all;		/* every text, each after its role */
	struct emu_buf	system;
	struct emu_buf	last;		/* the last user message */
	struct emu_buf	others;		/* earlier user messages */
	size_t		text_bytes;	/* of the texts alone, for tokens */
};

enum emu_shape_of_answer {
	EMU_TEXT,		/* the text */
	EMU_BLOCKED_PROMPT,	/* EMU:block */
	EMU_BLOCKED_ANSWER,	/* EMU:safety, or EMU:finish=REASON */
	EMU_ATE_BUDGET,		/* EMU:maxtokens: thought only, no text */
	EMU_NO_TEXT,		/* EMU:empty: a candidate without text */
	EMU_TOOL_CALL		/* EMU:toolcall, EMU:toolcall=2 for two */
};

struct emu_answer {
	enum emu_shape_of_answer shape;
	struct emu_buf	text;
	char		finish[40];	/* the vendor's word, or "" */
	long		ntools;
	long		hops;		/* EMU:hops=N: so many continuations */
	long		thoughts;	/* EMU:think=N; -1: the default */
	long		delay_ms;	/* EMU:delay=N */
	long		chunk_delay_ms;	/* EMU:slow=N */
	bool		stamp;		/* EMU:ts=N: N timed chunks */
};

/*
 * Add one message.  A later user message replaces the last one, which then
 * counts among the others.
 */
void	emu_prompt_add(struct emu_prompt *, const char *role, const char *,
	    size_t);
void	emu_prompt_fini(struct emu_prompt *);

/*
 * Answer.  Magic words in the last user message choose the shape (README.md);
 * otherwise the best sentence of the numbered sources with its [n], or
 * "I don't know.".
 */
void	emu_answer(const struct emu_prompt *, struct emu_answer *);
void	emu_answer_fini(struct emu_answer *);

/* The end of the piece of text that starts at from: some words, whole
 * characters; for EMU:ts one mark. */
size_t	emu_answer_step(const struct emu_answer *, size_t from);

/* Cut the text to so many tokens on a character; true if it was longer. */
bool	emu_answer_cut(struct emu_answer *, size_t tokens);

/* Append what the sources say, for emu_answer; false if they say nothing. */
bool	emu_sources_answer(const struct emu_prompt *, struct emu_buf *);

#endif
