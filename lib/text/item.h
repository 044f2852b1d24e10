/*
 * item: the items of a list with commas, as settings have them.
 */

#ifndef CSA_TEXT_ITEM_H
#define CSA_TEXT_ITEM_H

#include <stddef.h>

/*
 * The next item of *list, n bytes without the spaces around them, and *list behind
 * it; NULL where there is none.  Empty items are passed over.
 */
const char *csa_item(const char **list, size_t *n);

#endif
