#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/metrics/table.h"

/*
 * A process is its pid (22 bits in Linux) and the low bits of its start time,
 * so that a pid which comes round again is somebody else.
 */
#define PIDBITS		22
#define STARTBITS	41
#define STARTMASK	((UINT64_C(1) << STARTBITS) - 1)
#define PREPARING	(UINT64_C(1) << 63)	/* values not reset yet */

static struct csa_process *_Atomic	own;
static _Atomic bool			none_free;

void
csa_gauge_forget(void)
{
	own = NULL;
	none_free = false;
}

/* Field 22 of proc(5) stat, in clock ticks since boot; 0: cannot tell. */
static uint64_t
started(long pid)
{
	char	 path[40], text[1024], *p;
	ssize_t	 n;
	int	 fd;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name, field 2, may hold anything; it ends at the last ')'. */
	if ((p = strrchr(text, ')')) == NULL)
		return 0;
	for (int field = 2; field < 22; field++)
		if ((p = strchr(p + 1, ' ')) == NULL)
			return 0;
	return strtoull(p, NULL, 10) & STARTMASK;
}

static uint64_t
identity(long pid)
{
	return started(pid) << PIDBITS | (uint64_t)pid;
}

static bool
alive(uint64_t id)
{
	long		 pid = (long)(id & ((UINT64_C(1) << PIDBITS) - 1));
	uint64_t	 then = (id & ~PREPARING) >> PIDBITS, now;

	if (pid <= 0 || (kill((pid_t)pid, 0) == -1 && errno != EPERM))
		return false;
	/* /proc may be closed to us (hidepid). */
	now = started(pid);
	return then == 0 || now == 0 || now == then;
}

/* Take a free row, or a dead process's. */
static struct csa_process *
claim(void)
{
	struct csa_process	*p = csa_table->process;
	uint64_t		 me = identity((long)getpid()), id;

	for (size_t i = 0; i < CSA_PROCESSES; i++, p++) {
		id = p->id;
		if (id != 0 && alive(id))
			continue;
		if (!atomic_compare_exchange_strong(&p->id, &id,
		    me | PREPARING))
			continue;
		for (size_t g = 0; g < CSA_GAUGES; g++) {
			p->gauge[g].series = 0;
			p->gauge[g].value = 0;
		}
		p->id = me;
		return p;
	}
	return NULL;
}

static struct csa_process *
mine(void)
{
	struct csa_process	*p = own, *now = NULL;

	if (p != NULL || none_free)
		return p;
	if ((p = claim()) == NULL)
		none_free = true;
	else if (!atomic_compare_exchange_strong(&own, &now, p)) {
		/* Another thread was first: let go of the second row. */
		p->id = 0;
		p = now;
	}
	return p;
}

void
csa_gauge_add_own(size_t series, int64_t n)
{
	struct csa_process	*p = mine();
	uint64_t		 seen;

	for (size_t g = 0; p != NULL && g < CSA_GAUGES; g++) {
		seen = p->gauge[g].series;
		if (seen == 0 && atomic_compare_exchange_strong(
		    &p->gauge[g].series, &seen, series + 1))
			seen = series + 1;
		if (seen == series + 1) {
			p->gauge[g].value += n;
			return;
		}
	}
	/* No room: right as long as the process ends well. */
	atomic_fetch_add_explicit(&csa_table->series[series].cell[0],
	    (uint64_t)n, memory_order_relaxed);
}

int64_t
csa_gauge_value(size_t series)
{
	struct csa_process	*p = csa_table->process;
	int64_t			 v;

	v = (int64_t)csa_table->series[series].cell[0];
	for (size_t i = 0; i < CSA_PROCESSES; i++, p++) {
		if (p->id == 0 || (p->id & PREPARING) != 0 || !alive(p->id))
			continue;
		for (size_t g = 0; g < CSA_GAUGES; g++)
			if (p->gauge[g].series == series + 1)
				v += p->gauge[g].value;
	}
	return v;
}
