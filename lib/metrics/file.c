#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/metrics/table.h"

static const char	magic[8] = "csa-mtr1";

#define LOCK_WAIT_MS	2000

/* FNV-1a over all that gives a place in the file its meaning. */
static uint64_t
mix(uint64_t h, const char *s)
{
	do
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	while (*s++ != '\0');
	return h;
}

static uint64_t
layout(void)
{
	uint64_t	 h = 0xcbf29ce484222325;
	char		 sizes[80];

	for (size_t i = 0; i < CSA_M__MAX; i++) {
		h = mix(h, csa_mdescs[i].name);
		h = mix(h, csa_mdescs[i].labels != NULL ?
		    csa_mdescs[i].labels : "");
		h = mix(h, csa_mdescs[i].type == CSA_COUNTER ? "c" :
		    csa_mdescs[i].type == CSA_GAUGE ? "g" : "h");
	}
#define MIXBOUND(ns, text)	h = mix(h, text);
	CSA_BOUNDS(MIXBOUND)
#undef MIXBOUND
	snprintf(sizes, sizeof(sizes), "%zu %zu %zu", sizeof(struct csa_table),
	    sizeof(struct csa_series), sizeof(struct csa_process));
	return mix(h, sizes);
}

/* Processes of the directory's group share the file whatever their umask. */
static void
share(int dir, int fd)
{
	struct stat	 st;

	(void)fchmod(fd, 0660);
	/* Only allowed to a member of that group; then it is so. */
	if (fstat(dir, &st) == 0 && fchown(fd, (uid_t)-1, st.st_gid) == -1)
		errno = 0;
}

/* Held until closed, by the kernel too where the process dies. */
static int
lock(int dir)
{
	static const struct timespec	 pause = { 0, 2000000 };
	int64_t				 until = csa_now_ms() + LOCK_WAIT_MS;
	int				 fd;

	fd = openat(dir, "metrics.lock",
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
	if (fd != -1)
		share(dir, fd);
	else if ((fd = openat(dir, "metrics.lock",
	    O_RDWR | O_NOFOLLOW | O_CLOEXEC)) == -1)
		return -1;
	/* A stopped process may hold it: do not wait for ever. */
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK || csa_now_ms() >= until) {
			close(fd);
			return -1;
		}
		nanosleep(&pause, NULL);
	}
	return fd;
}

static bool
sound(const struct csa_table *t)
{
	return memcmp(t->magic, magic, sizeof(magic)) == 0 &&
	    t->layout == layout() && t->size == sizeof(*t);
}

/* NULL: not there, or not a whole file of ours. */
static struct csa_table *
map(int fd)
{
	struct csa_table	*t;
	struct stat		 st;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)sizeof(*t)) {
		errno = EINVAL;
		return NULL;
	}
	t = mmap(NULL, sizeof(*t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (t == MAP_FAILED)
		return NULL;
	if (sound(t))
		return t;
	csa_table_unmap(t);
	errno = EINVAL;
	return NULL;
}

/* Whole before it has its name, so nobody ever maps half a file. */
static int
make(int dir, const char *file)
{
	struct csa_table	 head;
	const size_t		 len = offsetof(struct csa_table, series);
	char			 temp[64];
	int			 fd, saved;

	snprintf(temp, sizeof(temp), "%s.new", file);
	if (unlinkat(dir, temp, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0660);
	if (fd == -1)
		return -1;
	share(dir, fd);
	memset(&head, 0, len);
	memcpy(head.magic, magic, sizeof(magic));
	head.layout = layout();
	head.size = sizeof(head);
	/* Blocks now: later a full disk would be a SIGBUS. */
	if ((errno = posix_fallocate(fd, 0, (off_t)sizeof(head))) == 0 &&
	    pwrite(fd, &head, len, 0) == (ssize_t)len &&
	    renameat(dir, temp, dir, file) == 0)
		return fd;
	saved = errno != 0 ? errno : ENOSPC;
	close(fd);
	(void)unlinkat(dir, temp, 0);
	errno = saved;
	return -1;
}

static struct csa_table *
map_or_make(int dir)
{
	struct csa_table	*t = NULL;
	char			 file[40];
	int			 fd, saved;

	snprintf(file, sizeof(file), "metrics-%016llx",
	    (unsigned long long)layout());
	fd = openat(dir, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd != -1) {
		t = map(fd);
		close(fd);
	} else if (errno == EACCES || errno == EPERM)
		return NULL;		/* whole, perhaps, and not ours */
	if (t != NULL || (fd = make(dir, file)) == -1)
		return t;
	t = map(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return t;
}

struct csa_table *
csa_table_map(const char *run_dir, struct csa_err *err)
{
	struct csa_table	*t = NULL;
	int			 dir, held, saved;

	dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		goto fail;
	if ((held = lock(dir)) == -1)
		goto fail_dir;
	t = map_or_make(dir);
	saved = errno;
	close(held);
	errno = saved;
fail_dir:
	saved = errno;
	close(dir);
	errno = saved;
fail:
	if (t != NULL)
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
	munmap(t, sizeof(*t));
}
