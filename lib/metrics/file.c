#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/metrics/table.h"

static const char	magic[8] = "csa-mtr1";

/* Of all that gives a place in the file its meaning. */
static uint64_t
layout(void)
{
	uint64_t	 h = CSA_FNV;
	char		 sizes[80], type[2] = "";

	for (size_t i = 0; i < CSA_M__MAX; i++) {
		h = csa_fnv(h, csa_mdescs[i].name);
		h = csa_fnv(h, csa_mdescs[i].labels != NULL ?
		    csa_mdescs[i].labels : "");
		type[0] = (char)('a' + csa_mdescs[i].type);
		h = csa_fnv(h, type);
	}
#define MIXBOUND(ns, text)	h = csa_fnv(h, text);
	CSA_BOUNDS(MIXBOUND)
#undef MIXBOUND
	snprintf(sizes, sizeof(sizes), "%zu %zu %zu", sizeof(struct csa_table),
	    sizeof(struct csa_series), sizeof(struct csa_process));
	return csa_fnv(h, sizes);
}

struct csa_table *
csa_table_map(const char *run_dir, struct csa_err *err)
{
	struct csa_shared	 head = { .size = sizeof(struct csa_table) };
	struct csa_table	*t;
	int			 saved;

	memcpy(head.magic, magic, sizeof(magic));
	head.layout = layout();
	if ((t = csa_shared_map(run_dir, "metrics", &head)) != NULL)
		return t;
	saved = errno;
	csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
	    "the shared metrics cannot be used");
	csa_fail_detail(err, "metrics in %s: %s", run_dir, strerror(saved));
	return NULL;
}

void
csa_table_unmap(struct csa_table *t)
{
	csa_shared_unmap(t);
}
