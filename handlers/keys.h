/*
 * keys: who may do what.
 *
 * Two kinds of keys: the configuration's own (internal_api_key and its
 * predecessor), which may do everything, and those of keys_file, which are
 * named, hashed and may do less.  A line of that file is
 *
 *	NAME sha256:HEX endpoints=LIST bots=LIST [tenant=T]
 *
 * with "chat,store,status" or "*" for endpoints and "b1,b2,prefix*" or "*" for
 * bots.  NAME and T are 1 to 64 of A-Z a-z 0-9 _ -, so that T can stand before
 * a dot.  # begins a comment line.  HEX is `printf %s "$KEY" | sha256sum`:
 * without salt, so a key has to be long and random.  The plaintext of no key is
 * kept.
 *
 * Constant once loaded, and safe to use from any thread; a change of the file
 * takes a new process.
 */

#ifndef CSA_HANDLERS_KEYS_H
#define CSA_HANDLERS_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct csa_keys;

struct csa_key_bots;		/* what a key may be used for */

struct csa_key {
	const char	*name;		/* for the log; "internal" for ours */
	const char	*tenant;	/* NULL: none */
	unsigned	 endpoints;	/* enum csa_pool_bit */
	const struct csa_key_bots *bots;
};

/*
 * file: "" or NULL for none.  key1, key2: the configuration's, "" or NULL where
 * not set.  NULL with err INTERNAL whose msg is "FILE:LINE: what is wrong":
 * start-up is the only time this is called, so msg is for the operator here.  A
 * set without any key is no error; it finds nobody.  Nothing is borrowed.
 */
struct csa_keys	*csa_keys_load(const char *file, const char *key1,
		    const char *key2, struct csa_err *);
void	csa_keys_free(struct csa_keys *);	/* NULL: nothing to do */

/*
 * The key that was presented, or NULL.  Its digest is compared with every known
 * one, each in constant time, so the time tells nothing but how many there are.
 * The result lives as long as the set.
 */
const struct csa_key *csa_keys_find(const struct csa_keys *,
		    const char *presented, size_t n);

/*
 * key NULL: false.  bit is one enum csa_pool_bit.  A key without a tenant has no
 * right to a bot whose name begins with that of a tenant and a dot: Pinecone would
 * have it in one place with the tenant's own.
 */
bool	csa_key_allows_endpoint(const struct csa_key *, unsigned bit);
bool	csa_key_allows_bot(const struct csa_key *, const char *bot);

#endif
