/*
 * An nginx in front of the test's server, for HTTP/2 over TLS.
 */

#include "config.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/http_fixture.h"

static const char *const	 programs[] = { "/usr/sbin/nginx",
	"/usr/local/sbin/nginx", "/usr/bin/nginx" };

static char	dir[] = "/tmp/csa-nginx-XXXXXX";
static pid_t	pid;

static void
write_conf(const char *path, int port)
{
	FILE	*f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fprintf(f, "daemon off; master_process off; pid %s/pid;\n"
	    "error_log %s/error;\n"
	    "events { worker_connections 4096; }\n"
	    "http {\n access_log off; client_max_body_size 8m;\n"
	    " client_body_temp_path %s/1; proxy_temp_path %s/2;\n"
	    " fastcgi_temp_path %s/3; uwsgi_temp_path %s/4;\n"
	    " scgi_temp_path %s/5;\n"
	    " server {\n  listen 127.0.0.1:%d ssl http2 backlog=1024;\n"
	    "  ssl_certificate %s; ssl_certificate_key %s;\n"
	    "  location / {\n   proxy_pass http://127.0.0.1:%d;\n"
	    "   proxy_http_version 1.1; proxy_buffering off;\n"
	    "   proxy_request_buffering off;\n  }\n }\n}\n",
	    dir, dir, dir, dir, dir, dir, dir, port, certs_file(CERT_GOOD, 0),
	    certs_file(CERT_GOOD, 1), srv->port);
	ck_assert_int_eq(fclose(f), 0);
}

static void
await_port(int port)
{
	struct sockaddr_in	 a = { .sin_family = AF_INET };
	int			 fd, rc = -1;

	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	a.sin_port = htons((uint16_t)port);
	for (int i = 0; rc == -1 && i < 1000; i++) {
		poll(NULL, 0, 5);
		fd = socket(AF_INET, SOCK_STREAM, 0);
		rc = connect(fd, (struct sockaddr *)&a, sizeof(a));
		close(fd);
	}
	ck_assert_int_eq(rc, 0);
}

int
nginx_start(void)
{
	char		 conf[64], error[64];
	size_t		 i;
	int		 port = dead_port();

	for (i = 0; access(programs[i], X_OK) != 0;)
		if (++i == CSA_NITEMS(programs))
			return -1;
	/* The one before left its letters in it. */
	memset(dir + sizeof(dir) - 7, 'X', 6);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(conf, sizeof(conf), "%s/conf", dir);
	snprintf(error, sizeof(error), "%s/error", dir);
	write_conf(conf, port);
	if ((pid = fork()) == 0) {
		/* A test that fails cleans nothing up. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		execl(programs[i], "nginx", "-e", error, "-c", conf, NULL);
		_exit(127);
	}
	ck_assert_int_gt(pid, 0);
	await_port(port);
	return port;
}

void
nginx_stop(void)
{
	static const char *const	 names[] = { "conf", "error", "pid",
		"1", "2", "3", "4", "5" };
	char				 path[64];

	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	pid = 0;
	for (size_t i = 0; i < CSA_NITEMS(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		remove(path);
	}
	rmdir(dir);
}
