#include "config.h"

#include <sys/types.h>

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cache.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/cache/key.h"
#include "lib/config/config.h"
#include "lib/metrics/metrics.h"

/* ---- numbers of the page ---- */

/* The value of "NAME{LABELS}", 0 where it is not there. */
static double
sample(const char *page, const char *series)
{
	size_t	 n = strlen(series);

	for (const char *s = page; (s = strstr(s, series)) != NULL; s += n)
		if ((s == page || s[-1] == '\n') && s[n] == ' ')
			return strtod(s + n + 1, NULL);
	return 0;
}

static double
of_cache(const char *page, const char *name, const char *cache,
    const char *more)
{
	char	 series[160];

	snprintf(series, sizeof(series), "chatsphere_cache_%s{cache=\"%s\"%s}",
	    name, cache, more);
	return sample(page, series);
}

static double
requests(const char *page, const char *cache, const char *result)
{
	char	 more[40];

	snprintf(more, sizeof(more), ",result=\"%s\"", result);
	return of_cache(page, "requests_total", cache, more);
}

/* The sum of a family over all of its series that have this label. */
static double
sum(const char *page, const char *name, const char *label)
{
	size_t		 n = strlen(name), len;
	double		 v = 0;
	const char	*at, *end;

	for (const char *s = page; *s != '\0'; s += len + (s[len] == '\n')) {
		len = strcspn(s, "\n");
		if (strncmp(s, name, n) != 0 || s[n] != '{')
			continue;
		at = strstr(s, label);
		end = memchr(s, '}', len);
		if (at != NULL && end != NULL && at < end && end[1] == ' ')
			v += strtod(end + 2, NULL);
	}
	return v;
}

#define CALL	"chatsphere_upstream_request_duration_seconds"

/* What a call of that kind to a provider has taken on average, in seconds. */
static double
call_takes(const char *page, const char *operation)
{
	char	 label[40];
	double	 n;

	snprintf(label, sizeof(label), "operation=\"%s\"", operation);
	n = sum(page, CALL "_count", label);
	return n > 0 ? sum(page, CALL "_sum", label) / n : 0;
}

/* ---- the table ---- */

/* What is looked up for requests; a flight's board and tokens are not. */
static const enum csa_cache_kind shown[] = { CSA_CACHE_EMBEDDING,
    CSA_CACHE_RETRIEVAL, CSA_CACHE_ANSWER, CSA_CACHE_SIMILAR,
    CSA_CACHE_GENERATION };

static const char *
size_text(double v, char text[16])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t			 i = 0;

	for (; v >= 1024 && i + 1 < CSA_NITEMS(units); i++)
		v /= 1024;
	snprintf(text, 16, i == 0 ? "%.0f %s" : "%.1f %s", v, units[i]);
	return text;
}

static void
row(const char *page, const char *cache, FILE *out)
{
	double	 hit = requests(page, cache, "hit");
	double	 miss = requests(page, cache, "miss") +
		    requests(page, cache, "odd");
	double	 none = requests(page, cache, "error") +
		    requests(page, cache, "skipped");
	char	 rate[16] = "-", in[16], to[16];

	if (hit + miss > 0)
		snprintf(rate, sizeof(rate), "%.1f %%",
		    100 * hit / (hit + miss));
	fprintf(out, "%-10s %10.0f %10.0f %8s %9.0f %11s %11s %12.0f %10.4f\n",
	    cache, hit, miss, rate, none,
	    size_text(of_cache(page, "bytes_total", cache,
	    ",direction=\"read\""), in),
	    size_text(of_cache(page, "bytes_total", cache,
	    ",direction=\"written\""), to),
	    of_cache(page, "saved_tokens_total", cache, ""),
	    of_cache(page, "saved_usd_total", cache, ""));
}

static void
operations(const char *page, FILE *out)
{
	static const char *const names[] = { "get", "get_many", "set",
	    "set_many", "add", "delete" };
	static const char	 name[] = "chatsphere_cache_duration_seconds";
	char			 series[160];
	double			 n, s;

	for (size_t i = 0; i < CSA_NITEMS(names); i++) {
		snprintf(series, sizeof(series), "%s_count{operation=\"%s\"}",
		    name, names[i]);
		if ((n = sample(page, series)) <= 0)
			continue;
		snprintf(series, sizeof(series), "%s_sum{operation=\"%s\"}",
		    name, names[i]);
		s = sample(page, series);
		fprintf(out, "%-10s %10.0f times, %.3f ms each\n", names[i], n,
		    1000 * s / n);
	}
}

/*
 * Answers and passages that were there: so many calls were not waited for.  Of
 * embeddings nobody knows, a hundred of which are one call, or one.
 */
static double
time_saved(const char *page)
{
	double	 answers = requests(page, "answer", "hit");
	double	 passages = requests(page, "retrieval", "hit");

	return answers * (call_takes(page, "generate") +
	    call_takes(page, "embed") + call_takes(page, "query")) +
	    passages * (call_takes(page, "embed") + call_takes(page, "query"));
}

static double
flights(const char *page, const char *role)
{
	char	 series[80];

	snprintf(series, sizeof(series),
	    "chatsphere_flights_total{role=\"%s\"}", role);
	return sample(page, series);
}

void
csa_cache_table(const char *page, FILE *out)
{
	fprintf(out, "%-10s %10s %10s %8s %9s %11s %11s %12s %10s\n", "cache",
	    "hits", "misses", "rate", "no answer", "read", "written",
	    "tokens saved", "USD saved");
	for (size_t i = 0; i < CSA_NITEMS(shown); i++)
		row(page, csa_cache_label(shown[i]), out);
	operations(page, out);
	fprintf(out, "flights    %.0f worked out, %.0f waited for another, "
	    "%.0f took over\n", flights(page, "lead"),
	    flights(page, "follow"), flights(page, "takeover"));
	fprintf(out, "time       about %.1f s of waiting for providers saved, "
	    "by what their calls take\n", time_saved(page));
	fprintf(out, "breakers   %.0f open\n",
	    sum(page, "chatsphere_cache_breaker_open", "server="));
}

/* ---- the page ---- */

/* Has any pool run with it?  Looking must not make the file. */
static bool
has_metrics(const char *run_dir)
{
	DIR		*d = opendir(run_dir);
	struct dirent	*e;
	bool		 found = false;

	if (d == NULL) {
		fprintf(stderr, "chatsphere: %s: %s\n", run_dir,
		    strerror(errno));
		return false;
	}
	while (!found && (e = readdir(d)) != NULL)
		found = strncmp(e->d_name, "metrics-", 8) == 0;
	closedir(d);
	if (!found)
		fprintf(stderr, "chatsphere: no pool has run with the "
		    "run_dir %s\n", run_dir);
	return found;
}

int
csa_cache_stats(const struct csa_config *config, FILE *out)
{
	struct csa_err	 err;
	struct csa_buf	 b;

	if (!has_metrics(config->run_dir))
		return EXIT_FAILURE;
	if (csa_metrics_open(config->run_dir, &err) == -1) {
		fprintf(stderr, "chatsphere: %s: %s\n", err.msg, err.detail);
		return EXIT_FAILURE;
	}
	csa_buf_init(&b, 16u << 20);
	csa_metrics_expose(&b);
	csa_metrics_close();
	if (!b.failed)
		csa_cache_table(b.data, out);
	csa_buf_fini(&b);
	return b.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
