/*
 * A flight as memcached has it, seen by one who does not lead: who does, what
 * there is so far, whether it has landed, and who takes a lost one's place.
 */

#include "config.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/cache/flight_internal.h"

#define HEIRS		4	/* one after the other, while nobody looked */
#define BAFFLED		3	/* looks */

/* What there is under the name that we know: THEIRS, as it did not land. */
static enum csa_lease_news
landing(struct csa_lease *l, struct csa_ctx *mine, struct csa_lease_look *look)
{
	struct csa_cache_key	 key;
	struct csa_cached	 c;
	struct csa_note		 note;
	int			 rc;

	csa_note_key(l, l->name, "landed", &key);
	rc = csa_cache_look(l->cache, mine, &key, &c);
	if (rc != 1 || !csa_note_read(&c, &note))
		return rc == -1 ? CSA_LEASE_AWAY : CSA_LEASE_THEIRS;
	look->data.data = note.data;
	look->data.len = note.n;
	return note.what == CSA_NOTE_LANDED ? CSA_LEASE_LANDED :
	    note.what == CSA_NOTE_LARGE ? CSA_LEASE_LARGE : CSA_LEASE_THEIRS;
}

/*
 * The leader we know does not lead any more.  Has it landed, or an heir, up to
 * the one who leads now (NULL: nobody)?  THEIRS: not.
 */
static enum csa_lease_news
fate(struct csa_lease *l, struct csa_ctx *mine, const uint8_t *now,
    struct csa_lease_look *look)
{
	enum csa_lease_news	 news;
	struct csa_cache_key	 key;
	struct csa_cached	 c;
	struct csa_note		 note;
	int			 rc;

	for (int i = 0; i < HEIRS; i++) {
		if ((news = landing(l, mine, look)) != CSA_LEASE_THEIRS)
			return news;
		look->lost = true;
		csa_note_key(l, l->name, "heir", &key);
		rc = csa_cache_look(l->cache, mine, &key, &c);
		if (rc == -1)
			return CSA_LEASE_AWAY;
		if (rc == 0 || !csa_note_read(&c, &note))
			break;
		memcpy(l->name, note.name, sizeof(l->name));
		if (now != NULL && memcmp(now, l->name, sizeof(l->name)) == 0)
			break;
	}
	return CSA_LEASE_THEIRS;
}

/* There is no lease, or none that can be read. */
static enum csa_lease_news
no_lease(struct csa_lease *l, struct csa_ctx *ctx, struct csa_ctx *mine,
    struct csa_lease_look *look)
{
	enum csa_lease_news	 news = CSA_LEASE_THEIRS;
	uint8_t			 of[CSA_LEASE_NAME];
	bool			 known = l->known;

	if (known)
		news = fate(l, mine, NULL, look);
	if (news != CSA_LEASE_THEIRS)
		return news;
	memcpy(of, l->name, sizeof(of));
	news = csa_lease_take_by(l, ctx, mine);
	if (news == CSA_LEASE_OURS && known)
		(void)csa_lease_name_heir(l, mine, of);
	if (news != CSA_LEASE_THEIRS || ++l->baffled < BAFFLED)
		return news;
	/* Something is there, for as long as it likes: out with it. */
	(void)csa_cache_drop(l->cache, mine, &l->key);
	return CSA_LEASE_AWAY;
}

static enum csa_lease_news
some_lease(struct csa_lease *l, struct csa_ctx *ctx, struct csa_ctx *mine,
    const struct csa_note *note, struct csa_lease_look *look)
{
	enum csa_lease_news	 news;
	bool			 dead;

	l->baffled = 0;
	if (l->known && memcmp(l->name, note->name, sizeof(l->name)) != 0 &&
	    (news = fate(l, mine, note->name, look)) != CSA_LEASE_THEIRS)
		return news;
	memcpy(l->name, note->name, sizeof(l->name));
	l->known = true;
	dead = csa_peer_dead(&l->self, &note->peer);
	if (note->what == CSA_NOTE_LEADS && !dead) {
		look->data.data = note->data;
		look->data.len = note->n;
		return CSA_LEASE_THEIRS;
	}
	/* It may have died right after landing. */
	if (dead && (news = landing(l, mine, look)) != CSA_LEASE_THEIRS)
		return news;
	news = csa_lease_inherit(l, ctx, mine);
	look->lost |= news == CSA_LEASE_OURS;
	return news;
}

enum csa_lease_news
csa_lease_look(struct csa_lease *l, struct csa_ctx *ctx,
    struct csa_lease_look *look)
{
	struct csa_ctx		 mine = csa_lease_unbound(l, ctx);
	int64_t			 began = csa_now_ns();
	bool			 known = l->known;
	struct csa_cached	 c;
	struct csa_note		 note;
	enum csa_lease_news	 news;
	int			 rc;

	memset(look, 0, sizeof(*look));
	csa_arena_reset(l->scratch);
	rc = csa_cache_look(l->cache, &mine, &l->key, &c);
	if (rc == -1)
		news = CSA_LEASE_AWAY;
	else if (rc == 1 && csa_note_read(&c, &note) &&
	    (note.what == CSA_NOTE_LEADS || note.what == CSA_NOTE_GAVE_UP))
		news = some_lease(l, ctx, &mine, &note, look);
	else
		news = no_lease(l, ctx, &mine, look);
	/* Of whom nothing was known, nobody was lost. */
	if (news == CSA_LEASE_AWAY || news == CSA_LEASE_LARGE)
		look->lost = true;
	look->lost &= known;
	/* What failed was no waiting that somebody had to do anyway. */
	if (news == CSA_LEASE_AWAY)
		csa_lease_charge(ctx, csa_now_ns() - began);
	return news;
}
