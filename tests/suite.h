/*
 * suite: the end of every test program's main.
 */

#ifndef CSA_TESTS_SUITE_H
#define CSA_TESTS_SUITE_H

#include <check.h>

/* Run it; CK_VERBOSITY=verbose tells each test.  Returns main's result. */
static inline int
run_suite(Suite *s)
{
	SRunner	*r = srunner_create(s);
	int	 failed;

	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? 0 : 1;
}

#endif
