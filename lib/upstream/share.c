#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/must.h"
#include "lib/upstream/share.h"

#define FARS		64
#define CIRCUITS	512
#define RESTS		1024

#define LOOK_AT		16	/* slots for an id, from its own place on */
#define UNUSED_MS	60000	/* then a slot may be another's */
#define USED_STEP_MS	1000	/* how exactly `used` is kept */
#define TAKING		1	/* no id: being emptied for another one */
#define READY_MS	60000	/* an open breaker that nobody asked since */

static const char	magic[8] = "csa-ups1";

struct table {
	struct csa_shared	 head;
	struct csa_far		 far[FARS];
	struct csa_circuit	 circuit[CIRCUITS];
	struct csa_rest		 rest[RESTS];
};

/* What every slot begins with, and what of it is emptied. */
struct slot {
	_Atomic uint64_t	 id;
	_Atomic int64_t		 used;
	_Atomic uint64_t	 words[];
};

_Static_assert(sizeof(struct csa_far) % 8 == 0 &&
    sizeof(struct csa_circuit) % 8 == 0 && sizeof(struct csa_rest) % 8 == 0,
    "slots are emptied by words");

static struct table	 private_table;	/* untouched pages cost nothing */
static struct table	*table = &private_table;

static uint64_t
layout(void)
{
	char	 text[80];

	snprintf(text, sizeof(text), "%zu %zu %zu %zu",
	    sizeof(struct table), sizeof(struct csa_far),
	    sizeof(struct csa_circuit), sizeof(struct csa_rest));
	return csa_fnv(CSA_FNV, text);
}

int
csa_upstream_share(const char *run_dir, struct csa_err *err)
{
	struct csa_shared	 head = { .size = sizeof(struct table) };
	struct table		*t;
	int			 saved;

	if (run_dir == NULL) {
		csa_upstream_unshare();
		return 0;
	}
	memcpy(head.magic, magic, sizeof(magic));
	head.layout = layout();
	if ((t = csa_shared_map(run_dir, "upstream", &head)) == NULL) {
		saved = errno;
		csa_upstream_unshare();
		csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
		    "what is known of the providers cannot be shared");
		return csa_fail_detail(err, "upstream in %s: %s", run_dir,
		    strerror(saved));
	}
	/* Emptying the private one would make all its pages this process's. */
	if (table != &private_table)
		csa_shared_unmap(table);
	table = t;
	return 0;
}

void
csa_upstream_unshare(void)
{
	if (table != &private_table)
		csa_shared_unmap(table);
	memset(&private_table, 0, sizeof(private_table));
	table = &private_table;
}

/* Make the slot id's, unless somebody else was first. */
static bool
take(struct slot *s, size_t size, uint64_t old, uint64_t id, int64_t now)
{
	if (!atomic_compare_exchange_strong(&s->id, &old, TAKING))
		return old == id;
	s->used = now;
	for (size_t i = 0; i < size / 8 - 2; i++)
		s->words[i] = 0;
	s->id = id;
	return true;
}

static bool
is_unused(const struct slot *s, int64_t now)
{
	int64_t	 used = s->used;

	return s->id == 0 || used > now || now - used > UNUSED_MS;
}

static void *
find(void *slots, size_t n, size_t size, uint64_t id, int64_t now)
{
	struct slot	*s, *unused = NULL;

	CSA_MUST(id > TAKING);
	for (size_t i = 0; i < LOOK_AT; i++) {
		s = (struct slot *)((char *)slots + (id + i) % n * size);
		if (s->id == id) {
			if (now - s->used >= USED_STEP_MS || s->used > now)
				s->used = now;
			return s;
		}
		if (unused == NULL ? is_unused(s, now) :
		    s->id == 0 && unused->id != 0)
			unused = s;
	}
	if (unused != NULL && take(unused, size, unused->id, id, now))
		return unused;
	return NULL;
}

struct csa_far *
csa_share_far(uint64_t id, int64_t now)
{
	return find(table->far, FARS, sizeof(table->far[0]), id, now);
}

struct csa_circuit *
csa_share_circuit(uint64_t id, int64_t now)
{
	return find(table->circuit, CIRCUITS, sizeof(table->circuit[0]), id,
	    now);
}

struct csa_rest *
csa_share_rest(uint64_t id, int64_t now)
{
	return find(table->rest, RESTS, sizeof(table->rest[0]), id, now);
}

int64_t
csa_share_count_open(uint64_t label)
{
	const struct csa_circuit	*c = table->circuit;
	int64_t				 n = 0;

	for (size_t i = 0; i < CIRCUITS; i++, c++)
		if (c->id > TAKING && c->label == label &&
		    c->breaker.gate != 0)
			n++;
	return n;
}

bool
csa_upstream_is_open(enum csa_source source)
{
	const struct csa_circuit	*c = table->circuit;
	int64_t				 now = csa_now_ms();

	for (size_t i = 0; i < CIRCUITS; i++, c++)
		if (c->id > TAKING && c->source == (uint32_t)source &&
		    c->breaker.gate != 0 && now - c->used < READY_MS)
			return true;
	return false;
}
