/*
 * test_answer_cache: the parts of the suite.
 */

#ifndef TESTS_UNIT_TEST_ANSWER_CACHE_H
#define TESTS_UNIT_TEST_ANSWER_CACHE_H

#include <check.h>

TCase	*turns_case(void);

#endif
