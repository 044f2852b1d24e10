/*
 * latency: how long replies take, as counts of logarithmic steps.
 */

#include "config.h"

#include <math.h>

#include "lib/upstream/share.h"

#define A_DOUBLING	4
#define LEAST		20		/* samples that say something */
#define MOST		1000		/* then the old ones fade */

static uint32_t
total(const struct csa_latency *l)
{
	uint32_t	 n = 0;

	for (size_t i = 0; i < CSA_LATENCY_STEPS; i++)
		n += l->count[i];
	return n;
}

void
csa_latency_add(struct csa_latency *l, int64_t ms)
{
	double	 step = ms > 1 ? ceil(log2((double)ms) * A_DOUBLING) : 0;

	if (step > CSA_LATENCY_STEPS - 1)
		step = CSA_LATENCY_STEPS - 1;
	l->count[(size_t)step]++;
	if (total(l) < MOST)
		return;
	/* Two who do this together let them fade twice: no harm. */
	for (size_t i = 0; i < CSA_LATENCY_STEPS; i++)
		l->count[i] = l->count[i] / 2;
}

int64_t
csa_latency_p95(const struct csa_latency *l)
{
	uint32_t	 n = total(l), seen = 0;
	size_t		 i = 0;

	if (n < LEAST)
		return 0;
	for (; i < CSA_LATENCY_STEPS - 1; i++) {
		seen += l->count[i];
		if ((uint64_t)seen * 100 >= (uint64_t)n * 95)
			break;
	}
	return (int64_t)ceil(exp2((double)i / A_DOUBLING));
}
