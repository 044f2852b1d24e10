/*
 * load: an HTTP/1.1 load generator that does not wait for the service.
 *
 *	load -p PORT -u PATH [-b BODYFILE] [-H 'Name: value']... MODE ...
 *
 *	-r RATE -d S	open loop: RATE requests a second, whatever comes back
 *	-c N -d S	closed loop: N clients, each with the next request as
 *			soon as its answer is there (saturation)
 *	-n N		burst: N requests at once, each on its own connection
 *
 *	-w S	first let S seconds pass that do not count
 *	-t S	give up on a request after S seconds (60)
 *	-K	a new connection for every request
 *	-x MARK	put the request's number where MARK stands in path or body,
 *		with zeros to MARK's length, so that no two are the same
 *	-m N	at most N connections in an open loop (4096)
 *	-o FILE	write the body of the first answer there
 *	-j	print only the JSON line
 *
 * In the open loop a request's time runs from the moment it was due, not from
 * when it could be sent: a service that stalls is charged for everybody who
 * came meanwhile.  Closed loops hide that.
 *
 * Only 127.0.0.1 is ever the target.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "config.h"

#include <sys/prctl.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/io.h"
#include "bench/load.h"

#define MAX_CONNS	20000

static struct csa_load	 opt = { .clients = 4096, .timeout = 60 * CSA_NS_S };
static bool		 json_only;

static void
make_request(const char *path, const char *headers, const char *bodyfile)
{
	struct csa_bytes	 body = { NULL, 0, 0 };

	if (bodyfile != NULL)
		body = csa_slurp(bodyfile);
	csa_addf(&opt.request, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n%s%s",
	    bodyfile != NULL ? "POST" : "GET", path, opt.port,
	    headers, opt.anew ? "Connection: close\r\n" : "");
	if (bodyfile != NULL)
		csa_addf(&opt.request, "Content-Type: application/json\r\n"
		    "Content-Length: %zu\r\n", body.len);
	csa_addf(&opt.request, "\r\n");
	csa_add(&opt.request, body.data, body.len);
	free(body.data);
}

static void
set_mode(enum csa_load_mode mode)
{
	if (opt.mode != CSA_LOAD_NONE)
		csa_die("only one of -r, -c and -n");
	opt.mode = mode;
}

static void
one_option(int c, struct csa_bytes *headers)
{
	switch (c) {
	case 'p':
		opt.port = (uint16_t)csa_number("-p", optarg, 1, 65535);
		break;
	case 'r':
		set_mode(CSA_LOAD_OPEN);
		opt.rate = csa_number("-r", optarg, 0.01, 1e6);
		break;
	case 'c':
	case 'n':
		set_mode(c == 'c' ? CSA_LOAD_CLOSED : CSA_LOAD_BURST);
		/* FALLTHROUGH */
	case 'm':
		opt.clients = (size_t)csa_number("clients", optarg, 1,
		    MAX_CONNS);
		break;
	case 'd':
		opt.seconds = csa_number("-d", optarg, 0.01, 3600);
		break;
	case 'w':
		opt.warm = csa_number("-w", optarg, 0, 3600);
		break;
	case 't':
		opt.timeout = (uint64_t)(csa_number("-t", optarg, 0.01, 3600) *
		    (double)CSA_NS_S);
		break;
	case 'H':
		csa_addf(headers, "%s\r\n", optarg);
		break;
	case 'x':
		opt.mark = optarg;
		if (strlen(optarg) < 4 || strlen(optarg) > 20)
			csa_die("-x: four to twenty characters");
		break;
	default:
		csa_die("usage: -p PORT -u PATH (-r RATE | -c N | -n N) "
		    "[-d S] [-w S] [-t S] [-m N] [-b BODY] "
		    "[-H 'Name: value'] [-K] [-x MARK] [-o FILE] [-j]");
	}
}

static void
options(int argc, char **argv)
{
	struct csa_bytes	 headers = { NULL, 0, 0 };
	const char		*path = "/", *body = NULL;
	int			 c;

	csa_add(&headers, "", 0);
	while ((c = getopt(argc, argv, "b:c:d:jm:n:o:p:r:t:u:w:x:H:K")) != -1) {
		if (c == 'u')
			path = optarg;
		else if (c == 'b')
			body = optarg;
		else if (c == 'o')
			opt.save = optarg;
		else if (c == 'j')
			json_only = true;
		else if (c == 'K')
			opt.anew = true;
		else
			one_option(c, &headers);
	}
	if (opt.mode == CSA_LOAD_NONE || opt.port == 0 ||
	    (opt.mode != CSA_LOAD_BURST && opt.seconds == 0))
		csa_die("wanted: -p, one of -r -c -n, and -d with -r or -c");
	make_request(path, headers.data, body);
	free(headers.data);
}

int
main(int argc, char **argv)
{
	static struct csa_load_result	 result;

	options(argc, argv);
	csa_more_files();
	/* The kernel's usual 50 us of slack would be the service's latency. */
	prctl(PR_SET_TIMERSLACK, 1);
	csa_load_run(&opt, &result);
	if (!json_only)
		csa_load_print(&result);
	csa_load_print_json(&opt, &result);
	free(opt.request.data);
	return result.from_due.total > 0 ? 0 : 1;
}
