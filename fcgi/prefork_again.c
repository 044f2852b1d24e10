/*
 * The children go to the next program file in an environment variable: numbers,
 * "GENERATION FAILED DELAY" and for each child "PID FD STATE GENERATION STARTED
 * KILL_AT".  It only ever comes from ourselves, and is still checked: a list
 * that cannot be true would have us kill strangers.
 */

#include "config.h"

#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fcgi/prefork.h"
#include "lib/base/buf.h"
#include "lib/base/log.h"
#include "lib/base/must.h"
#include "lib/text/num.h"

#define STATE_ENV	"CHATSPHERE_PREFORK_STATE"
#define STATE_MAX	(CSA_CHILDREN * 96)

static void
keep_open(struct csa_prefork *p, int flag)
{
	for (size_t i = 0; i < p->nchildren; i++)
		if (p->child[i].notify != -1)
			(void)fcntl(p->child[i].notify, F_SETFD, flag);
}

void
csa_prefork_again(struct csa_prefork *p)
{
	struct csa_child	*c;
	struct csa_buf		 b;

	csa_buf_init(&b, STATE_MAX);
	csa_buf_addf(&b, "%u %" PRId64 " %" PRId64, p->generation, p->failed,
	    p->delay);
	for (size_t i = 0; i < p->nchildren; i++) {
		c = &p->child[i];
		csa_buf_addf(&b, " %d %d %d %u %" PRId64 " %" PRId64,
		    (int)c->pid, c->notify, (int)c->state, c->generation,
		    c->started, c->kill_at);
	}
	CSA_MUST(!b.failed && setenv(STATE_ENV, b.data, 1) == 0);
	csa_buf_fini(&b);
	csa_children_count(p, true);
	keep_open(p, 0);
	execvp(p->argv[0], p->argv);
	csa_error("%s: %s; going on as before", p->argv[0], strerror(errno));
	keep_open(p, FD_CLOEXEC);
	unsetenv(STATE_ENV);
}

/* The next number of *s, which it moves on; -1 where there is none. */
static int
number(char **s, int64_t min, int64_t *v)
{
	char	*word = strsep(s, " ");

	return word == NULL ? -1 : csa_parse_int(word, min, INT64_MAX, v);
}

static int
adopt_child(struct csa_prefork *p, char **s)
{
	int64_t		 pid, fd, state, generation, started, kill_at;
	siginfo_t	 si;

	if (number(s, 2, &pid) == -1 || number(s, -1, &fd) == -1 ||
	    number(s, 0, &state) == -1 || number(s, 0, &generation) == -1 ||
	    number(s, 0, &started) == -1 || number(s, 0, &kill_at) == -1 ||
	    state >= CSA_CHILD__MAX || p->nchildren == CSA_CHILDREN)
		return -1;
	/* It may be dead, but it must be a child of ours. */
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) == -1)
		return -1;
	p->child[p->nchildren++] = (struct csa_child){
		.pid = (pid_t)pid,
		.notify = (int)fd,
		.state = (enum csa_child_state)state,
		.generation = (unsigned)generation,
		.started = started,
		.kill_at = kill_at,
	};
	if (fd != -1)
		(void)fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	return 0;
}

size_t
csa_prefork_adopt(struct csa_prefork *p, int *fds)
{
	char	*state = getenv(STATE_ENV), *copy, *s;
	int64_t	 generation = 0;
	size_t	 n = 0;

	if (state == NULL)
		return 0;
	s = copy = strdup(state);
	unsetenv(STATE_ENV);
	if (number(&s, 0, &generation) == -1 ||
	    number(&s, 0, &p->failed) == -1 || number(&s, 0, &p->delay) == -1)
		s = NULL;
	p->generation = (unsigned)generation;
	while (s != NULL)
		if (adopt_child(p, &s) == -1)
			break;
	free(copy);
	for (size_t i = 0; i < p->nchildren; i++)
		if (p->child[i].notify != -1)
			fds[n++] = p->child[i].notify;
	return n;
}
