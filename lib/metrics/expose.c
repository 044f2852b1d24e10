#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/metrics/metrics.h"
#include "lib/metrics/table.h"

#define BOUNDTEXT(ns, text)	text,
static const char *const	bounds[] = { CSA_BOUNDS(BOUNDTEXT) "+Inf" };

static const char *const	type_names[] = {
	[CSA_COUNTER] = "counter",
	[CSA_GAUGE] = "gauge",
	[CSA_HISTOGRAM] = "histogram",
	[CSA_NANOS] = "counter",
};

/* A ready series, for sorting. */
struct line {
	enum csa_metric	 metric;
	size_t		 index;
	char		 text[CSA_LABELMAX + 1];
};

static int
by_name(const void *a, const void *b)
{
	const struct line	*x = a, *y = b;

	if (x->metric != y->metric)
		return x->metric < y->metric ? -1 : 1;
	return strcmp(x->text, y->text);
}

static void
value(struct csa_buf *b, const char *s, size_t n)
{
	for (; n > 0; n--, s++)
		switch (*s) {
		case '\\':
			csa_buf_puts(b, "\\\\");
			break;
		case '"':
			csa_buf_puts(b, "\\\"");
			break;
		case '\n':
			csa_buf_puts(b, "\\n");
			break;
		default:
			csa_buf_putc(b, *s);
		}
}

/*
 * {a="x",b="y"} from "a,b" and "x|y", le last where it is given.  A value that
 * has a '|' of its own can only be the last one; a missing value is empty.
 */
static void
labels(struct csa_buf *b, const char *names, const char *text, const char *le)
{
	const char	*sep = "{";
	size_t		 n, m;

	while (names != NULL && *names != '\0') {
		n = strcspn(names, ",");
		m = names[n] == ',' ? strcspn(text, "|") : strlen(text);
		csa_buf_puts(b, sep);
		csa_buf_add(b, names, n);
		csa_buf_puts(b, "=\"");
		value(b, text, m);
		csa_buf_putc(b, '"');
		names += n + (names[n] == ',');
		text += m + (text[m] == '|');
		sep = ",";
	}
	if (le != NULL) {
		csa_buf_addf(b, "%sle=\"%s\"", sep, le);
		sep = ",";
	}
	if (*sep == ',')
		csa_buf_putc(b, '}');
}

/* _count is what the buckets come to, so the page never contradicts itself. */
static void
histogram(struct csa_buf *b, const struct csa_mdesc *d, const struct line *l)
{
	const struct csa_series	*s = &csa_table->series[l->index];
	uint64_t		 sum = s->sum_ns, n = 0;

	for (size_t i = 0; i < CSA_NBUCKETS; i++) {
		n += s->cell[i];
		csa_buf_addf(b, "%s_bucket", d->name);
		labels(b, d->labels, l->text, bounds[i]);
		csa_buf_addf(b, " %" PRIu64 "\n", n);
	}
	csa_buf_addf(b, "%s_sum", d->name);
	labels(b, d->labels, l->text, NULL);
	csa_buf_addf(b, " %" PRIu64 ".%09" PRIu64 "\n", sum / 1000000000,
	    sum % 1000000000);
	csa_buf_addf(b, "%s_count", d->name);
	labels(b, d->labels, l->text, NULL);
	csa_buf_addf(b, " %" PRIu64 "\n", n);
}

static void
sample(struct csa_buf *b, const struct line *l)
{
	const struct csa_mdesc	*d = &csa_mdescs[l->metric];
	uint64_t		 v = csa_table->series[l->index].cell[0];

	if (d->type == CSA_HISTOGRAM) {
		histogram(b, d, l);
		return;
	}
	csa_buf_puts(b, d->name);
	labels(b, d->labels, l->text, NULL);
	if (d->type == CSA_GAUGE)
		csa_buf_addf(b, " %" PRId64 "\n", csa_gauge_value(l->index));
	else if (d->type == CSA_NANOS)
		csa_buf_addf(b, " %" PRIu64 ".%09" PRIu64 "\n",
		    v / 1000000000, v % 1000000000);
	else
		csa_buf_addf(b, " %" PRIu64 "\n", v);
}

static void
head(struct csa_buf *b, const struct csa_mdesc *d)
{
	csa_buf_addf(b, "# HELP %s ", d->name);
	for (const char *s = d->help; *s != '\0'; s++)
		if (*s == '\\')
			csa_buf_puts(b, "\\\\");
		else
			csa_buf_putc(b, *s);
	csa_buf_addf(b, "\n# TYPE %s %s\n", d->name, type_names[d->type]);
}

static size_t
collect(struct line *l)
{
	size_t	 n = 0;

	for (size_t i = 0; i < CSA_SERIES + CSA_M__MAX; i++) {
		/* The version is this process's own; see below. */
		if (!csa_series_text(&csa_table->series[i], &l[n].metric,
		    l[n].text) || l[n].metric == CSA_M_build_info)
			continue;
		l[n++].index = i;
	}
	qsort(l, n, sizeof(*l), by_name);
	return n;
}

void
csa_metrics_expose(struct csa_buf *b)
{
	struct line	*all, *l, *end;

	all = csa_new_array(CSA_SERIES + CSA_M__MAX, struct line);
	l = all;
	end = all + collect(all);
	for (size_t m = 0; m < CSA_M__MAX; m++) {
		const struct csa_mdesc	*d = &csa_mdescs[m];

		head(b, d);
		if (m == CSA_M_build_info) {
			csa_buf_puts(b, d->name);
			labels(b, d->labels, PACKAGE_VERSION, NULL);
			csa_buf_puts(b, " 1\n");
		} else if (d->labels == NULL && d->type != CSA_HISTOGRAM &&
		    (l == end || l->metric != m))
			csa_buf_addf(b, "%s 0\n", d->name);
		for (; l < end && l->metric == m; l++)
			sample(b, l);
	}
	free(all);
}
