/*
 * A streamed answer: whatever comes, and however it is cut, the same answer or
 * error comes out; and the text is UTF-8 within its ceiling and only ever grows.
 * The first byte says which vendor, the next three how the bytes are cut.
 */

#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/provider/chat_stream.h"
#include "lib/text/utf8.h"
#include "tests/fuzz/fuzz.h"

#define MAX_TEXT	4096

struct outcome {
	struct csa_answer	 a;
	struct csa_err		 err;
	int			 rc;
};

static void
check_text(const struct csa_answer *a, size_t *before)
{
	CSA_MUST(a->text.len <= MAX_TEXT && a->text.len >= *before);
	if (a->text.len > 0) {
		CSA_MUST(csa_utf8_valid(a->text.data, a->text.len, NULL));
		CSA_MUST(strlen(a->text.data) == a->text.len);
	}
	*before = a->text.len;
}

static int
feed(struct csa_chat_stream *st, const char *s, size_t n, struct csa_err *err)
{
	char	*copy = csa_malloc(n);
	int	 rc;

	memcpy(copy, s, n);
	rc = csa_chat_stream_feed(st, copy, n, err);
	free(copy);
	return rc;
}

/* Pieces of the sizes in how, over and over; 0: all at once. */
static void
run(struct outcome *o, csa_chat_reader *read, const uint8_t *how, size_t nhow,
    const char *s, size_t n)
{
	struct csa_chat_stream	 st;
	size_t			 before = 0, k;

	memset(o, 0, sizeof(*o));
	csa_answer_init(&o->a, MAX_TEXT);
	csa_chat_stream_init(&st, read, CSA_SRC_OPENAI, "sk-secret", &o->a);
	for (size_t i = 0; o->rc == 0 && n > 0; i++) {
		k = nhow > 0 ? how[i % nhow] : n;
		k = k == 0 ? 1 : k < n ? k : n;
		o->rc = feed(&st, s, k, &o->err);
		if (o->rc == 0)
			check_text(&o->a, &before);
		s += k;
		n -= k;
	}
	if (o->rc == 0)
		o->rc = csa_chat_stream_end(&st, &o->err);
	csa_chat_stream_fini(&st);
	if (o->rc == -1) {
		CSA_MUST(o->err.code != CSA_OK);
		CSA_MUST(strstr(o->err.detail, "sk-secret") == NULL);
	} else
		check_text(&o->a, &before);
}

static void
same(const struct outcome *a, const struct outcome *b)
{
	CSA_MUST(a->rc == b->rc && a->err.code == b->err.code);
	CSA_MUST(strcmp(a->err.detail, b->err.detail) == 0);
	CSA_MUST(a->a.text.len == b->a.text.len);
	CSA_MUST(a->a.text.len == 0 ||
	    strcmp(a->a.text.data, b->a.text.data) == 0);
	CSA_MUST(a->a.ending == b->a.ending);
	CSA_MUST(strcmp(a->a.model, b->a.model) == 0);
	CSA_MUST(a->a.total_tokens == b->a.total_tokens);
	CSA_MUST(a->a.cached_tokens <= a->a.prompt_tokens);
	CSA_MUST(a->a.thought_tokens <= a->a.completion_tokens);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const uint8_t	 one[] = { 1 };
	csa_chat_reader		*read;
	const char		*s = (const char *)data + 4;
	struct outcome		 whole, other;

	if (n < 4)
		return 0;
	read = data[0] & 1 ? csa_gemini_chat_read : csa_openai_chat_read;
	run(&whole, read, NULL, 0, s, n - 4);
	run(&other, read, one, 1, s, n - 4);
	same(&whole, &other);
	csa_answer_fini(&other.a);
	run(&other, read, data + 1, 3, s, n - 4);
	same(&whole, &other);
	csa_answer_fini(&other.a);
	csa_answer_fini(&whole.a);
	return 0;
}
