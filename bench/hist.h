/*
 * hist: a histogram of durations in the manner of HdrHistogram: buckets grow
 * with the value, so that every quantile is right to one part in 256 from a
 * nanosecond to hours, at a fixed size and a few nanoseconds a sample.
 */

#ifndef CSA_BENCH_HIST_H
#define CSA_BENCH_HIST_H

#include <stdint.h>

#include "bench/io.h"

#define CSA_HIST_SUB	256			/* buckets a power of two */
#define CSA_HIST_SIZE	(40 * CSA_HIST_SUB)	/* up to 2^47 ns, 39 hours */

struct csa_hist {
	uint64_t	 count[CSA_HIST_SIZE];
	uint64_t	 total;		/* samples */
	uint64_t	 max;		/* ns, exact */
	double		 sum;		/* ns */
};

/* Count one duration in ns; what is too long lands in the last bucket. */
void	 csa_hist_add(struct csa_hist *h, uint64_t ns);

/*
 * The duration in ms that the fraction q (0 to 1) of the samples does not
 * exceed: the middle of its bucket, never more than the maximum.  0 when
 * there is no sample.
 */
double	 csa_hist_ms(const struct csa_hist *h, double q);

/* Append an object with p50, p90, p99, p999, max and mean, all in ms. */
void	 csa_hist_json(const struct csa_hist *h, struct csa_bytes *out);

#endif
