#include "config.h"

#include <sys/stat.h>

#include <dirent.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/rights.h"

/* ---- users ---- */

static void
name_user(struct csa_who *w)
{
	struct passwd	*pw = getpwuid(w->uid);

	if (pw != NULL)
		snprintf(w->name, sizeof(w->name), "%s", pw->pw_name);
	else
		snprintf(w->name, sizeof(w->name), "%u", (unsigned)w->uid);
}

void
csa_who_self(struct csa_who *w)
{
	int	 n;

	memset(w, 0, sizeof(*w));
	w->known = true;
	w->uid = geteuid();
	w->gid = getegid();
	n = getgroups(CSA_GROUPS_MAX, w->groups);
	w->ngroups = n > 0 ? (size_t)n : 0;
	name_user(w);
}

bool
csa_who_user(const char *name, struct csa_who *w)
{
	struct passwd	*pw = getpwnam(name);
	int		 n = CSA_GROUPS_MAX;

	memset(w, 0, sizeof(*w));
	if (pw == NULL)
		return false;
	w->known = true;
	w->uid = pw->pw_uid;
	w->gid = pw->pw_gid;
	snprintf(w->name, sizeof(w->name), "%s", pw->pw_name);
	if (getgrouplist(name, w->gid, w->groups, &n) == -1)
		n = CSA_GROUPS_MAX;
	w->ngroups = (size_t)n;
	return true;
}

/* ---- processes ---- */

/* The effective ids and the groups of /proc/PID/status. */
static void
read_line(struct csa_who *w, const char *line)
{
	unsigned	 real, effective;
	char		*end;
	long		 g;

	if (sscanf(line, "Name: %31s", w->program) == 1)
		return;
	if (sscanf(line, "Uid: %u %u", &real, &effective) == 2)
		w->uid = effective;
	else if (sscanf(line, "Gid: %u %u", &real, &effective) == 2)
		w->gid = effective;
	else if (strncmp(line, "Groups:", 7) == 0)
		for (line += 7; w->ngroups < CSA_GROUPS_MAX; line = end) {
			g = strtol(line, &end, 10);
			if (end == line)
				return;
			w->groups[w->ngroups++] = (gid_t)g;
		}
}

static bool
read_process(const char *pid, struct csa_who *w)
{
	char	 path[64], line[1024];
	FILE	*f;

	snprintf(path, sizeof(path), "/proc/%.20s/status", pid);
	if ((f = fopen(path, "re")) == NULL)
		return false;
	memset(w, 0, sizeof(*w));
	w->known = true;
	while (fgets(line, sizeof(line), f) != NULL)
		read_line(w, line);
	fclose(f);
	name_user(w);
	return true;
}

/* Does the process have that socket open? */
static bool
holds(const char *pid, const char *link)
{
	char		 dir[64], path[PATH_MAX], to[64];
	struct dirent	*e;
	bool		 found = false;
	ssize_t		 n;
	DIR		*d;

	snprintf(dir, sizeof(dir), "/proc/%.20s/fd", pid);
	if ((d = opendir(dir)) == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n = readlink(path, to, sizeof(to) - 1);
		if (n > 0) {
			to[n] = '\0';
			found = strcmp(to, link) == 0;
		}
	}
	closedir(d);
	return found;
}

static bool
holder(unsigned long inode, struct csa_who *w)
{
	struct csa_who	 one;
	struct dirent	*e;
	bool		 found = false;
	char		 link[64];
	DIR		*d;

	memset(w, 0, sizeof(*w));
	if (inode == 0 || (d = opendir("/proc")) == NULL)
		return false;
	snprintf(link, sizeof(link), "socket:[%lu]", inode);
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    !holds(e->d_name, link) || !read_process(e->d_name, &one))
			continue;
		if (!found || w->uid == 0)
			*w = one;
		found = true;
		if (w->uid != 0)
			break;
	}
	closedir(d);
	return found;
}

bool
csa_who_unix(const char *path, struct csa_who *w)
{
	unsigned long	 inode, found = 0;
	unsigned	 flags;
	char		 line[512];
	int		 at;
	FILE		*f;

	memset(w, 0, sizeof(*w));
	if ((f = fopen("/proc/net/unix", "re")) == NULL)
		return false;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		at = 0;
		/* Those that listen have __SO_ACCEPTCON. */
		if (sscanf(line, "%*s %*s %*s %x %*s %*s %lu %n", &flags,
		    &inode, &at) == 2 && at > 0 && (flags & 0x10000) != 0 &&
		    strcmp(line + at, path) == 0)
			found = inode;
	}
	fclose(f);
	return holder(found, w);
}

static unsigned long
listener(const char *file, unsigned port)
{
	unsigned long	 inode, found = 0;
	unsigned	 local, state;
	char		 line[512];
	FILE		*f;

	if ((f = fopen(file, "re")) == NULL)
		return 0;
	while (found == 0 && fgets(line, sizeof(line), f) != NULL)
		if (sscanf(line, " %*[^:]: %*[0-9A-Fa-f]:%x %*s %x %*s %*s "
		    "%*s %*s %*s %lu", &local, &state, &inode) == 3 &&
		    local == port && state == 0x0a)
			found = inode;
	fclose(f);
	return found;
}

bool
csa_who_tcp(unsigned port, struct csa_who *w)
{
	unsigned long	 inode = listener("/proc/net/tcp", port);

	if (inode == 0)
		inode = listener("/proc/net/tcp6", port);
	return holder(inode, w);
}

/* ---- what they may ---- */

static bool
in_group(const struct csa_who *w, gid_t group)
{
	if (w->gid == group)
		return true;
	for (size_t i = 0; i < w->ngroups; i++)
		if (w->groups[i] == group)
			return true;
	return false;
}

bool
csa_may_mode(const struct csa_who *w, uid_t owner, gid_t group, mode_t mode,
    int want)
{
	int	 have;

	if (w->uid == 0)
		return true;
	/* The first that fits decides, even where it gives less. */
	if (w->uid == owner)
		have = mode >> 6 & 7;
	else if (in_group(w, group))
		have = mode >> 3 & 7;
	else
		have = mode & 7;
	return (have & want) == want;
}

static bool
may_here(const struct csa_who *w, const char *path, int want)
{
	struct stat	 st;

	return stat(path, &st) == 0 &&
	    csa_may_mode(w, st.st_uid, st.st_gid, st.st_mode, want);
}

bool
csa_may(const struct csa_who *w, const char *path, int want, char *stops,
    size_t size)
{
	const char	*slash = path;

	while ((slash = strchr(slash + 1, '/')) != NULL) {
		snprintf(stops, size, "%.*s", (int)(slash - path), path);
		if (!may_here(w, stops, CSA_MAY_ENTER))
			return false;
	}
	snprintf(stops, size, "%s", path);
	return may_here(w, path, want);
}
