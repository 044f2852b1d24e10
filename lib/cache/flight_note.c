/*
 * What the items of a flight hold, and what they are called.
 */

#include "config.h"

#include <string.h>

#include "lib/cache/flight_internal.h"

/*
 * All three items, numbers little end first:
 *	 0  what: 1 leads, 2 landed, 3 too large to be had here, 4 gave up; and
 *	    7 zeros
 *	 8  host, start time and process number, eight bytes each
 *	32  the leader's name; the heir's
 *	48  what was told, or the value
 */
#define HEAD		CSA_NOTE_HEAD

static void
put64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t
get64(const uint8_t *p)
{
	uint64_t	 v = 0;

	for (int i = 8; i-- > 0;)
		v = v << 8 | p[i];
	return v;
}

void
csa_note_write(const struct csa_lease *l, enum csa_note_what what,
    const void *data, size_t n, struct csa_buf *b)
{
	uint8_t	 head[HEAD] = { (uint8_t)what };

	put64(head + 8, l->self.host);
	put64(head + 16, l->self.start);
	put64(head + 24, l->self.pid);
	memcpy(head + 32, l->name, CSA_LEASE_NAME);
	csa_buf_init(b, CSA_VALUE_MAX);
	csa_buf_add(b, head, sizeof(head));
	if (n > 0)
		csa_buf_add(b, data, n);
}

bool
csa_note_read(const struct csa_cached *c, struct csa_note *note)
{
	const uint8_t	*p = c->data;
	uint64_t	 pid;

	if (c->len < HEAD || p[0] < CSA_NOTE_LEADS || p[0] > CSA_NOTE_GAVE_UP)
		return false;
	note->what = (enum csa_note_what)p[0];
	note->peer.host = get64(p + 8);
	note->peer.start = get64(p + 16);
	pid = get64(p + 24);
	note->peer.pid = pid <= UINT32_MAX ? (uint32_t)pid : 0;
	note->name = p + 32;
	note->data = p + HEAD;
	note->n = c->len - HEAD;
	return true;
}

void
csa_note_key(const struct csa_lease *l, const uint8_t *name, const char *what,
    struct csa_cache_key *key)
{
	struct csa_buf	 b;

	csa_key_begin(&b, CSA_CACHE_FLIGHT);
	csa_key_str(&b, what);
	csa_key_bytes(&b, l->key.digest.b, sizeof(l->key.digest.b));
	csa_key_bytes(&b, name, CSA_LEASE_NAME);
	csa_key_end(&b, CSA_CACHE_FLIGHT, key);
}
