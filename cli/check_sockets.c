#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/fcgi_client.h"
#include "lib/config/config.h"

#define REPLY_MS	3000

/*
 * What each pool answers to a GET: POST endpoints say which method they take,
 * which nobody else's process would.
 */
static const struct pool {
	const char	*name, *uri;
	int		 status;
} pools[] = {
	{ "chat", "/chat", 405 },
	{ "embed_and_store", "/embed_and_store", 405 },
	{ "status", "/health", 200 },
	{ "chatsphere", "/health", 200 },	/* all in one */
};

#define NSEPARATE	3

/* The pool by its socket's name, "chat.sock"; all in one for any other. */
static const struct pool *
pool_of(const char *path)
{
	const char	*slash = strrchr(path, '/');
	size_t		 n;

	path = slash != NULL ? slash + 1 : path;
	for (size_t i = 0; i < NSEPARATE; i++) {
		n = strlen(pools[i].name);
		if (strncmp(path, pools[i].name, n) == 0 &&
		    (path[n] == '.' || path[n] == '\0'))
			return &pools[i];
	}
	return &pools[NSEPARATE];
}

struct place {
	struct csa_doctor	*d;
	const struct pool	*pool;
	const char		*path;
	char			 check[40];	/* "socket.chat" */
	struct stat		 st;
};

static const char *
web_name(const struct place *p)
{
	return p->d->web.program[0] != '\0' ? p->d->web.program :
	    "the web server";
}

static void
say_start(const struct place *p)
{
	csa_report_do(&p->d->report, "spawn-fcgi -n -s %s -M 0660 -G %s -b "
	    "1024 -- chatsphere-prefork -c %s -- %s.fcgi -c %s", p->path,
	    p->d->web.known ? p->d->web.name : "www-data",
	    p->d->file != NULL ? p->d->file : "FILE", p->pool->name,
	    p->d->file != NULL ? p->d->file : "FILE");
}

/* This user may not look: that says nothing about others. */
static void
say_unseen(const struct place *p)
{
	csa_report(&p->d->report, CSA_VERDICT_SKIP, p->check, "%s: this user "
	    "may not connect to it", p->path);
	csa_report_do(&p->d->report, "run this as root or as the service's "
	    "user");
}

static void
say_missing(const struct place *p, int error)
{
	if (error == EACCES) {
		say_unseen(p);
		return;
	}
	csa_report(&p->d->report, CSA_VERDICT_FAIL, p->check, "%s: %s",
	    p->path, strerror(error));
	say_start(p);
}

/* A file of the right kind?  Reports where not. */
static bool
is_socket(struct place *p)
{
	if (stat(p->path, &p->st) == -1) {
		say_missing(p, errno);
		return false;
	}
	if (S_ISSOCK(p->st.st_mode))
		return true;
	csa_report(&p->d->report, CSA_VERDICT_FAIL, p->check, "%s is no "
	    "socket", p->path);
	csa_report_do(&p->d->report, "rm %s, and start the pool again",
	    p->path);
	return false;
}

/* The web server's group, where it may be asked for. */
static const char *
web_group(const struct place *p)
{
	struct group	*g = getgrgid(p->d->web.gid);

	return g != NULL ? g->gr_name : "www-data";
}

/* May the web server use it?  Reports where not. */
static bool
is_open(const struct place *p)
{
	char	 stops[PATH_MAX];

	if (!p->d->web.known || csa_may(&p->d->web, p->path, CSA_MAY_READ |
	    CSA_MAY_WRITE, stops, sizeof(stops)))
		return true;
	csa_report(&p->d->report, CSA_VERDICT_FAIL, p->check, "%s runs as %s "
	    "and may not %s %s", web_name(p), p->d->web.name,
	    strcmp(stops, p->path) == 0 ? "connect to" : "pass through",
	    stops);
	if (strcmp(stops, p->path) == 0)
		csa_report_do(&p->d->report, "chgrp %s %s && chmod 0660 %s "
		    "(for good: spawn-fcgi -M 0660 -G %s)", web_group(p),
		    p->path, p->path, web_group(p));
	else
		csa_report_do(&p->d->report, "chgrp %s %s && chmod g+x %s",
		    web_group(p), stops, stops);
	return false;
}

static void
say_connect(const struct place *p, int error)
{
	/* The web server may: is_open has seen to that. */
	if (error == EACCES && p->d->web.known) {
		say_unseen(p);
		return;
	}
	csa_report(&p->d->report, CSA_VERDICT_FAIL, p->check,
	    "%s cannot be connected to (mode %04o): %s", p->path,
	    (unsigned)p->st.st_mode & 07777, strerror(error));
	switch (error) {
	case EACCES:
		csa_report_do(&p->d->report, "chmod 0660 %s, its group the "
		    "web server's (spawn-fcgi -M 0660 -G www-data)", p->path);
		break;
	case EAGAIN:
		csa_report_do(&p->d->report, "the pool does not keep up: more "
		    "workers, and spawn-fcgi -b 1024");
		break;
	default:
		/* Left by a pool that is no more. */
		say_start(p);
	}
}

static void
say_reply(const struct place *p, const struct csa_fcgi_reply *r)
{
	struct csa_report	*report = &p->d->report;

	if (r->end == CSA_FCGI_REPLY && r->status == p->pool->status) {
		csa_report(report, CSA_VERDICT_OK, p->check, "%s speaks "
		    "FastCGI, answers in %.1f ms", p->path, r->ms);
		return;
	}
	if (r->end == CSA_FCGI_REPLY)
		csa_report(report, CSA_VERDICT_FAIL, p->check, "%s answers "
		    "%s with status %d, not %d: another program, or another "
		    "url_prefix", p->path, p->pool->uri, r->status,
		    p->pool->status);
	else
		csa_report(report, CSA_VERDICT_FAIL, p->check, "%s %s",
		    p->path, r->end == CSA_FCGI_TIMEOUT ?
		    "does not answer in time" : r->end == CSA_FCGI_CLOSED ?
		    "closes the connection without an answer" :
		    "does not speak FastCGI");
	csa_report_do(report, "see the pool's log; %s.fcgi -t -c %s checks "
	    "its configuration", p->pool->name, p->d->file != NULL ?
	    p->d->file : "FILE");
}

static void
ask(const struct place *p)
{
	const struct csa_config	*c = p->d->config;
	struct csa_fcgi_reply	 r;
	char			 uri[512];

	snprintf(uri, sizeof(uri), "%s%s", c != NULL ? c->url_prefix : "",
	    p->pool->uri);
	csa_fcgi_get(p->path, uri, NULL, csa_doctor_ms(p->d, REPLY_MS), &r);
	if (r.end == CSA_FCGI_CONNECT)
		say_connect(p, r.error);
	else
		say_reply(p, &r);
	csa_fcgi_fini(&r);
}

static void
check_one(struct csa_doctor *d, const char *path)
{
	struct place	 p = { .d = d, .pool = pool_of(path), .path = path };

	snprintf(p.check, sizeof(p.check), "socket.%s", p.pool->name);
	if (!is_socket(&p) || !is_open(&p))
		return;
	ask(&p);
	if ((p.st.st_mode & S_IWOTH) == 0)
		return;
	csa_report(&d->report, CSA_VERDICT_WARN, p.check, "everybody on this "
	    "host may connect to %s, and is believed to be the web server",
	    path);
	csa_report_do(&d->report, "chmod 0660 %s (spawn-fcgi -M 0660 -G %s)",
	    path, web_group(&p));
}

/* None is there: the web server starts the program itself, or nobody does. */
static void
say_none(struct csa_doctor *d)
{
	if (d->front_answers) {
		csa_report(&d->report, CSA_VERDICT_OK, "sockets", "none in "
		    "%s: the web server starts the program itself, or has "
		    "its sockets elsewhere (--socket)", d->config->run_dir);
		return;
	}
	csa_report(&d->report, CSA_VERDICT_FAIL, "sockets", "none of "
	    "chat.sock, embed_and_store.sock, status.sock in %s",
	    d->config->run_dir);
	csa_report_do(&d->report, "start the pools (README.md, Install), or "
	    "say where they are: --socket PATH");
}

/* Who runs the pools, so that others can ask what he may. */
static void
find_service(struct csa_doctor *d, const char *path)
{
	if (!d->service.known)
		(void)csa_who_unix(path, &d->service);
}

static void
check_standard(struct csa_doctor *d)
{
	char		 path[NSEPARATE][PATH_MAX];
	struct stat	 st;
	unsigned	 there = 0;

	for (size_t i = 0; i < NSEPARATE; i++) {
		snprintf(path[i], sizeof(path[i]), "%s/%s.sock",
		    d->config->run_dir, pools[i].name);
		there += lstat(path[i], &st) == 0 || errno == EACCES;
		find_service(d, path[i]);
	}
	for (size_t i = 0; i < NSEPARATE && there > 0; i++)
		check_one(d, path[i]);
	if (there == 0)
		say_none(d);
}

void
csa_check_sockets(struct csa_doctor *d)
{
	for (size_t i = 0; i < d->nsockets; i++) {
		find_service(d, d->sockets[i]);
		check_one(d, d->sockets[i]);
	}
	if (d->nsockets == 0 && d->config == NULL)
		csa_report(&d->report, CSA_VERDICT_SKIP, "sockets", "there is "
		    "no good configuration to say where");
	else if (d->nsockets == 0)
		check_standard(d);
	if (d->service.known)
		return;
	/* mod_fcgid's processes are the web server's own. */
	if (d->web.known && d->web.uid != 0) {
		d->service = d->web;
		return;
	}
	/* Nobody else to judge by; only root can have looked everywhere. */
	csa_who_self(&d->service);
	d->service.known = d->service.uid == 0;
}
