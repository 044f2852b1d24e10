#ifndef EMU_MEMO_H
#define EMU_MEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/emu/buf.h"

/*
 * Texts that cost something to make, remembered under a 128-bit hash of all
 * that they depend on.  At most 128 MiB; a newcomer takes the place of whoever
 * was there, so nothing is ever searched or swept.
 */
struct emu_key {
	uint64_t a, b;
};

/* The key of n bytes, in a domain of its own. */
struct emu_key	emu_memo_key(const void *, size_t, uint64_t domain);

/* Append the text if it is there. */
bool	emu_memo_get(struct emu_key, struct emu_buf *);
void	emu_memo_put(struct emu_key, const char *, size_t);
void	emu_memo_reset(void);

#endif
