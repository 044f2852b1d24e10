/*
 * The reply of a chat call, and of a failed call: a text that is taken is valid
 * UTF-8 without NUL and within its ceiling, counts are never negative, and a
 * message for the log is one printable line.  The first byte says which reader.
 */

#include "config.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/reply.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MAX_TEXT	4096

static void
answer(int gemini, const char *s, size_t n)
{
	struct csa_answer	 a;
	const char		*why = NULL;
	int			 rc;

	csa_answer_init(&a, MAX_TEXT);
	rc = (gemini ? csa_gemini_chat_reply : csa_openai_chat_reply)(&a, s, n,
	    &why);
	if (rc == 0) {
		CSA_MUST(a.text.len <= MAX_TEXT && !a.text.failed);
		if (a.text.len > 0) {
			CSA_MUST(csa_utf8_valid(a.text.data, a.text.len, NULL));
			CSA_MUST(strlen(a.text.data) == a.text.len);
		}
		CSA_MUST(a.prompt_tokens >= 0 && a.completion_tokens >= 0 &&
		    a.total_tokens >= 0);
		CSA_MUST(memchr(a.model, 0, sizeof(a.model)) != NULL);
	} else
		CSA_MUST(why != NULL);
	csa_answer_fini(&a);
}

static void
error(const char *s, size_t n)
{
	struct csa_provider_error	 e;

	csa_provider_error_read(&e, s, n, "sk-secret");
	CSA_MUST(strstr(e.message, "sk-secret") == NULL);
	CSA_MUST(csa_utf8_valid(e.message, strlen(e.message), NULL));
	CSA_MUST(strpbrk(e.message, "\r\n\t") == NULL);
	CSA_MUST(e.retry_s >= 0 && e.retry_s <= 86400);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	const char	*s = (const char *)data + 1;

	if (n == 0)
		return 0;
	if ((data[0] & 3) == 3)
		error(s, n - 1);
	else
		answer(data[0] & 1, s, n - 1);
	return 0;
}
