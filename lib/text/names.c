#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/must.h"
#include "lib/text/digest.h"
#include "lib/text/escape.h"
#include "lib/text/names.h"

struct csa_name {
	const char	*s;		/* as it reads */
	size_t		 n, object;
	uint64_t	 hash;
	uint32_t	 next;		/* index + 1 of the next in its chain */
	bool		 owned;		/* s is ours: it had escapes */
};

void
csa_names_init(struct csa_names *t)
{
	memset(t, 0, sizeof(*t));
}

void
csa_names_fini(struct csa_names *t)
{
	csa_names_pop(t, 0);
	free(t->names);
	free(t->heads);
}

#define ROTL(x, b)	((x) << (b) | (x) >> (64 - (b)))

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] = ROTL(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] = ROTL(v[2], 32);
}

static void
sip_word(uint64_t v[4], uint64_t m)
{
	v[3] ^= m;
	sip_round(v);
	v[0] ^= m;
}

/*
 * SipHash-1-3 of the object's number and the name (Aumasson and Bernstein,
 * "SipHash: a fast short-input PRF", 2012).  Words are read in the machine's own
 * order: the hash never leaves this process.
 */
static uint64_t
hash(const struct csa_names *t, size_t object, const char *s, size_t n)
{
	uint64_t	 v[4], m;
	size_t		 left = n;

	v[0] = t->key[0] ^ 0x736f6d6570736575u;
	v[1] = t->key[1] ^ 0x646f72616e646f6du;
	v[2] = t->key[0] ^ 0x6c7967656e657261u;
	v[3] = t->key[1] ^ 0x7465646279746573u;
	sip_word(v, object);
	for (; left >= 8; s += 8, left -= 8) {
		memcpy(&m, s, 8);
		sip_word(v, m);
	}
	m = 0;
	memcpy(&m, s, left);
	sip_word(v, m ^ (uint64_t)n << 56);
	v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Twice as many chains; every name moves to the front of its own, in order. */
static void
rehash(struct csa_names *t)
{
	uint32_t	*head;

	free(t->heads);
	t->nheads = t->nheads > 0 ? t->nheads * 2 : 64;
	t->heads = csa_new_array(t->nheads, uint32_t);
	for (size_t i = 0; i < t->count; i++) {
		head = &t->heads[t->names[i].hash & (t->nheads - 1)];
		t->names[i].next = *head;
		*head = (uint32_t)i + 1;
	}
}

static void
grow(struct csa_names *t)
{
	if (t->size == 0)
		csa_random(t->key, sizeof(t->key));
	CSA_MUST(t->size < UINT32_MAX / 4);
	t->size = t->size > 0 ? t->size + t->size / 2 : 32;
	t->names = csa_realloc(t->names, t->size, sizeof(*t->names));
	if (t->size > t->nheads)
		rehash(t);
}

/* Resolve the escapes of a checked string; the result is never longer. */
static char *
unescape(const char *s, size_t n, size_t *len)
{
	const char	*end = s + n;
	char		*copy = csa_malloc(n), *p = copy;

	while (s < end)
		if (*s == '\\')
			p = csa_unescape(&s, p);
		else
			*p++ = *s++;
	*len = (size_t)(p - copy);
	return copy;
}

/* s is const for the names that are borrowed; an owned one is ours to free. */
static void
release(const struct csa_name *name)
{
	if (name->owned)
		free((void *)(uintptr_t)name->s);
}

static bool
known(const struct csa_names *t, const struct csa_name *name)
{
	const struct csa_name	*other;
	uint32_t		 i;

	i = t->heads[name->hash & (t->nheads - 1)];
	for (; i != 0; i = other->next) {
		other = &t->names[i - 1];
		if (other->hash == name->hash &&
		    other->object == name->object && other->n == name->n &&
		    memcmp(other->s, name->s, name->n) == 0)
			return true;
	}
	return false;
}

bool
csa_names_push(struct csa_names *t, size_t object, const char *s, size_t n,
    bool escaped)
{
	struct csa_name	 name = { s, n, object, 0, 0, escaped };
	uint32_t	*head;

	if (t->count == t->size)
		grow(t);
	if (escaped)
		name.s = unescape(s, n, &name.n);
	name.hash = hash(t, object, name.s, name.n);
	if (known(t, &name)) {
		release(&name);
		return false;
	}
	head = &t->heads[name.hash & (t->nheads - 1)];
	name.next = *head;
	t->names[t->count++] = name;
	*head = (uint32_t)t->count;
	return true;
}

void
csa_names_pop(struct csa_names *t, size_t count)
{
	struct csa_name	*name;

	while (t->count > count) {
		name = &t->names[--t->count];
		t->heads[name->hash & (t->nheads - 1)] = name->next;
		release(name);
	}
}
