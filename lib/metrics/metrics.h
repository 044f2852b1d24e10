/*
 * metrics: counters that all processes of an installation share.
 *
 * The values live in one file in run_dir that every process maps; additions are
 * atomic, so /metrics is exact by construction, over pools and over crashes, and
 * nothing is ever added up twice.  The file's name carries a hash of the layout:
 * a new version with other metrics starts another file beside it.
 *
 * What exists is in metrics.def: METRIC(id, name, type, label names, help).  Types
 * are COUNTER, GAUGE, HISTOGRAM and NANOS: a counter that is added to in billionths
 * and shown as a decimal number, for money.
 */

#ifndef CSA_METRICS_METRICS_H
#define CSA_METRICS_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

struct csa_buf;

enum csa_metric {
#define METRIC(id, name, type, labels, help)	CSA_M_##id,
#include "lib/metrics/metrics.def"
#undef METRIC
	CSA_M__MAX
};

/*
 * Map run_dir's file, made where it is missing.  With run_dir NULL the values
 * are this process's alone (tests).  -1 with err INTERNAL; everything below then
 * works on private memory, so that a full disk stops no request.
 */
int	csa_metrics_open(const char *run_dir, struct csa_err *);
void	csa_metrics_close(void);

/*
 * Add to a counter, set a gauge, observe seconds in a histogram.  labels are the
 * values in the order of the .def line, separated by '|' ("chat|200"), NULL where
 * there are none.  Past 1,024 series a new one goes to the label value "other",
 * so nothing from outside can make the page grow.  Safe from any thread.
 */
void	csa_count(enum csa_metric, const char *labels, uint64_t n);
void	csa_gauge_add(enum csa_metric, const char *labels, int64_t n);
void	csa_gauge_set(enum csa_metric, const char *labels, int64_t v);
void	csa_observe(enum csa_metric, const char *labels, double seconds);

/*
 * Several values as one text: out, an array, becomes "a|b" (cut where it is too
 * short).  snprintf would cost more than all the counting.
 */
#define CSA_LABELS(out, ...)						\
	csa_labels(out, sizeof(out), (const char *const[]){ __VA_ARGS__, NULL })
void	csa_labels(char *out, size_t size, const char *const *values);

/* The value now; for tests, /ready and the master. */
uint64_t csa_metric_value(enum csa_metric, const char *labels);

/* The Prometheus text format 0.0.4, appended to b. */
void	csa_metrics_expose(struct csa_buf *b);

#endif
