/*
 * similar: the last questions of a bot whose answers are kept, to find the same
 * question in other words.
 *
 * One item of memcached for everything that shapes an answer but the question
 * (answer_key.h): a ring of up to 64 questions, each with its vector and the
 * digest of its answer's key.  A question is the same as another where their
 * vectors are near and csa_same_question (paraphrase.h) finds no difference in
 * what they say; the first alone answers the opposite question (bench/
 * paraphrases.py measures it).
 *
 * Vectors are kept in a byte a number, scaled by their largest: a cosine is off
 * by .002 at most for vectors of embedders (some hundred numbers of like size;
 * tests/unit/test_similar.c), far less than two thresholds worth telling apart.
 *
 * Two who add at the same time may lose one of the two questions: then it is a
 * miss.
 */

#ifndef CSA_RAG_SIMILAR_H
#define CSA_RAG_SIMILAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/ctx.h"
#include "lib/cache/cache.h"

#define CSA_SIMILAR_MAX		64	/* questions */
#define CSA_SIMILAR_BYTES	500	/* of one; a longer one is left out */

struct csa_rag;

struct csa_similar {
	const struct csa_rag	*rag;		/* its embedder */
	struct csa_cache	*cache;
	const struct csa_cache_key *ring;	/* csa_similar_key */
	const char		*question;
	double			 threshold;	/* of the cosine */
	/* The question's vector, of length 1; NULL until it is needed. */
	const float		*unit;
	size_t			 dim;
};

/*
 * 1 with answer, the key of the nearest question's answer, which may be gone by
 * now; 0: there is none, or the question cannot be embedded.  like is a key of an
 * answer, any one.
 */
int	csa_similar_find(struct csa_similar *, struct csa_ctx *,
	    const struct csa_cache_key *like, struct csa_cache_key *answer);
/* Its answer is kept from now on, for ttl seconds. */
void	csa_similar_add(struct csa_similar *, struct csa_ctx *,
	    const struct csa_cache_key *answer, uint32_t ttl);

/* ---- the ring's bytes, for tests ---- */

struct csa_buf;

struct csa_similar_entry {
	struct csa_digest	 answer;
	const char		*text;		/* not terminated */
	size_t			 len;
	float			 scale;
	const int8_t		*v;		/* dim of them */
};

struct csa_similar_ring {
	size_t			 dim, n;
	struct csa_similar_entry e[CSA_SIMILAR_MAX];	/* oldest first */
};

/* 0, or -1 where it is none; what is in it stands in data. */
int	csa_similar_read(const void *data, size_t n,
	    struct csa_similar_ring *) CSA_MUSTCHECK;
void	csa_similar_write(struct csa_buf *, const struct csa_similar_ring *);
/* unit, dim numbers, as bytes; returns the scale. */
float	csa_similar_pack(const float *unit, size_t dim, int8_t *);
/* The cosine of it and a vector of length 1. */
double	csa_similar_cosine(const float *unit, size_t dim,
	    const struct csa_similar_entry *);

#endif
