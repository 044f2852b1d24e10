#include "config.h"

#include "tests/suite.h"
#include "tests/unit/upstream_fixture.h"

int
main(void)
{
	Suite	*s = suite_create("upstream");

	suite_add_tcase(s, share_case());
	suite_add_tcase(s, calls_case());
	suite_add_tcase(s, streams_case());
	suite_add_tcase(s, keys_case());
	suite_add_tcase(s, outage_case());
	return run_suite(s);
}
