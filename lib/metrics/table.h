/*
 * table: the shared memory behind metrics.h; for lib/metrics alone.
 *
 * Nothing in it is ever locked.  A series is claimed by putting its hash into a
 * free slot with one compare-and-swap; its name is then written by whoever
 * needs it, all writing the same bytes, and its values are added to atomically.
 * So a process that dies between any two instructions leaves nothing that
 * another has to wait for or to mend.  Slots are never freed.
 */

#ifndef CSA_METRICS_TABLE_H
#define CSA_METRICS_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/shared.h"
#include "lib/metrics/metrics.h"

#define CSA_SERIES	1024	/* series; then one "other" for each metric */
#define CSA_LABELWORDS	14
#define CSA_LABELMAX	(CSA_LABELWORDS * 8 - 1)	/* bytes of labels */
#define CSA_PROCESSES	512	/* that have gauges at the same time */
#define CSA_GAUGES	8	/* series of gauges that one process adds to */

/* Upper bounds of the buckets in nanoseconds; +Inf follows. */
#define CSA_BOUNDS(B)							\
	B(500000, "0.0005") B(1000000, "0.001") B(2500000, "0.0025")	\
	B(5000000, "0.005") B(10000000, "0.01") B(25000000, "0.025")	\
	B(50000000, "0.05") B(100000000, "0.1") B(250000000, "0.25")	\
	B(500000000, "0.5") B(1000000000, "1") B(2500000000, "2.5")	\
	B(5000000000, "5") B(10000000000, "10") B(20000000000, "20")	\
	B(30000000000, "30") B(60000000000, "60") B(120000000000, "120")
#define CSA_ONE(ns, text)	+ 1
#define CSA_NBOUNDS		(0 CSA_BOUNDS(CSA_ONE))
#define CSA_NBUCKETS		(CSA_NBOUNDS + 1)

/* CSA_NANOS: a counter of billionths, shown as a decimal number. */
enum csa_mtype { CSA_COUNTER, CSA_GAUGE, CSA_HISTOGRAM, CSA_NANOS };

struct csa_mdesc {
	const char	*name;
	enum csa_mtype	 type;
	const char	*labels;	/* NULL: none */
	const char	*help;
};

extern const struct csa_mdesc csa_mdescs[CSA_M__MAX];

struct csa_series {
	_Atomic uint64_t hash;		/* 0: free */
	_Atomic uint32_t ready;		/* metric and text are whole */
	_Atomic uint32_t metric;
	union {
		_Atomic uint64_t word[CSA_LABELWORDS];	/* for writing */
		char		 text[CSA_LABELMAX + 1];
	};
	/* Counters and gauges: [0].  Histograms: buckets, not cumulative. */
	_Atomic uint64_t cell[CSA_NBUCKETS];
	_Atomic uint64_t sum_ns;	/* histograms */
} __attribute__((aligned(64)));

/*
 * What one process added to gauges, counted as long as it lives: the requests
 * that a killed worker was serving are not in flight any more.
 */
struct csa_process {
	_Atomic uint64_t id;		/* pid and start time, 0: free */
	struct {
		_Atomic uint64_t series;	/* its index + 1, 0: free */
		_Atomic int64_t	 value;
	} gauge[CSA_GAUGES];
} __attribute__((aligned(64)));

struct csa_table {
	struct csa_shared  head;
	struct csa_series  series[CSA_SERIES + CSA_M__MAX];
	struct csa_process process[CSA_PROCESSES];
};

extern struct csa_table *csa_table;	/* never NULL */

/* ---- file.c ---- */

/* Map run_dir's table or NULL with err; unmapped by csa_table_unmap. */
struct csa_table *csa_table_map(const char *run_dir, struct csa_err *);
void	csa_table_unmap(struct csa_table *);

/* ---- gauge.c ---- */

/* This process and its children start over (after open, close, fork). */
void	csa_gauge_forget(void);
void	csa_gauge_add_own(size_t series, int64_t n);
/* The series' value: what was set plus what living processes added. */
int64_t	csa_gauge_value(size_t series);

/* ---- metrics.c ---- */

/* The label text of a ready series into out; false: not ready, or odd. */
bool	csa_series_text(const struct csa_series *, enum csa_metric *,
	    char out[CSA_LABELMAX + 1]);
uint64_t csa_series_count(const struct csa_series *);	/* histograms */

#endif
