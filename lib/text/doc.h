/*
 * doc: a request or a provider's reply as a tree, for reading once and fast.
 *
 * json-c takes an allocation for every value and a hash table for every object,
 * which was a third of what a chat costs.  Here a tree is a few dozen nodes in
 * an arena, and ends with it.  As with json-c, a name that an object has twice
 * has its last value, and null is the same as nothing.
 */

#ifndef CSA_TEXT_DOC_H
#define CSA_TEXT_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct csa_arena;
struct csa_buf;

enum csa_node_type {
	CSA_NODE_NULL,
	CSA_NODE_FALSE,
	CSA_NODE_TRUE,
	CSA_NODE_NUMBER,
	CSA_NODE_STRING,
	CSA_NODE_ARRAY,
	CSA_NODE_OBJECT
};

struct csa_node {
	enum csa_node_type type;
	const char	*name;		/* of a member, NUL-terminated */
	size_t		 nname;
	const char	*s;		/* a string, or a number as written */
	size_t		 n;		/* its bytes; of others: children */
	struct csa_node	*first;		/* child */
	struct csa_node	*next;
};

/*
 * Check n bytes with csa_json_reply_limits and read them into the arena; s may go
 * afterwards.  NULL where it is no JSON (RFC 8259), or repeats names more often
 * than any program would.
 */
const struct csa_node *csa_doc(struct csa_arena *, const char *s, size_t n);
/* The same of text that csa_json_check has passed with limits of its own. */
const struct csa_node *csa_doc_checked(struct csa_arena *, const char *s,
	    size_t n);

/* All of these take NULL, and a node of another type, for nothing there. */

bool	csa_node_is(const struct csa_node *, enum csa_node_type);
/* The member called name of an object; NULL where absent or null. */
const struct csa_node *csa_node_get(const struct csa_node *,
	    const char *name);
/* The same along a path of names ("usage.total"), a step below 128 bytes. */
const struct csa_node *csa_node_at(const struct csa_node *, const char *path);
/* A string's text, NUL-terminated, or NULL. */
const char *csa_node_str(const struct csa_node *);
/* A number without a fraction that an int64_t holds; else what is given. */
int64_t	csa_node_int(const struct csa_node *, int64_t otherwise);
double	csa_node_double(const struct csa_node *);	/* 0 for no number */

/* Append it as JSON without blanks. */
void	csa_node_write(struct csa_buf *, const struct csa_node *);

#endif
