#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/resource.h>

#include <stdio.h>
#include <stdlib.h>

#include "bench/hist.h"
#include "bench/io.h"
#include "bench/load.h"

static const char *const mode_names[] = {
	[CSA_LOAD_NONE] = "none",
	[CSA_LOAD_OPEN] = "open",
	[CSA_LOAD_CLOSED] = "closed",
	[CSA_LOAD_BURST] = "burst",
};

static const char *const trouble_names[CSA_TROUBLE__MAX] = {
	[CSA_TROUBLE_CONNECT] = "connect",
	[CSA_TROUBLE_RESET] = "reset",
	[CSA_TROUBLE_GARBAGE] = "garbage",
	[CSA_TROUBLE_TIMEOUT] = "timeout",
	[CSA_TROUBLE_UNSENT] = "unsent",
};

static double
cpu_seconds(void)
{
	struct rusage	 ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void
add_counts(struct csa_bytes *out, const struct csa_load_result *res)
{
	const char	*comma = "";

	csa_addf(out, "\"status\":{");
	for (int i = 0; i < CSA_LOAD_STATUSES; i++)
		if (res->status[i] > 0) {
			csa_addf(out, "%s\"%d\":%llu", comma, i,
			    (unsigned long long)res->status[i]);
			comma = ",";
		}
	csa_addf(out, "},\"errors\":{");
	for (int i = 0; i < CSA_TROUBLE__MAX; i++)
		csa_addf(out, "%s\"%s\":%llu", i == 0 ? "" : ",",
		    trouble_names[i], (unsigned long long)res->trouble[i]);
	csa_addf(out, "}");
}

void
csa_load_print_json(const struct csa_load *load,
    const struct csa_load_result *res)
{
	struct csa_bytes	 out = { NULL, 0, 0 };

	csa_addf(&out, "{\"mode\":\"%s\",\"clients\":%zu,\"rate_wanted\":%.1f,"
	    "\"rate\":%.2f,\"seconds\":%.2f,\"requests\":%llu,",
	    mode_names[load->mode], load->clients, load->rate, res->rate,
	    load->seconds, (unsigned long long)res->from_due.total);
	add_counts(&out, res);
	csa_addf(&out, ",\"ms\":");
	csa_hist_json(&res->from_due, &out);
	csa_addf(&out, ",\"sent_ms\":");
	csa_hist_json(&res->from_sent, &out);
	csa_addf(&out, ",\"lag_ms\":");
	csa_hist_json(&res->lag, &out);
	csa_addf(&out, ",\"connections\":%llu,\"sent_again\":%llu,"
	    "\"cpu_s\":%.3f}\n", (unsigned long long)res->opened,
	    (unsigned long long)res->again, cpu_seconds());
	fputs(out.data, stdout);
	free(out.data);
}

void
csa_load_print(const struct csa_load_result *res)
{
	printf("%llu requests, %.1f/s\n",
	    (unsigned long long)res->from_due.total, res->rate);
	printf("ms    p50 %.3f  p99 %.3f  p99.9 %.3f  max %.3f\n",
	    csa_hist_ms(&res->from_due, 0.5), csa_hist_ms(&res->from_due, 0.99),
	    csa_hist_ms(&res->from_due, 0.999),
	    (double)res->from_due.max / (double)CSA_NS_MS);
	for (int i = 0; i < CSA_LOAD_STATUSES; i++)
		if (res->status[i] > 0)
			printf("      %d: %llu\n", i,
			    (unsigned long long)res->status[i]);
	for (int i = 0; i < CSA_TROUBLE__MAX; i++)
		if (res->trouble[i] > 0)
			printf("      %s: %llu\n", trouble_names[i],
			    (unsigned long long)res->trouble[i]);
}
