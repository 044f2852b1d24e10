/*
 * flight_internal: the parts of a flight; for lib/cache/flight*.c alone.
 *
 * A plane is what one process has of a flight: a leader who works the value out,
 * or a scout, who looks into memcached on behalf of all; and followers.  Only the
 * leader or scout, whom the plane calls captain, touches its lease.
 */

#ifndef CSA_CACHE_FLIGHT_INTERNAL_H
#define CSA_CACHE_FLIGHT_INTERNAL_H

#include <sys/queue.h>

#include <pthread.h>

#include "lib/base/buf.h"
#include "lib/cache/cache_internal.h"
#include "lib/cache/flight.h"
#include "lib/cache/value.h"
#include "lib/http/http.h"

struct csa_arena;

/* ---- flight_peer.c: processes of this host ---- */

/* host: this boot of this machine, as far as process numbers mean the same. */
struct csa_peer {
	uint64_t	 host;		/* 0: not known, like none */
	uint64_t	 start;		/* in /proc/PID/stat; 0: not known */
	uint32_t	 pid;
};

void	csa_peer_self(struct csa_peer *);
/* Is it one of our host that has certainly ended? */
bool	csa_peer_dead(const struct csa_peer *self, const struct csa_peer *);

/* ---- flight_lease.c: a flight as memcached has it ---- */

#define CSA_LEASE_NAME	16

struct csa_lease {
	struct csa_cache	*cache;
	struct csa_peer		 self;
	struct csa_cache_key	 key;
	uint8_t			 name[CSA_LEASE_NAME];	/* see known */
	bool			 ours;		/* we lead by it; name is ours */
	bool			 known;		/* name is that of who leads */
	bool			 doubt;		/* it may be ours; name would be */
	unsigned		 baffled;	/* there is what cannot be read */
	int64_t			 reserve;	/* ns of the budget, to land */
	int64_t			 written;	/* ns; when it was ours for sure */
	struct csa_arena	*scratch;	/* of looks; NULL: none yet */
};

/* What a look has found. */
enum csa_lease_news {
	CSA_LEASE_AWAY,		/* memcached cannot say: lead without it */
	CSA_LEASE_OURS,		/* we lead now */
	CSA_LEASE_THEIRS,	/* somebody else leads */
	CSA_LEASE_LANDED,
	CSA_LEASE_LARGE		/* it has, but is too large to be had here */
};

struct csa_lease_look {
	struct csa_cached	 data;	/* told so far, or landed; till the next */
	bool			 lost;	/* whom we knew does not lead any more */
};

void	csa_lease_init(struct csa_lease *, struct csa_cache *,
	    const struct csa_peer *self, const struct csa_cache_key *flight);
void	csa_lease_fini(struct csa_lease *);

/*
 * Lead, if nobody does: OURS, THEIRS or AWAY.  first: it may be tried as long as
 * anything is left of the budget, not only where an operation's time is; on a busy
 * machine, where all is slow, it saves most.
 */
enum csa_lease_news csa_lease_take(struct csa_lease *, struct csa_ctx *,
		    bool first);
/* A scout's (flight_scout.c). */
enum csa_lease_news csa_lease_look(struct csa_lease *, struct csa_ctx *,
		    struct csa_lease_look *);
/*
 * A leader's, where the lease is ours: live on for CSA_LEASE_S, telling this.
 * Returns the ns it took, or -1 where it did not succeed.
 */
int64_t	csa_lease_renew(struct csa_lease *, struct csa_ctx *, const void *told,
	    size_t n);
/* Its end: with the value, or (NULL) so that another one may lead. */
void	csa_lease_end(struct csa_lease *, struct csa_ctx *, const void *value,
	    size_t n);

/* For flight_scout.c: mine is like ctx, with the lease's arena. */
struct csa_ctx csa_lease_unbound(struct csa_lease *, const struct csa_ctx *);
void	csa_lease_charge(struct csa_ctx *, int64_t ns);
/* Nobody leads: csa_lease_take, bound as mine is. */
enum csa_lease_news csa_lease_take_by(struct csa_lease *, struct csa_ctx *,
		    struct csa_ctx *mine);
/* A lost one was known: take its place (OURS, THEIRS, AWAY), or say who has. */
enum csa_lease_news csa_lease_inherit(struct csa_lease *, struct csa_ctx *,
		    struct csa_ctx *mine);
int	csa_lease_name_heir(struct csa_lease *, struct csa_ctx *mine,
	    const uint8_t *of);

/* ---- flight_note.c: what memcached has of a flight ---- */

enum csa_note_what {
	CSA_NOTE_LEADS = 1,
	CSA_NOTE_LANDED,
	CSA_NOTE_LARGE,		/* landed, but is too large to be had here */
	CSA_NOTE_GAVE_UP
};

struct csa_note {
	enum csa_note_what what;
	struct csa_peer	 peer;
	const uint8_t	*name;
	const void	*data;		/* what was told, or the value */
	size_t		 n;
};

#define CSA_NOTE_HEAD	48
#define CSA_NOTE_MAX	(CSA_VALUE_MAX - CSA_NOTE_HEAD)	/* bytes of data */

/* Of the lease's process and name, into b, which is initialized here. */
void	csa_note_write(const struct csa_lease *, enum csa_note_what,
	    const void *, size_t n, struct csa_buf *b);
/* False: it is none.  Borrows. */
bool	csa_note_read(const struct csa_cached *, struct csa_note *);
/* The key of what belongs to one leader: "landed", "heir". */
void	csa_note_key(const struct csa_lease *, const uint8_t *name,
	    const char *what, struct csa_cache_key *);

/* ---- flight_board.c: the planes of this process ---- */

struct csa_plane {
	LIST_ENTRY(csa_plane)	 entry;		/* where not yet landed */
	unsigned		 refs;		/* flights aboard */
	struct csa_flight	*captain;	/* NULL: wanted */
	LIST_HEAD(, csa_flight)	 followers;	/* in csa_flight_follow */
	unsigned		 nfollowers;
	unsigned		 losses;	/* leaders that came to nothing */
	struct csa_buf		 told;
	struct csa_buf		 value;		/* constant once landed */
	bool			 landed;
	struct csa_lease	 lease;		/* the captain's */
};

#define CSA_BOARD_PLANES	64

struct csa_board {
	bool			 single_flight;
	struct csa_peer		 self;
	pthread_mutex_t		 lock;		/* over all planes */
	LIST_HEAD(, csa_plane)	 planes[CSA_BOARD_PLANES];
};

/* All with the lock held. */
struct csa_plane *csa_plane_join(struct csa_cache *,
		    const struct csa_cache_key *flight);
void	csa_plane_quit(struct csa_plane *);
/* Who comes from now on comes to another one. */
void	csa_plane_land(struct csa_plane *, const void *, size_t n);
/* A leader came to nothing: what it told is void. */
void	csa_plane_lost(struct csa_plane *);
void	csa_plane_tell(struct csa_plane *, const void *, size_t n);
/* Let the followers look. */
void	csa_plane_wake(struct csa_plane *);

/* ---- flight.c ---- */

struct csa_flight {
	struct csa_cache	*cache;
	struct csa_ctx		*ctx;		/* borrowed */
	struct csa_plane	*plane;		/* NULL: alone */
	bool			 leads, landed;
	/* A leader's. */
	struct csa_tick		 tick;
	bool			 ticking;
	int64_t			 tell_at;	/* ms */
	int64_t			 telling;	/* ns spent on it */
	/* A follower's. */
	LIST_ENTRY(csa_flight)	 entry;
	struct csa_buf		 heard;		/* what the ear was told */
	unsigned		 losses;	/* as the plane's, when last seen */
	unsigned		 heard_at;	/* of that leader */
	unsigned		 patience;	/* for more of them */
	int64_t			 look_at;	/* ms; a scout's next look */
	long			 look_ms;	/* and how long to the one after */
};

#endif
