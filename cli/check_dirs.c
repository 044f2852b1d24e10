#include "config.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "lib/config/config.h"

#define MIB		(1024.0 * 1024)
#define LITTLE_MIB	512	/* worth a word */
#define NONE_MIB	32	/* storing will fail soon */

static const char *
user(uid_t uid)
{
	struct passwd	*pw = getpwuid(uid);

	return pw != NULL ? pw->pw_name : "an unknown user";
}

static void
say_missing(struct csa_doctor *d, const char *name, const char *path,
    int error)
{
	csa_report(&d->report, error == EACCES ? CSA_VERDICT_SKIP :
	    CSA_VERDICT_FAIL, name, "%s: %s", path, strerror(error));
	if (error == EACCES)
		csa_report_do(&d->report, "run this as root or as the "
		    "service's user");
	else
		csa_report_do(&d->report, "install -d -o %s -m 0750 %s",
		    d->service.name, path);
}

static void
say_closed(struct csa_doctor *d, const char *name, const char *path,
    const char *stops)
{
	struct stat	 st;

	if (!d->service.known) {
		csa_report(&d->report, CSA_VERDICT_SKIP, name, "%s may not "
		    "work in %s, and who runs the service cannot be seen",
		    d->service.name, path);
		csa_report_do(&d->report, "run this as root or as the "
		    "service's user");
		return;
	}
	if (stat(stops, &st) == -1)
		memset(&st, 0, sizeof(st));
	csa_report(&d->report, CSA_VERDICT_FAIL, name, "%s, whom the service "
	    "runs as, may not work in %s: %s belongs to %s, mode %04o",
	    d->service.name, path, stops, user(st.st_uid),
	    (unsigned)st.st_mode & 07777);
	if (strcmp(stops, path) == 0)
		csa_report_do(&d->report, "chown -R %s %s", d->service.name,
		    path);
	else
		csa_report_do(&d->report, "chmod a+x %s", stops);
}

/* Is it a directory that the service can work in?  Reports where not. */
static bool
usable(struct csa_doctor *d, const char *name, const char *path,
    struct stat *st)
{
	char	 stops[PATH_MAX];

	if (stat(path, st) == -1) {
		say_missing(d, name, path, errno);
		return false;
	}
	if (!S_ISDIR(st->st_mode)) {
		csa_report(&d->report, CSA_VERDICT_FAIL, name,
		    "%s is no directory", path);
		csa_report_do(&d->report, "set %s to a directory", name);
		return false;
	}
	if (csa_may(&d->service, path, CSA_MAY_READ | CSA_MAY_WRITE |
	    CSA_MAY_ENTER, stops, sizeof(stops)))
		return true;
	say_closed(d, name, path, stops);
	return false;
}

static double
free_mib(const char *path)
{
	struct statvfs	 v;

	if (statvfs(path, &v) == -1)
		return -1;
	return (double)v.f_bavail * (double)v.f_frsize / MIB;
}

static void
check_data(struct csa_doctor *d)
{
	const char	*path = d->config->data_dir, *name = "data_dir";
	char		 bots[PATH_MAX];
	struct stat	 st;
	double		 mib;

	if (!usable(d, name, path, &st))
		return;
	mib = free_mib(path);
	csa_report(&d->report, mib < NONE_MIB ? CSA_VERDICT_FAIL :
	    mib < LITTLE_MIB ? CSA_VERDICT_WARN : CSA_VERDICT_OK, name,
	    "%s belongs to %s, %.0f MiB are free", path, user(st.st_uid),
	    mib);
	if (mib < LITTLE_MIB)
		csa_report_do(&d->report, "make room: df -h %s", path);
	/* The directory in it is 0700 where the service made it. */
	snprintf(bots, sizeof(bots), "%s/bots", path);
	if ((st.st_mode & S_IRWXO) == 0 || stat(bots, &st) == -1 ||
	    (st.st_mode & S_IRWXO) == 0)
		return;
	csa_report(&d->report, CSA_VERDICT_WARN, name, "everybody on this "
	    "host can look into %s (mode %04o)", bots,
	    (unsigned)st.st_mode & 07777);
	csa_report_do(&d->report, "chmod o-rwx %s", bots);
}

/* Files of the shared metrics that the service can write; -1: one it can't. */
static int
count_metrics(struct csa_doctor *d, const char *path)
{
	struct dirent	*e;
	struct stat	 st;
	int		 n = 0;
	DIR		*dir = opendir(path);

	while (dir != NULL && n != -1 && (e = readdir(dir)) != NULL) {
		if (strncmp(e->d_name, "metrics-", 8) != 0 ||
		    fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
		    -1)
			continue;
		n = !d->service.known || csa_may_mode(&d->service, st.st_uid, st.st_gid,
		    st.st_mode, CSA_MAY_READ | CSA_MAY_WRITE) ? n + 1 : -1;
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

static void
check_run(struct csa_doctor *d)
{
	const char	*path = d->config->run_dir, *name = "run_dir";
	struct stat	 st;
	int		 n;

	if (*path == '\0') {
		csa_report(&d->report, CSA_VERDICT_WARN, name, "not set: each "
		    "process counts for itself");
		csa_report_do(&d->report, "run_dir = /run/chatsphere");
		return;
	}
	if (!usable(d, name, path, &st))
		return;
	if ((n = count_metrics(d, path)) > 0) {
		csa_report(&d->report, CSA_VERDICT_OK, name, "%s belongs to "
		    "%s, with the shared metrics", path, user(st.st_uid));
		return;
	}
	csa_report(&d->report, CSA_VERDICT_WARN, name, n == 0 ? "%s has no "
	    "shared metrics yet: no pool has started with this run_dir" :
	    "%s: the shared metrics there are somebody else's", path);
	if (n == 0)
		csa_report_do(&d->report, "start the pools with -c %s",
		    d->file != NULL ? d->file : "FILE");
	else
		csa_report_do(&d->report, "rm %s/metrics* and reload the "
		    "pools; they must all run as one user or group", path);
}

void
csa_check_dirs(struct csa_doctor *d)
{
	if (d->config == NULL) {
		csa_report(&d->report, CSA_VERDICT_SKIP, "run_dir",
		    "there is no good configuration to say where");
		return;
	}
	check_run(d);
	check_data(d);
}
