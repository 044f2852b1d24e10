#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/config/config.h"
#include "lib/text/digest.h"
#include "lib/text/item.h"
#include "lib/upstream/upstream_internal.h"

bool
csa_up_plain(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= 0x20 || s[i] == 0x7f)
			return false;
	return true;
}

/* The file is read by others of our group: they learn no key from it. */
static uint64_t
hash_key(uint64_t id, const char *s, size_t n)
{
	struct csa_digest	 d;
	uint64_t		 h;

	csa_sha256(s, n, &d);
	memcpy(&h, d.b, sizeof(h));
	return h ^ id;
}

static void
add_key(struct csa_upstream *up, const char *auth, const char *s, size_t n)
{
	struct csa_up_key	*k = &up->key[up->nkeys++];
	size_t			 size = strlen(auth) + n + 1;

	k->text = csa_strndup(s, n);
	k->hash = hash_key(up->id, s, n);
	if (n == 0)
		return;
	k->header = csa_malloc(size);
	snprintf(k->header, size, "%s%s", auth, k->text);
}

static int
add_keys(struct csa_upstream *up, const char *auth, const char *list,
    struct csa_err *err)
{
	const char	*key;
	size_t		 n;

	while ((key = csa_item(&list, &n)) != NULL) {
		if (up->nkeys == CSA_UP_KEYS)
			return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
			    "more than %d keys are configured for %s",
			    CSA_UP_KEYS, csa_source_name(up->source));
		if (!csa_up_plain(key, n))
			return csa_fail(err, CSA_ERR_INTERNAL, CSA_SRC_AGENT,
			    "the key configured for %s has white space in it",
			    csa_source_name(up->source));
		add_key(up, auth, key, n);
	}
	if (up->nkeys == 0)
		add_key(up, auth, "", 0);
	return 0;
}

/* Scheme, host and port: what is behind them does not tell machines apart. */
static uint64_t
hash_address(enum csa_source source, const char *base)
{
	const char	*host = strstr(base, "://");
	size_t		 n = host != NULL ? (size_t)(host + 3 - base) : 0;
	char		*origin;
	uint64_t	 h;

	n += strcspn(base + n, "/");
	origin = csa_strndup(base, n);
	h = csa_fnv(csa_fnv(CSA_FNV, csa_source_name(source)), origin);
	free(origin);
	return h;
}

struct csa_upstream *
csa_upstream_open(const struct csa_config *config, struct csa_http *http,
    const struct csa_upstream_opts *o, struct csa_err *err)
{
	struct csa_upstream	*up = csa_new(struct csa_upstream);

	up->http = http;
	up->source = o->source;
	up->id = hash_address(o->source, o->base);
	up->hint = o->hint;
	up->breaker = (struct csa_breaker_opts){
		.percent = (unsigned)config->breaker_percent,
		.calls = (unsigned)config->breaker_calls,
		.open_ms = config->breaker_open_ms,
	};
	up->attempts = (unsigned)config->retry_attempts;
	up->floor = (unsigned)config->retry_floor;
	up->base_ms = config->retry_base_ms;
	up->wait_ms = config->retry_wait_ms;
	up->first_byte_ms = config->first_byte_timeout_ms;
	up->idle_ms = config->idle_timeout_ms;
	up->hedge = config->hedge;
	if (add_keys(up, o->auth, o->keys, err) == -1) {
		csa_upstream_close(up);
		return NULL;
	}
	return up;
}

void
csa_upstream_close(struct csa_upstream *up)
{
	if (up == NULL)
		return;
	for (unsigned i = 0; i < up->nkeys; i++) {
		free(up->key[i].text);
		free(up->key[i].header);
	}
	free(up);
}
