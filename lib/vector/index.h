/*
 * index: the vectors of one bot in memory, in eight bits a number, for an exact
 * scan.
 *
 * Each vector is scaled so that its largest number becomes 127 or -127 and its
 * length is divided out, so the product with a question is the cosine but for
 * rounding; what the scan finds is looked at again with the stored floats.  At
 * 768 numbers that is 784 bytes a vector.
 *
 * No lock in here: many may search at a time, one may change.
 */

#ifndef CSA_VECTOR_INDEX_H
#define CSA_VECTOR_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No embedding has more; the sums below stay within 32 bits. */
#define CSA_INDEX_DIM_MAX	65536

struct csa_index {
	size_t		 dim;
	size_t		 stride;	/* dim, rounded up; the rest is zero */
	size_t		 n, size;	/* vectors, room for */
	int64_t		*row;		/* rising */
	float		*scale;		/* what one step of q is worth */
	int8_t		*q;		/* n * stride */
};

/* Something found; score is a cosine. */
struct csa_near {
	int64_t		 row;
	float		 score;
};

/* dim: 1 to CSA_INDEX_DIM_MAX. */
void	csa_index_init(struct csa_index *, size_t dim);
void	csa_index_fini(struct csa_index *);
void	csa_index_clear(struct csa_index *);	/* no vectors, same dim */
size_t	csa_index_bytes(const struct csa_index *);

/*
 * Add v, whose row is larger than any there is.  A vector without a length, or
 * with a number that is none, is not added: nothing is near to it.
 */
void	csa_index_add(struct csa_index *, int64_t row, const float *v);

/* Is this, as far as eight bits can tell, what was added as the i-th? */
bool	csa_index_equals(const struct csa_index *, size_t i, const float *v);

/* Drop the vectors whose rows are not among these, which rise. */
void	csa_index_keep(struct csa_index *, const int64_t *row, size_t n);

/*
 * The want best for unit, a vector of length 1, into near, in no order; at most
 * until the deadline.  Returns how many, or -1 when the deadline has passed.
 */
long	csa_index_search(const struct csa_index *, const float *unit,
	    size_t want, struct csa_near *near, int64_t deadline);

/* ---- heaps of the best, worst first ---- */

/* Put x among the best n (of at most want) where it belongs there. */
void	csa_near_keep(struct csa_near *near, size_t *n, size_t want,
	    struct csa_near x);
/* For qsort: best first, of equals the older row. */
int	csa_near_order(const void *, const void *);

/* The product of two vectors in double precision. */
double	csa_dot(const float *a, const float *b, size_t dim);

#endif
