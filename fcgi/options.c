#include "config.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/options.h"
#include "fcgi/worker.h"

#define SYSTEM_CONF	CSA_SYSCONFDIR "/chatsphere/chatsphere.conf"

static const char *
default_file(void)
{
	const char	*s = getenv(CSA_CONF_ENV);

	if (s != NULL && *s != '\0')
		return s;
	return access(SYSTEM_CONF, F_OK) == 0 ? SYSTEM_CONF : NULL;
}

static void
usage(const struct csa_options *o, const char *operands, FILE *f)
{
	fprintf(f, "usage: %s [-tTVh] [-c FILE]%s\n"
	    "  -c FILE  read FILE instead of %s\n"
	    "  -t       check the configuration and end\n"
	    "  -T       print the configuration, without secrets, and end\n"
	    "  -V       print the version and end\n"
	    "The listening FastCGI socket is expected on descriptor 0.\n",
	    o->program, operands != NULL ? operands : "", SYSTEM_CONF);
}

/* 1: go on; 0 or 2: the program ends with this status. */
static int
read_option(struct csa_options *o, int ch, const char *operands)
{
	switch (ch) {
	case 'c':
		o->file = optarg;
		return 1;
	case 't':
		o->check = true;
		return 1;
	case 'T':
		o->print = true;
		return 1;
	case 'V':
		printf("%s %s\n", o->program, PACKAGE_VERSION);
		return EXIT_SUCCESS;
	case 'h':
		usage(o, operands, stdout);
		return EXIT_SUCCESS;
	}
	usage(o, operands, stderr);
	return CSA_EXIT_CONFIG;
}

int
csa_options_read(struct csa_options *o, int argc, char *argv[],
    const char *operands, int *status)
{
	static char	*none[] = { NULL };
	const char	*slash;
	int		 ch;

	/* Some web servers start a program without so much as a name. */
	o->program = argc > 0 ? argv[0] : PACKAGE_NAME;
	if ((slash = strrchr(o->program, '/')) != NULL)
		o->program = slash + 1;
	o->file = default_file();
	o->check = o->print = false;
	o->look = NULL;
	o->operands = none;
	if (argc == 0)
		return 0;
	while ((ch = getopt(argc, argv, "+c:tTVh")) != -1)
		if ((*status = read_option(o, ch, operands)) != 1)
			return -1;
	o->operands = argv + optind;
	if ((operands != NULL) == (optind < argc))
		return 0;
	usage(o, operands, stderr);
	*status = CSA_EXIT_CONFIG;
	return -1;
}

/* The exit status of -t. */
static int
check(const struct csa_options *o, const struct csa_config *config)
{
	struct csa_err	 err;

	if (o->look != NULL && o->look(config, &err) == -1) {
		fprintf(stderr, "%s%s%s\n", err.msg,
		    *err.detail != '\0' ? ": " : "", err.detail);
		return CSA_EXIT_CONFIG;
	}
	fprintf(stderr, "%s: the configuration is good\n",
	    o->file != NULL ? o->file : "(no file)");
	return EXIT_SUCCESS;
}

struct csa_config *
csa_options_config(const struct csa_options *o, int *status)
{
	struct csa_config	*config;

	*status = EXIT_SUCCESS;
	if ((config = csa_config_load(o->file, stderr)) == NULL) {
		*status = CSA_EXIT_CONFIG;
		return NULL;
	}
	if (o->print)
		csa_config_print(config, stdout);
	if (o->check)
		*status = check(o, config);
	if (!o->print && !o->check)
		return config;
	csa_config_free(config);
	return NULL;
}

enum csa_level
csa_options_level(const struct csa_config *config)
{
	static const char *const	 names[] = {
		[CSA_DEBUG] = "debug",
		[CSA_INFO] = "info",
		[CSA_WARN] = "warn",
		[CSA_ERROR] = "error",
	};

	for (int i = CSA_DEBUG; i <= CSA_ERROR; i++)
		if (strcmp(names[i], config->log_level) == 0)
			return (enum csa_level)i;
	return CSA_INFO;
}
