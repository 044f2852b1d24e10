/*
 * json_check: is this JSON, to the letter of RFC 8259?
 *
 * json-c is more generous than a contract can be (NaN, single quotes, raw
 * control characters, duplicate names, names cut at a NUL), so every text goes
 * through this scan first.  It allocates only to compare names, within the bounds
 * of csa_json_limits, and takes time proportional to the text whatever the names
 * are.
 */

#ifndef CSA_TEXT_JSON_CHECK_H
#define CSA_TEXT_JSON_CHECK_H

#include <stddef.h>

/* No max_depth may be larger. */
#define CSA_JSON_DEPTH_MAX	128

struct csa_json_limits {
	unsigned	 max_depth;	/* arrays and objects, 32 for requests */
	size_t		 max_names;	/* in one object */
	size_t		 max_values;	/* in all */
	_Bool		 unique_names;	/* refuse a name twice in one object */
};

extern const struct csa_json_limits csa_json_request_limits;
extern const struct csa_json_limits csa_json_reply_limits;  /* providers' */

/*
 * Returns 0, or -1 with *where the byte offset of what is wrong and *why a
 * constant sentence ("a number may not start with 0", "name given twice", ...).
 * Refused besides syntax: invalid UTF-8, lone surrogate escapes, \u0000, numbers
 * that no double can hold (1e999) or of more than 512 bytes, a BOM, anything
 * after the value.  Names are compared as they read, escapes resolved.
 */
int	csa_json_check(const char *s, size_t n, const struct csa_json_limits *,
	    size_t *where, const char **why);

/*
 * How many of the n bytes at p a string has as they are: no quote, no backslash,
 * no control character.
 */
size_t	csa_json_plain(const char *p, size_t n);

#endif
