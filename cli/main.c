/*
 * chatsphere: the command-line program of chatsphere-agent.
 */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "lib/base/log.h"
#include "lib/base/mem.h"

#define SYSTEM_CONF	CSA_SYSCONFDIR "/chatsphere/chatsphere.conf"

static const struct {
	const char	*name;
	int		(*run)(int, char **);
	const char	*text;
} commands[] = {
	{ "cache", csa_cmd_cache,
	    "forget what is cached of a bot; what the caches have done" },
	{ "doctor", csa_cmd_doctor,
	    "check a running installation from inside and outside" },
};

const char *
csa_default_conf(void)
{
	const char	*s = getenv("CHATSPHERE_CONF");

	if (s != NULL && *s != '\0')
		return s;
	return access(SYSTEM_CONF, F_OK) == 0 ? SYSTEM_CONF : NULL;
}

static int
usage(FILE *f)
{
	fprintf(f, "usage: chatsphere COMMAND [ARGUMENT ...]\n"
	    "       chatsphere -V | -h\n");
	for (size_t i = 0; i < CSA_NITEMS(commands); i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].text);
	fprintf(f, "Each has -h of its own; see chatsphere(1).\n");
	return f == stderr ? CSA_EXIT_USAGE : EXIT_SUCCESS;
}

int
main(int argc, char *argv[])
{
	if (argc < 2)
		return usage(stderr);
	if (strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "--help") == 0)
		return usage(stdout);
	if (strcmp(argv[1], "-V") == 0 || strcmp(argv[1], "--version") == 0) {
		printf("chatsphere %s\n", PACKAGE_VERSION);
		return EXIT_SUCCESS;
	}
	/* A server that hangs up is a finding, and not the end of us. */
	signal(SIGPIPE, SIG_IGN);
	(void)csa_log_open("chatsphere", NULL, CSA_ERROR);
	for (size_t i = 0; i < CSA_NITEMS(commands); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	fprintf(stderr, "chatsphere: there is no command %s\n", argv[1]);
	return usage(stderr);
}
