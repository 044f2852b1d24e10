#ifndef EMU_BUF_H
#define EMU_BUF_H

#include <stddef.h>
#include <stdint.h>

/*
 * A growing byte buffer, always followed by a NUL that len does not count.
 * All zero is a valid empty buffer.  Running out of memory ends the process:
 * this is a test program.
 */
struct emu_buf {
	char	*p;
	size_t	 len, cap;
};

/* Append n bytes; a string; printf output. */
void	emu_buf_add(struct emu_buf *, const void *, size_t);
void	emu_buf_adds(struct emu_buf *, const char *);
void	emu_buf_addf(struct emu_buf *, const char *, ...)
	    __attribute__((format(printf, 2, 3)));

/*
 * Append n bytes of UTF-8 text as a JSON string with its quotes.  What is not
 * UTF-8 is passed on byte for byte: the caller sees what came in.
 */
void	emu_buf_json(struct emu_buf *, const char *, size_t);
void	emu_buf_jsons(struct emu_buf *, const char *);

/*
 * Append one float as a JSON number of at most nine significant digits, the
 * way the services print theirs: 0.0123, -0.98, exponents for the very small.
 */
void	emu_buf_float(struct emu_buf *, float);

/* Append "[f,f,...]". */
void	emu_buf_floats(struct emu_buf *, const float *, size_t);

/* Append the standard base64 of n bytes, padded. */
void	emu_buf_base64(struct emu_buf *, const void *, size_t);

/* Make room for n more bytes without changing len. */
void	emu_buf_room(struct emu_buf *, size_t);

/* Empty it, keeping the memory; give the memory back. */
void	emu_buf_clear(struct emu_buf *);
void	emu_buf_fini(struct emu_buf *);

/* malloc, calloc, strdup and strndup that never return NULL. */
void	*emu_alloc(size_t);
void	*emu_calloc(size_t, size_t);
void	*emu_realloc(void *, size_t);
char	*emu_strdup(const char *);
char	*emu_strndup(const char *, size_t);

/* 1 if the n bytes are UTF-8 by RFC 3629, else 0. */
int	emu_utf8_valid(const char *, size_t);

/* A 64-bit hash of n bytes with a seed; not cryptographic. */
uint64_t emu_hash(const void *, size_t, uint64_t);

#endif
