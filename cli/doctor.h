/*
 * doctor: what the files of "chatsphere doctor" share.
 *
 * doctor.c		options, the order of things
 * check_config.c	the configuration and the keys
 * check_dirs.c		run_dir and data_dir
 * check_sockets.c	the pools' sockets, from inside
 * check_data.c		memcached and the bots' files
 * check_upstream.c	the providers, without a paid call
 * check_front.c	from outside, through the web server
 * check_keys.c		... which headers and bodies get through it
 * check_stream.c	... and how streams do
 *
 * Each check reports by itself, ends by a limit of its own, and by
 * doctor.deadline at the latest.  A secret never reaches the report.
 */

#ifndef CSA_CLI_DOCTOR_H
#define CSA_CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/advice.h"
#include "cli/report.h"
#include "cli/rights.h"
#include "lib/http/look.h"

#define CSA_DOCTOR_SOCKETS	8

struct csa_config;
struct csa_keys;

struct csa_doctor {
	struct csa_report report;
	int64_t		 deadline;	/* csa_now_ms() time, of everything */

	/* From the command line; NULL where not given. */
	const char	*file;		/* the configuration */
	const char	*url;		/* without a slash at its end */
	const char	*key_file;
	const char	*ca_file;	/* for url */
	const char	*web_user;
	const char	*sockets[CSA_DOCTOR_SOCKETS];
	size_t		 nsockets;

	/* Found out on the way. */
	struct csa_config *config;	/* NULL where it is bad */
	const char	*key;		/* NULL: none */
	struct csa_who	 service;	/* who runs the pools */
	struct csa_who	 web;		/* who runs the web server */
	enum csa_front	 front;
	bool		 front_answers;	/* GET /health was ours */
	bool		 key_good;	/* and /chat takes the key */
};

/* What a step may take: the smaller of ms and what is left of it all. */
long	csa_doctor_ms(const struct csa_doctor *, long ms);

void	csa_check_config(struct csa_doctor *);
void	csa_check_key(struct csa_doctor *);
void	csa_check_dirs(struct csa_doctor *);
void	csa_check_sockets(struct csa_doctor *);
void	csa_check_memcached(struct csa_doctor *);
void	csa_check_store(struct csa_doctor *);
void	csa_check_upstream(struct csa_doctor *);
void	csa_check_health(struct csa_doctor *);	/* sets front, web */
void	csa_check_front(struct csa_doctor *);
void	csa_check_headers(struct csa_doctor *);	/* sets key_good */
void	csa_check_streams(struct csa_doctor *);

/* ---- check_front.c, for the checks from outside ---- */

enum csa_key_how { CSA_KEY_NONE, CSA_KEY_HEADER, CSA_KEY_BEARER };

/*
 * One exchange with url + path.  key goes the way that `how` says; body NULL:
 * GET.  Initialises l: csa_look_fini it.
 */
void	csa_front_ask(const struct csa_doctor *, const char *path,
	    enum csa_key_how how, const char *key, const void *body, size_t n,
	    long ms, struct csa_look *l);

/* Is the reply the service's own, and not the web server's? */
bool	csa_front_ours(const struct csa_look *);

/* The reply's text member at path ("error.code"), "" where there is none. */
void	csa_front_member(const struct csa_look *, const char *path,
	    char *value, size_t size);

/* A reply that should have been the service's and was not: FAIL, and why. */
void	csa_front_fail(struct csa_doctor *, const char *check,
	    const struct csa_look *);

#endif
