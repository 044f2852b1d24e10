/*
 * config_internal: what the files of lib/config share.
 */

#ifndef CSA_CONFIG_INTERNAL_H
#define CSA_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/must.h"
#include "lib/config/config.h"

enum csa_param {
#define P_STR(name, def, env, text)		CSA_P_##name,
#define P_SECRET(name, env, text)		CSA_P_##name,
#define P_INT(name, def, min, max, env, text)	CSA_P_##name,
#define P_DBL(name, def, min, max, env, text)	CSA_P_##name,
#define P_BOOL(name, def, env, text)		CSA_P_##name,
#define P_ENUM(name, def, values, env, text)	CSA_P_##name,
#include "lib/config/params.def"
#undef P_STR
#undef P_SECRET
#undef P_INT
#undef P_DBL
#undef P_BOOL
#undef P_ENUM
	CSA_P__MAX
};

enum csa_ptype { CSA_STR, CSA_SECRET, CSA_INT, CSA_DBL, CSA_BOOL, CSA_ENUM };

struct csa_pdesc {
	const char	*name;
	enum csa_ptype	 type;
	size_t		 offset;	/* in struct csa_config */
	const char	*env;		/* NULL: none */
	const char	*def;		/* as text */
	double		 min, max;	/* numbers; no integer is beyond 2^53 */
	const char	*values;	/* enums: "a|b" */
};

extern const struct csa_pdesc csa_pdescs[CSA_P__MAX];

struct csa_loaded {
	struct csa_config	 config;	/* first: what callers hold */
	char			*strings[CSA_P__MAX];
	int			 line[CSA_P__MAX];	/* 0: not in the file */
	const char		*env[CSA_P__MAX];	/* NULL: not there */
	const char		*file;		/* while loading */
	int			 at_line;	/* while reading the file */
	FILE			*errors;
	unsigned		 complaints;
	unsigned		 mode;		/* the file's, 0: no file */
};

/* ---- config.c ---- */

/*
 * Take text as p's value, or complain, at the variable env (NULL: the line that
 * is being read).  The value stays what it was then.
 */
void	csa_config_set(struct csa_loaded *, enum csa_param, const char *text,
	    const char *env);
/* Replace a string's value by what it comes to. */
void	csa_config_settle(struct csa_loaded *, enum csa_param,
	    const char *value);
/* Was it given at all? */
bool	csa_config_given(const struct csa_loaded *, enum csa_param);

/* A complaint about the line being read, or about p where it was given. */
void	csa_config_complain(struct csa_loaded *, const char *fmt, ...)
	    CSA_PRINTF(2, 3);
void	csa_config_blame(struct csa_loaded *, enum csa_param,
	    const char *fmt, ...) CSA_PRINTF(3, 4);
/* The same, but the configuration may be used. */
void	csa_config_warn(struct csa_loaded *, enum csa_param,
	    const char *fmt, ...) CSA_PRINTF(3, 4);

/* A value from outside, fit to be shown: at most 80 bytes, printable. */
const char *csa_config_shown(const char *value, char out[84]);

/* ---- config_file.c ---- */

void	csa_config_read(struct csa_loaded *, FILE *);

/* ---- config_url.c ---- */

struct csa_url { bool https, loopback; char host[256]; };

/*
 * Is s http(s)://host[:port][/path], with no user, query or fragment, and no
 * host that reads as another address than it says (decimal, octal, hexadecimal,
 * mapped) or is link-local?  NULL, or what is wrong with it.
 */
const char *csa_config_url(const char *s, struct csa_url *);

/* ---- config_check.c ---- */

/* What single values must look like. */
void	csa_config_check_values(struct csa_loaded *);

/* ---- config_resolve.c ---- */

/* Who answers, embeds and keeps vectors, and whether that can work. */
void	csa_config_resolve(struct csa_loaded *);

#endif
