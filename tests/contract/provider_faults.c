#include "config.h"

#include <check.h>
#include <string.h>

#include "lib/base/clock.h"
#include "tests/contract/emu_client.h"
#include "tests/contract/provider_faults.h"

const struct fault_case	 faults[NFAULTS] = {
	{ "\"kind\":\"retry_after\",\"retry_after\":7",
	  CSA_ERR_PROVIDER_BUSY, 7, 0 },
	{ "\"kind\":\"plain429\"", CSA_ERR_PROVIDER_BUSY, -1, 0 },
	{ "\"kind\":\"status\",\"status\":503", CSA_ERR_PROVIDER_BUSY, -1, 0 },
	{ "\"kind\":\"status\",\"status\":500", CSA_ERR_PROVIDER_FAULT, -1,
	  0 },
	{ "\"kind\":\"status\",\"status\":502", CSA_ERR_PROVIDER_UNAVAILABLE,
	  -1, 0 },
	{ "\"kind\":\"status\",\"status\":504", CSA_ERR_PROVIDER_UNAVAILABLE,
	  -1, 0 },
	{ "\"kind\":\"status\",\"status\":400", CSA_ERR_PROVIDER_ERROR, -1,
	  0 },
	{ "\"kind\":\"status\",\"status\":401", CSA_ERR_PROVIDER_ERROR, -1,
	  0 },
	{ "\"kind\":\"status\",\"status\":403", CSA_ERR_PROVIDER_ERROR, -1,
	  0 },
	{ "\"kind\":\"status\",\"status\":404", CSA_ERR_PROVIDER_ERROR, -1,
	  0 },
	{ "\"kind\":\"html\"", CSA_ERR_PROVIDER_UNAVAILABLE, -1, 0 },
	{ "\"kind\":\"html\",\"status\":200", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"garbage\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"wrong_type\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"empty\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"empty_object\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"big\",\"size\":100000000", CSA_ERR_PROVIDER_ERROR, -1,
	  0 },
	{ "\"kind\":\"deep\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"redirect\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"reset\"", CSA_ERR_PROVIDER_UNAVAILABLE, -1, 0 },
	{ "\"kind\":\"close\"", CSA_ERR_PROVIDER_UNAVAILABLE, -1, 0 },
	{ "\"kind\":\"bad_http\"", CSA_ERR_PROVIDER_ERROR, -1, 0 },
	{ "\"kind\":\"truncate\"", CSA_ERR_PROVIDER_UNAVAILABLE, -1, 0 },
	{ "\"kind\":\"reset_midbody\"", CSA_ERR_PROVIDER_UNAVAILABLE, -1, 0 },
	{ "\"kind\":\"hang\"", CSA_ERR_DEADLINE, -1, 700 },
	{ "\"kind\":\"hang_midbody\"", CSA_ERR_DEADLINE, -1, 700 },
};

/* No key, no address, nothing of the provider's own words. */
void
check_failure(const struct fault_case *c, enum csa_source source,
    const struct csa_err *err, int64_t start)
{
	ck_assert_msg(err->code == c->code, "%s gave %s (%s)", c->rule,
	    csa_errinfo(err->code)->code, err->detail);
	if (err->code != CSA_ERR_DEADLINE)
		ck_assert_int_eq(err->source, source);
	if (c->retry_after != -1)
		ck_assert_int_eq(err->retry_after, c->retry_after);
	ck_assert_ptr_null(strstr(err->msg, "secret"));
	ck_assert_ptr_null(strstr(err->msg, "127.0.0.1"));
	ck_assert_ptr_null(strstr(err->msg, "mulated"));
	ck_assert_ptr_null(strstr(err->detail, "secret"));
	/* It would hang for ever. */
	if (c->ms > 0)
		ck_assert_int_lt(csa_now_ms() - start, c->ms + 5000);
}

int64_t
arrange(const struct fault_case *c)
{
	emu_fault(c->rule);
	if (c->ms > 0)
		emu_ctx.deadline = csa_now_ms() + c->ms;
	return csa_now_ms();
}
