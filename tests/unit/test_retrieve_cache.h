/*
 * test_retrieve_cache: a store with a cache before it, and the suite's parts.
 */

#ifndef CSA_TESTS_TEST_RETRIEVE_CACHE_H
#define CSA_TESTS_TEST_RETRIEVE_CACHE_H

#include <check.h>

#include "lib/base/arena.h"
#include "lib/rag/retrieve_cache.h"
#include "lib/vector/vector_script.h"
#include "tests/unit/cache_fixture.h"

extern struct csa_arena			*arena;
void	arena_setup(void);
void	arena_teardown(void);

/* With a memcached of the test's own. */
extern struct host			 host;
extern struct csa_store			*store;
extern struct csa_rag			 rag;
extern struct csa_ctx			 ctx;
extern struct csa_err			 err;
extern struct csa_found			 found;		/* by ask */
extern struct csa_vectors_script	 index_script;
extern const struct csa_scope		 one, other;
void	service_setup(void);
void	service_teardown(void);

/* An index far away, which this host's changes are older than. */
void	with_vectors(void);
/* A document of one passage, ID-0. */
void	put(const struct csa_scope *, const char *id, const char *text);
void	ask(const struct csa_scope *, const char *question, size_t k);
/* It was, or was not, cached; the best passage says so. */
void	assert_found(bool cached, const char *text);

TCase	*retrieve_keys_case(void);
TCase	*retrieve_values_case(void);
TCase	*retrieve_remote_case(void);

#endif
