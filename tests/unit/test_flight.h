/*
 * test_flight: the parts of the suite.
 */

#ifndef CSA_TESTS_TEST_FLIGHT_H
#define CSA_TESTS_TEST_FLIGHT_H

#include <check.h>

#include "lib/cache/key.h"

struct csa_cache_key flight_key(const char *of);

TCase	*crews_case(void);
TCase	*peers_case(void);

#endif
