/*
 * Emulators of Gemini, Pinecone and an OpenAI-compatible server in one
 * process, for tests and benches.  README.md says what is reproduced and what
 * is not.  Nothing of the product is used here, so that no bug of ours can
 * hide by being on both sides.
 */
#include "config.h"

#include <err.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/emu/control.h"
#include "tests/emu/emu.h"
#include "tests/emu/fault.h"
#include "tests/emu/http.h"
#include "tests/emu/memo.h"
#include "tests/emu/reqlog.h"
#include "tests/emu/vendors.h"

struct emu_options emu_opt;

enum { O_PORT = 1, O_PORTFILE, O_GEMINI, O_PINECONE, O_OPENAI, O_INDEX,
    O_VERBOSE, O_TLS, O_THREADS, O_IDLE, O_BASE, O_HELP };

static const struct option options[] = {
	{ "port",		required_argument, NULL, O_PORT },
	{ "port-file",		required_argument, NULL, O_PORTFILE },
	{ "gemini-key",		required_argument, NULL, O_GEMINI },
	{ "pinecone-key",	required_argument, NULL, O_PINECONE },
	{ "openai-key",		required_argument, NULL, O_OPENAI },
	{ "index",		required_argument, NULL, O_INDEX },
	{ "verbose",		required_argument, NULL, O_VERBOSE },
	{ "tls",		required_argument, NULL, O_TLS },
	{ "threads",		required_argument, NULL, O_THREADS },
	{ "idle-timeout",	required_argument, NULL, O_IDLE },
	{ "base-url",		required_argument, NULL, O_BASE },
	{ "help",		no_argument,	   NULL, O_HELP },
	{ NULL, 0, NULL, 0 }
};

static const char usage_text[] =
    "usage: emulator [--port N] [--port-file FILE] [--gemini-key K]\n"
    "    [--pinecone-key K] [--openai-key K] [--index NAME:DIM:METRIC]...\n"
    "    [--verbose LOGFILE] [--tls CERT KEY] [--threads N]\n"
    "    [--idle-timeout SECONDS] [--base-url URL]\n";

static unsigned
number(const char *s, unsigned max)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || *end != '\0' || n > max)
		errx(2, "%s: a number up to %u is wanted", s, max);
	return (unsigned)n;
}

static char *
slurp(const char *path)
{
	struct emu_buf b = { NULL, 0, 0 };
	char part[4096];
	ssize_t n;
	int fd;

	if ((fd = open(path, O_RDONLY)) == -1)
		err(1, "%s", path);
	while ((n = read(fd, part, sizeof(part))) > 0)
		emu_buf_add(&b, part, (size_t)n);
	if (n == -1 || b.len == 0)
		errx(1, "%s: cannot be read or is empty", path);
	(void)close(fd);
	return b.p;
}

/* --tls takes two arguments; getopt knows of one, the next is the key. */
static void
read_tls(struct emu_listen *l, int argc, char **argv)
{
	if (optind >= argc)
		errx(2, "--tls wants CERT and KEY");
	l->cert = slurp(optarg);
	l->key = slurp(argv[optind++]);
}

static void
set_option(int c, struct emu_listen *l, const char **port_file, int argc,
    char **argv)
{
	switch (c) {
	case O_PORT:	 l->port = (uint16_t)number(optarg, 65535); break;
	case O_PORTFILE: *port_file = optarg; break;
	case O_GEMINI:	 emu_opt.gemini_key = optarg; break;
	case O_PINECONE: emu_opt.pinecone_key = optarg; break;
	case O_OPENAI:	 emu_opt.openai_key = optarg; break;
	case O_INDEX:	 emu_pinecone_index_option(optarg); break;
	case O_TLS:	 read_tls(l, argc, argv); break;
	case O_THREADS:	 l->threads = number(optarg, 64); break;
	case O_IDLE:	 l->idle_timeout = number(optarg, 86400); break;
	case O_BASE:
		(void)snprintf(emu_opt.base_url, sizeof(emu_opt.base_url),
		    "%s", optarg);
		break;
	case O_VERBOSE:
		l->verbose_fd = open(optarg, O_WRONLY | O_CREAT | O_APPEND |
		    O_CLOEXEC, 0666);
		if (l->verbose_fd == -1)
			err(1, "%s", optarg);
		break;
	case O_HELP:
		(void)fputs(usage_text, stdout);
		exit(0);
	default:
		(void)fputs(usage_text, stderr);
		exit(2);
	}
}

/* Whole or not at all: a reader that waits for it never sees half a number. */
static void
write_port(const char *path, uint16_t port)
{
	char tmp[4096];
	FILE *f;

	if (snprintf(tmp, sizeof(tmp), "%s.tmp", path) >= (int)sizeof(tmp))
		errx(1, "%s: name too long", path);
	if ((f = fopen(tmp, "w")) == NULL || fprintf(f, "%u\n", port) < 0 ||
	    fclose(f) != 0 || rename(tmp, path) == -1)
		err(1, "%s", path);
}

int
main(int argc, char **argv)
{
	struct emu_listen l = { .verbose_fd = -1 };
	const char *port_file = NULL;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint16_t port;
	sigset_t set;
	int c, sig;

	l.threads = cores > 1 && cores < 16 ? (unsigned)cores : 2;
	emu_control_defaults();
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		set_option(c, &l, &port_file, argc, argv);
	if (optind != argc)
		errx(2, "%s: not an option", argv[optind]);

	/* Every thread inherits this mask, so only sigwait gets them. */
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);

	port = emu_http_listen(&l);
	if (emu_opt.base_url[0] == '\0')
		(void)snprintf(emu_opt.base_url, sizeof(emu_opt.base_url),
		    "%s://127.0.0.1:%u", l.cert != NULL ? "https" : "http",
		    port);
	emu_http_start(&l);
	if (port_file != NULL)
		write_port(port_file, port);
	(void)printf("LISTENING %u\n", port);
	(void)fflush(stdout);
	(void)sigwait(&set, &sig);

	emu_http_stop();
	emu_fault_clear();
	emu_reqlog_reset();
	emu_pinecone_finish();
	emu_gemini_reset();
	emu_memo_reset();
	free(l.cert);
	free(l.key);
	return 0;
}
