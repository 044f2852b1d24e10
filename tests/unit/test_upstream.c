#include "config.h"

#include "tests/unit/upstream_fixture.h"

int
main(void)
{
	Suite	*s = suite_create("upstream");
	SRunner	*r;
	int	 failed;

	suite_add_tcase(s, share_case());
	suite_add_tcase(s, calls_case());
	suite_add_tcase(s, streams_case());
	suite_add_tcase(s, keys_case());
	suite_add_tcase(s, outage_case());
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
