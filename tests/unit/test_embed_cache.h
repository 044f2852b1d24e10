/*
 * test_embed_cache: an embedder that is watched, and the parts of the suite.
 */

#ifndef CSA_TESTS_TEST_EMBED_CACHE_H
#define CSA_TESTS_TEST_EMBED_CACHE_H

#include <pthread.h>
#include <stdatomic.h>

#include <check.h>

#include "lib/provider/provider.h"

#define MAX_ASKED	4096
#define WATCHED_NANOS	150	/* of a dollar: a token of a question */

/* Counts words as the scripted one does, and writes down what it was asked. */
struct watched {
	struct csa_embedder	 embedder;	/* must be first */
	struct csa_embedder	*script;
	pthread_mutex_t		 lock;
	size_t			 dim;
	atomic_uint		 calls;		/* started */
	/* How it is to answer. */
	enum csa_errcode	 error;		/* of all that begins; CSA_OK */
	long			 delay_ms;	/* needs a waiter */
	atomic_uint		 awaited;	/* who are to board before that */
	bool			 as_text;	/* numbers as they came */
	/* What it was asked, in order; for one thread. */
	bool			 records;
	struct csa_text		 asked[MAX_ASKED];
	size_t			 nasked;
};

void	watched_init(struct watched *, size_t dim);
void	watched_fini(struct watched *);
/* The vector of a text, worked out directly. */
const float *direct(struct watched *, struct csa_arena *,
	    const struct csa_text *);

TCase	*embed_keys_case(void);
TCase	*embed_shared_case(void);

#endif
