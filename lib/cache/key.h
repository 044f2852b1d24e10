/*
 * key: the name under which something is cached.
 *
 * The SHA-256 of length-prefixed, tagged fields, so that no two different lists
 * of fields are the same bytes: a tag byte, the length as eight bytes, little
 * end first, and the value.  A kind's number of version stands first; it
 * changes with what the value means.  The fields of each kind are named where
 * it is made, and tests/unit/test_cache.c holds golden names.
 */

#ifndef CSA_CACHE_KEY_H
#define CSA_CACHE_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/text/digest.h"

/*
 * What is cached: the letter in the name, the `cache` label of the metrics, and
 * the version of what the key and the value mean.
 */
#define CSA_CACHE_KINDS(K)						\
	K(EMBEDDING,	'e', "embedding",	1)			\
	K(RETRIEVAL,	'r', "retrieval",	1)			\
	K(ANSWER,	'a', "answer",		1)			\
	K(SIMILAR,	's', "similar",		1)			\
	K(GENERATION,	'g', "generation",	1)			\
	K(FLIGHT,	'f', "flight",		1)

enum csa_cache_kind {
#define CSA_CACHE_ENUM(id, letter, label, version)	CSA_CACHE_##id,
	CSA_CACHE_KINDS(CSA_CACHE_ENUM)
#undef CSA_CACHE_ENUM
	CSA_CACHE__MAX
};

const char *csa_cache_label(enum csa_cache_kind);

struct csa_cache_key {
	enum csa_cache_kind	 kind;
	struct csa_digest	 digest;
	char			 name[80];	/* "csa:e:" and 64 hex digits */
};

/*
 * Begin, add the fields, end: b is the caller's only to hand on.  A string that
 * is NULL is another than "".  A double is its bits, so that 0.7 is 0.7.
 */
void	csa_key_begin(struct csa_buf *b, enum csa_cache_kind);
void	csa_key_bytes(struct csa_buf *, const void *, size_t n);
void	csa_key_str(struct csa_buf *, const char *s);
void	csa_key_int(struct csa_buf *, int64_t);
void	csa_key_dbl(struct csa_buf *, double);
void	csa_key_end(struct csa_buf *, enum csa_cache_kind,
	    struct csa_cache_key *);

/* The key of another kind for the same thing: a flight's, say, for a value. */
void	csa_key_derive(const struct csa_cache_key *, enum csa_cache_kind,
	    struct csa_cache_key *);

#endif
