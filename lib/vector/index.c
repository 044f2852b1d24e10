#include "config.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/vector/index.h"

#define ALIGN_TO	32		/* numbers; whole registers, no rest */
#define LOOK_AT_CLOCK	4096		/* vectors */

/* ---- products ---- */

/*
 * Written so that the compiler makes pmaddwd of it: 16 bits by 16 bits, summed
 * in 32.  n is a multiple of ALIGN_TO.
 */
static inline __attribute__((always_inline)) int32_t
product(const int8_t *a, const int16_t *b, size_t n)
{
	int32_t	 sum = 0;

	n &= ~(size_t)(ALIGN_TO - 1);
	for (size_t i = 0; i < n; i++)
		sum += (int16_t)a[i] * b[i];
	return sum;
}

#if defined(__GNUC__) && !defined(__clang__)
#define VECTORIZE	__attribute__((optimize("O3")))
#else
#define VECTORIZE			/* clang does at -O2 */
#endif

VECTORIZE static int32_t
product_any(const int8_t *a, const int16_t *b, size_t n)
{
	return product(a, b, n);
}

#if defined(__x86_64__) && defined(__GNUC__)
/* Chosen while running: packages are built for the oldest x86-64. */
VECTORIZE __attribute__((target("avx2"))) static int32_t
product_avx2(const int8_t *a, const int16_t *b, size_t n)
{
	return product(a, b, n);
}
#endif

typedef int32_t product_fn(const int8_t *, const int16_t *, size_t);

static product_fn *
best_product(void)
{
#if defined(__x86_64__) && defined(__GNUC__)
	if (__builtin_cpu_supports("avx2"))
		return product_avx2;
#endif
	return product_any;
}

double
csa_dot(const float *a, const float *b, size_t dim)
{
	double	 sum = 0;

	for (size_t i = 0; i < dim; i++)
		sum += (double)a[i] * b[i];
	return sum;
}

/* ---- what is kept ---- */

void
csa_index_init(struct csa_index *x, size_t dim)
{
	CSA_MUST(dim >= 1 && dim <= CSA_INDEX_DIM_MAX);
	memset(x, 0, sizeof(*x));
	x->dim = dim;
	x->stride = (dim + ALIGN_TO - 1) / ALIGN_TO * ALIGN_TO;
}

void
csa_index_fini(struct csa_index *x)
{
	free(x->row);
	free(x->scale);
	free(x->q);
}

void
csa_index_clear(struct csa_index *x)
{
	csa_index_fini(x);
	csa_index_init(x, x->dim);
}

size_t
csa_index_bytes(const struct csa_index *x)
{
	return x->size * (x->stride + sizeof(*x->row) + sizeof(*x->scale));
}

static void
grow(struct csa_index *x)
{
	x->size = x->size == 0 ? 64 : x->size + x->size / 2;
	x->row = csa_realloc(x->row, x->size, sizeof(*x->row));
	x->scale = csa_realloc(x->scale, x->size, sizeof(*x->scale));
	x->q = csa_realloc(x->q, x->size, x->stride);
}

/*
 * v in eight bits.  Returns what to multiply a product of q with to get the
 * cosine, 0 for a vector without a length.
 */
static float
quantize(const float *v, size_t dim, int8_t *q)
{
	double	 square = csa_dot(v, v, dim), largest = 0, factor;

	if (!(square > 0) || !isfinite(square))
		return 0;
	for (size_t i = 0; i < dim; i++)
		if (fabs((double)v[i]) > largest)
			largest = fabs((double)v[i]);
	factor = 127 / largest;
	for (size_t i = 0; i < dim; i++)
		q[i] = (int8_t)lrint(v[i] * factor);
	return (float)(largest / 127 / sqrt(square));
}

void
csa_index_add(struct csa_index *x, int64_t row, const float *v)
{
	int8_t	*q;
	float	 scale;

	CSA_MUST(x->n == 0 || x->row[x->n - 1] < row);
	if (x->n == x->size)
		grow(x);
	q = x->q + x->n * x->stride;
	if ((scale = quantize(v, x->dim, q)) == 0)
		return;
	memset(q + x->dim, 0, x->stride - x->dim);
	x->scale[x->n] = scale;
	x->row[x->n++] = row;
}

bool
csa_index_equals(const struct csa_index *x, size_t i, const float *v)
{
	int8_t	*q = csa_malloc(x->dim);
	bool	 same;

	same = quantize(v, x->dim, q) == x->scale[i] &&
	    memcmp(q, x->q + i * x->stride, x->dim) == 0;
	free(q);
	return same;
}

void
csa_index_keep(struct csa_index *x, const int64_t *row, size_t n)
{
	size_t	 kept = 0;

	for (size_t i = 0, j = 0; i < x->n; i++) {
		while (j < n && row[j] < x->row[i])
			j++;
		if (j == n || row[j] != x->row[i])
			continue;
		if (kept != i) {
			x->row[kept] = x->row[i];
			x->scale[kept] = x->scale[i];
			memcpy(x->q + kept * x->stride,
			    x->q + i * x->stride, x->stride);
		}
		kept++;
	}
	x->n = kept;
}

/* ---- searching ---- */

int
csa_near_order(const void *a, const void *b)
{
	const struct csa_near	*x = a, *y = b;

	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return (x->row > y->row) - (x->row < y->row);
}

static void
swap(struct csa_near *a, struct csa_near *b)
{
	struct csa_near	 t = *a;

	*a = *b;
	*b = t;
}

void
csa_near_keep(struct csa_near *h, size_t *n, size_t want, struct csa_near x)
{
	size_t	 i, next;

	if (*n < want) {
		h[i = (*n)++] = x;
		for (; i > 0 && csa_near_order(&h[i], &h[(i - 1) / 2]) > 0;
		    i = (i - 1) / 2)
			swap(&h[i], &h[(i - 1) / 2]);
		return;
	}
	if (want == 0 || csa_near_order(&x, &h[0]) > 0)
		return;
	h[0] = x;
	for (i = 0; (next = 2 * i + 1) < *n; i = next) {
		if (next + 1 < *n && csa_near_order(&h[next + 1], &h[next]) > 0)
			next++;
		if (csa_near_order(&h[next], &h[i]) <= 0)
			return;
		swap(&h[i], &h[next]);
	}
}

long
csa_index_search(const struct csa_index *x, const float *unit, size_t want,
    struct csa_near *near, int64_t deadline)
{
	product_fn	*times = best_product();
	int8_t		*q = csa_calloc(x->stride, sizeof(*q));
	int16_t		*wide = csa_calloc(x->stride, sizeof(*wide));
	float		 scale = quantize(unit, x->dim, q), score;
	size_t		 n = 0, i;

	for (i = 0; i < x->dim; i++)
		wide[i] = q[i];
	for (i = 0; i < x->n; i++) {
		if (i % LOOK_AT_CLOCK == 0 && csa_left_ms(deadline) == 0)
			break;
		score = (float)times(x->q + i * x->stride, wide, x->stride) *
		    x->scale[i] * scale;
		if (n < want || score > near[0].score)
			csa_near_keep(near, &n, want,
			    (struct csa_near){ x->row[i], score });
	}
	free(wide);
	free(q);
	return i < x->n ? -1 : (long)n;
}
