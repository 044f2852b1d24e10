/*
 * share: what all processes know of the far ends; for lib/upstream alone.
 *
 * Nothing is ever locked.  A slot is claimed by putting its id into it with
 * one compare-and-swap, all else is single words, so a process that dies
 * between any two instructions leaves nothing to wait for: at worst a count is
 * one off.  A slot not used for a minute is given to another id when there is
 * no other room (clients may name models, so ids come from outside); without
 * room NULL, and what would have been looked up there does not limit.
 *
 * Times are csa_now_ms() times, the same for all processes of a host.  The file
 * may be older than the host's boot: a time that lies too far ahead is none.
 */

#ifndef CSA_UPSTREAM_SHARE_H
#define CSA_UPSTREAM_SHARE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/shared.h"
#include "lib/upstream/upstream.h"

/* ---- window.c: how many of how many, of late ---- */

#define CSA_WINDOW_MS	10000
#define CSA_WINDOW_PARTS 10

/* A part is its time, and how many of how many: 28, 18 and 18 bits. */
struct csa_window { _Atomic uint64_t part[CSA_WINDOW_PARTS + 1]; };
struct csa_share_of { unsigned n, of; };

/* Of this part, the ten before it, and the next, which others may have reached:
 * at least the last 10 s. */
struct csa_share_of csa_window_sum(const struct csa_window *, int64_t now);
/* Add; either may be negative to take back what was added this moment. */
void	csa_window_add(struct csa_window *, int64_t now, int n, int of);
void	csa_window_clear(struct csa_window *);
/*
 * Add one to n unless that made more than a percent-th of `of`, or than least
 * where that is more.  However many do so at the same time.
 */
bool	csa_window_take(struct csa_window *, int64_t now, unsigned percent,
	    unsigned least);

/* ---- latency.c ---- */

#define CSA_LATENCY_STEPS 72		/* four a doubling, from 1 ms */

struct csa_latency { _Atomic uint32_t count[CSA_LATENCY_STEPS]; };

void	csa_latency_add(struct csa_latency *, int64_t ms);
/* What 95 of 100 take at most, in ms, to a fifth; 0 before 20 samples. */
int64_t	csa_latency_p95(const struct csa_latency *);

/* ---- breaker.c ---- */

struct csa_breaker {
	_Atomic uint64_t	 gate;		/* see breaker.c; 0: closed */
	_Atomic uint32_t	 streak;	/* without a connection */
	struct csa_window	 window;	/* failures of exchanges */
};

struct csa_breaker_opts {
	unsigned	 percent;		/* 0: never opens */
	unsigned	 calls;
	int64_t		 open_ms;
};

/* A permission; 0 is the one of a closed breaker. */
typedef uint64_t csa_pass;

/*
 * May an exchange begin?  0 with a pass to be given back by csa_breaker_tell;
 * or the ms until it is worth asking again.
 */
int64_t	csa_breaker_enter(struct csa_breaker *, const struct csa_breaker_opts *,
	    int64_t now, csa_pass *);
/* The ms until one may enter; 0: now.  Changes nothing. */
int64_t	csa_breaker_ask(const struct csa_breaker *,
	    const struct csa_breaker_opts *, int64_t now);

enum csa_verdict {
	CSA_GOOD,
	CSA_BAD,
	CSA_NO_CONNECTION,	/* bad, too */
	CSA_NO_VERDICT
};
/* 1: this opened it; -1: this closed it; 0. */
int	csa_breaker_tell(struct csa_breaker *, const struct csa_breaker_opts *,
	    int64_t now, csa_pass, enum csa_verdict);

/* ---- share.c ---- */

/* An address: what is sent there in all. */
struct csa_far {
	_Atomic uint64_t	 id;		/* 0: free */
	_Atomic int64_t		 used;
	struct csa_window	 retries;	/* of the calls */
	struct csa_window	 hedges;
};

/* An operation and part of it. */
struct csa_circuit {
	_Atomic uint64_t	 id;
	_Atomic int64_t		 used;
	_Atomic uint64_t	 label;		/* of the metric */
	_Atomic uint32_t	 source;
	struct csa_breaker	 breaker;
	struct csa_latency	 latency;
};

/* A key in a circuit. */
struct csa_rest {
	_Atomic uint64_t	 id;
	_Atomic int64_t		 used;
	_Atomic int64_t		 until;		/* 0: it does not rest */
	_Atomic uint32_t	 refused;	/* not: it has too much to do */
};

/* The slot of an id (not 0), claimed where there is none yet; or NULL. */
struct csa_far	*csa_share_far(uint64_t id, int64_t now);
struct csa_circuit *csa_share_circuit(uint64_t id, int64_t now);
struct csa_rest	*csa_share_rest(uint64_t id, int64_t now);

/* How many breakers with this label are open. */
int64_t	csa_share_count_open(uint64_t label);

#endif
