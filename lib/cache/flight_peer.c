#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/cache/flight_internal.h"

/* A file of /proc as a string; false where it cannot be read. */
static bool
slurp(const char *path, char *s, size_t size)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t	 n;

	if (fd == -1)
		return false;
	n = read(fd, s, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	s[n] = '\0';
	return true;
}

/*
 * State and start time of a process: fields 3 and 22 of proc(5)'s stat.  The
 * second may hold anything but ends at the last parenthesis.
 */
static bool
stat_of(uint32_t pid, char *state, uint64_t *start)
{
	char	 path[40], s[1024], *at;

	snprintf(path, sizeof(path), "/proc/%" PRIu32 "/stat", pid);
	if (!slurp(path, s, sizeof(s)) || (at = strrchr(s, ')')) == NULL)
		return false;
	return sscanf(at + 1, " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
	    "%*s %*s %*s %*s %*s %*s %*s %*s %" SCNu64, state, start) == 2;
}

/* Process numbers mean the same within one boot and one namespace. */
static uint64_t
host_id(void)
{
	struct csa_digest	 d;
	char			 s[256];
	ssize_t			 n;
	uint64_t		 id;
	size_t			 len;

	if (!slurp("/proc/sys/kernel/random/boot_id", s, 64))
		return 0;
	len = strlen(s);
	n = readlink("/proc/self/ns/pid", s + len, sizeof(s) - len);
	if (n <= 0)
		return 0;
	csa_sha256(s, len + (size_t)n, &d);
	memcpy(&id, d.b, sizeof(id));
	return id;
}

void
csa_peer_self(struct csa_peer *p)
{
	char	 state;

	p->host = host_id();
	p->pid = (uint32_t)getpid();
	if (!stat_of(p->pid, &state, &p->start))
		p->start = 0;
}

bool
csa_peer_dead(const struct csa_peer *self, const struct csa_peer *p)
{
	uint64_t	 start;
	char		 state;

	/* 0 and -1 would be groups of processes to kill(2). */
	if (p->host == 0 || p->host != self->host || p->pid == 0 ||
	    p->pid > INT32_MAX)
		return false;
	if (kill((pid_t)p->pid, 0) == -1 && errno == ESRCH)
		return true;
	/* Where its file cannot be read it is somebody's, so alive. */
	if (!stat_of(p->pid, &state, &start))
		return false;
	/* Killed, but its parent has not seen it yet; or another by now. */
	return state == 'Z' || state == 'X' ||
	    (p->start != 0 && start != p->start);
}
