#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/doctor.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/config/config.h"

/* Everything together, however much of it hangs. */
#define ALL_MS	120000

enum { OPT_URL = 256, OPT_KEY_FILE, OPT_JSON, OPT_SOCKET, OPT_CA_FILE,
	OPT_WEB_USER };

static const struct option options[] = {
	{ "url", required_argument, NULL, OPT_URL },
	{ "key-file", required_argument, NULL, OPT_KEY_FILE },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "ca-file", required_argument, NULL, OPT_CA_FILE },
	{ "web-user", required_argument, NULL, OPT_WEB_USER },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 }
};

static int
usage(FILE *f)
{
	fprintf(f, "usage: chatsphere doctor [-c FILE] [--url URL] "
	    "[--key-file FILE] [--json]\n"
	    "           [--socket PATH ...] [--web-user NAME] "
	    "[--ca-file FILE]\n"
	    "  -c FILE          the configuration of the service\n"
	    "  --url URL        where clients reach it, through the web "
	    "server\n"
	    "  --key-file FILE  a key; else INTERNAL_API_KEY, else that of "
	    "FILE\n"
	    "  --socket PATH    of a pool; else run_dir/POOL.sock\n"
	    "  --web-user NAME  whom the web server runs as, where that "
	    "cannot be found out\n"
	    "  --ca-file FILE   whom to trust at URL; else ca_file\n"
	    "  --json           one JSON object instead of lines\n"
	    "The exit status is 0, 1 where something failed, 2 for a wrong "
	    "command line.\n");
	return f == stderr ? CSA_EXIT_USAGE : EXIT_SUCCESS;
}

long
csa_doctor_ms(const struct csa_doctor *d, long ms)
{
	int64_t	 left = csa_left_ms(d->deadline);

	/* 0 would mean no limit to some. */
	return left < 1 ? 1 : left < ms ? (long)left : ms;
}

/* NULL for what is no address of a service. */
static char *
read_url(const char *s)
{
	const char	*host = strstr(s, "://");
	char		*url;
	size_t		 n = strlen(s);

	if (host == NULL || (strncmp(s, "http://", 7) != 0 &&
	    strncmp(s, "https://", 8) != 0) || host[3] == '\0' ||
	    host[3] == '/' || strpbrk(s, "?#@ \t\r\n") != NULL)
		return NULL;
	url = csa_strdup(s);
	while (url[n - 1] == '/')
		url[--n] = '\0';
	return url;
}

/* 0, or -1 with a complaint where there is more to say than the usage. */
static int
read_option(struct csa_doctor *d, int ch, char **url)
{
	switch (ch) {
	case 'c':
		d->file = optarg;
		return 0;
	case OPT_URL:
		free(*url);
		d->url = *url = read_url(optarg);
		if (d->url == NULL)
			fprintf(stderr, "chatsphere: --url must be "
			    "http(s)://HOST[:PORT][/PATH]\n");
		return d->url != NULL ? 0 : -1;
	case OPT_KEY_FILE:
		d->key_file = optarg;
		return 0;
	case OPT_JSON:
		d->report.json = true;
		return 0;
	case OPT_SOCKET:
		if (d->nsockets == CSA_DOCTOR_SOCKETS)
			return -1;
		d->sockets[d->nsockets++] = optarg;
		return 0;
	case OPT_CA_FILE:
		d->ca_file = optarg;
		return 0;
	case OPT_WEB_USER:
		d->web_user = optarg;
		return csa_who_user(optarg, &d->web) ? 0 : -1;
	}
	return -1;
}

static void
run(struct csa_doctor *d)
{
	csa_check_config(d);
	csa_check_key(d);
	csa_check_health(d);
	csa_check_sockets(d);
	csa_check_dirs(d);
	csa_check_memcached(d);
	csa_check_store(d);
	csa_check_upstream(d);
	csa_check_front(d);
	csa_check_headers(d);
	csa_check_streams(d);
}

int
csa_cmd_doctor(int argc, char *argv[])
{
	struct csa_doctor	 d;
	char			*url = NULL;
	int			 ch, rc;

	memset(&d, 0, sizeof(d));
	d.file = csa_default_conf();
	while ((ch = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		if (ch == 'h' || read_option(&d, ch, &url) == -1) {
			free(url);
			return usage(ch == 'h' ? stdout : stderr);
		}
	}
	if (optind < argc) {
		free(url);
		return usage(stderr);
	}
	csa_report_init(&d.report, stdout, d.report.json);
	d.deadline = csa_now_ms() + ALL_MS;
	run(&d);
	rc = csa_report_end(&d.report);
	csa_config_free(d.config);
	free(url);
	return rc;
}
