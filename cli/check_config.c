#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/doctor.h"
#include "handlers/keys.h"
#include "lib/config/bots.h"
#include "lib/config/config.h"

#define KEYMAX	4096

static const char	name[] = "config";

/* A line of what "-t" says. */
static void
tell(struct csa_doctor *d, const char *line)
{
	static const char	 before[] = "warning: ";
	bool			 mild = strstr(line, before) != NULL;

	csa_report(&d->report, mild ? CSA_VERDICT_WARN : CSA_VERDICT_FAIL,
	    name, "%s", line);
	if (strstr(line, "everybody can read this file") != NULL)
		csa_report_do(&d->report, "chmod o-rwx %s (and chgrp it to "
		    "the service's group)", d->file);
	else
		csa_report_do(&d->report, "set that right in %s and reload "
		    "the pools (kill -HUP); every option is in "
		    "chatsphere.conf(5)", d->file != NULL ? d->file :
		    "the environment");
}

static void
tell_all(struct csa_doctor *d, char *lines)
{
	char	*line;

	while ((line = strsep(&lines, "\n")) != NULL)
		if (*line != '\0')
			tell(d, line);
}

/* Why that one: set outright, or by what there is. */
static const char *
why_chat(const struct csa_config *c)
{
	if (strcmp(c->chat_provider, "auto") != 0)
		return "chat_provider says so";
	if (strcmp(c->chat, "gemini") == 0)
		return "there is a google_api_key";
	if (strcmp(c->chat, "openai") == 0)
		return c->openai_api_key[0] != '\0' ?
		    "there is an openai_api_key" :
		    "there is an openai_base_url";
	return "there is no key and no address of a provider";
}

static void
tell_choice(struct csa_doctor *d)
{
	const struct csa_config	*c = d->config;

	csa_report(&d->report, CSA_VERDICT_OK, "config.provider",
	    "answers by %s, since %s; embeddings: %s; vectors: %s%s",
	    c->chat, why_chat(c), c->embedding,
	    strcmp(c->embedding, "none") == 0 ? "none" : c->vectors,
	    strcmp(c->chat, "extractive") == 0 ? "" :
	    strcmp(c->fallback, "none") == 0 ? "; no fallback" :
	    "; fallback: extractive");
}

void
csa_check_config(struct csa_doctor *d)
{
	char	*text = NULL;
	size_t	 n = 0;
	FILE	*f = open_memstream(&text, &n);

	if (f == NULL) {
		csa_report(&d->report, CSA_VERDICT_FAIL, name, "%s",
		    strerror(errno));
		return;
	}
	d->config = csa_config_load(d->file, f);
	fclose(f);
	if (d->config != NULL)
		csa_report(&d->report, CSA_VERDICT_OK, name, "%s, with this "
		    "environment", d->file != NULL ? d->file : "no file");
	tell_all(d, text);
	free(text);
	if (d->config != NULL)
		tell_choice(d);
}

/* ---- keys ---- */

/* The first line of a file, in memory that lasts; NULL with errno. */
static const char *
read_key(const char *file)
{
	static char	 key[KEYMAX];
	FILE		*f = fopen(file, "re");
	char		*line;

	if (f == NULL)
		return NULL;
	line = fgets(key, sizeof(key), f);
	fclose(f);
	if (line == NULL) {
		errno = ENODATA;
		return NULL;
	}
	key[strcspn(key, " \t\r\n")] = '\0';
	errno = ENODATA;
	return key[0] != '\0' ? key : NULL;
}

static void
find_key(struct csa_doctor *d)
{
	const char	*env = getenv("INTERNAL_API_KEY");

	if (d->key_file != NULL) {
		if ((d->key = read_key(d->key_file)) == NULL) {
			csa_report(&d->report, CSA_VERDICT_FAIL, "keys",
			    "%s: %s", d->key_file, strerror(errno));
			csa_report_do(&d->report, "put the key into that "
			    "file, and nothing else");
		}
		return;
	}
	if (env != NULL && *env != '\0')
		d->key = env;
	else if (d->config != NULL && d->config->internal_api_key[0] != '\0')
		d->key = d->config->internal_api_key;
	if (d->key != NULL)
		return;
	csa_report(&d->report, CSA_VERDICT_FAIL, "keys", "there is no key to "
	    "look with, in the environment or the configuration");
	csa_report_do(&d->report, "INTERNAL_API_KEY=... in the environment "
	    "of the pools and of this command, or internal_api_key in the "
	    "configuration; or --key-file FILE here");
}

static void
tell_keys(struct csa_doctor *d, const struct csa_keys *keys)
{
	const struct csa_config	*c = d->config;
	const struct csa_key	*k;
	bool			 previous;

	if (d->key == NULL)
		return;
	previous = c->internal_api_key_previous[0] != '\0';
	k = csa_keys_find(keys, d->key, strlen(d->key));
	if (k == NULL) {
		csa_report(&d->report, CSA_VERDICT_WARN, "keys", "this key "
		    "is not one of the configuration's: the pools may have "
		    "another from their environment");
		csa_report_do(&d->report, "look with the key of the pools: "
		    "--key-file FILE");
		return;
	}
	csa_report(&d->report, CSA_VERDICT_OK, "keys", "looking with the key "
	    "\"%s\"%s%s", k->name, c->keys_file[0] != '\0' ?
	    "; keys_file is sound" : "", previous ?
	    "; a previous one is valid too" : "");
}

static void
check_bots(struct csa_doctor *d)
{
	struct csa_bots	*bots;
	struct csa_err	 err;

	if ((bots = csa_bots_load(d->config->bots_file, &err)) == NULL) {
		csa_report(&d->report, CSA_VERDICT_FAIL, "bots", "%s",
		    err.msg);
		csa_report_do(&d->report, "correct that line of bots_file; "
		    "its form is in chatsphere.conf(5)");
	}
	csa_bots_free(bots);
}

void
csa_check_key(struct csa_doctor *d)
{
	const struct csa_config	*c = d->config;
	struct csa_keys		*keys;
	struct csa_err		 err;

	find_key(d);
	if (c == NULL)
		return;
	check_bots(d);
	keys = csa_keys_load(c->keys_file, c->internal_api_key,
	    c->internal_api_key_previous, &err);
	if (keys == NULL) {
		csa_report(&d->report, CSA_VERDICT_FAIL, "keys", "%s",
		    err.msg);
		csa_report_do(&d->report, "correct that line of keys_file; "
		    "its form is in chatsphere.conf(5)");
		return;
	}
	tell_keys(d, keys);
	csa_keys_free(keys);
}
