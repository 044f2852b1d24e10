/*
 * store_script: a store that expects certain calls in a certain order and says
 * what it is told, for tests of what stands above it.  It belongs to one test
 * in one thread.
 */

#ifndef CSA_STORE_STORE_SCRIPT_H
#define CSA_STORE_STORE_SCRIPT_H

#include "lib/store/store.h"

/* One call and its answer; everything is borrowed until close. */
struct csa_store_step {
	const char	*op;		/* "search", a name of csa_store_ops */
	const char	*bot;		/* NULL: any */
	const char	*arg;		/* document id or question; NULL: any */
	enum csa_errcode fail;		/* CSA_OK: it succeeds with these: */
	const struct csa_text_result *text;
	const struct csa_chunk *chunks;	/* found by id or by row: as many as */
	size_t		 nchunks;	/* were asked for, or fewer */
	const struct csa_ids *ids;	/* taken, old; NULL: none */
	uint64_t	 generation;
	const struct csa_stored_vec *vecs;	/* in rising order of rows */
	size_t		 nvecs;
};

struct csa_store_script {
	const struct csa_store_step *steps;
	size_t		 nsteps;

	/* What came of it. */
	size_t		 at;		/* steps done */
	char		 wrong[128];	/* the first unexpected call */
};

/* Borrows the script, and writes to it until close. */
struct csa_store *csa_store_script_open(struct csa_store_script *);

#endif
