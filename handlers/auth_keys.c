#include "config.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "handlers/app.h"
#include "handlers/keys.h"
#include "lib/base/mem.h"
#include "lib/config/lines.h"
#include "lib/text/digest.h"

#define KEYS		10000
#define BOTMAX		128

struct csa_key_bots {
	char			*list;	/* "b1,b2,prefix*" or "*" */
	const struct csa_keys	*set;	/* whose tenants' names are taken */
};

struct csa_keys {
	struct csa_digest	*digests;	/* apart: compared in a row */
	struct entry {
		struct csa_key		 key;
		struct csa_key_bots	 bots;
		char			*name, *tenant;
	} *entries;
	size_t			 n;
};

static struct entry *
add(struct csa_keys *k, const struct csa_digest *digest, const char *name)
{
	struct entry	*e;

	/* Room by powers of two; n & (n - 1) is 0 for those. */
	if ((k->n & (k->n - 1)) == 0) {
		k->digests = csa_realloc(k->digests, k->n > 0 ? k->n * 2 : 1,
		    sizeof(*k->digests));
		k->entries = csa_realloc(k->entries, k->n > 0 ? k->n * 2 : 1,
		    sizeof(*k->entries));
	}
	e = &k->entries[k->n];
	memset(e, 0, sizeof(*e));
	e->name = csa_strdup(name);
	k->digests[k->n++] = *digest;
	return e;
}

static void
add_own(struct csa_keys *k, const char *plain, const char *name)
{
	struct csa_digest	 d;
	struct entry		*e;

	if (plain == NULL || *plain == '\0')
		return;
	csa_sha256(plain, strlen(plain), &d);
	for (size_t i = 0; i < k->n; i++)
		if (csa_digest_eq(&k->digests[i], &d))
			return;		/* both are the same key */
	e = add(k, &d, name);
	e->key.endpoints = CSA_POOL_ALL;
	e->bots.list = csa_strdup("*");
}

static int
parse_endpoints(const struct csa_place *at, char *list, unsigned *bits)
{
	static const struct { const char *name; unsigned bit; } known[] = {
		{ "chat", CSA_POOL_CHAT }, { "store", CSA_POOL_STORE },
		{ "status", CSA_POOL_STATUS }, { "*", CSA_POOL_ALL },
	};
	char	*item;
	size_t	 i;

	while ((item = strsep(&list, ",")) != NULL) {
		for (i = 0; i < CSA_NITEMS(known); i++)
			if (strcmp(item, known[i].name) == 0)
				break;
		if (i == CSA_NITEMS(known))
			return csa_wrong(at, "endpoints: \"%.40s\" is not "
			    "chat, store, status or *", item);
		*bits |= known[i].bit;
	}
	return 0;
}

/* Ids as the contract has them; a * only at the end of one. */
static int
parse_bots(const struct csa_place *at, const char *list)
{
	size_t	 n, good;

	for (const char *s = list;; s += n + 1) {
		n = strcspn(s, ",");
		good = strspn(s, CSA_NAMECHARS ".");
		if (n == 0 || n > BOTMAX + 1 || s[0] == '.' ||
		    (good != n && (good + 1 != n || s[good] != '*')))
			return csa_wrong(at, "bots: \"%.*s\" is not a bot id, "
			    "a prefix with a * or *", n < 40 ? (int)n : 40, s);
		if (s[n] == '\0')
			return 0;
	}
}

struct fields {
	char		*name, *hash, *bots, *tenant;
	bool		 endpoints_given;
	unsigned	 endpoints;
};

static int
parse_field(const struct csa_place *at, char *word, struct fields *f)
{
	char	*value = strchr(word, '=');

	if (value == NULL)
		return csa_wrong(at, "\"%.40s\" is not NAME=VALUE", word);
	*value++ = '\0';
	if (strcmp(word, "endpoints") == 0 && !f->endpoints_given) {
		f->endpoints_given = true;
		return parse_endpoints(at, value, &f->endpoints);
	}
	if (strcmp(word, "bots") == 0 && f->bots == NULL) {
		f->bots = value;
		return parse_bots(at, value);
	}
	if (strcmp(word, "tenant") == 0 && f->tenant == NULL) {
		f->tenant = value;
		return csa_is_name(value) ? 0 : csa_wrong(at,
		    "tenant: \"%.40s\" is not 1 to 64 of A-Z a-z 0-9 _ -",
		    value);
	}
	return csa_wrong(at, "\"%.40s\" is given twice, or not endpoints, bots "
	    "or tenant", word);
}

/* A whole line into the parts of it; they stay within the line. */
static int
parse_line(const struct csa_place *at, char *line, struct fields *f,
    struct csa_digest *d)
{
	char	*word;

	memset(f, 0, sizeof(*f));
	while ((word = strsep(&line, " \t")) != NULL) {
		if (*word == '\0')
			continue;
		if (f->name == NULL)
			f->name = word;
		else if (f->hash == NULL)
			f->hash = word;
		else if (parse_field(at, word, f) == -1)
			return -1;
	}
	if (!csa_is_name(f->name))
		return csa_wrong(at, "the name is not 1 to 64 of A-Z a-z "
		    "0-9 _ -");
	/* Not shown: it may be the key itself. */
	if (f->hash == NULL || strncmp(f->hash, "sha256:", 7) != 0 ||
	    strlen(f->hash + 7) != 2 * CSA_DIGEST ||
	    csa_unhex(f->hash + 7, d->b, CSA_DIGEST) == -1)
		return csa_wrong(at, "%s: its second word is not sha256: and "
		    "64 hex digits", f->name);
	if (!f->endpoints_given || f->bots == NULL)
		return csa_wrong(at, "%s: endpoints= and bots= are both needed",
		    f->name);
	return 0;
}

static int
take_line(void *arg, const struct csa_place *at, char *line)
{
	struct csa_keys		*k = arg;
	struct csa_digest	 d;
	struct fields		 f;
	struct entry		*e;

	if (parse_line(at, line, &f, &d) == -1)
		return -1;
	for (size_t i = 0; i < k->n; i++) {
		if (strcmp(k->entries[i].name, f.name) == 0)
			return csa_wrong(at, "%s: this name is taken", f.name);
		if (csa_digest_eq(&k->digests[i], &d))
			return csa_wrong(at, "%s: %s is the same key", f.name,
			    k->entries[i].name);
	}
	if (k->n >= KEYS)
		return csa_wrong(at, "more than %d keys", KEYS);
	e = add(k, &d, f.name);
	e->key.endpoints = f.endpoints;
	e->bots.list = csa_strdup(f.bots);
	e->tenant = f.tenant != NULL ? csa_strdup(f.tenant) : NULL;
	return 0;
}

static int
load_file(struct csa_keys *k, const char *file, struct csa_err *err)
{
	struct csa_place	 at = { file, 0, err };

	return csa_lines_read(&at, take_line, k);
}

struct csa_keys *
csa_keys_load(const char *file, const char *key1, const char *key2,
    struct csa_err *err)
{
	struct csa_keys	*k = csa_new(struct csa_keys);

	add_own(k, key1, "internal");
	add_own(k, key2, "internal-previous");
	if (file != NULL && *file != '\0' && load_file(k, file, err) == -1) {
		csa_keys_free(k);
		return NULL;
	}
	/* Entries do not move any more. */
	for (size_t i = 0; i < k->n; i++) {
		struct entry	*e = &k->entries[i];

		e->key.name = e->name;
		e->key.tenant = e->tenant;
		e->bots.set = k;
		e->key.bots = &e->bots;
	}
	return k;
}

void
csa_keys_free(struct csa_keys *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < k->n; i++) {
		free(k->entries[i].name);
		free(k->entries[i].tenant);
		free(k->entries[i].bots.list);
	}
	free(k->entries);
	free(k->digests);
	free(k);
}

const struct csa_key *
csa_keys_find(const struct csa_keys *k, const char *presented, size_t n)
{
	struct csa_digest	 d;
	size_t			 found = 0, equal;

	csa_sha256(presented, n, &d);
	/* Digests are unique, so at most one of these is not zero. */
	for (size_t i = 0; i < k->n; i++) {
		equal = csa_digest_eq(&k->digests[i], &d);
		found |= (0 - equal) & (i + 1);
	}
	return found > 0 ? &k->entries[found - 1].key : NULL;
}

bool
csa_key_allows_endpoint(const struct csa_key *key, unsigned bit)
{
	return key != NULL && bit != 0 && (key->endpoints & bit) == bit;
}

/* Does the bot's name begin with that of a tenant and a dot? */
static bool
is_a_tenants(const struct csa_keys *k, const char *bot)
{
	size_t		 n = strcspn(bot, ".");
	const char	*tenant;

	if (bot[n] == '\0')
		return false;
	for (size_t i = 0; i < k->n; i++) {
		tenant = k->entries[i].tenant;
		if (tenant != NULL && strncmp(tenant, bot, n) == 0 &&
		    tenant[n] == '\0')
			return true;
	}
	return false;
}

bool
csa_key_allows_bot(const struct csa_key *key, const char *bot)
{
	const char	*s;
	size_t		 n, len = strlen(bot);

	if (key == NULL || len == 0)
		return false;
	/* TENANT.BOT is where Pinecone has that tenant's bot. */
	if (key->tenant == NULL && is_a_tenants(key->bots->set, bot))
		return false;
	for (s = key->bots->list;; s += n + 1) {
		n = strcspn(s, ",");
		if (s[n - 1] == '*' ? strncmp(s, bot, n - 1) == 0 :
		    n == len && memcmp(s, bot, n) == 0)
			return true;
		if (s[n] == '\0')
			return false;
	}
}
