/*
 * fixture: what the tests of replies share.
 */

#ifndef CSA_TESTS_FIXTURE_H
#define CSA_TESTS_FIXTURE_H

#include <stddef.h>

/* A copy without a byte more, for the sanitizers' sake; yours to free. */
char	*exact(const char *s, size_t n);

/* The file of tests/data/provider, NUL-terminated; yours to free. */
char	*fixture(const char *name, size_t *len);

#endif
