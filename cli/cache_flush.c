#include "config.h"

#include <sys/stat.h>

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cache.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/cache/cache.h"
#include "lib/cache/generation.h"
#include "lib/config/config.h"
#include "lib/kv/kv_pool.h"
#include "lib/store/store.h"

/* For a bot that is being written to all the time. */
#define STORE_MS	30000

/*
 * Be the service's user where root calls: SQLite makes files beside a bot's, and
 * the pools must be able to use them.  0, or -1 with a complaint.
 */
static int
become_owner(const char *dir)
{
	struct passwd	*pw;
	struct stat	 st;

	if (geteuid() != 0 || stat(dir, &st) == -1 || st.st_uid == 0)
		return 0;
	errno = 0;
	if ((pw = getpwuid(st.st_uid)) != NULL &&
	    initgroups(pw->pw_name, pw->pw_gid) == 0 &&
	    setegid(pw->pw_gid) == 0 && seteuid(pw->pw_uid) == 0)
		return 0;
	fprintf(stderr, "chatsphere: cannot become the owner of %s: %s\n", dir,
	    errno != 0 ? strerror(errno) : "nobody has that number");
	return -1;
}

/* 0 where there is nothing to raise, too. */
static int
raise_store(const struct csa_config *config, struct csa_ctx *ctx,
    const struct csa_scope *scope, FILE *out)
{
	struct csa_store	*store;
	struct csa_err		 err;
	char			 bots[PATH_MAX];
	int			 rc = 0;

	/* Opening a store would make its directories, and be their owner. */
	if (snprintf(bots, sizeof(bots), "%s/bots", config->data_dir) <
	    (int)sizeof(bots) && access(bots, F_OK) == 0) {
		if (become_owner(bots) == -1)
			return -1;
		if ((store = csa_store_sqlite_open(config->data_dir, 1,
		    &err)) == NULL)
			rc = -1;
		else {
			rc = store->ops->touch(store, ctx, scope, &err);
			store->ops->close(store);
		}
	}
	if (rc == -1) {
		fprintf(stderr, "chatsphere: the store: %s: %s\n", err.msg,
		    err.detail);
		return -1;
	}
	fprintf(out, rc == 1 ? "store      %s: generation raised; nothing "
	    "cached is found on this host any more\n" :
	    "store      %s has no documents on this host\n", scope->bot);
	return 0;
}

/* How long what is cached now may be kept, at most; with the jitter of a ttl. */
static long
longest(const struct csa_config *config)
{
	long	 s = config->retrieval_ttl_s;

	if (config->answer_ttl_s > s)
		s = config->answer_ttl_s;
	return s + s / 10;
}

static int
tell_memcached(const struct csa_config *config, struct csa_ctx *ctx,
    const struct csa_scope *scope, FILE *out)
{
	struct csa_kv_pool	*pool;
	struct csa_cache	*cache;
	struct csa_generation	 g;
	struct csa_err		 err;
	int			 rc;

	if (config->memcached_servers[0] == '\0') {
		fprintf(out, "memcached  none is configured: nothing is "
		    "cached\n");
		return 0;
	}
	if ((pool = csa_kv_pool_new(config->memcached_servers,
	    config->memcached_timeout_ms, &err)) == NULL) {
		fprintf(stderr, "chatsphere: memcached: %s\n", err.msg);
		return -1;
	}
	cache = csa_cache_new(pool, config);
	csa_generation_bump(cache, ctx, scope);
	/* It is known here only where it could be told, if at the second try. */
	rc = csa_generation_get(cache, ctx, scope, 0, &g);
	csa_cache_free(cache);
	csa_kv_pool_free(pool);
	if (rc == 1) {
		fprintf(out, "memcached  told: every host knows within a "
		    "second\n");
		return 0;
	}
	fprintf(stderr, "chatsphere: memcached (%s) cannot be told: other "
	    "hosts may give old answers for up to %ld s; flush again when it "
	    "is back\n", config->memcached_servers, longest(config));
	return -1;
}

int
csa_cache_flush(const struct csa_config *config,
    const struct csa_scope *scope, FILE *out)
{
	struct csa_ctx	 ctx = { .arena = csa_arena_new(),
			    .deadline = csa_now_ms() + STORE_MS,
			    .request_id = "flush" };
	int		 rc;

	/* The order of a change: the store, then everybody. */
	rc = raise_store(config, &ctx, scope, out);
	if (tell_memcached(config, &ctx, scope, out) == -1)
		rc = -1;
	csa_arena_free(ctx.arena);
	return rc == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
