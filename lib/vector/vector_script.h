/*
 * vector_script: an index that says what it is told, for tests of what stands
 * above it.  It belongs to one test in one thread.
 */

#ifndef CSA_VECTOR_SCRIPT_H
#define CSA_VECTOR_SCRIPT_H

#include "lib/vector/vector.h"

struct csa_vectors_script {
	const struct csa_vec_hit *hits;	/* every query's answer; borrowed */
	size_t		 nhits;
	bool		 remote;
	unsigned	 fail_at;	/* the n-th finish, put or del fails */

	/* What came of it, for the test to look at. */
	unsigned	 calls;		/* of finish, put and del */
	unsigned	 queries, cancelled;
	unsigned	 puts, dels;	/* that did not fail */
	size_t		 last_put;	/* chunks */
	char		 last_del[1024];	/* ids, a blank behind each */
};

/* Borrows the script, and writes to it until close. */
struct csa_vectors *csa_vectors_script_open(struct csa_vectors_script *);

#endif
