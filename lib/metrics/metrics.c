#include "config.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

#include "lib/base/must.h"
#include "lib/metrics/metrics.h"
#include "lib/metrics/table.h"
#include "lib/text/utf8.h"

#define COUNTER		CSA_COUNTER
#define GAUGE		CSA_GAUGE
#define HISTOGRAM	CSA_HISTOGRAM
#define NANOS		CSA_NANOS
const struct csa_mdesc csa_mdescs[CSA_M__MAX] = {
#define METRIC(id, name, type, labels, help)				\
	[CSA_M_##id] = { name, type, labels, help },
#include "lib/metrics/metrics.def"
#undef METRIC
};

#define BOUND(ns, text)	ns,
static const uint64_t	bounds[] = { CSA_BOUNDS(BOUND) };

/*
 * New series look for room from here on, so that the few dozen that there
 * usually are share some pages.
 */
#define STARTS		128

/*
 * Where this process found a series last time: the upper bits of its hash and,
 * in the lower ones, its index + 1.  Threads may overwrite each other's finds.
 */
#define CACHE		1024
#define INDEXBITS	11
#define INDEXMASK	((UINT64_C(1) << INDEXBITS) - 1)
static _Atomic uint64_t	cache[CACHE];
_Static_assert(CSA_SERIES + CSA_M__MAX < (1 << INDEXBITS), "INDEXBITS");
_Static_assert(CSA_LABELMAX < 256, "the length is mixed in by a shift of 8");

/* Untouched pages of it cost nothing. */
static struct csa_table	 private_table;
struct csa_table	*csa_table = &private_table;

static void
use(struct csa_table *t)
{
	csa_table = t;
	for (size_t i = 0; i < CACHE; i++)
		atomic_store_explicit(&cache[i], 0, memory_order_relaxed);
	csa_gauge_forget();
}

int
csa_metrics_open(const char *run_dir, struct csa_err *err)
{
	static bool		 watching;
	struct csa_table	*t;

	if (!watching) {
		pthread_atfork(NULL, NULL, csa_gauge_forget);
		watching = true;
	}
	/* Emptying the private table would make all its pages this process's. */
	t = run_dir != NULL ? csa_table_map(run_dir, err) : NULL;
	if (t == NULL) {
		csa_metrics_close();
		return run_dir == NULL ? 0 : -1;
	}
	if (csa_table != &private_table)
		csa_table_unmap(csa_table);
	use(t);
	return 0;
}

void
csa_metrics_close(void)
{
	if (csa_table != &private_table)
		csa_table_unmap(csa_table);
	memset(&private_table, 0, sizeof(private_table));
	use(&private_table);
}

/* Eight bytes at a time; the finish is MurmurHash3's, in the public domain. */
static uint64_t
hash(enum csa_metric m, const char *s, size_t n)
{
	uint64_t	 h = ((uint64_t)m << 8 | n) * 0x9e3779b97f4a7c15;
	uint64_t	 w;

	for (; n >= 8; n -= 8, s += 8) {
		memcpy(&w, s, 8);
		h = (h ^ w) * 0x9e3779b97f4a7c15;
		h ^= h >> 29;
	}
	w = 0;
	memcpy(&w, s, n);
	h = (h ^ w) * 0xff51afd7ed558ccd;
	h ^= h >> 33;
	h *= 0xc4ceb9fe1a85ec53;
	h ^= h >> 33;
	return h != 0 ? h : 1;
}

/* Everybody who gets here for the same series writes the same bytes. */
static void
name(struct csa_series *s, enum csa_metric m, const char *labels, size_t n)
{
	char		 text[CSA_LABELWORDS * 8] = "";
	uint64_t	 w;

	memcpy(text, labels, n);
	for (size_t i = 0; i < CSA_LABELWORDS; i++) {
		memcpy(&w, text + i * 8, 8);
		atomic_store_explicit(&s->word[i], w, memory_order_relaxed);
	}
	atomic_store_explicit(&s->metric, m, memory_order_relaxed);
	atomic_store_explicit(&s->ready, 1, memory_order_release);
}

static bool
is(struct csa_series *s, enum csa_metric m, const char *labels, size_t n)
{
	return atomic_load_explicit(&s->ready, memory_order_acquire) != 0 &&
	    s->metric == m && memcmp(s->text, labels, n) == 0 &&
	    s->text[n] == '\0';
}

bool
csa_series_text(const struct csa_series *s, enum csa_metric *m,
    char out[CSA_LABELMAX + 1])
{
	if (atomic_load_explicit(&s->ready, memory_order_acquire) == 0 ||
	    s->metric >= CSA_M__MAX)
		return false;
	*m = s->metric;
	memcpy(out, s->text, CSA_LABELMAX);
	out[CSA_LABELMAX] = '\0';
	return csa_utf8_valid(out, strlen(out), NULL);
}

/*
 * The slot of hash h, taken now if it has none and make is set.  -1: the table
 * is full, or has none and is to stay so.
 */
static long
probe(uint64_t h, enum csa_metric m, const char *labels, size_t n, bool make)
{
	struct csa_series	*s;
	uint64_t		 seen;
	size_t			 i = h % STARTS;

	for (size_t k = 0; k < CSA_SERIES; k++, i = (i + 1) % CSA_SERIES) {
		s = &csa_table->series[i];
		seen = atomic_load_explicit(&s->hash, memory_order_acquire);
		if (seen == 0 && !make)
			return -1;
		/* A lost race leaves the winner's hash in seen. */
		if (seen == 0 && atomic_compare_exchange_strong(&s->hash,
		    &seen, h))
			seen = h;
		if (seen != h)
			continue;
		if (atomic_load_explicit(&s->ready, memory_order_acquire) == 0)
			name(s, m, labels, n);
		if (is(s, m, labels, n))
			return (long)i;
		/* Two names with one hash: the second lives further on. */
	}
	return -1;
}

/* Also finds what is too long or no text: the metric's "other". */
static size_t
find(enum csa_metric m, const char *labels, bool make)
{
	size_t		 n, other = CSA_SERIES + (size_t)m;
	uint64_t	 h, seen;
	long		 i = -1;

	CSA_MUST(m < CSA_M__MAX);
	if (labels == NULL)
		labels = "";
	if ((n = strnlen(labels, CSA_LABELMAX + 1)) > CSA_LABELMAX)
		return other;
	h = hash(m, labels, n);
	seen = atomic_load_explicit(&cache[h % CACHE], memory_order_relaxed);
	if (((seen ^ h) & ~INDEXMASK) == 0 && (seen & INDEXMASK) != 0) {
		i = (long)(seen & INDEXMASK) - 1;
		if (i >= CSA_SERIES)
			return (size_t)i;
		if (is(&csa_table->series[i], m, labels, n))
			return (size_t)i;
		i = -1;
	}
	if (csa_utf8_valid(labels, n, NULL))
		i = probe(h, m, labels, n, make);
	if (i == -1 && !make)
		return SIZE_MAX;
	if (i == -1)
		i = (long)other;
	atomic_store_explicit(&cache[h % CACHE],
	    (h & ~INDEXMASK) | (uint64_t)(i + 1), memory_order_relaxed);
	return (size_t)i;
}

/* Find, and give "other" its name: a value for each label. */
static size_t
series(enum csa_metric m, const char *labels)
{
	char	 text[CSA_LABELMAX + 1] = "other";
	size_t	 n = 5, i = find(m, labels, true);

	if (i < CSA_SERIES || csa_table->series[i].ready != 0)
		return i;
	if (csa_mdescs[m].labels == NULL)
		n = 0;
	else
		for (const char *p = csa_mdescs[m].labels; *p != '\0'; p++)
			if (*p == ',') {
				memcpy(text + n, "|other", 6);
				n += 6;
			}
	name(&csa_table->series[i], m, text, n);
	return i;
}

void
csa_count(enum csa_metric m, const char *labels, uint64_t n)
{
	atomic_fetch_add_explicit(
	    &csa_table->series[series(m, labels)].cell[0], n,
	    memory_order_relaxed);
}

void
csa_gauge_add(enum csa_metric m, const char *labels, int64_t n)
{
	csa_gauge_add_own(series(m, labels), n);
}

void
csa_gauge_set(enum csa_metric m, const char *labels, int64_t v)
{
	atomic_store_explicit(
	    &csa_table->series[series(m, labels)].cell[0], (uint64_t)v,
	    memory_order_relaxed);
}

void
csa_observe(enum csa_metric m, const char *labels, double seconds)
{
	struct csa_series	*s = &csa_table->series[series(m, labels)];
	uint64_t		 ns = 0;
	size_t			 b = 0;

	/* A clock that went wrong must not add 2^64 to the sum. */
	if (seconds > 0)
		ns = seconds < 1e9 ? (uint64_t)llround(seconds * 1e9) :
		    UINT64_C(1000000000000000000);
	while (b < CSA_NBOUNDS && ns > bounds[b])
		b++;
	atomic_fetch_add_explicit(&s->cell[b], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&s->sum_ns, ns, memory_order_relaxed);
}

uint64_t
csa_series_count(const struct csa_series *s)
{
	uint64_t	 n = 0;

	for (size_t b = 0; b < CSA_NBUCKETS; b++)
		n += s->cell[b];
	return n;
}

uint64_t
csa_metric_value(enum csa_metric m, const char *labels)
{
	size_t	 i = find(m, labels, false);

	if (i == SIZE_MAX)
		return 0;
	switch (csa_mdescs[m].type) {
	case CSA_HISTOGRAM:
		return csa_series_count(&csa_table->series[i]);
	case CSA_GAUGE:
		return (uint64_t)csa_gauge_value(i);
	default:
		return csa_table->series[i].cell[0];
	}
}
