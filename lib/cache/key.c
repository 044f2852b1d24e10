#include "config.h"

#include <string.h>

#include "lib/base/must.h"
#include "lib/cache/cache_internal.h"

/* A key is made of one request, whose body has far lower limits. */
#define KEYMAX	(256 * 1024 * 1024)

const struct csa_cache_what csa_cache_kinds[CSA_CACHE__MAX] = {
#define KIND(id, letter, label, version)				\
	[CSA_CACHE_##id] = { letter, version, label },
	CSA_CACHE_KINDS(KIND)
#undef KIND
};

const char *
csa_cache_label(enum csa_cache_kind kind)
{
	CSA_MUST((unsigned)kind < CSA_CACHE__MAX);
	return csa_cache_kinds[kind].label;
}

static void
put_le64(uint8_t *p, uint64_t v)
{
	for (int i = 0; i < 8; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static void
field(struct csa_buf *b, char tag, const void *data, size_t n)
{
	uint8_t	 head[9];

	head[0] = (uint8_t)tag;
	put_le64(head + 1, n);
	csa_buf_add(b, head, sizeof(head));
	csa_buf_add(b, data, n);
}

void
csa_key_begin(struct csa_buf *b, enum csa_cache_kind kind)
{
	uint8_t	 what[2];

	CSA_MUST((unsigned)kind < CSA_CACHE__MAX);
	what[0] = (uint8_t)csa_cache_kinds[kind].letter;
	what[1] = csa_cache_kinds[kind].version;
	csa_buf_init(b, KEYMAX);
	field(b, 'k', what, sizeof(what));
}

void
csa_key_bytes(struct csa_buf *b, const void *data, size_t n)
{
	field(b, 'b', data, n);
}

void
csa_key_str(struct csa_buf *b, const char *s)
{
	if (s == NULL)
		field(b, 'n', NULL, 0);
	else
		field(b, 's', s, strlen(s));
}

void
csa_key_int(struct csa_buf *b, int64_t v)
{
	uint8_t	 le[8];

	put_le64(le, (uint64_t)v);
	field(b, 'i', le, sizeof(le));
}

void
csa_key_dbl(struct csa_buf *b, double v)
{
	uint64_t	 bits;
	uint8_t		 le[8];

	_Static_assert(sizeof(v) == sizeof(bits), "a double is eight bytes");
	memcpy(&bits, &v, sizeof(bits));
	put_le64(le, bits);
	field(b, 'd', le, sizeof(le));
}

void
csa_key_end(struct csa_buf *b, enum csa_cache_kind kind,
    struct csa_cache_key *key)
{
	CSA_MUST((unsigned)kind < CSA_CACHE__MAX);
	memset(key, 0, sizeof(*key));
	key->kind = kind;
	/*
	 * What could not be held is no key: all that fails would share one.
	 * A random one is nobody's, and a miss.
	 */
	if (b->failed)
		csa_random(key->digest.b, sizeof(key->digest.b));
	else
		csa_sha256(b->data, b->len, &key->digest);
	memcpy(key->name, "csa:?:", 6);
	key->name[4] = csa_cache_kinds[kind].letter;
	csa_hex(key->digest.b, sizeof(key->digest.b), key->name + 6);
	csa_buf_fini(b);
}

void
csa_key_derive(const struct csa_cache_key *of, enum csa_cache_kind kind,
    struct csa_cache_key *key)
{
	struct csa_buf	 b;

	/* What of is of stands in its digest: begin put it there. */
	csa_key_begin(&b, kind);
	csa_key_bytes(&b, of->digest.b, sizeof(of->digest.b));
	csa_key_end(&b, kind, key);
}
