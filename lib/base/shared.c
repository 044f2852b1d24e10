#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/base/shared.h"

#define LOCK_WAIT_MS	2000
#define MAX_NAME	16

uint64_t
csa_fnv(uint64_t h, const char *s)
{
	do
		h = (h ^ (unsigned char)*s) * 0x100000001b3;
	while (*s++ != '\0');
	return h;
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
lock(int dir, const char *name)
{
	static const struct timespec	 pause = { 0, 2000000 };
	int64_t				 until = csa_now_ms() + LOCK_WAIT_MS;
	char				 file[MAX_NAME + 8];
	int				 fd;

	snprintf(file, sizeof(file), "%s.lock", name);
	fd = openat(dir, file,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0660);
	if (fd != -1)
		share(dir, fd);
	else if ((fd = openat(dir, file,
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

/* NULL: not there, or not a whole file of ours. */
static void *
map(int fd, const struct csa_shared *head)
{
	struct stat	 st;
	void		*p;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size != (off_t)head->size) {
		errno = EINVAL;
		return NULL;
	}
	p = mmap(NULL, head->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (memcmp(p, head, sizeof(*head)) == 0)
		return p;
	munmap(p, head->size);
	errno = EINVAL;
	return NULL;
}

/* Whole before it has its name, so nobody ever maps half a file. */
static int
make(int dir, const char *file, const struct csa_shared *head)
{
	char	 temp[64];
	int	 fd, saved;

	snprintf(temp, sizeof(temp), "%s.new", file);
	if (unlinkat(dir, temp, 0) == -1 && errno != ENOENT)
		return -1;
	fd = openat(dir, temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0660);
	if (fd == -1)
		return -1;
	share(dir, fd);
	/* Blocks now: later a full disk would be a SIGBUS. */
	if ((errno = posix_fallocate(fd, 0, (off_t)head->size)) == 0 &&
	    pwrite(fd, head, sizeof(*head), 0) == (ssize_t)sizeof(*head) &&
	    renameat(dir, temp, dir, file) == 0)
		return fd;
	saved = errno != 0 ? errno : ENOSPC;
	close(fd);
	(void)unlinkat(dir, temp, 0);
	errno = saved;
	return -1;
}

static void *
map_or_make(int dir, const char *name, const struct csa_shared *head)
{
	void	*p = NULL;
	char	 file[MAX_NAME + 24];
	int	 fd, saved;

	snprintf(file, sizeof(file), "%s-%016llx", name,
	    (unsigned long long)head->layout);
	fd = openat(dir, file, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd != -1) {
		p = map(fd, head);
		close(fd);
	} else if (errno == EACCES || errno == EPERM)
		return NULL;		/* whole, perhaps, and not ours */
	if (p != NULL || (fd = make(dir, file, head)) == -1)
		return p;
	p = map(fd, head);
	saved = errno;
	close(fd);
	errno = saved;
	return p;
}

void *
csa_shared_map(const char *path, const char *name,
    const struct csa_shared *head)
{
	void	*p = NULL;
	int	 dir, held, saved;

	CSA_MUST(strlen(name) <= MAX_NAME && head->size >= sizeof(*head));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1)
		return NULL;
	if ((held = lock(dir, name)) != -1) {
		p = map_or_make(dir, name, head);
		saved = errno;
		close(held);
		errno = saved;
	}
	saved = errno;
	close(dir);
	errno = saved;
	return p;
}

void
csa_shared_unmap(void *p)
{
	munmap(p, ((const struct csa_shared *)p)->size);
}
