#include "config.h"

#include <string.h>

#include "cli/arrivals.h"

static void
end_event(struct csa_arrivals *a, int64_t now)
{
	if (a->is_delta && a->n < CSA_ARRIVALS_MAX)
		a->at[a->n++] = now;
	a->done = a->done || a->is_done;
	a->is_delta = a->is_done = false;
}

static void
end_line(struct csa_arrivals *a, int64_t now)
{
	static const char	 field[] = "event:";
	const char		*name = a->line + sizeof(field) - 1;
	size_t			 n = a->len;

	if (n < sizeof(a->line) && n > 0 && a->line[n - 1] == '\r')
		n--;
	a->len = 0;
	if (n == 0) {
		end_event(a, now);
		return;
	}
	if (n >= sizeof(a->line))
		return;
	a->line[n] = '\0';
	if (strncmp(a->line, field, sizeof(field) - 1) != 0)
		return;
	name += *name == ' ';
	a->is_delta = strcmp(name, "delta") == 0;
	a->is_done = strcmp(name, "done") == 0 || strcmp(name, "error") == 0;
}

void
csa_arrivals_feed(struct csa_arrivals *a, const char *data, size_t n,
    int64_t now)
{
	for (; n > 0; data++, n--) {
		if (*data == '\n') {
			end_line(a, now);
			continue;
		}
		if (a->len < sizeof(a->line))
			a->line[a->len++] = *data;
	}
}

enum csa_flow
csa_arrivals_judge(const struct csa_arrivals *a, unsigned events, long gap_ms,
    double *spread, double *longest)
{
	unsigned	 together = 0;
	double		 gap;

	*spread = *longest = 0;
	for (unsigned i = 1; i < a->n; i++) {
		gap = (double)(a->at[i] - a->at[i - 1]) / 1e6;
		if (gap > *longest)
			*longest = gap;
		together += gap < (double)gap_ms / 10;
		*spread += gap;
	}
	if (a->n < events || !a->done)
		return CSA_FLOW_CUT;
	if (events > 1 && *spread < (double)gap_ms / 2)
		return CSA_FLOW_ONE_PIECE;
	/* One that was late, and the next in time, is nothing. */
	if (together > events / 4 || *longest > (double)gap_ms * 3)
		return CSA_FLOW_LUMPS;
	return CSA_FLOW_EVEN;
}
