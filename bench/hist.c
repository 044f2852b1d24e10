#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include "bench/hist.h"
#include "bench/io.h"

/*
 * Values below 2 * SUB have a bucket each; above, the top nine bits of the
 * value choose it: the highest is implied by the power, eight remain.
 */
static unsigned
bucket_of(uint64_t ns)
{
	unsigned	 power;

	if (ns < 2 * CSA_HIST_SUB)
		return (unsigned)ns;
	power = 63 - (unsigned)__builtin_clzll(ns) - 8;
	if (power + 2 > CSA_HIST_SIZE / CSA_HIST_SUB)
		return CSA_HIST_SIZE - 1;
	return power * CSA_HIST_SUB + (unsigned)(ns >> power);
}

static uint64_t
middle_of(unsigned bucket)
{
	unsigned	 power;

	if (bucket < 2 * CSA_HIST_SUB)
		return bucket;
	power = bucket / CSA_HIST_SUB - 1;
	return ((uint64_t)(bucket - power * CSA_HIST_SUB) << power) +
	    (1ull << power) / 2;
}

void
csa_hist_add(struct csa_hist *h, uint64_t ns)
{
	h->count[bucket_of(ns)]++;
	h->total++;
	h->sum += (double)ns;
	if (ns > h->max)
		h->max = ns;
}

double
csa_hist_ms(const struct csa_hist *h, double q)
{
	uint64_t	 want, seen = 0, ns = h->max;

	if (h->total == 0)
		return 0;
	want = (uint64_t)(q * (double)h->total);
	if ((double)want < q * (double)h->total)
		want++;
	for (unsigned i = 0; i < CSA_HIST_SIZE; i++) {
		seen += h->count[i];
		if (seen >= want && seen > 0) {
			ns = middle_of(i);
			break;
		}
	}
	return (double)(ns < h->max ? ns : h->max) / (double)CSA_NS_MS;
}

void
csa_hist_json(const struct csa_hist *h, struct csa_bytes *out)
{
	csa_addf(out, "{\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"p999\":%.4f,"
	    "\"max\":%.4f,\"mean\":%.4f}", csa_hist_ms(h, 0.5),
	    csa_hist_ms(h, 0.9), csa_hist_ms(h, 0.99), csa_hist_ms(h, 0.999),
	    (double)h->max / (double)CSA_NS_MS, h->total == 0 ? 0 :
	    h->sum / (double)h->total / (double)CSA_NS_MS);
}
