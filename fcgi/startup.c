#include "config.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "fcgi/startup.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/text/num.h"

#define FILESMAX	65536

/* A web server hands its environment down; none of it may choose our peers. */
static const char *const unwanted[] = {
	"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY",
	"all_proxy", "ALL_PROXY", "ftp_proxy", "FTP_PROXY",
	"no_proxy", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"CURL_CA_BUNDLE", "CURL_HOME", "CURL_SSL_BACKEND", "SSLKEYLOGFILE",
	"OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", NULL
};

/*
 * Otherwise the first socket becomes stderr, and a log line goes to a client.
 */
static void
open_standard(void)
{
	int	 fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

static bool
among(int fd, const int *list, size_t n)
{
	while (n > 0)
		if (list[--n] == fd)
			return true;
	return false;
}

static void
close_others(const int *keep, size_t n)
{
	struct dirent	*e;
	int64_t		 fd;
	DIR		*d;

	if ((d = opendir("/proc/self/fd")) == NULL)
		return;
	while ((e = readdir(d)) != NULL)
		if (csa_parse_int(e->d_name, 0, INT32_MAX, &fd) == 0 &&
		    fd > STDERR_FILENO && fd != dirfd(d) &&
		    !among((int)fd, keep, n))
			close((int)fd);
	closedir(d);
}

static void
raise_files(void)
{
	struct rlimit	 r;

	if (getrlimit(RLIMIT_NOFILE, &r) == -1 || r.rlim_cur >= FILESMAX)
		return;
	r.rlim_cur = r.rlim_max < FILESMAX ? r.rlim_max : FILESMAX;
	(void)setrlimit(RLIMIT_NOFILE, &r);
}

void
csa_startup(const int *keep, size_t n)
{
	open_standard();
	close_others(keep, n);
	for (size_t i = 0; unwanted[i] != NULL; i++)
		unsetenv(unwanted[i]);
	raise_files();
	CSA_MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
}

int
csa_startup_listener(int fd)
{
	int		 on = 0, flags;
	socklen_t	 n = sizeof(on);

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &n) == -1)
		return -1;
	if (!on) {
		errno = ENOTCONN;
		return -1;
	}
	if ((flags = fcntl(fd, F_GETFL)) == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
csa_startup_signals(const int *list)
{
	sigset_t	 set;
	int		 fd;

	sigemptyset(&set);
	for (; *list != 0; list++)
		sigaddset(&set, *list);
	CSA_MUST(pthread_sigmask(SIG_SETMASK, &set, NULL) == 0);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	CSA_MUST(fd != -1);
	return fd;
}

int
csa_startup_env_fd(const char *name)
{
	const char	*s = getenv(name);
	int64_t		 fd;

	if (s == NULL || csa_parse_int(s, 0, INT32_MAX, &fd) == -1)
		return -1;
	return (int)fd;
}
