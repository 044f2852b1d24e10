/*
 * validate: the shapes of names, as doc/API.md gives them.
 */

#ifndef CSA_HANDLERS_VALIDATE_H
#define CSA_HANDLERS_VALIDATE_H

#include <stddef.h>

#include "lib/base/err.h"

struct csa_arena;
struct csa_buf;
struct csa_node;

/* 1..128 of A-Z a-z 0-9 . _ -, not starting with a dot, never "..". */
int	csa_check_bot(const char *at, const char *s, size_t n,
	    struct csa_err *);

/*
 * document_id and chunk id: 1..256 bytes of UTF-8 without control characters, and
 * not blank.
 */
int	csa_check_id(const char *at, const char *s, size_t n,
	    struct csa_err *);

/* A model's name: 1..200 of letters, digits and . _ : / - + @ */
int	csa_check_model(const char *at, const char *s, size_t n,
	    struct csa_err *);

/* Text of 1..max bytes that is not blank. */
int	csa_check_text(const char *at, const char *s, size_t n, size_t max,
	    struct csa_err *);

/*
 * Metadata as it is stored: the members of base, then those of o, which win; both
 * may be NULL.  Values are strings, numbers, booleans, lists of strings; null is
 * dropped; anything nested is INVALID_VALUE, and so is more than max bytes.  skip
 * (may be NULL) is left out of base.  *out is JSON text in the arena, NULL where
 * nothing is left.
 */
int	csa_check_metadata(struct csa_arena *, const char *at,
	    const struct csa_node *base, const struct csa_node *o,
	    const char *skip, size_t max, const char **out, struct csa_err *);

#endif
