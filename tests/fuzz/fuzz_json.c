/*
 * What csa_json_check passes, json-c reads in its strict mode too, writes out
 * again, and reads back the same; so there is nothing it would see differently.
 */

#include "config.h"

#include <string.h>

#include "lib/base/must.h"
#include "lib/text/json.h"
#include "tests/fuzz/fuzz.h"

static struct json_object *
strict(const char *s, size_t n)
{
	struct json_tokener	*tok = json_tokener_new_ex(256);
	struct json_object	*o;

	CSA_MUST(tok != NULL);
	json_tokener_set_flags(tok, JSON_TOKENER_STRICT |
	    JSON_TOKENER_VALIDATE_UTF8);
	o = json_tokener_parse_ex(tok, s, (int)n);
	/* A number may go on; a blank ends it. */
	if (json_tokener_get_error(tok) == json_tokener_continue)
		o = json_tokener_parse_ex(tok, " ", 1);
	CSA_MUST(json_tokener_get_error(tok) == json_tokener_success);
	json_tokener_free(tok);
	return o;
}

static void
agree(const char *s, size_t n)
{
	struct json_object	*o = strict(s, n), *again;
	struct csa_err		 err;
	const char		*text;

	if (o == NULL)				/* null, and nothing else */
		return;
	text = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN);
	again = csa_json_parse(text, strlen(text), &csa_json_request_limits,
	    &err);
	CSA_MUST(again != NULL);
	CSA_MUST(json_object_equal(o, again));
	json_object_put(again);
	json_object_put(o);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char	*s = (const char *)data, *why = NULL;
	size_t		 where = n + 1;
	int		 request, reply;

	reply = csa_json_check(s, n, &csa_json_reply_limits, &where, &why);
	CSA_MUST(reply == 0 || (where <= n && why != NULL));
	where = n + 1;
	request = csa_json_check(s, n, &csa_json_request_limits, &where, &why);
	CSA_MUST(request == 0 || (where <= n && why != NULL));
	/* A request's rules are a reply's and more. */
	CSA_MUST(request == -1 || reply == 0);
	if (request == 0)
		agree(s, n);
	else if (reply == 0)
		json_object_put(strict(s, n));
	return 0;
}
