/*
 * config: the options of params.def, from the file and the environment, checked.
 *
 * The result is constant for the life of a process; a reload is a new process.
 */

#ifndef CSA_CONFIG_CONFIG_H
#define CSA_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/err.h"

struct csa_config {
#define P_STR(name, def, env, text)		const char *name;
#define P_SECRET(name, env, text)		const char *name;
#define P_INT(name, def, min, max, env, text)	long name;
#define P_DBL(name, def, min, max, env, text)	double name;
#define P_BOOL(name, def, env, text)		bool name;
#define P_ENUM(name, def, values, env, text)	const char *name;
#include "lib/config/params.def"
#undef P_STR
#undef P_SECRET
#undef P_INT
#undef P_DBL
#undef P_BOOL
#undef P_ENUM
	/* What the values above come to: never "auto", never empty. */
	const char	*chat;		/* gemini, openai, extractive */
	const char	*embedding;	/* gemini, openai, none */
	const char	*vectors;	/* local, pinecone */
};

/*
 * Read file (NULL: only defaults and the environment), then the environment, and
 * check it all.  Strings are never NULL; one without a value is "".  On failure
 * NULL, with every complaint written to errors ("FILE:LINE: threads: 0 is not in
 * 1..4096"); a secret's value is never among them.  On success there may be
 * lines that begin with "warning: ".
 *
 * Besides the three fields above these are filled in: openai_base_url where
 * only a key was given, openai_embedding_base_url where it is the same one, and
 * embedding_model_name where there is an embedder.  Addresses have their scheme
 * and no slash at the end.
 */
struct csa_config *csa_config_load(const char *file, FILE *errors);
/* The same from an open file (NULL: none) that complaints call name. */
struct csa_config *csa_config_load_stream(FILE *, const char *name,
	    FILE *errors);
void	csa_config_free(struct csa_config *);

/* name = value for every option, secrets as (set) or (not set). */
void	csa_config_print(const struct csa_config *, FILE *);

#endif
