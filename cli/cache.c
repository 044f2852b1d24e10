#include "config.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cache.h"
#include "cli/command.h"
#include "handlers/validate.h"
#include "lib/config/config.h"
#include "lib/config/lines.h"

struct request {
	const char	*file;		/* the configuration */
	const char	*what;		/* flush, stats */
	struct csa_scope scope;		/* bot NULL: none was named */
};

static int
usage(FILE *f)
{
	fprintf(f, "usage: chatsphere cache flush BOT [-t TENANT] [-c FILE]\n"
	    "       chatsphere cache stats [-c FILE]\n"
	    "  flush      whatever is cached of a bot's documents is found no "
	    "more, on all hosts\n"
	    "  stats      what the caches of this host have done so far\n"
	    "  -t TENANT  whose bot it is, where the key has a tenant\n"
	    "  -c FILE    the configuration of the service\n"
	    "The exit status is 0, 1 where something failed, 2 for a wrong "
	    "command line.\n");
	return f == stderr ? CSA_EXIT_USAGE : EXIT_SUCCESS;
}

static bool
is_sound(const struct request *r)
{
	const char	*bot = r->scope.bot;
	struct csa_err	 err;

	if (strcmp(r->what, "stats") == 0)
		return bot == NULL && r->scope.tenant[0] == '\0';
	if (strcmp(r->what, "flush") != 0 || bot == NULL)
		return false;
	if (csa_check_bot("BOT", bot, strlen(bot), &err) == -1) {
		fprintf(stderr, "chatsphere: %s\n", err.msg);
		return false;
	}
	return true;
}

/* 0; 1: help was asked for; -1. */
static int
parse(int argc, char *argv[], struct request *r)
{
	int	 ch;

	while ((ch = getopt(argc, argv, "c:t:h")) != -1) {
		if (ch == 'h')
			return 1;
		if (ch == 'c')
			r->file = optarg;
		else if (ch == 't' && csa_is_name(optarg))
			r->scope.tenant = optarg;
		else {
			if (ch == 't')
				fputs("chatsphere: TENANT must be 1 to 64 of "
				    "A-Z a-z 0-9 _ -\n", stderr);
			return -1;
		}
	}
	if (optind < argc)
		r->what = argv[optind++];
	if (optind < argc)
		r->scope.bot = argv[optind++];
	return r->what != NULL && optind == argc && is_sound(r) ? 0 : -1;
}

/* Keys are the service's, often in its environment: no warning of them. */
static struct csa_config *
load(const char *file)
{
	struct csa_config	*config;
	char			*said = NULL;
	size_t			 n;
	FILE			*f;

	CSA_MUST((f = open_memstream(&said, &n)) != NULL);
	config = csa_config_load(file, f);
	fclose(f);
	if (config == NULL)
		fputs(said, stderr);
	free(said);
	return config;
}

int
csa_cmd_cache(int argc, char *argv[])
{
	struct request		 r = { .scope = { .tenant = "" } };
	struct csa_config	*config;
	int			 rc;

	r.file = csa_default_conf();
	if ((rc = parse(argc, argv, &r)) != 0)
		return usage(rc == 1 ? stdout : stderr);
	if ((config = load(r.file)) == NULL)
		return EXIT_FAILURE;
	if (strcmp(r.what, "flush") == 0)
		rc = csa_cache_flush(config, &r.scope, stdout);
	else
		rc = csa_cache_stats(config, stdout);
	csa_config_free(config);
	return rc;
}
