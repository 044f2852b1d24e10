/*
 * names: has this object had this name before?  Private to lib/text.
 *
 * One hash table for all objects that are open at a time.  They close in the
 * reverse order of their opening, so a table of chains whose newest entry stands
 * first loses an object's names by popping them.  The hash is keyed by random
 * bytes: no text can be written to make the chains long.
 */

#ifndef CSA_TEXT_NAMES_H
#define CSA_TEXT_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct csa_name;

struct csa_names {
	struct csa_name	*names;		/* a stack */
	size_t		 count, size;
	uint32_t	*heads;		/* index + 1 into names; 0: none */
	size_t		 nheads;	/* a power of 2 */
	uint64_t	 key[2];
};

void	csa_names_init(struct csa_names *);
void	csa_names_fini(struct csa_names *);

/*
 * Remember a name of the object called `object` (any number that no other open
 * object has).  s is the text between the quotes, checked before; escaped: it has
 * a backslash.  s is borrowed until it is popped.  Returns false, and remembers
 * nothing, if the object has it already.
 */
bool	csa_names_push(struct csa_names *, size_t object, const char *s,
	    size_t n, bool escaped);

/* Forget all but the first count names. */
void	csa_names_pop(struct csa_names *, size_t count);

#endif
