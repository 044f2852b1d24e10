/*
 * num: the only way from text to a number: a range, and nothing behind it.
 */

#ifndef CSA_TEXT_NUM_H
#define CSA_TEXT_NUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * 0 and *v, or -1: not a number, or outside min..max.  An integer is digits with
 * or without a minus; a double is written as in JSON, the decimal sign a point
 * whatever the locale says.  No blanks, no plus, no hex, no inf.
 */
int	csa_parse_int(const char *s, int64_t min, int64_t max, int64_t *v);
int	csa_parse_double(const char *s, double min, double max, double *v);

/* Digits only ("CONTENT_LENGTH"); -1 for a sign, blanks or overflow. */
int	csa_parse_size(const char *s, size_t *v);

#endif
