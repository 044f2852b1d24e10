#ifndef EMU_VECTORS_H
#define EMU_VECTORS_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/emu/buf.h"

/* How one kind of model embeds. */
struct emu_embedder {
	const char	*space;		/* model name: vectors of two differ */
	const char	*task;		/* shifts it a little; or NULL */
	size_t		 full;		/* the model's own dimensions */
	size_t		 dims;		/* asked for, <= full */
	bool		 normalize;	/* also when dims < full */
};

/*
 * The vector of a text: hashed words, pairs of words and letter trigrams, each
 * of which touches a few places, so that texts that share them are near by
 * cosine; plus a noise that depends on the whole text, so that no number is
 * zero.  Early dimensions carry more than later ones, so that a cut vector
 * still means something.  Same text, same vector, on every machine.
 */
void	emu_embed(const struct emu_embedder *, const char *, size_t, float *);

/* Scale to length one; a zero vector stays. */
void	emu_normalize(float *, size_t);

/* Sums in four float lanes; n need not be a multiple of four. */
float	emu_dot(const float *, const float *, size_t);

enum emu_format { EMU_JSON, EMU_BASE64 };

/*
 * Append the vector as "[...]" or as a base64 string in quotes; made once and
 * remembered, up to 128 MiB in all.
 */
void	emu_embed_text(const struct emu_embedder *, const char *, size_t,
	    enum emu_format, struct emu_buf *);


#endif
