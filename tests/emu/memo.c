#include "config.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu/buf.h"
#include "tests/emu/memo.h"

#define NSLOTS	16384
#define NLOCKS	64
#define MAXHELD	((size_t)128 << 20)

struct slot {
	struct emu_key	key;
	char		*text;
	size_t		len;
};

static struct slot slots[NSLOTS];
static pthread_mutex_t locks[NLOCKS] = {
	[0 ... NLOCKS - 1] = PTHREAD_MUTEX_INITIALIZER
};
static _Atomic size_t held;

struct emu_key
emu_memo_key(const void *p, size_t n, uint64_t domain)
{
	struct emu_key k;

	k.a = emu_hash(p, n, domain);
	k.b = emu_hash(p, n, ~domain * 0x9e3779b97f4a7c15u);
	return k;
}

bool
emu_memo_get(struct emu_key k, struct emu_buf *out)
{
	struct slot *s = &slots[k.a % NSLOTS];
	pthread_mutex_t *lock = &locks[k.a % NLOCKS];
	bool found;

	pthread_mutex_lock(lock);
	found = s->text != NULL && s->key.a == k.a && s->key.b == k.b;
	if (found)
		emu_buf_add(out, s->text, s->len);
	pthread_mutex_unlock(lock);
	return found;
}

void
emu_memo_put(struct emu_key k, const char *text, size_t len)
{
	struct slot *s = &slots[k.a % NSLOTS];
	pthread_mutex_t *lock = &locks[k.a % NLOCKS];

	pthread_mutex_lock(lock);
	if (s->text != NULL)
		held -= s->len;
	free(s->text);
	s->text = NULL;
	if (held + len <= MAXHELD) {
		s->text = emu_strndup(text, len);
		s->len = len;
		s->key = k;
		held += len;
	}
	pthread_mutex_unlock(lock);
}

void
emu_memo_reset(void)
{
	size_t i;

	for (i = 0; i < NSLOTS; i++) {
		pthread_mutex_lock(&locks[i % NLOCKS]);
		if (slots[i].text != NULL)
			held -= slots[i].len;
		free(slots[i].text);
		slots[i].text = NULL;
		pthread_mutex_unlock(&locks[i % NLOCKS]);
	}
}
