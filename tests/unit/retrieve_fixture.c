#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/metrics/metrics.h"
#include "lib/provider/provider_script.h"
#include "tests/remove_tree.h"
#include "tests/unit/test_retrieve_cache.h"

struct csa_arena		*arena;
struct host			 host;
struct csa_store		*store;
struct csa_rag			 rag;
struct csa_ctx			 ctx;
struct csa_err			 err;
struct csa_found		 found;
struct csa_vectors_script	 index_script;
const struct csa_scope		 one = { "", "one" }, other = { "t", "one" };
static char			 dir[64];

void
arena_setup(void)
{
	(void)csa_log_open("test", "/dev/null", CSA_ERROR);
	arena = csa_arena_new();
}

void
arena_teardown(void)
{
	csa_arena_free(arena);
}

void
service_setup(void)
{
	arena_setup();
	mc_start();
	host_open(&host, true);
	snprintf(dir, sizeof(dir), "/tmp/csa-found-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	ck_assert_int_eq(csa_metrics_open(NULL, &err), 0);
	store = csa_store_sqlite_open(dir, 2, &err);
	ck_assert_ptr_nonnull(store);
	index_script = (struct csa_vectors_script){ .remote = true };
	rag = (struct csa_rag){ .store = store, .text_weight = .6,
	    .cache = host.cache, .retrieval_ttl = 600, .may_degrade = true };
	memset(&ctx, 0, sizeof(ctx));
	ctx.arena = arena;
	ctx.deadline = csa_now_ms() + patience(60000);
}

void
service_teardown(void)
{
	if (rag.embedder != NULL)
		rag.embedder->ops->close(rag.embedder);
	if (rag.vectors != NULL)
		rag.vectors->ops->close(rag.vectors);
	host_close(&host);
	store->ops->close(store);
	csa_metrics_close();
	mc_stop();
	remove_tree(dir);
	arena_teardown();
}

void
with_vectors(void)
{
	rag.embedder = csa_embedder_script_open(4, 0);
	rag.vectors = csa_vectors_script_open(&index_script);
}

void
put(const struct csa_scope *scope, const char *id, const char *text)
{
	struct csa_chunk	 c = { .id = csa_arena_printf(arena, "%s-0",
				    id), .text = text, .len = strlen(text),
				    .title = "" };

	ck_assert_msg(csa_ingest(&rag, &ctx, scope, id, NULL, &c, 1, &err) ==
	    0, "%s %s", err.msg, err.detail);
}

void
ask(const struct csa_scope *scope, const char *question, size_t k)
{
	struct csa_timings	 t = { 0, 0, 0 };

	ck_assert_msg(csa_retrieve(&rag, &ctx, scope, question, k, &found, &t,
	    &err) == 0, "%s %s", err.msg, err.detail);
	ck_assert_int_gt(t.retrieve, 0);
}

void
assert_found(bool cached, const char *text)
{
	ck_assert_int_eq(found.cached, cached);
	if (text == NULL) {
		ck_assert_uint_eq(found.n, 0);
		return;
	}
	ck_assert_uint_gt(found.n, 0);
	ck_assert_str_eq(found.passages[0].chunk.text, text);
}
