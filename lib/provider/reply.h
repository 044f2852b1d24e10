/*
 * reply: what providers answer, read with distrust.
 *
 * Nothing here knows the network, so that the fuzzers and the tests can feed
 * it any bytes.  Whatever is not what it must be is -1 with *why, a constant
 * sentence for the log; nothing crashes, and nothing half right is let
 * through.
 */

#ifndef CSA_PROVIDER_REPLY_H
#define CSA_PROVIDER_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/provider/provider.h"
#include "lib/text/vec.h"

/* ---- embeddings ---- */

#define CSA_MAX_DIMENSIONS	20000

struct csa_embed_want {
	struct csa_arena *arena;	/* for floats that came as base64 */
	size_t		 n;		/* vectors */
	size_t		 dim;		/* numbers in each; 0: any, but one */
	long		*tokens;	/* NULL, or set to what it was billed
					 * for; 0: the reply does not say */
};

/*
 * Fill in vecs[0] to vecs[n - 1].  Their text stays where it is, in s, which
 * must outlive them and loses the white space between their numbers.  No number
 * array becomes a tree of objects: they are cut out of the text first, and only
 * what is left of it is parsed.
 */
int	csa_gemini_embed_reply(const struct csa_embed_want *, char *s,
	    size_t len, struct csa_vec *vecs, const char **why);
int	csa_openai_embed_reply(const struct csa_embed_want *, char *s,
	    size_t len, struct csa_vec *vecs, const char **why);

/* ---- chat ---- */

enum csa_ending {
	CSA_END_NONE = 0,	/* no reason given (yet) */
	CSA_END_STOP,
	CSA_END_LENGTH,
	CSA_END_FILTER,
	CSA_END_OTHER		/* a reason that explains nothing */
};

/*
 * An answer being put together, from a whole reply or from the events of a
 * stream, each of which adds to text.  text is valid UTF-8 at any time: every
 * event was checked as JSON, so no piece ends within a character.
 */
struct csa_answer {
	struct csa_buf	 text;
	enum csa_ending	 ending;
	bool		 refused;	/* in the model's own words */
	bool		 is_error;	/* whatever the status was */
	char		 model[128];	/* "" where the reply did not say */
	long		 prompt_tokens, completion_tokens, total_tokens;
	long		 cached_tokens;	/* of the prompt */
	long		 thought_tokens; /* of the completion */
};

void	csa_answer_init(struct csa_answer *, size_t max_text);
void	csa_answer_fini(struct csa_answer *);

struct csa_node;

/*
 * Read into a what a reply says, or (whole false) an event of a stream.  0 also
 * for one without text: ending says why, if it did.  Token counts are those of
 * the last event that had any.  Members that nobody knows, other kinds of parts
 * and second candidates are passed over.
 */
typedef int csa_chat_reader(struct csa_answer *a, const struct csa_node *o,
		    bool whole, const char **why);
csa_chat_reader	csa_gemini_chat_read, csa_openai_chat_read;

/* Read a whole reply. */
int	csa_chat_reply(csa_chat_reader *, struct csa_answer *a, const char *s,
	    size_t len, const char **why);
int	csa_gemini_chat_reply(struct csa_answer *a, const char *s, size_t len,
	    const char **why);
int	csa_openai_chat_reply(struct csa_answer *a, const char *s, size_t len,
	    const char **why);

/* ---- errors ---- */

/* What an error body says.  Fields are "" or 0 where it does not. */
struct csa_provider_error {
	char	 message[160];		/* one line of printable UTF-8 */
	long	 retry_s;		/* whole seconds */
	enum csa_errcode code;		/* CSA_OK: it does not say */
	bool	 key_refused;		/* Gemini says so with status 400 */
};

/*
 * Read any of the shapes that Gemini, OpenAI and its imitators use; text that
 * is no JSON becomes the message itself.  key: left out of the message with
 * all of it where it occurs; may be "".
 */
void	csa_provider_error_read(struct csa_provider_error *, const char *s,
	    size_t len, const char *key);

/*
 * The same as an error of ours, for one that came with status 200 or in the
 * middle of a stream: what the body says, PROVIDER_FAULT where it does not.
 * Returns -1.
 */
int	csa_provider_error_fail(enum csa_source, const char *s, size_t len,
	    const char *key, struct csa_err *);

#endif
