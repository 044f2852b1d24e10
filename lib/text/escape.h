/*
 * escape: what an escape in a JSON string stands for; private to lib/text.
 */

#ifndef CSA_TEXT_ESCAPE_H
#define CSA_TEXT_ESCAPE_H

/*
 * Write what the escape at *s, a backslash, stands for; csa_json_check has
 * passed it.  *s is behind it then, and what is returned behind what was
 * written: 1 to 4 bytes, never more than were read.
 */
char	*csa_unescape(const char **s, char *out);

#endif
